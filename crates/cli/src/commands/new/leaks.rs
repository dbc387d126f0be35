//! Columns that tell the label alone: most often they were written down after it happened.

use burnrec_data::profile::{ColumnProfile, Profile};
use burnrec_train::metrics::{self, Predictions};

/// From which AUC on a column alone is suspect.
const SUSPECT: f64 = 0.985;

/// Rows of the rarer class without which nothing is said.
const FEWEST: usize = 30;

/// AUC of scores; none where a class has too few rows.
fn auc(scores: &[(f64, bool)]) -> Option<f64> {
    let positives = scores.iter().filter(|row| row.1).count();
    let rows = Predictions {
        scores: scores.iter().map(|row| row.0 as f32).collect(),
        labels: scores.iter().map(|row| f32::from(u8::from(row.1))).collect(),
        ..Predictions::default()
    };
    (positives.min(scores.len() - positives) >= FEWEST).then(|| metrics::auc(&rows).ok())?
}

/// How well a column alone tells the label on every second row, after the other rows were seen.
fn alone(column: &ColumnProfile, label: &[Option<bool>]) -> Option<f64> {
    let rows = column.codes.len().min(label.len());
    let fit = |row: &usize| row.is_multiple_of(2);
    let (mut sums, mut all) = (vec![(0.0, 0.0); column.values.len() + 1], (0.0, 0.0));
    for (row, y) in (0..rows).filter(fit).filter_map(|row| Some((row, label[row]?))) {
        let own = &mut sums[column.codes[row] as usize];
        *own = (own.0 + f64::from(u8::from(y)), own.1 + 1.0);
        all = (all.0 + f64::from(u8::from(y)), all.1 + 1.0);
    }
    let rate = all.0 / f64::max(all.1, 1.0);
    let by_value = |row: usize| {
        let (sum, count) = sums[column.codes[row] as usize];
        (sum + rate) / (count + 1.0)
    };
    let held = || (0..rows).filter(|row| !fit(row)).filter_map(|row| Some((row, label[row]?)));
    let learned = auc(&held().map(|(row, y)| (by_value(row), y)).collect::<Vec<_>>());
    let number = |numbers: &Vec<f64>| {
        let known = held().filter(|(row, _)| !numbers[*row].is_nan());
        auc(&known.map(|(row, y)| (numbers[row], y)).collect::<Vec<_>>()).map(|x| x.max(1.0 - x))
    };
    let as_number = column.numbers.as_ref().and_then(number);
    learned.into_iter().chain(as_number).reduce(f64::max)
}

/// Columns that tell a label of 0 and 1 alone, and how well.
pub(super) fn suspects(profile: &Profile, label: &[Option<bool>], not: &[usize]) -> Vec<(usize, f64)> {
    let of = |c: usize| {
        let column = &profile.columns[c];
        let looked = !not.contains(&c) && !column.lists && column.distinct() > 1;
        looked.then(|| alone(column, label)).flatten().filter(|auc| *auc >= SUSPECT).map(|auc| (c, auc))
    };
    (0..profile.columns.len()).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: impl Iterator<Item = f64>) -> ColumnProfile {
        let numbers: Vec<f64> = values.collect();
        let mut distinct = numbers.clone();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let code = |x: &f64| distinct.iter().position(|y| y == x).map_or(0, |at| at as u32 + 1);
        ColumnProfile {
            codes: numbers.iter().map(code).collect(),
            values: distinct.iter().map(ToString::to_string).collect(),
            counts: vec![1; distinct.len()],
            numbers: Some(numbers),
            ..ColumnProfile::default()
        }
    }

    #[test]
    fn a_column_that_follows_the_label_is_suspect_and_one_that_only_helps_is_not() {
        let y = |row: usize| row.is_multiple_of(3);
        let label: Vec<Option<bool>> = (0..600).map(|row| Some(y(row))).collect();
        let columns = vec![
            column((0..600).map(|row| if y(row) { 5.0 + row as f64 } else { 0.0 })),
            column((0..600).map(|row| f64::from(u8::from(y(row) ^ (row % 7 == 0))))),
            column((0..600).map(|row| row as f64)),
        ];
        let profile = Profile { rows: 600, more: false, columns };
        let found: Vec<usize> = suspects(&profile, &label, &[]).into_iter().map(|(c, _)| c).collect();
        assert_eq!(found, [0]);
    }
}
