//! What the benchmark trains: Criteo-shaped models, tables and batches.
//!
//! 26 categorical fields with Zipf ids (exponent 1.05) over tables of the given rows, 13 numbers, embedding width 16,
//! lazy Adam; MLP 400×3, or five residual units of 512, 512, 256, 128, 64; two layers of 100 maps in xDeepFM, two full
//! cross layers in DCN V2.
//!
//! `din` and `dien` are their own: users, items and categories of width 32, histories of 1 to 50 of the latter two (`--history`), attention
//! 80-40, MLP 200-80, ReLU. `--rows` are its users and its items each; a hundredth of them are categories.

use burnrec_data::Zipf;
use burnrec_features::{Batch, FeaturesConfig, FieldConfig, FieldKind, IndexPolicy, Keys, LabelConfig, Schema};
use burnrec_models::ModelConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::CliError;

/// All workloads, in the order of `all`.
pub const WORKLOADS: [&str; 10] =
    ["deepfm", "wide_deep", "deep_crossing", "xdeepfm", "dcn_v2", "din", "dien", "mlp", "fm", "lr"];
const FIELDS: usize = 26;
const NUMBERS: usize = 13;
const DIM: usize = 16;
/// Maps of the layers of xDeepFM's network.
const MAPS: [usize; 2] = [100, 100];
/// Width of din's and dien's vectors.
const DIN_DIM: usize = 32;
const ZIPF: f64 = 1.05;
/// Batches that are made; steps take them in turn.
pub const BATCHES: usize = 8;

/// What a step does at least.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Multiply-adds of the matrix products of one row's forward pass.
    pub products: f64,
    /// Floats of looked-up vectors of one row.
    pub vectors: f64,
}

impl Work {
    /// Floating-point operations of a step: forward once, backward twice, for weights and for inputs.
    pub fn gflop(&self, batch: usize) -> f64 {
        self.products * batch as f64 * 2.0 * 3.0 / 1e9
    }

    /// Bytes of looked-up vectors that a step moves at least: gathered (read, written), their gradient written and
    /// read, and each with both of Adam's moments read and written.
    pub fn vector_gb(&self, batch: usize) -> f64 {
        self.vectors * batch as f64 * 4.0 * (2.0 + 2.0 + 6.0) / 1e9
    }
}

/// The model of a workload, and its work.
pub fn workload(name: &str, history: usize) -> Result<(ModelConfig, Work), CliError> {
    let width = FIELDS * DIM + NUMBERS;
    let mlp =
        |h: &[usize]| -> usize { std::iter::once(&width).chain(h).zip(h.iter().chain([&1])).map(|(a, b)| a * b).sum() };
    if name == "din" {
        return Ok((
            from(serde_json::json!({"din": {
                "embedding_dim": DIN_DIM, "attention": [80, 40], "attention_activation": "relu",
                "hidden": [200, 80], "activation": "relu",
            }}))?,
            din_work(history),
        ));
    }
    if name == "dien" {
        let settings = serde_json::json!({"embedding_dim": DIN_DIM, "hidden": [200, 80], "activation": "relu"});
        return Ok((from(serde_json::json!({ "dien": settings }))?, dien_work(history)));
    }
    let settings = match name {
        "mlp" => serde_json::json!({"mlp": {"hidden": [400, 400, 400], "embedding_dim": DIM}}),
        "deepfm" => serde_json::json!({"deepfm": {"hidden": [400, 400, 400], "embedding_dim": DIM}}),
        "wide_deep" => {
            serde_json::json!({"wide_deep": {"hidden": [400, 400, 400], "embedding_dim": DIM, "wide_optimizer": {"kind": "adam"}}})
        }
        "deep_crossing" => {
            serde_json::json!({"deep_crossing": {"hidden": [512, 512, 256, 128, 64], "embedding_dim": DIM}})
        }
        "xdeepfm" => {
            serde_json::json!({"xdeepfm": {"hidden": [400, 400, 400], "cin": MAPS, "embedding_dim": DIM}})
        }
        "dcn_v2" => serde_json::json!({"dcn_v2": {"hidden": [400, 400, 400], "embedding_dim": DIM}}),
        "fm" => serde_json::json!({"fm": {"embedding_dim": DIM}}),
        _ => serde_json::json!({"lr": {}}),
    };
    let products = match name {
        "deepfm" | "mlp" | "wide_deep" => mlp(&[400, 400, 400]),
        "xdeepfm" => mlp(&[400, 400, 400]) + DIM * FIELDS * MAPS[0] * (FIELDS + MAPS[1]),
        "dcn_v2" => mlp(&[400, 400, 400]) + 2 * width * width,
        "deep_crossing" => [512, 512, 256, 128, 64].iter().map(|h| 2 * h * width).sum::<usize>() + width,
        _ => NUMBERS,
    };
    let config = from(settings)?;
    let vectors = match name {
        "mlp" | "deep_crossing" | "dcn_v2" => FIELDS * DIM,
        "lr" => FIELDS,
        _ => FIELDS * (DIM + 1),
    };
    Ok((config, Work { products: products as f64, vectors: vectors as f64 }))
}

fn from(settings: serde_json::Value) -> Result<ModelConfig, CliError> {
    serde_json::from_value(settings).map_err(|e| CliError::Usage(e.to_string()))
}

