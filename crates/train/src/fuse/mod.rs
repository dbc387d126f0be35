//! Scores of several runs as one: how they are joined, and weights that are searched for.

mod config;
mod formula;
mod tune;

pub use config::{FuseConfig, FuseFile, FuseMethod, ScoreConfig, TuneConfig};
pub use formula::Formula;
pub use tune::{Fused, tune};

use crate::error::{TrainError, bad};

/// Joins scores, row by row.
#[derive(Clone, Debug)]
pub struct Fusion {
    method: FuseMethod,
    names: Vec<String>,
    offset: f64,
    rank_constant: f64,
    formula: Option<Formula>,
}

impl Fusion {
    /// As a config has it.
    ///
    /// # Errors
    /// Formulas that cannot be read, or that name other scores.
    pub fn new(config: &FuseConfig) -> Result<Self, TrainError> {
        let names: Vec<String> = config.scores.keys().cloned().collect();
        let formula = config.formula.as_ref().map(|text| Formula::parse(text, &names));
        let formula = formula.transpose().map_err(|problem| bad("fuse.formula", problem))?;
        let unread = |formula: &Formula| (0..names.len()).find(|place| !formula.reads(*place));
        if let Some(place) = formula.as_ref().and_then(unread) {
            return Err(bad("fuse.formula", format!("does not name score `{}`; use it, or remove it", names[place])));
        }
        Ok(Self { method: config.method, names, offset: config.offset, rank_constant: config.rank_constant, formula })
    }

    /// Refuses scores of these rows that the method cannot join: a power or a factor of what is below 0.
    ///
    /// # Errors
    /// [`TrainError::Setting`] naming the score.
    pub fn check(&self, columns: &[Vec<f64>], weights: &[f64]) -> Result<(), TrainError> {
        for (name, (column, weight)) in self.names.iter().zip(columns.iter().zip(weights)) {
            let wrong = |x: &f64| match self.method {
                FuseMethod::Product => x + self.offset < 0.0,
                FuseMethod::Gated => 1.0 + weight * x <= 0.0,
                _ => false,
            };
            if let Some(x) = column.iter().find(|x| !x.is_finite() || wrong(x)) {
                return Err(bad(
                    format!("fuse.scores.{name}"),
                    format!(
                        "is {x} on some row, which this method cannot join; take method = \"linear\" or \"rank\", or a formula"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The names of the scores, in the order in which they are taken.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether ranks in groups are joined.
    pub fn is_of_ranks(&self) -> bool {
        self.method == FuseMethod::Rank
    }

    /// One score a row, from one column a score. `groups` are the lists in which rows have ranks; all rows are one without them.
    pub fn fuse(&self, columns: &[Vec<f64>], weights: &[f64], groups: &[u64]) -> Vec<f64> {
        let rows = columns.first().map_or(0, Vec::len);
        let each = |of: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..rows).map(|row| (0..columns.len()).map(|c| of(c, row)).sum()).collect()
        };
        match self.method {
            FuseMethod::Linear => each(&|c, row| weights[c] * columns[c][row]),
            // The order of Π (p + ε)^a is that of Σ a ln (p + ε).
            FuseMethod::Product => each(&|c, row| weights[c] * (columns[c][row] + self.offset).max(1e-300).ln()),
            FuseMethod::Gated => each(&|c, row| (weights[c] * columns[c][row]).max(-1.0 + 1e-12).ln_1p()),
            FuseMethod::Rank => {
                let ranks: Vec<Vec<f64>> = columns.iter().map(|column| ranks(column, groups)).collect();
                each(&|c, row| weights[c] / (self.rank_constant + ranks[c][row]))
            }
            FuseMethod::Formula => {
                let Some(formula) = &self.formula else { return vec![0.0; rows] };
                (0..rows).map(|row| formula.value(&columns.iter().map(|c| c[row]).collect::<Vec<_>>())).collect()
            }
        }
    }
}

/// The rank of each row in its group, the largest score first; equal ones share the mean of their places.
fn ranks(scores: &[f64], groups: &[u64]) -> Vec<f64> {
    let group = |row: usize| groups.get(row).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| group(*a).cmp(&group(*b)).then(scores[*b].total_cmp(&scores[*a])));
    let mut ranks = vec![0.0; scores.len()];
    let (mut at, mut first) = (0, 0);
    while at < order.len() {
        if at > 0 && group(order[at]) != group(order[at - 1]) {
            first = at;
        }
        let same = |other: &&usize| group(**other) == group(order[at]) && scores[**other] == scores[order[at]];
        let count = order[at..].iter().take_while(same).count();
        let rank = (at - first) as f64 + (count as f64 + 1.0) / 2.0;
        order[at..at + count].iter().for_each(|row| ranks[*row] = rank);
        at += count;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fusion(method: &str, more: &str) -> Fusion {
        let text = format!(
            "method = \"{method}\"\ntarget = \"a\"\nmetric = \"auc\"\n{more}\n[scores.a]\nrun = \"x\"\n[scores.b]\nrun = \"y\""
        );
        Fusion::new(&toml::from_str::<FuseConfig>(&text).unwrap()).unwrap()
    }

    fn order(scores: &[f64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order
    }

    #[test]
    fn products_rank_alike_whatever_a_score_is_multiplied_by_and_sums_do_not() {
        let (a, b) = (vec![0.1, 0.5, 0.02, 0.3], vec![0.9, 0.05, 0.8, 0.2]);
        let scaled: Vec<f64> = a.iter().map(|x| x * 100.0).collect();
        let ranked = |method: &str, a: &[f64]| {
            order(&fusion(method, "offset = 0.0").fuse(&[a.to_vec(), b.clone()], &[1.0, 0.5], &[]))
        };
        assert_eq!(ranked("product", &a), ranked("product", &scaled));
        assert_ne!(ranked("linear", &a), ranked("linear", &scaled));
    }

    #[test]
    fn ranks_are_within_groups_and_ties_share_them() {
        let scores = [0.5, 0.9, 0.5, 0.1, 0.2];
        assert_eq!(ranks(&scores, &[1, 1, 1, 2, 2]), [2.5, 1.0, 2.5, 2.0, 1.0]);
        let fused = fusion("rank", "rank_constant = 1.0").fuse(&[scores.to_vec(), scores.to_vec()], &[1.0, 2.0], &[]);
        assert!((fused[1] - 1.5).abs() < 1e-12, "{fused:?}");
    }

    #[test]
    fn an_expected_value_is_its_formula() {
        let fused = fusion("formula", "formula = \"a * (2 + b * 10^2)\"").fuse(&[vec![0.1], vec![0.5]], &[], &[]);
        assert!((fused[0] - 5.2).abs() < 1e-12, "{fused:?}");
    }
}
