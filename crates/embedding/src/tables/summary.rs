//! What is in each table, in figures.

use burnrec_record::TableDetails;

use super::Tables;
use crate::lookups::Slots;
use crate::space::{FeatureRows, Space};
use crate::table::{ROWS_A_MOVE, Table};

/// Bins of the lengths of vectors.
const BINS: usize = 30;

/// Where the rows of a key table of a space stand, and its fields.
fn stretches(space: &Space, grown: u32) -> impl Iterator<Item = (std::ops::Range<u32>, Vec<usize>)> {
    let fields = |number: usize| {
        let all = space.features.iter().chain(&space.sequences).zip(&space.table_of);
        all.filter(|(_, table)| **table == number).map(|(field, _)| *field).collect()
    };
    let first = 1 + space.tables.len() as u32;
    let range = move |table: &FeatureRows| match table {
        FeatureRows::Modulo { first, buckets } => *first..first + buckets,
        FeatureRows::Growing => first..grown,
        FeatureRows::Vocabulary(map) => {
            let start = map.values().min().copied().unwrap_or(0);
            start..start + map.len() as u32
        }
    };
    space.tables.iter().enumerate().map(move |(number, (_, table))| (range(table), fields(number)))
}

impl Tables {
    /// Figures of every table, by lookup; `names` are those of the lookups.
    pub fn summaries(&self, names: &Slots) -> Vec<TableDetails> {
        let of = |table: &Table| {
            let (space, growing) = (&self.indexer.spaces[table.space], &self.growing[table.space]);
            let each = |(range, fields): (std::ops::Range<u32>, Vec<usize>)| {
                let free = if space.grows { growing.free.len() as u64 } else { 0 };
                let waiting = if space.grows { growing.waiting.len() as u64 } else { 0 };
                let name = |field: &usize| self.schema().categorical[*field].name.clone();
                let rows = u64::from(range.end.saturating_sub(range.start)).saturating_sub(free);
                let fields = fields.iter().map(name).collect();
                let known = TableDetails {
                    lookup: names.0[table.lookup].name.to_string(),
                    fields,
                    rows,
                    waiting,
                    free,
                    ..TableDetails::default()
                };
                lengths(table, range, known)
            };
            stretches(space, self.grown[table.space]).map(each).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of).collect()
    }
}

/// With the lengths of the vectors of some rows.
fn lengths(table: &Table, rows: std::ops::Range<u32>, known: TableDetails) -> TableDetails {
    let dim = table.layout.dim;
    let (mut norms, mut untouched) = (Vec::with_capacity(rows.len()), 0);
    for from in rows.clone().step_by(ROWS_A_MOVE as usize) {
        let part = table.part(from, rows.end.min(from + ROWS_A_MOVE));
        norms.extend(part.weights.chunks(dim).map(|vector| vector.iter().map(|w| w * w).sum::<f32>().sqrt()));
        untouched += part.count.iter().filter(|count| **count == 0).count() as u64;
    }
    let largest = norms.iter().copied().filter(|norm| norm.is_finite()).fold(0.0, f32::max);
    let mut bins = vec![0; BINS];
    for norm in norms {
        bins[((norm / largest.max(f32::MIN_POSITIVE) * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    TableDetails { dim, untouched, largest_norm: f64::from(largest), norms: bins, ..known }
}
