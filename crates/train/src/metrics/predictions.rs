//! Predictions of one task, with what they are compared to.

/// Why metrics of scores that are no numbers are undefined.
pub(crate) const NOT_FINITE: &str = "the predictions are not finite numbers";

/// Predictions with what they are compared to, of rows whose label is known.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Log-odds, the number, or the scores of several classes, row by row.
    pub scores: Vec<f32>,
    /// Labels.
    pub labels: Vec<f32>,
    /// Sample weights; empty where all are 1.
    pub weights: Vec<f32>,
    /// Groups, 0 where a row has none; empty where there is no group column.
    pub groups: Vec<u64>,
    /// Items by their place in the catalogue; empty without one.
    pub items: Vec<u32>,
}

impl Predictions {
    /// Rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The rows that have a group: 0 is a missing one.
    pub(crate) fn grouped(&self) -> Vec<u32> {
        (0..self.scores.len() as u32).filter(|row| self.groups[*row as usize] != 0).collect()
    }

    /// The same rows under other weights.
    pub(crate) fn weighted(&self, weights: Vec<f32>) -> Self {
        Self { scores: self.scores.clone(), labels: self.labels.clone(), weights, ..Self::default() }
    }

    /// The rows of each group, rows of no group left out.
    pub(crate) fn by_group(&self) -> Vec<(u64, Self)> {
        let mut order = self.grouped();
        order.sort_by_key(|&row| self.groups[row as usize]);
        let pick = |values: &[f32], rows: &[u32]| match values.is_empty() {
            true => Vec::new(),
            false => rows.iter().map(|row| values[*row as usize]).collect(),
        };
        let of = |rows: &[u32]| {
            let group = self.groups[rows[0] as usize];
            let own = Self {
                scores: pick(&self.scores, rows),
                labels: pick(&self.labels, rows),
                weights: pick(&self.weights, rows),
                groups: vec![group; rows.len()],
                items: Vec::new(),
            };
            (group, own)
        };
        order.chunk_by(|a, b| self.groups[*a as usize] == self.groups[*b as usize]).map(of).collect()
    }

    /// The weight of a row.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.get(row).map_or(1.0, |w| f64::from(*w))
    }

    /// The probability of a row, from its log-odds.
    pub fn probability(&self, row: usize) -> f64 {
        1.0 / (1.0 + (-f64::from(self.scores[row])).exp())
    }

    /// The scores of a row's classes.
    pub(crate) fn classes(&self, row: usize) -> &[f32] {
        let width = self.scores.len() / self.rows().max(1);
        &self.scores[row * width..(row + 1) * width]
    }
}

/// Weighted mean of a value a row.
pub(crate) fn mean(p: &Predictions, value: impl Fn(usize) -> f64) -> Result<f64, String> {
    let (mut sum, mut total) = (0.0, 0.0);
    for row in 0..p.rows() {
        let w = p.weight(row);
        sum += w * value(row);
        total += w;
    }
    match total > 0.0 {
        true => Ok(sum / total),
        false => Err("no rows, or all weights are 0".into()),
    }
}
