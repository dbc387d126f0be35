//! A batch on its way to a device with memory of its own: packed on the loader's thread, sent up in one piece,
//! gathered and updated there.

use burn::tensor::Tensor;
use burnrec_backend::{Columns, Gather, PackedBatch, Packer, Plan, RowStep, rule};
use burnrec_features::{Batch, Pooling};

use super::{Gathered, Tables};
use crate::optimizer::{SparseOptimizer, SparseRule, StepContext};
use crate::shards::unrotate;
use crate::space::{Indexer, SpaceBatch};
use crate::table::Table;

/// A batch that is being packed.
#[derive(Clone, Debug)]
pub struct Packing {
    packer: Packer,
    plans: Vec<Option<Plan>>,
    /// One entry a space: the sequences behind its slots, the place of the first position's row and how many there are.
    sequences: Vec<Vec<(usize, usize)>>,
    rows: usize,
    numeric: (usize, usize),
    /// Where the columns that go along stand.
    columns: Vec<usize>,
}

/// A batch in a device's memory, with the vectors gathered there.
pub struct Uploaded {
    batch: PackedBatch,
    plans: Vec<Option<Plan>>,
    rows: usize,
    numeric: (usize, usize),
    /// Where the columns that go along stand.
    columns: Vec<usize>,
    /// Host lookups: where the leaf stands.
    leaf_at: Vec<usize>,
    /// One entry a table: its vectors, who won each maximum, and the sums of squares where they are asked for.
    pieces: Vec<Option<Gather>>,
    /// One entry a table: the vectors of its sequences `[positions, dim]`.
    sequences: Vec<Vec<Tensor<2>>>,
}

impl Indexer {
    /// Packs what is known ahead of the step, and columns of one number a row that go along with it; none where no device
    /// wants it.
    pub fn pack(&self, batch: &Batch, spaces: &[SpaceBatch], columns: &[&[f32]]) -> Option<Packing> {
        let packs = self.packs.as_ref()?;
        let mut packer = Packer::default();
        let width = batch.numeric.len() / batch.rows.max(1);
        let numeric = (packer.floats(batch.numeric.iter().copied()), width);
        let columns = columns.iter().map(|column| packer.floats(column.iter().copied())).collect();
        let mut packing = Packing {
            packer,
            plans: vec![None; spaces.len()],
            sequences: vec![vec![]; spaces.len()],
            rows: batch.rows,
            numeric,
            columns,
        };
        for (which, space) in spaces.iter().enumerate().filter(|(w, _)| packs[*w] && !self.spaces[*w].grows) {
            packing.add(which, space, self.spaces[which].features.len());
        }
        Some(packing)
    }
}

impl Packing {
    /// Packs the rows of a space and the order in which their gradients are summed.
    fn add(&mut self, which: usize, space: &SpaceBatch, slots: usize) {
        let mut plan = Plan { cells: self.rows * slots, pooled: !space.pooling.is_empty(), ..Plan::default() };
        plan.parts.rows = self.packer.whole(space.rows.iter().copied());
        if plan.pooled {
            plan.parts.starts = self.packer.whole(space.starts.iter().copied());
            plan.parts.places = self.packer.whole(space.places.iter().map(|(cell, _)| *cell));
            plan.parts.shares = self.packer.floats(space.places.iter().map(|(_, share)| *share));
            plan.parts.maxima = self.packer.whole(space.pooling.iter().map(|p| u32::from(*p == Pooling::Max)));
        }
        // The rows of sequences are the last ones, one a position.
        let behind: usize = space.sequences.iter().sum();
        let mut at = plan.parts.rows + space.rows.len() - behind;
        for positions in &space.sequences {
            self.sequences[which].push((at, *positions));
            at += positions;
        }
        let pairs = space.order.iter().map(|packed| (unrotate((packed >> 32) as u32), *packed as u32));
        self.packer.segments(pairs, &mut plan);
        self.plans[which] = Some(plan);
    }
}

