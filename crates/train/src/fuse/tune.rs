//! The search for weights: by chance first, then around the best.

use burnrec_features::stream_seed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{FuseConfig, FuseMethod, Fusion};
use crate::error::{TrainError, bad};
use crate::metrics::{MetricName, Predictions};

/// Scores of the rows of a side, with the labels that the joined score is judged by.
pub struct Fused {
    /// One column a score, row by row, in the order of [`Fusion::names`].
    pub columns: Vec<Vec<f64>>,
    /// The group of every row; empty where there is none.
    pub groups: Vec<u64>,
    /// The rows whose label is known, by their places.
    pub known: Vec<u32>,
    /// Labels, groups and weights of those rows; its scores are replaced.
    pub judged: Predictions,
}

impl Fused {
    /// What the joined score comes to.
    ///
    /// # Errors
    /// Why it is undefined.
    pub fn judge(&self, fusion: &Fusion, weights: &[f64], metric: MetricName) -> Result<f64, String> {
        // Ranks are among all rows of a group, whatever is known of them.
        self.judge_scores(&fusion.fuse(&self.columns, weights, &self.groups), metric)
    }

    /// What a column of scores of all rows comes to.
    ///
    /// # Errors
    /// Why it is undefined.
    pub fn judge_scores(&self, scores: &[f64], metric: MetricName) -> Result<f64, String> {
        if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
            let of: Vec<String> = self.columns.iter().map(|column| column[row].to_string()).collect();
            return Err(format!("the joined score is {} where the scores are {}", scores[row], of.join(", ")));
        }
        let scores: Vec<f64> = self.known.iter().map(|row| scores[*row as usize]).collect();
        // Metrics of ranking look at the order alone, which places keep where 32 bits of a score would not.
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let mut places = vec![0.0f32; scores.len()];
        let mut place = 0.0;
        for (at, row) in order.iter().enumerate() {
            if at > 0 && scores[*row] != scores[order[at - 1]] {
                place += 1.0;
            }
            places[*row] = place;
        }
        let judged = Predictions { scores: places, ..self.judged.clone() };
        metric.compute(&judged)
    }
}

/// The best weights on these rows, and what they come to; those of the config are tried first.
///
/// # Errors
/// A metric that is undefined on these rows.
pub fn tune(
    config: &FuseConfig,
    fusion: &Fusion,
    rows: &Fused,
    metric: MetricName,
) -> Result<(Vec<f64>, f64), TrainError> {
    let given: Vec<f64> = config.scores.values().map(|score| score.weight).collect();
    let judge = |weights: &[f64]| {
        let value = rows.judge(fusion, weights, metric);
        value.map_err(|problem| {
            let key = if config.method == FuseMethod::Formula { "fuse.formula" } else { "fuse.metric" };
            bad(key, format!("{} is undefined on the validation rows: {problem}", metric.name()))
        })
    };
    let mut best = (judge(&given)?, given.clone());
    let most = if config.method == FuseMethod::Gated { 2.0 } else { 0.0 };
    let sign = |weight: f64| if weight == 0.0 { 0.0 } else { weight.signum() };
    let Some(tune) = config.tune.as_ref().filter(|_| config.method != FuseMethod::Formula) else {
        return Ok((best.1, best.0));
    };
    let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(tune.seed, "fuse", 0));
    for trial in 0..tune.trials {
        let weights: Vec<f64> = match trial * 2 < tune.trials {
            // Of most only how weights stand to each other matters: between 1 and a thousandth, on a logarithmic scale, each
            // with the sign that it was given.
            true => given.iter().map(|weight| sign(*weight) * 10f64.powf(most - 3.0 * rng.random::<f64>())).collect(),
            false => {
                let mut near =
                    |weight: &f64| weight * (0.3 * Distribution::<f64>::sample(&StandardNormal, &mut rng)).exp();
                best.1.iter().map(&mut near).collect()
            }
        };
        if fusion.check(&rows.columns, &weights).is_err() {
            continue;
        }
        let value = judge(&weights)?;
        if if metric.larger_is_better() { value > best.0 } else { value < best.0 } {
            best = (value, weights);
        }
    }
    // The largest is 1, so that weights can be read.
    let most = best.1.iter().fold(0.0f64, |most, weight| most.max(weight.abs()));
    let scaled = matches!(config.method, FuseMethod::Linear | FuseMethod::Product | FuseMethod::Rank) && most > 0.0;
    let weights = best.1.iter().map(|weight| if scaled { weight / most } else { *weight }).collect();
    Ok((weights, best.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The more of b the better, and b's part is `1 - w b`, which must stay above 0.
    #[test]
    fn weights_that_the_method_cannot_join_are_not_found() {
        let text = "method = \"gated\"\ntarget = \"a\"\nmetric = \"auc\"\ntune = { trials = 200 }\n[scores.a]\nrun = \"x\"\nweight = 0.0\n[scores.b]\nrun = \"y\"\nweight = -0.5";
        let config: FuseConfig = toml::from_str(text).unwrap();
        let fusion = Fusion::new(&config).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let columns: Vec<Vec<f64>> = (0..2).map(|_| (0..500).map(|_| rng.random::<f64>()).collect()).collect();
        let labels = columns[1].iter().map(|b| f32::from(u8::from(*b < 0.5))).collect();
        let rows = Fused {
            columns,
            groups: Vec::new(),
            known: (0..500).collect(),
            judged: Predictions { labels, ..Predictions::default() },
        };
        let (weights, _) = tune(&config, &fusion, &rows, MetricName::Auc).unwrap();
        assert!(fusion.check(&rows.columns, &weights).is_ok() && weights[0] == 0.0, "{weights:?}");
    }

    #[test]
    fn the_weights_that_are_found_are_near_those_that_labels_are_made_of() {
        let text = "method = \"linear\"\ntarget = \"a\"\nmetric = \"auc\"\ntune = { trials = 300 }\n[scores.a]\nrun = \"x\"\nweight = 0.01\n[scores.b]\nrun = \"y\"";
        let config: FuseConfig = toml::from_str(text).unwrap();
        config.check().unwrap();
        let fusion = Fusion::new(&config).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut draw =
            || (0..4000).map(|_| Distribution::<f64>::sample(&StandardNormal, &mut rng)).collect::<Vec<f64>>();
        let (a, b, noise) = (draw(), draw(), draw());
        let labels: Vec<f32> =
            (0..4000).map(|r| f32::from(u8::from(a[r] + 0.3 * b[r] + 0.5 * noise[r] > 0.0))).collect();
        let judged = Predictions { labels, ..Predictions::default() };
        let rows = Fused { columns: vec![a, b], groups: Vec::new(), known: (0..4000).collect(), judged };
        let (weights, value) = tune(&config, &fusion, &rows, MetricName::Auc).unwrap();
        let before = rows.judge(&fusion, &[0.01, 1.0], MetricName::Auc).unwrap();
        assert!(value > before + 0.1, "{value} {before}");
        assert!((weights[1] / weights[0] - 0.3).abs() < 0.1 && weights[0] == 1.0, "{weights:?}");
    }
}
