//! What trees read: numbers as they are, ids as the mean label of their rows.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use burnrec_data::Source;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Keys};
use crate::config::Transform;
use crate::error::FeatureError;
use crate::schema::{Numeric, Schema};

/// Rows at the mean that an id's own rows are added to.
const PRIOR: f64 = 20.0;

/// Numbers, column after column; what is missing is NaN.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matrix {
    pub(crate) values: Vec<f64>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The columns of trees.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Numeric inputs, by their place.
    numbers: Vec<usize>,
    /// Categorical inputs, by their place.
    ids: Vec<usize>,
    /// The mean label of each id, of each of those inputs.
    means: Vec<BTreeMap<u64, f64>>,
}

impl Inputs {
    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        self.numbers.len() + self.ids.len()
    }

    /// Whether it reads inputs that a schema has, and knows of each id's input what it means.
    pub(crate) fn fits(&self, schema: &Schema) -> bool {
        self.numbers.iter().all(|n| *n < schema.numeric.len())
            && self.ids.iter().all(|place| *place < schema.categorical.len())
            && self.means.len() == self.ids.len()
            && self.means.iter().flat_map(BTreeMap::values).all(|mean| mean.is_finite())
    }
}

/// Rows before the means are known.
pub(crate) struct Raw {
    numbers: Vec<Vec<f64>>,
    ids: Vec<Option<Keys>>,
    rows: usize,
}

impl Inputs {
    /// All fields but sequences, crosses, what is drawn, and the age of a row, which is no fact of it.
    pub(crate) fn new(schema: &Schema) -> Self {
        let plain = |n: &Numeric| n.power == 1.0 && n.transform != Transform::Age;
        let numbers = (0..schema.numeric.len()).filter(|n| plain(&schema.numeric[*n])).collect();
        Self { numbers, ids: schema.columns_only(), means: Vec::new() }
    }

    pub(crate) fn empty(&self) -> Raw {
        Raw { numbers: vec![Vec::new(); self.numbers.len()], ids: vec![None; self.ids.len()], rows: 0 }
    }

    fn numbers(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
        schema: &Schema,
    ) -> Result<Vec<Vec<f64>>, FeatureError> {
        let column = |n: &usize| {
            let numeric = &schema.numeric[*n];
            Ok(numeric.read(batch, source)?.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect())
        };
        self.numbers.iter().map(column).collect()
    }

    /// Adds some rows of a batch.
    pub(crate) fn add(
        &self,
        to: &mut Raw,
        batch: &RecordBatch,
        source: &dyn Source,
        schema: &Schema,
        encoded: &Batch,
        rows: &[u32],
    ) -> Result<(), FeatureError> {
        for (column, values) in to.numbers.iter_mut().zip(self.numbers(batch, source, schema)?) {
            column.extend(rows.iter().map(|r| values[*r as usize]));
        }
        for (column, place) in to.ids.iter_mut().zip(&self.ids) {
            let keys = encoded.keys[*place].take(rows);
            match column {
                Some(column) => column.append(&keys),
                None => *column = Some(keys),
            }
        }
        to.rows += rows.len();
        Ok(())
    }

    /// Learns the means; in the matrix each row has those of the other part.
    pub(crate) fn fit(&mut self, raw: Raw, labels: &[f32], weights: &[f32], parts: &[u64]) -> Matrix {
        let weight = |row: usize| f64::from(weights[row]);
        let positive: f64 = (0..raw.rows).map(|row| weight(row) * f64::from(labels[row])).sum();
        let prior = positive / weights.iter().map(|w| f64::from(*w)).sum::<f64>().max(f64::MIN_POSITIVE);
        let mut values: Vec<f64> = raw.numbers.concat();
        let columns = self.numbers.len() + self.ids.len();
        for keys in raw.ids.iter().flatten() {
            let mut sums: [BTreeMap<u64, (f64, f64)>; 2] = Default::default();
            for row in 0..raw.rows {
                for key in keys.of_row(row).iter().filter(|k| **k != 0) {
                    let sum = sums[parts[row] as usize].entry(*key).or_insert((0.0, 0.0));
                    *sum = (sum.0 + weight(row) * f64::from(labels[row]), sum.1 + weight(row));
                }
            }
            let mean = |(sum, count): (f64, f64)| (sum + PRIOR * prior) / (count + PRIOR);
            let others = |row: usize, key: u64| sums[1 - parts[row] as usize].get(&key).map(|s| mean(*s));
            values.extend((0..raw.rows).map(|row| mean_of(keys.of_row(row), |key| others(row, key))));
            let mut all = sums[0].clone();
            for (key, (sum, count)) in &sums[1] {
                let own = all.entry(*key).or_insert((0.0, 0.0));
                *own = (own.0 + sum, own.1 + count);
            }
            self.means.push(all.into_iter().map(|(key, s)| (key, mean(s))).collect());
        }
        Matrix { values, rows: raw.rows, columns }
    }

    /// The rows of a batch.
    pub(crate) fn matrix(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
        schema: &Schema,
        keys: &[Keys],
    ) -> Result<Matrix, FeatureError> {
        let rows = batch.num_rows();
        let mut values = self.numbers(batch, source, schema)?.concat();
        for (place, means) in self.ids.iter().zip(&self.means) {
            let mean = |key: u64| means.get(&key).copied();
            values.extend((0..rows).map(|row| mean_of(keys[*place].of_row(row), mean)));
        }
        Ok(Matrix { values, rows, columns: self.numbers.len() + self.ids.len() })
    }
}

/// The mean over the known ids of a row; NaN where there is none.
fn mean_of(keys: &[u64], mean: impl Fn(u64) -> Option<f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in keys.iter().filter(|k| **k != 0).filter_map(|k| mean(*k)) {
        sum += value;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { f64::NAN }
}
