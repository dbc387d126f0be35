//! Criteo-shaped click logs with a planted truth, so that the best reachable AUC is known.
//!
//! 26 categorical fields `C1…` with Zipf ids, 13 counts `I1…` (5% missing), `label`, `timestamp`.
//! The log-odds of a click are
//! ```text
//! z = b + s_lin · Σ_f w[f,id]/√F + s_num · Σ_n u_n x_n/√N + s_pair · Σ_{(f,g)∈P} <v[f,id], v[g,id]>/√(2|P|) + s_mlp · MLP(v, x)
//! ```
//! with w, v, u standard normal by seed (w smaller in fields of over 200 ids), P the neighbouring pairs of
//! the smaller half of the fields, and the MLP one hidden tanh layer over that half and the numbers. A model
//! that only adds effects up cannot express the last two terms. The Bayes AUC is that of the true
//! probabilities: every row counts as `p` clicks and `1 - p` skips.

mod regression;
pub(crate) mod zipf;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::DataError;
pub(crate) use regression::Generated;
pub use regression::RegressionConfig;
use zipf::Zipf;

const GENERATED_CHUNK: u64 = 16_384;
const LATENT: usize = 2;
const HIDDEN: usize = 16;
const SCORE_BINS: usize = 1 << 16;

/// A generated click log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticConfig {
    /// Rows.
    pub rows: u64,
    /// Seed of the truth and of the draws.
    pub seed: u64,
    /// Categorical fields.
    pub categorical: usize,
    /// Numeric fields.
    pub numeric: usize,
    /// Ids in all fields together.
    pub ids: u64,
    /// Exponent of the Zipf law of the ids of a field.
    pub zipf: f64,
    /// Log-odds at the centre.
    pub bias: f64,
    /// Scale of the additive effects of ids.
    pub linear: f64,
    /// Scale of the additive effects of numbers.
    pub counts: f64,
    /// Scale of the products of pairs of fields.
    pub pairwise: f64,
    /// Scale of the tanh network over fields and numbers.
    pub nonlinear: f64,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        Self {
            rows: 200_000,
            seed: 1,
            categorical: 26,
            numeric: 13,
            ids: 100_000,
            zipf: 1.2,
            bias: -1.2,
            linear: 0.9,
            counts: 0.4,
            pairwise: 0.9,
            nonlinear: 0.9,
        }
    }
}

/// What a generator says of its log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// The AUC of the true probabilities: no model does better in the mean.
    pub bayes_auc: f64,
    /// The log-loss of the true probabilities.
    pub bayes_logloss: f64,
    /// The share of clicks.
    pub click_rate: f64,
}

impl SyntheticConfig {
    /// Refuses what cannot be generated.
    ///
    /// # Errors
    /// [`DataError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), DataError> {
        let bad = |key: &str, problem: &str| {
            Err(DataError::Setting { key: format!("synthetic.{key}"), problem: problem.to_string() })
        };
        match self {
            _ if self.rows == 0 => bad("rows", "must be at least 1"),
            _ if self.categorical < 2 => bad("categorical", "must be at least 2: the truth holds pairs of fields"),
            _ if self.ids < 4 * self.categorical as u64 => bad("ids", "must be at least 4 a categorical field"),
            _ if self.rows > 1 << 40 => bad("rows", "must be at most 1099511627776"),
            _ if self.categorical > 10_000 || self.numeric > 10_000 => {
                bad("categorical", "and numeric must be at most 10000")
            }
            _ if self.ids > 1 << 32 => bad("ids", "must be at most 4294967296"),
            _ if !(0.1..=4.0).contains(&self.zipf) => bad("zipf", "must lie in 0.1..=4"),
            _ if ![self.bias, self.linear, self.counts, self.pairwise, self.nonlinear]
                .iter()
                .all(|x| x.is_finite()) =>
            {
                bad("bias", "and the scales linear, counts, pairwise and nonlinear must be finite numbers")
            }
            _ => Ok(()),
        }
    }

    /// A name that changes with every setting; generated files are kept under it.
    pub fn file_name(&self) -> String {
        let text = format!("{self:?}");
        format!("criteo-{}-{:08x}.parquet", self.rows, xxh3_64_with_seed(text.as_bytes(), 0) as u32)
    }
}

