//! One table: the rows of one space for one lookup, where they live and how they come to be.

mod gather;
mod shard;
mod update;

use burnrec_backend::DeviceRows;
use rayon::prelude::*;

use crate::lookups::{Init, Lookup};
use crate::optimizer::SparseOptimizer;
use crate::placement::TableDevice;
use crate::shards::{SHARDS, shard_of};
use shard::Layout;

pub(crate) use shard::Shard;
pub(crate) use update::Gradient;
pub use update::LookupGradient;

/// Where a table's slots stand in the leaf `[B, slots, dim]` of its lookup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    /// The first slot.
    pub(crate) first: usize,
    /// How many slots are this table's.
    pub(crate) count: usize,
    /// All slots of the leaf.
    pub(crate) total: usize,
}

/// Where a table stands in a model.
pub(crate) struct Place {
    pub(crate) space: usize,
    pub(crate) lookup: usize,
    pub(crate) columns: Columns,
    /// Which sequences of the lookup the space's are.
    pub(crate) sequences: Vec<usize>,
    /// Whether the space's rows are known from the start.
    pub(crate) fixed: bool,
}

/// Rows and their optimiser.
pub(crate) struct Table {
    pub(crate) space: usize,
    pub(crate) lookup: usize,
    pub(crate) columns: Columns,
    /// Which sequences of the lookup the space's are.
    pub(crate) sequences: Vec<usize>,
    /// The place in the leaf of the sum of squares of its first slot, where it has such sums.
    pub(crate) squares: Option<usize>,
    pub(crate) optimizer: SparseOptimizer,
    pub(crate) layout: Layout,
    /// Whether its rows are known from the start.
    fixed: bool,
    init: Init,
    seed: u64,
    /// The rows, in host memory; none while they are on a device.
    pub(crate) shards: Vec<Shard>,
    /// The rows, in a device's memory.
    pub(crate) device_rows: Option<DeviceRows>,
    /// Rows that a device's buffers can have.
    most_device_rows: usize,
}

/// Rows of a table, side by side.
pub(crate) struct RowsPart {
    /// `[rows, dim]`
    pub(crate) weights: Vec<f32>,
    /// `[rows, state]`
    pub(crate) state: Vec<f32>,
    /// Touches of each row.
    pub(crate) count: Vec<u32>,
    /// Step of each row's last touch.
    pub(crate) last: Vec<u32>,
}

/// Rows that are made or moved at a time.
pub(crate) const ROWS_A_MOVE: u32 = 1 << 16;

/// Room to make for `rows` rows: twice what there was, so that growing copies a row a bounded number of times, but no
/// more than fits.
fn grown(capacity: usize, rows: u32, most: usize) -> usize {
    (capacity * 2).min(most).max(rows as usize)
}

/// Occurrences ahead of the one at hand whose memory is asked for.
pub(crate) const EARLY: usize = 12;

/// No occurrence won a maximum.
pub(crate) const NOBODY: u32 = u32::MAX;

impl Table {
    pub(crate) fn new(place: Place, lookup: &Lookup, default: &SparseOptimizer, seed: u64) -> Self {
        let optimizer = lookup.optimizer.clone().unwrap_or_else(|| default.clone());
        let layout = Layout { dim: lookup.dim, state: optimizer.state_floats(lookup.dim) };
        let shards = (0..SHARDS).map(|_| Shard::new(layout)).collect();
        let Place { space, lookup: number, columns, sequences, fixed } = place;
        Self {
            space,
            lookup: number,
            columns,
            sequences,
            squares: None,
            optimizer,
            layout,
            fixed,
            init: lookup.init,
            seed,
            shards,
            device_rows: None,
            most_device_rows: 0,
        }
    }

    /// Puts the rows to come on a device.
    pub(crate) fn send_to_device(&mut self, frequency: &[u32], on: &TableDevice) {
        let most = self.rows_a_buffer(on.limit);
        self.most_device_rows = most.saturating_mul(on.buffers);
        self.device_rows = Some(DeviceRows::new(self.layout.dim, self.layout.state, frequency, most, &on.device));
    }

