//! Two related numbers to learn: the experiment of the MMoE paper (Ma et al., KDD 2018, section 3.2).
//!
//! ```text
//! x ~ N(0, I_d);  w_1 = c·u_1,  w_2 = c·(p·u_1 + √(1 - p²)·u_2),  u_1 ⊥ u_2 of length 1
//! y_k = w_k·x + Σ_i sin(α_i w_k·x + β_i) + ε_k,  ε_k ~ N(0, noise²)
//! ```
//! Rows are generated as they are read, and are the same each time; `x000…` and `y1`, `y2`, and `one`, which is 1.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stream;
use crate::error::DataError;
use crate::source::{CHUNK_ROWS, Column, Format, Head, POSITION, RowStream, chunks, pack};

/// Rows of two related numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegressionConfig {
    /// Rows.
    pub rows: u64,
    /// Seed of the rows and of the two directions.
    pub seed: u64,
    /// Numbers of a row, d.
    pub inputs: usize,
    /// The cosine p of what the two labels look at.
    pub correlation: f64,
    /// c.
    pub scale: f64,
    /// α of the sines.
    pub alpha: Vec<f64>,
    /// β of the sines.
    pub beta: Vec<f64>,
    /// Standard deviation of the noise.
    pub noise: f64,
}

/// Ten draws each from N(0, 1), the same for all.
const ALPHA: [f64; 10] =
    [0.304717, -1.039984, 0.750451, 0.940565, -1.951035, -1.30218, 0.12784, -0.316243, -0.016801, -0.853044];
const BETA: [f64; 10] =
    [0.879398, 0.777792, 0.066031, 1.127241, 0.467509, -0.859292, 0.368751, -0.958883, 0.87845, -0.049926];

impl Default for RegressionConfig {
    fn default() -> Self {
        Self {
            rows: 784_000,
            seed: 1,
            inputs: 100,
            correlation: 0.5,
            scale: 1.0,
            alpha: ALPHA.to_vec(),
            beta: BETA.to_vec(),
            noise: 0.1,
        }
    }
}

impl RegressionConfig {
    /// Refuses what cannot be generated.
    ///
    /// # Errors
    /// [`DataError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), DataError> {
        let bad = |key: &str, problem: &str| {
            Err(DataError::Setting { key: format!("regression.{key}"), problem: problem.to_string() })
        };
        let finite = self.alpha.iter().chain(&self.beta).chain([&self.scale]).all(|x| x.is_finite());
        match self {
            _ if !(1..=1 << 40).contains(&self.rows) => bad("rows", "must lie in 1..=1099511627776"),
            _ if !(2..=10_000).contains(&self.inputs) => bad("inputs", "must lie in 2..=10000"),
            _ if !(-1.0..=1.0).contains(&self.correlation) => bad("correlation", "must lie in -1..=1"),
            _ if self.alpha.len() != self.beta.len() => bad("beta", "must have as many numbers as alpha"),
            _ if !finite => bad("alpha", "and beta and scale must be finite numbers"),
            _ if !(self.noise >= 0.0 && self.noise.is_finite()) => bad("noise", "must be at least 0"),
            _ => Ok(()),
        }
    }

    /// A file that stands for these rows, made if it is not there.
    pub(crate) fn file(&self, root: &Path) -> Result<std::path::PathBuf, DataError> {
        let text = toml::to_string(self)
            .map_err(|e| DataError::Setting { key: "regression".into(), problem: e.to_string() })?;
        let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
        let folder = root.join("synthetic");
        let path = folder.join(format!("regression-{hash:016x}.generated"));
        if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return Ok(path);
        }
        std::fs::create_dir_all(&folder).map_err(|e| DataError::io(&folder, e))?;
        let temporary = folder.join(format!(".tmp-{hash:016x}-{}", std::process::id()));
        std::fs::write(&temporary, text).map_err(|e| DataError::io(&temporary, e))?;
        std::fs::rename(&temporary, &path).map_err(|e| DataError::io(&path, e))?;
        Ok(path)
    }

    /// The two directions, at right angles, of length 1.
    fn directions(&self) -> [Vec<f64>; 2] {
        let mut rng = stream(self.seed, "directions", 0);
        let mut draw = || (0..self.inputs).map(|_| StandardNormal.sample(&mut rng)).collect::<Vec<f64>>();
        let (mut first, mut second) = (draw(), draw());
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        let unit = |v: &mut Vec<f64>| {
            let length = product(v, v).sqrt();
            v.iter_mut().for_each(|x| *x /= length);
        };
        unit(&mut first);
        let along = product(&first, &second);
        second.iter_mut().zip(&first).for_each(|(s, f)| *s -= along * f);
        unit(&mut second);
        [first, second]
    }

    /// The label behind a product `w·x`, without noise.
    fn clean(&self, product: f64) -> f64 {
        product + self.alpha.iter().zip(&self.beta).map(|(a, b)| (a * product + b).sin()).sum::<f64>()
    }

    /// Rows `first..first + count`: inputs row by row, and both labels.
    fn rows(&self, directions: &[Vec<f64>; 2], chunk: u64, count: usize) -> (Vec<f64>, [Vec<f64>; 2]) {
        const PART: usize = 512;
        let (d, p) = (self.inputs, self.correlation);
        let across = (1.0 - p * p).sqrt();
        let part = |number: usize| {
            let mut rng = stream(self.seed, "rows", chunk * (CHUNK_ROWS / PART) as u64 + number as u64);
            let rows = PART.min(count - number * PART);
            let (mut x, mut y) = (Vec::with_capacity(rows * d), [Vec::with_capacity(rows), Vec::with_capacity(rows)]);
            for _ in 0..rows {
                let row: Vec<f64> = (0..d).map(|_| StandardNormal.sample(&mut rng)).collect();
                let along = |u: &[f64]| u.iter().zip(&row).map(|(u, x)| u * x).sum::<f64>();
                let (a, b) = (along(&directions[0]), along(&directions[1]));
                for (label, product) in y.iter_mut().zip([self.scale * a, self.scale * (p * a + across * b)]) {
                    let noise: f64 = StandardNormal.sample(&mut rng);
                    label.push(self.clean(product) + self.noise * noise);
                }
                x.extend(row);
            }
            (x, y)
        };
        let parts: Vec<_> = (0..count.div_ceil(PART)).into_par_iter().map(part).collect();
        let (mut x, mut y) = (Vec::with_capacity(count * d), [Vec::new(), Vec::new()]);
        for (own_x, own_y) in parts {
            x.extend(own_x);
            y.iter_mut().zip(own_y).for_each(|(all, own)| all.extend(own));
        }
        (x, y)
    }
}

