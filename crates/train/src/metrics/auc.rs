//! AUC, exact, with ties averaged; and AUC within groups.

use crate::metrics::predictions::Predictions;

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.
/// Rows weigh by their sample weight.
///
/// # Errors
/// Why it is undefined: a class is missing.
pub fn auc(p: &Predictions) -> Result<f64, String> {
    let mut order: Vec<u32> = (0..p.scores.len() as u32).collect();
    area(p, &mut order).ok_or_else(|| "the rows have one class only".to_string())
}

/// AUC of the rows in `order`, which is sorted on the way; none where a class is missing.
fn area(p: &Predictions, order: &mut [u32]) -> Option<f64> {
    order.sort_unstable_by(|&a, &b| p.scores[b as usize].total_cmp(&p.scores[a as usize]));
    area_of(p, order, &|row| p.weight(row))
}

/// AUC of rows in the order of their scores, the largest first.
fn area_of(p: &Predictions, order: &[u32], weight: &dyn Fn(usize) -> f64) -> Option<f64> {
    let (mut positive, mut negative, mut area) = (0.0, 0.0, 0.0);
    for ties in order.chunk_by(|&a, &b| p.scores[a as usize] == p.scores[b as usize]) {
        let (mut up, mut down) = (0.0, 0.0);
        for &row in ties {
            let weight = weight(row as usize);
            if p.labels[row as usize] > 0.5 { up += weight } else { down += weight }
        }
        area += down * (positive + 0.5 * up);
        positive += up;
        negative += down;
    }
    (positive > 0.0 && negative > 0.0).then(|| area / (positive * negative))
}

/// Rows in the order of their scores, for AUC under many weights.
pub(crate) struct RankedOrder(Vec<u32>);

impl RankedOrder {
    /// Sorts the rows.
    pub(crate) fn new(p: &Predictions) -> Self {
        let mut order: Vec<u32> = (0..p.rows() as u32).collect();
        // Several classes have no order.
        if p.scores.len() == p.rows() {
            order.sort_unstable_by(|&a, &b| p.scores[b as usize].total_cmp(&p.scores[a as usize]));
        }
        Self(order)
    }

    /// AUC where rows weigh so much; none where a class is missing.
    pub(crate) fn auc(&self, p: &Predictions, weight: &dyn Fn(usize) -> f64) -> Option<f64> {
        area_of(p, &self.0, weight)
    }
}

/// AUC within each group, weighted by its rows; groups of one class, and rows of no group, are left out of both sums.
///
/// # Errors
/// Why it is undefined: no group has both classes.
pub fn gauc(p: &Predictions) -> Result<f64, String> {
    let mut order = p.grouped();
    order.sort_by_key(|&row| p.groups[row as usize]);
    let (mut sum, mut total) = (0.0, 0.0);
    for group in order.chunk_by_mut(|&a, &b| p.groups[a as usize] == p.groups[b as usize]) {
        let rows = group.len() as f64;
        if let Some(area) = area(p, group) {
            sum += rows * area;
            total += rows;
        }
    }
    match total > 0.0 {
        true => Ok(sum / total),
        false => Err("no group has both classes".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(scores: &[f32], labels: &[f32]) -> Predictions {
        Predictions { scores: scores.to_vec(), labels: labels.to_vec(), ..Default::default() }
    }

    #[test]
    fn ties_count_half_and_constants_give_a_half() {
        assert_eq!(auc(&of(&[0.1, 0.4, 0.4, 0.8], &[0.0, 0.0, 1.0, 1.0])), Ok(0.875));
        assert_eq!(auc(&of(&[0.3; 5], &[0.0, 1.0, 1.0, 0.0, 1.0])), Ok(0.5));
        assert!(auc(&of(&[0.3, 0.4], &[1.0, 1.0])).is_err());
    }

    #[test]
    fn one_group_gives_auc_and_offsets_of_groups_do_not_matter() {
        let mut p = of(&[0.1, 0.4, 0.35, 0.8, 5.1, 5.4, 5.2, 5.0], &[0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
        p.groups = vec![1; 8];
        assert_eq!(gauc(&p), auc(&p));
        p.groups = vec![1, 1, 1, 1, 2, 2, 2, 2];
        let before = gauc(&p).unwrap();
        p.scores[4..].iter_mut().for_each(|s| *s -= 100.0);
        assert!((gauc(&p).unwrap() - before).abs() < 1e-12);
        p.labels = vec![1.0; 8];
        assert!(gauc(&p).is_err());
    }

    proptest! {
        #[test]
        fn equals_brute_force_over_pairs(rows in proptest::collection::vec((0u8..12, any::<bool>(), 0u8..4), 2..60)) {
            let p = Predictions {
                scores: rows.iter().map(|r| f32::from(r.0)).collect(),
                labels: rows.iter().map(|r| f32::from(u8::from(r.1))).collect(),
                weights: rows.iter().map(|r| f32::from(r.2)).collect(),
                groups: vec![],
                items: vec![],
            };
            let (mut won, mut all) = (0.0, 0.0);
            for i in 0..rows.len() {
                for j in 0..rows.len() {
                    if rows[i].1 && !rows[j].1 {
                        let w = p.weight(i) * p.weight(j);
                        all += w;
                        won += w * if rows[i].0 > rows[j].0 { 1.0 } else if rows[i].0 == rows[j].0 { 0.5 } else { 0.0 };
                    }
                }
            }
            match auc(&p) {
                Ok(found) => prop_assert!((found - won / all).abs() < 1e-9),
                Err(_) => prop_assert!(all == 0.0),
            }
        }
    }
}