/// Whether a workload has histories.
pub fn is_of_histories(name: &str) -> bool {
    name == "din" || name == "dien"
}

/// Per position both units' maps of input and state; per row attention's map of the candidate and the MLP.
fn dien_work(history: usize) -> Work {
    let (d, mean) = (2 * DIN_DIM, (1 + history) as f64 / 2.0);
    let row = d * d + (3 * DIN_DIM + 2 * d) * 200 + 200 * 80 + 80;
    let vectors = (3 * DIN_DIM) as f64 + mean * d as f64;
    Work { products: (12 * d * d) as f64 * mean + row as f64, vectors }
}

/// Behaviours of a mean row are `(1 + history) / 2`; per row the unit's map of the candidate and the MLP.
fn din_work(history: usize) -> Work {
    let (d, mean) = (2 * DIN_DIM, (1 + history) as f64 / 2.0);
    let position = 2 * d * 80 + 80 * 40 + 40;
    let row = d * 80 + (3 * DIN_DIM + d) * 200 + 200 * 80 + 80;
    let vectors = (3 * DIN_DIM) as f64 + mean * d as f64;
    Work { products: position as f64 * mean + row as f64, vectors }
}

/// The fields of `din` and `dien`: their kinds, tables and ids.
fn din_schema(rows: u64) -> Result<(Schema, Vec<u64>), CliError> {
    let categories = (rows / 100).max(4);
    let fields = [
        ("category", "category", None, categories),
        ("history", "item", Some("history"), rows),
        ("history_category", "category", Some("history"), categories),
        ("item", "item", None, rows),
        ("user", "user", None, rows),
    ];
    let field = |(name, table, along, ids): (&str, &str, Option<&str>, u64)| {
        let config = FieldConfig {
            kind: if along.is_some() { FieldKind::Sequence } else { FieldKind::Categorical },
            table: Some(table.to_string()),
            along: along.filter(|a| *a != name).map(str::to_string),
            index: Some(IndexPolicy::Modulo),
            buckets: u32::try_from(ids).ok(),
            ..FieldConfig::default()
        };
        (name.to_string(), config)
    };
    let sizes = fields.iter().map(|f| f.3).collect();
    Ok((Schema::new(&features(fields.map(field).into()))?, sizes))
}

fn features(fields: std::collections::BTreeMap<String, FieldConfig>) -> FeaturesConfig {
    FeaturesConfig {
        label: LabelConfig { column: "label".into(), ..LabelConfig::default() },
        weight: None,
        group: None,
        min_count: 1,
        index: IndexPolicy::default(),
        fields,
        items: None,
        negatives: None,
        pairs: None,
        trees: None,
    }
}

/// The fields of a workload, and how many ids each has.
pub fn schema(name: &str, rows: u64) -> Result<(Schema, Vec<u64>), CliError> {
    if is_of_histories(name) {
        return din_schema(rows);
    }
    let total: f64 = (0..FIELDS).map(|f| 0.7f64.powi(f as i32)).sum();
    let sizes: Vec<u64> = (0..FIELDS).map(|f| ((rows as f64 * 0.7f64.powi(f as i32) / total) as u64).max(4)).collect();
    let category = |(f, size): (usize, &u64)| {
        let buckets = u32::try_from(*size).ok();
        (format!("c{f:02}"), FieldConfig { index: Some(IndexPolicy::Modulo), buckets, ..FieldConfig::default() })
    };
    let number = |n: usize| (format!("n{n:02}"), FieldConfig { kind: FieldKind::Numeric, ..FieldConfig::default() });
    let config = features(sizes.iter().enumerate().map(category).chain((0..NUMBERS).map(number)).collect());
    Ok((Schema::new(&config)?, sizes))
}

/// Batches of Zipf ids.
pub fn batches(schema: &Schema, sizes: &[u64], rows: usize, history: usize) -> Vec<Batch> {
    let mut rng = ChaCha8Rng::seed_from_u64(12_345);
    let laws: Vec<Zipf> = sizes.iter().map(|s| Zipf::new(*s, ZIPF)).collect();
    let batch = |_| {
        let lengths: Vec<u32> = (0..rows).map(|_| rng.random_range(1..=history as u32)).collect();
        let mut keys = |place: usize| {
            // Keys that are congruent to their rank give every id a row of its own.
            let mut draw = |count: usize| (0..count).map(|_| laws[place].rank(rng.random()) + sizes[place]).collect();
            match schema.categorical[place].sequence {
                None => Keys::One(draw(rows)),
                Some(_) => {
                    let ends = lengths.iter().scan(0, |end, length| {
                        *end += length;
                        Some(*end)
                    });
                    let offsets: Vec<u32> = std::iter::once(0).chain(ends).collect();
                    let count = offsets.last().map_or(0, |n| *n as usize);
                    Keys::Many { keys: draw(count), weights: None, offsets }
                }
            }
        };
        Batch {
            rows,
            keys: (0..sizes.len()).map(&mut keys).collect(),
            numeric: (0..rows * schema.numeric.len()).map(|_| rng.random::<f32>()).collect(),
            label: (0..rows).map(|_| f32::from(u8::from(rng.random::<f64>() < 0.25))).collect(),
            weight: Vec::new(),
            group: Vec::new(),
            ..Batch::default()
        }
    };
    (0..BATCHES).map(batch).collect()
}