impl Uploaded {
    /// The leaf of a host lookup, or the vectors that were gathered on the device, `[B, slots, dim]`.
    pub fn leaf(&self, tables: &Tables, lookup: usize, shape: [usize; 3]) -> Tensor<3> {
        // Tables of sequences alone have no slots.
        let slots = |t: &Table| t.lookup == lookup && t.columns.count > 0;
        let own = || tables.tables.iter().zip(&self.pieces).filter(|(t, _)| slots(t));
        let vectors = own().filter_map(|(_, piece)| Some(piece.as_ref()?.vectors.clone()));
        let squares = own().filter_map(|(_, piece)| piece.as_ref()?.squares.clone());
        let mut pieces: Vec<Tensor<3>> = vectors.chain(squares).collect();
        match pieces.len() {
            0 if tables.is_on_device(lookup) => self.batch.zeros(shape),
            0 => self.batch.floats(self.leaf_at[lookup], shape),
            1 => pieces.remove(0),
            _ => Tensor::cat(pieces, 1),
        }
    }

    /// The vectors of a lookup's sequence, where they were gathered on the device.
    pub fn sequence(&self, tables: &Tables, lookup: usize, number: usize) -> Option<Tensor<2>> {
        let own = tables.tables.iter().zip(&self.sequences).filter(|(t, _)| t.lookup == lookup);
        own.flat_map(|(t, own)| t.sequences.iter().zip(own)).find(|(n, _)| **n == number).map(|(_, s)| s.clone())
    }

    /// The numeric inputs `[B, N]`; none where N is 0.
    pub fn numeric(&self) -> Option<Tensor<2>> {
        let (at, width) = self.numeric;
        (width > 0).then(|| self.batch.floats(at, [self.rows, width]))
    }

    /// A column that went along, `[B, 1]`.
    pub fn column(&self, number: usize) -> Tensor<2> {
        self.batch.floats(self.columns[number], [self.rows, 1])
    }
}

fn columns(table: &Table) -> Columns {
    let crate::table::Columns { first, count, total } = table.columns;
    Columns { first, count, total, squares: table.squares, dim: table.layout.dim }
}

impl Tables {
    /// Sends a batch up and gathers the vectors of the tables that are on the device.
    pub fn upload(&self, spaces: &[SpaceBatch], mut packing: Packing, gathered: &mut Gathered) -> Option<Uploaded> {
        let device = self.device.as_ref()?;
        let packs = self.indexer.packs.clone()?;
        for (which, space) in self.indexer.spaces.iter().enumerate().filter(|(w, s)| packs[*w] && s.grows) {
            packing.add(which, &spaces[which], space.features.len());
        }
        let mut leaf_at = vec![0; self.lookups()];
        for lookup in (0..self.lookups()).filter(|l| !self.is_on_device(*l)) {
            let length = packing.rows * self.leaf_slots(lookup) * self.dim(lookup);
            leaf_at[lookup] = packing.packer.floats(gathered.take(lookup, length));
        }
        let Packing { packer, plans, sequences: places, rows, numeric, columns: at } = packing;
        let batch = PackedBatch::upload(packer.finish(), &device.device);
        let piece = |table: &Table| table.device_rows.as_ref()?.gather(&batch, plans[table.space]?, columns(table));
        let pieces = self.tables.iter().map(piece).collect();
        let of_table = |table: &Table| {
            let rows = table.device_rows.as_ref();
            let gather = |(at, positions): &(usize, usize)| rows?.gather_positions(&batch, *at, *positions);
            places[table.space].iter().filter_map(gather).collect()
        };
        let sequences = self.tables.iter().map(of_table).collect();
        Some(Uploaded { batch, plans, rows, numeric, columns: at, leaf_at, pieces, sequences })
    }