/// The planted truth: effects of every id, the pairs, and the network.
struct Planted {
    sizes: Vec<u64>,
    starts: Vec<u64>,
    weights: Vec<f32>,
    vectors: Vec<[f32; LATENT]>,
    counts: Vec<f32>,
    pairs: Vec<(usize, usize)>,
    hidden: Vec<Vec<f32>>,
    output: Vec<f32>,
    laws: Vec<Zipf>,
}

fn stream(seed: u64, name: &str, index: u64) -> ChaCha8Rng {
    let base = xxh3_64_with_seed(name.as_bytes(), seed);
    ChaCha8Rng::seed_from_u64(xxh3_64_with_seed(&index.to_le_bytes(), base))
}

fn normals(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

impl Planted {
    fn new(config: &SyntheticConfig) -> Self {
        let fields = config.categorical;
        let total: f64 = (0..fields).map(|f| 0.7f64.powi(f as i32)).sum();
        let size = |f: usize| ((config.ids as f64 * 0.7f64.powi(f as i32) / total) as u64).max(4);
        let sizes: Vec<u64> = (0..fields).map(size).collect();
        let starts = sizes
            .iter()
            .scan(0, |at, s| {
                let start = *at;
                *at += s;
                Some(start)
            })
            .collect();
        let ids = sizes.iter().sum::<u64>() as usize;
        let mut rng = stream(config.seed, "truth", 0);
        let mut weights = normals(&mut rng, ids);
        for (start, size) in sizes.iter().scan(0usize, |at, s| {
            let start = *at;
            *at += *s as usize;
            Some((start, *s as usize))
        }) {
            let shrink = if size > 200 { (200.0 / size as f32).sqrt() } else { 1.0 };
            weights[start..start + size].iter_mut().for_each(|w| *w *= shrink);
        }
        let flat = normals(&mut rng, ids * LATENT);
        let vectors = flat.as_chunks::<LATENT>().0.to_vec();
        let counts = normals(&mut rng, config.numeric);
        // Fields fall in size; ids of the large ones are too rare to learn more than their own effect from.
        let pairs = (fields / 2..fields - 1).map(|f| (f, f + 1)).collect();
        let inputs = fields - fields / 2 + config.numeric;
        Self {
            laws: sizes.iter().map(|&s| Zipf::new(s, config.zipf)).collect(),
            sizes,
            starts,
            weights,
            vectors,
            counts,
            pairs,
            hidden: (0..HIDDEN).map(|_| normals(&mut rng, inputs)).collect(),
            output: normals(&mut rng, HIDDEN),
        }
    }

    /// The log-odds of a row: `ids` are numbered through all fields, `x` are standardised numbers.
    fn logit(&self, config: &SyntheticConfig, ids: &[usize], x: &[f32]) -> f64 {
        let root = |n: usize| (n.max(1) as f64).sqrt();
        let linear: f32 = ids.iter().map(|&i| self.weights[i]).sum();
        let counts: f32 = x.iter().zip(&self.counts).map(|(x, u)| x * u).sum();
        let dot = |a: &[f32; LATENT], b: &[f32; LATENT]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let pairs: f32 = self.pairs.iter().map(|&(f, g)| dot(&self.vectors[ids[f]], &self.vectors[ids[g]])).sum();
        let inputs = || ids[ids.len() / 2..].iter().map(|&i| self.vectors[i][0]).chain(x.iter().copied());
        let scale = 1.5 / root(ids.len() - ids.len() / 2 + x.len()) as f32;
        let unit = |w: &Vec<f32>| (inputs().zip(w).map(|(a, w)| a * w).sum::<f32>() * scale).tanh();
        let network: f32 = self.hidden.iter().zip(&self.output).map(|(w, o)| unit(w) * o).sum();
        config.bias
            + config.linear * f64::from(linear) / root(ids.len())
            + config.counts * f64::from(counts) / root(x.len())
            + config.pairwise * f64::from(pairs) / root(LATENT * self.pairs.len())
            + config.nonlinear * f64::from(network) / root(HIDDEN)
    }
}

fn schema(config: &SyntheticConfig) -> Schema {
    let mut fields = vec![Field::new("label", DataType::UInt8, false), Field::new("timestamp", DataType::Int64, false)];
    fields.extend((1..=config.numeric).map(|n| Field::new(format!("I{n}"), DataType::Int64, true)));
    fields.extend((1..=config.categorical).map(|f| Field::new(format!("C{f}"), DataType::Utf8, false)));
    Schema::new(fields)
}

/// One chunk of rows and the true probability of each.
fn chunk(
    config: &SyntheticConfig,
    truth: &Planted,
    schema: &Arc<Schema>,
    number: u64,
) -> Result<(RecordBatch, Vec<f64>), DataError> {
    let first = number * GENERATED_CHUNK;
    let rows = GENERATED_CHUNK.min(config.rows - first) as usize;
    let mut rng = stream(config.seed, "rows", number);
    let mut labels = Vec::with_capacity(rows);
    let mut numbers: Vec<Vec<Option<i64>>> = vec![Vec::with_capacity(rows); config.numeric];
    let mut ids: Vec<Vec<String>> = vec![Vec::with_capacity(rows); config.categorical];
    let mut chances = Vec::with_capacity(rows);
    let (mut row_ids, mut x) = (vec![0; config.categorical], vec![0.0; config.numeric]);
    for _ in 0..rows {
        for (f, law) in truth.laws.iter().enumerate() {
            let rank = law.rank(rng.random());
            row_ids[f] = (truth.starts[f] + rank.min(truth.sizes[f] - 1)) as usize;
            let name = xxh3_64_with_seed(&rank.to_le_bytes(), config.seed ^ f as u64) as u32;
            ids[f].push(format!("{name:08x}"));
        }
        for (n, column) in numbers.iter_mut().enumerate() {
            let draw: f64 = StandardNormal.sample(&mut rng);
            let count = (draw * 1.2 + 1.5).exp().floor();
            let known = rng.random::<f64>() >= 0.05;
            column.push(known.then_some(count as i64));
            x[n] = if known { ((count.ln_1p() - 1.6) / 1.0) as f32 } else { 0.0 };
        }
        let p = 1.0 / (1.0 + (-truth.logit(config, &row_ids, &x)).exp());
        labels.push(u8::from(rng.random::<f64>() < p));
        chances.push(p);
    }
    let second = |r: usize| 1_700_000_000 + ((first + r as u64) as f64 / config.rows as f64 * 7.0 * 86_400.0) as i64;
    let mut arrays: Vec<ArrayRef> =
        vec![Arc::new(UInt8Array::from(labels)), Arc::new(Int64Array::from_iter_values((0..rows).map(second)))];
    arrays.extend(numbers.into_iter().map(|n| Arc::new(Int64Array::from(n)) as ArrayRef));
    arrays.extend(ids.into_iter().map(|c| Arc::new(StringArray::from(c)) as ArrayRef));
    Ok((RecordBatch::try_new(schema.clone(), arrays)?, chances))
}

/// Clicks and skips by score, for the AUC of the truth with flat memory.
struct BayesTally {
    clicks: Vec<f64>,
    skips: Vec<f64>,
    loss: f64,
}

impl BayesTally {
    fn add(&mut self, p: f64) {
        let bin = ((p * SCORE_BINS as f64) as usize).min(SCORE_BINS - 1);
        self.clicks[bin] += p;
        self.skips[bin] += 1.0 - p;
        self.loss -= p * p.ln() + (1.0 - p) * (-p).ln_1p();
    }

    fn truth(&self) -> Truth {
        let (clicks, skips): (f64, f64) = (self.clicks.iter().sum(), self.skips.iter().sum());
        let mut above = clicks;
        let mut area = 0.0;
        for (c, s) in self.clicks.iter().zip(&self.skips) {
            above -= c;
            area += s * (above + 0.5 * c);
        }
        let rows = clicks + skips;
        Truth { bayes_auc: area / (clicks * skips), bayes_logloss: self.loss / rows, click_rate: clicks / rows }
    }
}

/// Writes a log as Parquet; memory does not grow with the rows. An interrupted run leaves nothing at `path`.
///
/// # Errors
/// Settings out of range, and a folder that cannot be written.
pub fn generate(config: &SyntheticConfig, path: &Path) -> Result<Truth, DataError> {
    config.check()?;
    let io = |e| DataError::io(path, e);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let temporary = tempfile::Builder::new()
        .prefix(&format!(".tmp-generate-{}-", std::process::id()))
        .suffix(".tmp")
        .permissions(crate::readable())
        .tempfile_in(folder)
        .map_err(io)?;
    let truth = write(config, temporary.as_file().try_clone().map_err(io)?, path)?;
    temporary.as_file().sync_all().map_err(io)?;
    let facts = serde_json::to_string(&truth).unwrap_or_default();
    std::fs::write(path.with_extension("truth.json"), facts).map_err(io)?;
    temporary.persist(path).map_err(|e| io(e.error))?;
    Ok(truth)
}

fn write(config: &SyntheticConfig, file: File, path: &Path) -> Result<Truth, DataError> {
    let failed = |e: parquet::errors::ParquetError| DataError::io(path, std::io::Error::other(e.to_string()));
    let schema = Arc::new(schema(config));
    let planted = Planted::new(config);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(failed)?))
        .set_max_row_group_row_count(Some(131_072))
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(failed)?;
    let mut tally = BayesTally { clicks: vec![0.0; SCORE_BINS], skips: vec![0.0; SCORE_BINS], loss: 0.0 };
    let chunks = config.rows.div_ceil(GENERATED_CHUNK);
    let at_once = rayon::current_num_threads() as u64 * 2;
    for start in (0..chunks).step_by(at_once as usize) {
        let made: Vec<_> = (start..(start + at_once).min(chunks))
            .into_par_iter()
            .map(|number| chunk(config, &planted, &schema, number))
            .collect::<Result<_, _>>()?;
        for (batch, chances) in made {
            writer.write(&batch).map_err(failed)?;
            chances.into_iter().for_each(|p| tally.add(p));
        }
    }
    writer.close().map_err(failed)?;
    Ok(tally.truth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_settings_give_the_same_bytes_and_a_bayes_auc_in_range() {
        let folder = tempfile::tempdir().unwrap();
        let config = SyntheticConfig { rows: 40_000, ids: 2_000, ..Default::default() };
        let (a, b) = (folder.path().join("a.parquet"), folder.path().join("b.parquet"));
        let truth = generate(&config, &a).unwrap();
        assert_eq!(truth, generate(&config, &b).unwrap());
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        assert!((0.75..0.85).contains(&truth.bayes_auc), "{truth:?}");
    }

    #[test]
    fn the_tally_is_the_exact_auc_where_scores_have_bins_of_their_own() {
        let mut tally = BayesTally { clicks: vec![0.0; SCORE_BINS], skips: vec![0.0; SCORE_BINS], loss: 0.0 };
        tally.add(0.25);
        tally.add(0.75);
        // Pairs (click row, skip row): (.25,.25) .1875 tie, (.25,.75) .0625 lost, (.75,.25) .5625 won, (.75,.75) .1875 tie.
        assert!((tally.truth().bayes_auc - 0.75).abs() < 1e-12);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for config in [
            SyntheticConfig { rows: 0, ..Default::default() },
            SyntheticConfig { ids: 3, ..Default::default() },
            SyntheticConfig { zipf: 0.0, ..Default::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
