//! Metrics on rows drawn with replacement (Efron, Annals of Statistics 1979), in its Poisson form: a unit counts as often as a draw
//! from Poisson(1) says, which follows from the number of the draw and the unit alone. So runs over the same rows are compared draw
//! by draw, without their predictions.

use burnrec_record::MetricDraws;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::metrics::{MetricName, Predictions, RankedOrder};

/// Draws, at most, and at least.
const DRAWS: (usize, usize) = (200, 100);

/// Rows that are looked at in all draws of one metric together, about.
const LOOKED_AT: usize = 40_000_000;

/// More rows are not drawn from: their intervals are narrower than anything that matters, and cost minutes.
const MOST_ROWS: usize = 5_000_000;

/// Chances of Poisson(1) to be at most 0, 1, 2, …
const AT_MOST: [f64; 8] = [0.367_879, 0.735_759, 0.919_699, 0.981_012, 0.996_340, 0.999_406, 0.999_917, 0.999_990];

/// How often a unit counts in a draw.
fn count(draw: usize, unit: u64) -> f32 {
    let hash = xxh3_64_with_seed(&unit.to_le_bytes(), 0x626f_6f74 + draw as u64);
    let chance = (hash >> 11) as f64 / (1u64 << 53) as f64;
    AT_MOST.iter().take_while(|most| chance > **most).count() as f32
}

/// Metrics that are means over groups, from what each group has: its weight in the mean, its value.
fn mean_of(groups: &[(u64, f64, f64)], draw: usize) -> Option<f64> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (group, weight, value) in groups {
        let weight = weight * f64::from(count(draw, *group));
        sum += weight * value;
        total += weight;
    }
    (total > 0.0).then(|| sum / total)
}

/// Draws of each metric that is defined. Groups are drawn where rows have them, else rows.
pub(super) fn draws(names: &[MetricName], p: &Predictions) -> Vec<MetricDraws> {
    if p.rows() > MOST_ROWS {
        return Vec::new();
    }
    let number = (LOOKED_AT / p.rows().max(1)).clamp(DRAWS.1, DRAWS.0);
    let unit = |row: usize| p.groups.get(row).copied().filter(|group| *group != 0).unwrap_or(row as u64 + 1);
    let units: Vec<u64> = (0..p.rows()).map(unit).collect();
    let order = RankedOrder::new(p);
    let of = |name: &MetricName| {
        let value = name.compute(p).ok()?;
        let by_group = name.by_group(p);
        let draw = |draw: usize| match &by_group {
            Some(groups) => mean_of(groups, draw),
            None => {
                let weight = |row: usize| p.weight(row) as f32 * count(draw, units[row]);
                if *name == MetricName::Auc {
                    return order.auc(p, &|row| f64::from(weight(row)));
                }
                let weights: Vec<f32> = (0..p.rows()).map(weight).collect();
                name.compute(&p.weighted(weights)).ok()
            }
        };
        let draws = (0..number).into_par_iter().map(draw).collect();
        Some(MetricDraws { metric: name.name(), value, larger_is_better: name.larger_is_better(), draws })
    };
    names.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::RankingKind;

    #[test]
    fn counts_are_those_of_poisson_and_the_same_each_time() {
        let all: Vec<f32> = (0..200_000).map(|unit| count(3, unit)).collect();
        let mean = all.iter().map(|c| f64::from(*c)).sum::<f64>() / all.len() as f64;
        let spread = all.iter().map(|c| (f64::from(*c) - mean).powi(2)).sum::<f64>() / all.len() as f64;
        assert!((mean - 1.0).abs() < 0.01 && (spread - 1.0).abs() < 0.02, "{mean} {spread}");
        assert_eq!(count(3, 77), all[77]);
        assert_ne!((0..50).map(|u| count(1, u)).collect::<Vec<_>>(), (0..50).map(|u| count(2, u)).collect::<Vec<_>>());
    }

    /// Predictions of rows in groups of five, whose positives score higher by `gain` in the mean.
    fn rows(seed: u64, rows: u64, gain: f64) -> Predictions {
        let draw = |row: u64, what: u64| {
            (xxh3_64_with_seed(&row.to_le_bytes(), seed * 8 + what) >> 11) as f64 / (1u64 << 53) as f64
        };
        let normal =
            |row: u64| ((-2.0 * draw(row, 1).max(1e-12).ln()).sqrt()) * (std::f64::consts::TAU * draw(row, 2)).cos();
        let labels: Vec<f32> = (0..rows).map(|row| f32::from(u8::from(draw(row, 0) < 0.3))).collect();
        let scores = (0..rows).map(|row| (normal(row) + gain * f64::from(labels[row as usize])) as f32).collect();
        Predictions { scores, labels, groups: (0..rows).map(|row| 1 + row / 5).collect(), ..Predictions::default() }
    }

    #[test]
    fn intervals_cover_the_true_value_about_as_often_as_they_say() {
        // Two normal distributions of one width: AUC = Φ(gain / √2); for a gain of 1, .7602.
        let mut covered = 0;
        for seed in 0..100 {
            let found = &draws(&[MetricName::Auc], &rows(seed, 600, 1.0))[0];
            let mut all: Vec<f64> = found.draws.iter().flatten().copied().collect();
            all.sort_by(f64::total_cmp);
            covered += usize::from(all[all.len() / 40] < 0.7602 && 0.7602 < all[all.len() - 1 - all.len() / 40]);
        }
        assert!((88..=100).contains(&covered), "{covered} of 100");
    }

    #[test]
    fn differences_cover_the_true_one_about_as_often_as_they_say() {
        // Φ(1.2 / √2) - Φ(1 / √2) of two models on the same rows.
        let truth = 0.801_9 - 0.760_2;
        let mut covered = 0;
        for seed in 0..100 {
            let (one, noise) = (rows(seed, 600, 1.0), rows(seed + 1000, 600, 0.0));
            // The other model's scores: its own noise, the same labels.
            let scores = noise.scores.iter().zip(&one.labels).map(|(noise, label)| noise + 1.2 * label).collect();
            let two = Predictions { scores, ..one.clone() };
            let of = |p: &Predictions| draws(&[MetricName::Auc], p).remove(0).draws;
            let pairs = of(&two).into_iter().zip(of(&one)).filter_map(|(a, b)| Some(a? - b?));
            let mut all: Vec<f64> = pairs.collect();
            all.sort_by(f64::total_cmp);
            covered += usize::from(all[all.len() / 40] < truth && truth < all[all.len() - 1 - all.len() / 40]);
        }
        assert!((90..=100).contains(&covered), "{covered} of 100");
    }

    #[test]
    fn a_draw_in_which_all_count_once_is_the_metric() {
        let p = rows(1, 400, 0.5);
        for name in [MetricName::Gauc, MetricName::Ranking(RankingKind::Ndcg, 3)] {
            let groups = name.by_group(&p).unwrap();
            let (sum, total) = groups.iter().fold((0.0, 0.0), |(s, t), (_, w, v)| (s + w * v, t + w));
            assert!((sum / total - name.compute(&p).unwrap()).abs() < 1e-12, "{}", name.name());
        }
        assert!((RankedOrder::new(&p).auc(&p, &|_| 1.0).unwrap() - MetricName::Auc.compute(&p).unwrap()).abs() < 1e-12);
    }
}
