//! Ids that are forgotten: their rows and their optimiser state go, and the next new ids get the rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tables;
use crate::table::{ROWS_A_MOVE, RowsPart};

/// Which ids of growing tables are forgotten. One that comes back later starts anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eviction {
    /// Forget ids that no step touched for this many steps; 0 for never.
    pub steps: u64,
    /// Forget ids whose vector is shorter than this in every table, and that no step touched since the last pass; 0 for none.
    pub norm: f32,
    /// Forget ids whose score is below this, and that no step touched since the last pass; 0 for none. A score is how often an id came,
    /// halved with every `half_life` steps since it came last: what was frequent is remembered longer than what came once.
    pub score: f64,
    /// Half-life of a score, in steps.
    pub half_life: u64,
    /// Steps between eviction passes.
    pub every: u64,
}

impl Default for Eviction {
    fn default() -> Self {
        Self { steps: 0, norm: 0.0, score: 0.0, half_life: 10_000, every: 1000 }
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
            _ if !(self.score >= 0.0 && self.score.is_finite()) => Err(("score", "must be at least 0")),
            _ if self.half_life == 0 => Err(("half_life", "must be at least 1")),
            _ if self.steps == 0 && self.norm == 0.0 && self.score == 0.0 => Err((
                "steps",
                "is 0, and so are norm and score, so that nothing is forgotten; give one, or remove train.evict",
            )),
            _ => Ok(()),
        }
    }

    /// Whether a row goes at a step.
    fn forgets(&self, step: u64, row: &Touches) -> bool {
        let idle = step.saturating_sub(u64::from(row.last));
        let score = || f64::from(row.count) * (-(idle as f64) / self.half_life as f64).exp2();
        (self.steps > 0 && idle > self.steps)
            || (self.norm > 0.0 && idle > self.every && row.square < self.norm * self.norm)
            || (self.score > 0.0 && idle > self.every && score() < self.score)
    }
}

/// What tables of a space know of a row.
#[derive(Clone, Copy, Debug, Default)]
struct Touches {
    /// Its last touch in any of them.
    last: u32,
    /// How often it was touched.
    count: u32,
    /// The squared length of its vectors together.
    square: f32,
}

impl Tables {
    /// Forgets ids of growing spaces; how many.
    pub fn evict(&mut self, policy: &Eviction) -> u64 {
        let step = self.step();
        (0..self.grown.len()).filter(|which| self.indexer.spaces[*which].grows).collect::<Vec<_>>().into_iter().fold(
            0,
            |forgotten, which| {
                let touches = self.touches(which);
                let first = self.indexer.spaces[which].rows;
                let gone = |row: u32| policy.forgets(step, &touches[(row - first) as usize]);
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

    /// What is known of each row behind the fixed ones of a space.
    fn touches(&self, which: usize) -> Vec<Touches> {
        let (first, rows) = (self.indexer.spaces[which].rows, self.grown[which]);
        let count = (rows - first) as usize;
        let mut all = vec![Touches::default(); count];
        for table in self.tables.iter().filter(|table| table.space == which) {
            for from in (first..rows).step_by(ROWS_A_MOVE as usize) {
                let RowsPart { weights, last, count, .. } = table.part(from, rows.min(from + ROWS_A_MOVE));
                let own = all[(from - first) as usize..].iter_mut().zip(weights.chunks(table.layout.dim));
                for ((row, weights), (last, count)) in own.zip(last.iter().zip(&count)) {
                    row.last = row.last.max(*last);
                    row.count = row.count.max(*count);
                    row.square += weights.iter().map(|w| w * w).sum::<f32>();
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_halves_and_what_was_frequent_stays_longer() {
        let policy = Eviction { score: 1.0, half_life: 100, every: 10, ..Eviction::default() };
        let gone = |step, last, count| policy.forgets(step, &Touches { last, count, square: 9.0 });
        // Once: below 1 as soon as a look found it untouched. Eight times: three half-lives.
        assert!(!gone(110, 100, 1) && gone(111, 100, 1));
        assert!(!gone(400, 100, 8) && gone(401, 100, 8));
        assert!(policy.check().is_ok());
        assert!(Eviction { half_life: 0, ..policy.clone() }.check().is_err());
        assert!(Eviction { score: f64::NAN, ..policy }.check().is_err());
    }
}