    /// The gradients of tables on the device, summed by pieces; one entry a table. `gradients` has one a lookup.
    pub fn sum_on_device(&self, uploaded: &Uploaded, gradients: &[DeviceGradient]) -> Vec<Option<Tensor<2>>> {
        let sum = |((table, piece), own): ((&Table, &Option<Gather>), &Vec<Tensor<2>>)| {
            let (gradient, piece) = (&gradients[table.lookup], piece.as_ref()?);
            let plan = uploaded.plans[table.space]?;
            let positions = gradient.positions(table, own);
            let both = (gradient.leaf.as_ref(), positions.as_ref());
            table.device_rows.as_ref()?.sums(&uploaded.batch, both, &piece.winners, plan, columns(table))
        };
        self.tables.iter().zip(&uploaded.pieces).zip(&uploaded.sequences).map(sum).collect()
    }

    /// Sum of squares `[1]` of the touched rows' gradients on the device, if any.
    pub fn squared_norm_on_device(&self, uploaded: &Uploaded, sums: &[Option<Tensor<2>>]) -> Option<Tensor<1>> {
        let squares = |(table, sums): (&Table, &Option<Tensor<2>>)| {
            let plan = uploaded.plans[table.space]?;
            Some(table.device_rows.as_ref()?.squared_norm(&uploaded.batch, sums.as_ref()?, plan, columns(table)))
        };
        self.tables.iter().zip(sums).filter_map(squares).reduce(|a, b| a + b)
    }

    /// One optimiser step on every touched row on the device.
    pub(super) fn apply_on_device(
        &mut self,
        uploaded: &Uploaded,
        sums: Vec<Option<Tensor<2>>>,
        scale: Option<&Tensor<1>>,
        rate: f32,
    ) {
        let step = self.step();
        for (table, sums) in self.tables.iter_mut().zip(sums) {
            let context = table.optimizer.context(step, rate, uploaded.rows as f32);
            let counted = !self.indexer.spaces[table.space].frequency.is_empty();
            let how = row_step(&table.optimizer, &context, counted);
            if let (Some(rows), Some(sums), Some(plan)) = (&mut table.device_rows, sums, uploaded.plans[table.space]) {
                rows.step(&uploaded.batch, sums, scale, plan, how);
            }
        }
    }
}

/// The gradient of a lookup on the device, not read.
#[derive(Clone, Default)]
pub struct DeviceGradient {
    /// `[B, slots, dim]`
    pub leaf: Option<Tensor<3>>,
    /// Of each of its sequences, `[positions, dim]`.
    pub sequences: Vec<Option<Tensor<2>>>,
}

impl DeviceGradient {
    /// Of all positions of a table's sequences `own`, one behind the other; zeros for those that nothing came back to, none
    /// where nothing came back to any.
    fn positions(&self, table: &Table, own: &[Tensor<2>]) -> Option<Tensor<2>> {
        let gradient = |number: &usize| self.sequences.get(*number).cloned().flatten();
        let found: Vec<Option<Tensor<2>>> = table.sequences.iter().map(gradient).collect();
        found.iter().flatten().next()?;
        let mut each: Vec<Tensor<2>> =
            found.into_iter().zip(own).map(|(found, own)| found.unwrap_or_else(|| own.zeros_like())).collect();
        if each.len() > 1 { Some(Tensor::cat(each, 0)) } else { each.pop() }
    }
}

fn row_step(o: &SparseOptimizer, context: &StepContext, counted: bool) -> RowStep {
    let rule = match o.kind {
        SparseRule::Sgd => rule::SGD,
        SparseRule::Adagrad => rule::ADAGRAD,
        SparseRule::RowwiseAdagrad => rule::ROW_WISE,
        SparseRule::Adam => rule::ADAM,
        SparseRule::Ftrl => rule::FTRL,
        SparseRule::Fobos => rule::FOBOS,
        SparseRule::Rda => rule::RDA,
    };
    RowStep {
        rule,
        rate: o.learning_rate * context.rate,
        base_rate: o.learning_rate,
        beta_1: o.beta_1,
        beta_2: o.beta_2,
        epsilon: o.epsilon,
        beta: o.beta,
        l1: o.l1,
        l21: o.l21,
        l2: o.l2,
        mba_l2: o.mba_l2,
        correction: context.correction,
        batch_rows: context.rows,
        step: i32::try_from(context.step).unwrap_or(i32::MAX),
        counted,
    }
}