    /// Rows of a buffer of so many bytes.
    fn rows_a_buffer(&self, limit: u64) -> usize {
        let row = DeviceRows::largest_buffer(self.layout.dim, self.layout.state, 1).max(1);
        usize::try_from(limit / row).unwrap_or(usize::MAX)
    }

    /// Takes all rows back into host memory.
    pub(crate) fn bring_home(&mut self) {
        let Some(rows_there) = self.device_rows.take() else { return };
        let rows = rows_there.rows() as u32;
        self.make_room(rows);
        for from in (0..rows).step_by(ROWS_A_MOVE as usize) {
            let to = rows.min(from + ROWS_A_MOVE);
            let (weights, state, counters) = rows_there.read(from as usize, to as usize);
            let count = counters.iter().step_by(2).map(|c| c.cast_unsigned()).collect();
            let last = counters.iter().skip(1).step_by(2).map(|c| c.cast_unsigned()).collect();
            self.write(from, &RowsPart { weights, state, count, last });
        }
    }

    /// Makes room for rows below `rows` where they live.
    pub(crate) fn make_room(&mut self, rows: u32) {
        match &mut self.device_rows {
            Some(rows_there) if rows_there.capacity() >= rows as usize => {}
            Some(rows_there) => rows_there.reserve(grown(rows_there.capacity(), rows, self.most_device_rows)),
            None => {
                for (number, shard) in self.shards.iter_mut().enumerate() {
                    shard.grow((rows as usize + SHARDS - 1 - number) / SHARDS, self.fixed);
                }
            }
        }
    }

    /// Whether the next growth to `rows` keeps to the buffers that a device has for the table.
    pub(crate) fn fits(&self, rows: u32, on: &TableDevice) -> bool {
        let needed = match &self.device_rows {
            Some(rows_there) => (rows as usize).max(rows_there.capacity()),
            None => rows as usize,
        };
        needed <= self.rows_a_buffer(on.limit).saturating_mul(on.buffers)
    }

    /// Rows `from..to`, wherever they live.
    pub(crate) fn part(&self, from: u32, to: u32) -> RowsPart {
        let layout = self.layout;
        if let Some(rows_there) = &self.device_rows {
            let (weights, state, counters) = rows_there.read(from as usize, to as usize);
            let count = counters.iter().step_by(2).map(|c| c.cast_unsigned()).collect();
            let last = counters.iter().skip(1).step_by(2).map(|c| c.cast_unsigned()).collect();
            return RowsPart { weights, state, count, last };
        }
        let mut part = RowsPart { weights: Vec::new(), state: Vec::new(), count: Vec::new(), last: Vec::new() };
        for row in from..to {
            let floats = self.shards[shard_of(row)].row(row as usize / SHARDS);
            part.weights.extend_from_slice(&floats[..layout.dim]);
            part.state.extend_from_slice(&floats[layout.dim..layout.dim + layout.state]);
            part.count.push(floats[layout.dim + layout.state].to_bits());
            part.last.push(floats[layout.dim + layout.state + 1].to_bits());
        }
        part
    }

    /// Sets rows from `from` on, wherever they live; room must have been made.
    pub(crate) fn write(&mut self, from: u32, part: &RowsPart) {
        let layout = self.layout;
        if let Some(rows_there) = &mut self.device_rows {
            let counters = part.count.iter().zip(&part.last).flat_map(|(c, l)| [c.cast_signed(), l.cast_signed()]);
            rows_there.write(from as usize, part.weights.clone(), part.state.clone(), counters.collect());
            return;
        }
        for (i, (count, last)) in part.count.iter().zip(&part.last).enumerate() {
            let row = from + i as u32;
            let mut target = self.shards[shard_of(row)].row_mut(row as usize / SHARDS);
            target.weights.copy_from_slice(&part.weights[i * layout.dim..(i + 1) * layout.dim]);
            target.state.copy_from_slice(&part.state[i * layout.state..(i + 1) * layout.state]);
            target.set_counters(*count, *last);
        }
    }

