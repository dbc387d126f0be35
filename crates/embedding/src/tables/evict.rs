//! Ids that are forgotten: their rows and their optimiser state go, and the next new ids get the rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tables;
use crate::table::{ROWS_A_MOVE, RowsPart};

/// Which ids of growing tables are forgotten. One that comes back later starts anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eviction {
    /// Those that no step touched for so many steps; 0 for never.
    pub steps: u64,
    /// Those whose vector is shorter than this in every table, and that no step touched since the last look; 0 for none.
    pub norm: f32,
    /// Steps between looks.
    pub every: u64,
}

impl Default for Eviction {
    fn default() -> Self {
        Self { steps: 0, norm: 0.0, every: 1000 }
    }
}

impl Eviction {
    /// What is wrong with it: a key and why.
    ///
    /// # Errors
    /// Settings that forget nothing, or out of range.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            _ if self.every == 0 => Err(("every", "must be at least 1")),
            _ if !(self.norm >= 0.0 && self.norm.is_finite()) => Err(("norm", "must be at least 0")),
            _ if self.steps == 0 && self.norm == 0.0 => {
                Err(("steps", "is 0, and so is norm, so that nothing is forgotten; give one, or remove train.evict"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a row goes at a step, by its last touch and the squared length of its vectors.
    fn forgets(&self, step: u64, last: u32, square: f32) -> bool {
        let idle = step.saturating_sub(u64::from(last));
        (self.steps > 0 && idle > self.steps)
            || (self.norm > 0.0 && idle > self.every && square < self.norm * self.norm)
    }
}

impl Tables {
    /// Forgets ids of growing spaces; how many.
    pub fn evict(&mut self, policy: &Eviction) -> u64 {
        let step = self.step();
        (0..self.grown.len()).filter(|which| self.indexer.spaces[*which].grows).collect::<Vec<_>>().into_iter().fold(
            0,
            |forgotten, which| {
                let (last, square) = self.touches(which);
                let first = self.indexer.spaces[which].rows;
                let gone = |row: u32| {
                    let at = (row - first) as usize;
                    policy.forgets(step, last[at], square[at])
                };
                let mut rows: Vec<(u32, u64)> = self.growing[which]
                    .rows
                    .iter()
                    .filter(|(_, row)| gone(**row))
                    .map(|(key, row)| (*row, *key))
                    .collect();
                // The highest row is given out last, whatever the order of a map.
                rows.sort_unstable_by(|a, b| b.cmp(a));
                for (row, key) in &rows {
                    self.growing[which].rows.remove(key);
                    self.growing[which].free.push(*row);
                    for table in self.tables.iter_mut().filter(|table| table.space == which) {
                        table.clear(*row);
                    }
                }
                forgotten + rows.len() as u64
            },
        )
    }

    /// The last touch of each row behind the fixed ones in any table of a space, and the squared length of its vectors together.
    fn touches(&self, which: usize) -> (Vec<u32>, Vec<f32>) {
        let (first, rows) = (self.indexer.spaces[which].rows, self.grown[which]);
        let count = (rows - first) as usize;
        let (mut last, mut square) = (vec![0u32; count], vec![0f32; count]);
        for table in self.tables.iter().filter(|table| table.space == which) {
            for from in (first..rows).step_by(ROWS_A_MOVE as usize) {
                let RowsPart { weights, last: own, .. } = table.part(from, rows.min(from + ROWS_A_MOVE));
                let at = (from - first) as usize;
                for (i, (touch, row)) in own.iter().zip(weights.chunks(table.layout.dim)).enumerate() {
                    last[at + i] = last[at + i].max(*touch);
                    square[at + i] += row.iter().map(|w| w * w).sum::<f32>();
                }
            }
        }
        (last, square)
    }
}