/// Generates what a file describes.
pub(crate) struct Generated;

fn read(path: &Path) -> Result<RegressionConfig, DataError> {
    let text = std::fs::read_to_string(path).map_err(|e| DataError::io(path, e))?;
    let config: RegressionConfig = toml::from_str(&text).map_err(|e| DataError::Corrupt {
        path: path.to_path_buf(),
        format: "description of generated rows",
        reason: e.message().to_string(),
    })?;
    config.check()?;
    Ok(config)
}

impl Format for Generated {
    fn head(&self, path: &Path) -> Result<Head, DataError> {
        let config = read(path)?;
        let inputs = (0..config.inputs).map(|n| Column::new(format!("x{n:03}"), DataType::Float64));
        let labels = ["y1", "y2"].map(|name| Column::new(name, DataType::Float64));
        let columns = inputs.chain(labels).chain([Column::new("one", DataType::Int64)]).collect();
        Ok(Head { columns, rows: true })
    }

    fn stream(&self, path: &Path, file: usize, columns: &[Column]) -> Result<RowStream, DataError> {
        let (config, columns) = (read(path)?, columns.to_vec());
        let directions = config.directions();
        let mut chunk = 0u64;
        Ok(chunks(move || {
            let first = chunk * CHUNK_ROWS as u64;
            let count = config.rows.saturating_sub(first).min(CHUNK_ROWS as u64) as usize;
            if count == 0 {
                return Ok(None);
            }
            let (x, y) = config.rows(&directions, chunk, count);
            chunk += 1;
            let d = config.inputs;
            let array = |column: &Column| -> ArrayRef {
                match (column.name.as_str(), column.name.strip_prefix('x').and_then(|n| n.parse::<usize>().ok())) {
                    (_, Some(at)) => Arc::new((0..count).map(|row| Some(x[row * d + at])).collect::<Float64Array>()),
                    ("y1", _) => Arc::new(Float64Array::from(y[0].clone())),
                    ("y2", _) => Arc::new(Float64Array::from(y[1].clone())),
                    _ => Arc::new(Int64Array::from(vec![1; count])),
                }
            };
            let mut fields: Vec<Field> =
                columns.iter().map(|c| Field::new(&c.name, c.data_type.clone(), true)).collect();
            let mut arrays: Vec<ArrayRef> = columns.iter().map(array).collect();
            fields.push(Field::new(POSITION, DataType::UInt64, false));
            arrays.push(Arc::new(UInt64Array::from_iter_values((0..count as u64).map(|row| pack(file, first + row)))));
            Ok(Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?))
        }))
    }

    fn is_text(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correlation(config: &RegressionConfig) -> f64 {
        let (_, [a, b]) = config.rows(&config.directions(), 0, 8192);
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (ma, mb) = (mean(&a), mean(&b));
        let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
        sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
    }

    #[test]
    fn without_sines_labels_are_as_related_as_their_directions() {
        for p in [-0.5, 0.0, 0.5, 0.9, 1.0] {
            let plain =
                RegressionConfig { correlation: p, alpha: vec![], beta: vec![], noise: 0.0, ..Default::default() };
            assert!((correlation(&plain) - p).abs() < 3.0 / 8192f64.sqrt(), "{p}");
        }
        // With the ten sines: measured elsewhere over 10,000 rows.
        for (p, expected) in [(0.5, 0.14), (0.75, 0.41), (0.9, 0.71), (1.0, 0.992)] {
            let found = correlation(&RegressionConfig { correlation: p, ..Default::default() });
            assert!((found - expected).abs() < 0.05, "{p}: {found}");
        }
    }

    #[test]
    fn rows_are_the_same_however_they_are_read() {
        let config = RegressionConfig { rows: 9000, ..Default::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = config.file(folder.path()).unwrap();
        let all = Generated.head(&path).unwrap().columns;
        let read = |columns: &[Column]| -> Vec<RecordBatch> {
            Generated.stream(&path, 0, columns).unwrap().map(Result::unwrap).collect()
        };
        let (whole, labels) = (read(&all), read(&all[100..102]));
        assert_eq!(whole.iter().map(RecordBatch::num_rows).sum::<usize>(), 9000);
        for (whole, labels) in whole.iter().zip(&labels) {
            assert_eq!(whole.column(100), labels.column(0));
            assert_eq!(whole.column(101), labels.column(1));
        }
    }
}