    /// The first values of rows `from..to`.
    fn first_values(&self, from: u32, to: u32, key_of: &(dyn Fn(u32) -> u64 + Sync)) -> RowsPart {
        let (dim, state) = (self.layout.dim, self.layout.state);
        let rows = (to - from) as usize;
        let mut part = RowsPart {
            weights: vec![0.0; rows * dim],
            state: vec![0.0; rows * state],
            count: vec![0; rows],
            last: vec![0; rows],
        };
        let fill = |row: u32, weights: &mut [f32], state: &mut [f32]| {
            let (how, key) = self.first_of(row, key_of);
            how.fill(weights, self.seed, key);
            self.optimizer.init_state(weights, state);
        };
        match state {
            0 => part.weights.par_chunks_mut(dim).enumerate().for_each(|(i, w)| fill(from + i as u32, w, &mut [])),
            _ => part
                .weights
                .par_chunks_mut(dim)
                .zip(part.state.par_chunks_mut(state))
                .enumerate()
                .for_each(|(i, (w, s))| fill(from + i as u32, w, s)),
        }
        part
    }

    /// Starts the optimiser state of rows from their weights.
    pub(crate) fn restart(&self, part: &mut RowsPart) {
        if self.layout.state > 0 {
            let rows = part.weights.chunks(self.layout.dim).zip(part.state.chunks_mut(self.layout.state));
            rows.for_each(|(weights, state)| self.optimizer.init_state(weights, state));
        }
    }

    /// Padding (0) and the rows of unseen ids (key 0) start at zero.
    fn first_of(&self, row: u32, key_of: &(dyn Fn(u32) -> u64 + Sync)) -> (Init, u64) {
        let key = if row == 0 { 0 } else { key_of(row) };
        (if key == 0 { Init::Zeros } else { self.init }, key)
    }

    /// Makes room for rows below `rows`, and starts those from `from` with the value of their key.
    pub(crate) fn grow(&mut self, from: u32, rows: u32, key_of: &(dyn Fn(u32) -> u64 + Sync)) {
        if self.device_rows.is_some() {
            if rows > from {
                self.make_room(rows);
            }
            for start in (from..rows).step_by(ROWS_A_MOVE as usize) {
                let part = self.first_values(start, rows.min(start + ROWS_A_MOVE), key_of);
                self.write(start, &part);
            }
            return;
        }
        self.make_room(rows);
        let mut shards = std::mem::take(&mut self.shards);
        shards.par_iter_mut().enumerate().for_each(|(number, shard)| {
            let count = (rows as usize + SHARDS - 1 - number) / SHARDS;
            let first = (from as usize + SHARDS - 1 - number) / SHARDS;
            for at in first..count {
                let (how, key) = self.first_of((at * SHARDS + number) as u32, key_of);
                shard.init_row(at, how, &self.optimizer, self.seed, key);
            }
        });
        self.shards = shards;
    }

    /// Starts a row that was another id's with the value of its key.
    pub(crate) fn start(&mut self, row: u32, key: u64) {
        let part = self.first_values(row, row + 1, &|_| key);
        self.write(row, &part);
    }

    /// Leaves nothing of a row.
    pub(crate) fn clear(&mut self, row: u32) {
        let (weights, state) = (vec![0.0; self.layout.dim], vec![0.0; self.layout.state]);
        self.write(row, &RowsPart { weights, state, count: vec![0], last: vec![0] });
    }

    pub(crate) fn weights(&self, row: u32) -> &[f32] {
        self.shards[shard_of(row)].weights(row as usize / SHARDS)
    }

    /// Where this table's slots stand in a row of its lookup's leaf.
    pub(crate) fn span(&self) -> std::ops::Range<usize> {
        let (dim, columns) = (self.layout.dim, self.columns);
        columns.first * dim..(columns.first + columns.count) * dim
    }
}
