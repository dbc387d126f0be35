//! What is in each table, in figures.

use super::Tables;
use crate::space::{FeatureRows, Space};
use crate::table::{ROWS_A_MOVE, Table};

/// Bins of the lengths of vectors.
const BINS: usize = 30;

/// Figures of the rows that some fields share in one lookup.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableSummary {
    /// The model's lookup, by its number.
    pub lookup: usize,
    /// The fields whose ids the rows are of.
    pub fields: Vec<String>,
    /// Rows that hold an id.
    pub rows: u64,
    /// Ids that wait to be let in.
    pub waiting: u64,
    /// Rows whose id was forgotten.
    pub free: u64,
    /// Width of a vector.
    pub dim: usize,
    /// Rows that no step touched.
    pub untouched: u64,
    /// The longest vector.
    pub largest_norm: f32,
    /// Vectors by their length, in bins of equal width from 0 to the longest.
    pub norms: Vec<u64>,
}

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
    /// Figures of every table, by lookup.
    pub fn summaries(&self) -> Vec<TableSummary> {
        let of = |table: &Table| {
            let (space, growing) = (&self.indexer.spaces[table.space], &self.growing[table.space]);
            let each = |(range, fields): (std::ops::Range<u32>, Vec<usize>)| {
                let free = if space.grows { growing.free.len() as u64 } else { 0 };
                let waiting = if space.grows { growing.waiting.len() as u64 } else { 0 };
                let name = |field: &usize| self.schema().categorical[*field].name.clone();
                let rows = u64::from(range.end.saturating_sub(range.start)).saturating_sub(free);
                let fields = fields.iter().map(name).collect();
                let known =
                    TableSummary { lookup: table.lookup, fields, rows, waiting, free, ..TableSummary::default() };
                lengths(table, range, known)
            };
            stretches(space, self.grown[table.space]).map(each).collect::<Vec<_>>()
        };
        self.tables.iter().flat_map(of).collect()
    }
}

/// With the lengths of the vectors of some rows.
fn lengths(table: &Table, rows: std::ops::Range<u32>, known: TableSummary) -> TableSummary {
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
    TableSummary { dim, untouched, largest_norm: largest, norms: bins, ..known }
}
