//! One task's scores beside its labels, as a report draws them.

use burnrec_models::TaskKind;
use burnrec_record::{CalibrationBin, GroupBin, ScoreHistogram, TaskDetails};

use xxhash_rust::xxh3::Xxh3;

use super::bootstrap::draws;
use crate::metrics::{MetricName, Predictions};
use crate::objective::Link;
use crate::task::Task;

/// Bins of a calibration plot, and of a histogram.
const BINS: (usize, usize) = (15, 40);

/// Sizes at which groups are told apart: the fewest rows of each kind.
const SIZES: [u64; 6] = [2, 6, 11, 21, 51, 101];

/// What a report shows of a task.
pub(super) fn of_task(task: &Task, p: &Predictions) -> TaskDetails {
    let finite = p.scores.iter().all(|s| s.is_finite());
    let binary = task.kind == TaskKind::Binary;
    let probable = binary && task.objective.link() == Link::Sigmoid && finite && p.rows() > 0;
    let grouped = !p.groups.is_empty();
    TaskDetails {
        task: task.name.clone(),
        rows: p.rows() as u64,
        fingerprint: fingerprint(p),
        positive_rate: binary.then(|| p.labels.iter().filter(|y| **y > 0.5).count() as f64 / p.rows().max(1) as f64),
        calibration: if probable { calibration(p) } else { Vec::new() },
        scores: probable.then(|| histogram(p)),
        groups: if binary && grouped && finite { by_size(p) } else { Vec::new() },
        unit: if grouped { "group" } else { "row" }.into(),
        draws: if finite { draws(&task.metrics, p) } else { Vec::new() },
    }
}

/// What the rows are by their labels and groups.
fn fingerprint(p: &Predictions) -> String {
    let mut hash = Xxh3::new();
    p.labels.iter().for_each(|label| hash.update(&label.to_le_bytes()));
    p.groups.iter().for_each(|group| hash.update(&group.to_le_bytes()));
    format!("{:016x}", hash.digest())
}

/// Bins of equally many rows; what is predicted alike stays together.
fn calibration(p: &Predictions) -> Vec<CalibrationBin> {
    let mut order: Vec<u32> = (0..p.rows() as u32).collect();
    order.sort_by(|a, b| p.scores[*a as usize].total_cmp(&p.scores[*b as usize]));
    let wanted = order.len().div_ceil(BINS.0);
    let mut bins: Vec<(CalibrationBin, f64)> = Vec::new();
    for alike in order.chunk_by(|a, b| p.scores[*a as usize] == p.scores[*b as usize]) {
        if bins.last().is_none_or(|(bin, _)| bin.rows as usize >= wanted) {
            bins.push(Default::default());
        }
        let Some((bin, total)) = bins.last_mut() else { break };
        for row in alike {
            let (row, weight) = (*row as usize, p.weight(*row as usize));
            bin.rows += 1;
            bin.predicted += weight * p.probability(row);
            bin.observed += weight * f64::from(p.labels[row]);
            *total += weight;
        }
    }
    let mean = |(bin, total): (CalibrationBin, f64)| CalibrationBin {
        predicted: bin.predicted / total,
        observed: bin.observed / total,
        ..bin
    };
    bins.into_iter().filter(|(_, total)| *total > 0.0).map(mean).collect()
}

fn histogram(p: &Predictions) -> ScoreHistogram {
    let chances: Vec<f64> = (0..p.rows()).map(|row| p.probability(row)).collect();
    let high = chances.iter().copied().fold(0.0, f64::max);
    let low = chances.iter().copied().fold(1.0, f64::min);
    // Probabilities that are spread over much of what is possible are shown between 0 and 1.
    let (low, high) = if high - low > 0.5 { (0.0, 1.0) } else { (low, high.max(low + 1e-6)) };
    let mut found = ScoreHistogram { low, high, negatives: vec![0; BINS.1], positives: vec![0; BINS.1] };
    for (row, chance) in chances.into_iter().enumerate() {
        let bin = (((chance - low) / (high - low) * BINS.1 as f64) as usize).min(BINS.1 - 1);
        let side = if p.labels[row] > 0.5 { &mut found.positives } else { &mut found.negatives };
        side[bin] += 1;
    }
    found
}

/// AUC within groups of a size.
fn by_size(p: &Predictions) -> Vec<GroupBin> {
    let groups = MetricName::Gauc.by_group(p).unwrap_or_default();
    let bin = |(at, from): (usize, &u64)| {
        let to = SIZES.get(at + 1).map(|next| next - 1);
        let inside = |rows: f64| rows as u64 >= *from && to.is_none_or(|to| rows as u64 <= to);
        let own: Vec<_> = groups.iter().filter(|(_, rows, _)| inside(*rows)).collect();
        let rows: f64 = own.iter().map(|(_, rows, _)| rows).sum();
        let auc = own.iter().map(|(_, rows, auc)| rows * auc).sum::<f64>() / rows;
        (rows > 0.0).then_some(GroupBin { from: *from, to, groups: own.len() as u64, rows: rows as u64, auc })
    };
    SIZES.iter().enumerate().filter_map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &[f32], labels: &[f32]) -> Predictions {
        Predictions { scores: scores.to_vec(), labels: labels.to_vec(), ..Predictions::default() }
    }

    #[test]
    fn rows_predicted_alike_share_a_bin_and_no_row_is_lost() {
        let scores: Vec<f32> = (0..300).map(|row| if row < 200 { 0.0 } else { row as f32 * 0.01 }).collect();
        let labels: Vec<f32> = (0..300).map(|row| f32::from(u8::from(row % 4 == 0))).collect();
        let bins = calibration(&of(&scores, &labels));
        assert_eq!((bins[0].rows, bins[0].predicted, bins[0].observed), (200, 0.5, 0.25));
        assert_eq!(bins.iter().map(|bin| bin.rows).sum::<u64>(), 300);
        let found = histogram(&of(&scores, &labels));
        assert_eq!(found.negatives.iter().chain(&found.positives).sum::<u64>(), 300);
        assert_eq!(found.positives.iter().sum::<u64>(), 75);
    }

    #[test]
    fn groups_are_told_apart_by_their_rows() {
        let mut p = of(&[1.0, 2.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
        p.groups = vec![1, 1, 9, 2, 2, 2, 2, 2];
        let bins = by_size(&p);
        assert_eq!((bins.len(), bins[0].groups, bins[0].rows, bins[0].from, bins[0].to), (1, 2, 7, 2, Some(5)));
        let expected = (2.0 * 1.0 + 5.0 * (4.0 / 6.0)) / 7.0;
        assert!((bins[0].auc - expected).abs() < 1e-12, "{}", bins[0].auc);
    }
}
