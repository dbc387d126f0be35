//! What the benches share: a Criteo-shaped schema, batches with Zipf ids, tables and learners over them.
#![expect(clippy::unwrap_used, reason = "benches: what cannot be made cannot be measured")]

use std::sync::Arc;

use burnrec_backend::{DeviceName, Opened, open};
use burnrec_data::Zipf;
use burnrec_embedding::{Slots, SparseOptimizer, Tables};
use burnrec_features::{Batch, CategoricalSource, Drawn, Fitted, Keys, Schema, Sharing, Targets};
use burnrec_models::{Fields, Heads, ModelConfig};
use burnrec_train::{Checked, Experiment, Stepper, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of a batch.
pub const BATCH: usize = 4096;
/// Rows of the tables together.
pub const ROWS: u64 = 1_000_000;
const FIELDS: usize = 26;
const NUMBERS: usize = 13;

/// An experiment of a model over these fields and what else they need.
fn checked(model: &ModelConfig, features: serde_json::Value) -> Checked {
    let mut tasks = serde_json::json!({"label": {"label": "label"}});
    let more: &[&str] = match model.reads().heads {
        Heads::Chain => &["after"],
        Heads::Branches => &["between", "after"],
        Heads::One | Heads::Any => &[],
    };
    for name in more {
        tasks[name] = serde_json::json!({"label": name, "parent": "label"});
    }
    let model = serde_json::to_value(model).unwrap();
    let text = serde_json::json!({"data": {"source": "bench"}, "features": features, "tasks": tasks, "model": model});
    serde_json::from_value::<Experiment>(text).unwrap().check().unwrap()
}

/// 26 categorical fields by the modulo policy, of falling size, and 13 numbers.
fn log_fields() -> serde_json::Value {
    let size = |field: usize| ((ROWS as f64 * 0.3 * 0.7f64.powi(field as i32)) as u64).max(4);
    let category = |f: usize| {
        (format!("c{f:02}"), serde_json::json!({"kind": "categorical", "index": "modulo", "buckets": size(f)}))
    };
    let number = |n: usize| (format!("n{n:02}"), serde_json::json!("numeric"));
    let fields: serde_json::Map<_, _> = (0..FIELDS).map(category).chain((0..NUMBERS).map(number)).collect();
    serde_json::json!({ "fields": fields })
}

/// Items that a batch shares, and those beside a pair.
const SHARED: usize = 1000;
const BESIDE: usize = 5;

/// An experiment over the fields that a model reads: those of a log; with a history of 1 to 50 items for models of
/// sequences; users and items alone; items and what is drawn for models of vectors; 100 leaves for trees.
pub fn experiment(model: &ModelConfig) -> Checked {
    let ids = |table: &str| serde_json::json!({"index": "modulo", "buckets": ROWS, "table": table});
    let reads = model.reads();
    let mut config = match reads.fields {
        Fields::UserAndItem => serde_json::json!({"fields": {"item_id": ids("item_id"), "user_id": ids("user_id")}}),
        Fields::Item | Fields::Described => serde_json::json!({"fields": {"item": ids("item")}}),
        Fields::All if reads.trees => serde_json::json!({"fields": {"n": "numeric"}, "trees": {"trees": 100}}),
        Fields::Placed => {
            let mut log = log_fields();
            log["fields"]["position"] = serde_json::json!({"kind": "categorical", "index": "modulo", "buckets": 10});
            log
        }
        Fields::All if !reads.reads_sequences() => log_fields(),
        Fields::All => {
            let mut history = ids("item");
            history["kind"] = "sequence".into();
            serde_json::json!({"fields": {"item": ids("item"), "user": ids("user"), "history": history}})
        }
    };
    if reads.retrieves() {
        config["items"] = serde_json::json!({"id": "item", "user": "user"});
        config["negatives"] = match reads.pairs() {
            true => serde_json::json!({"per_positive": BESIDE}),
            false => serde_json::json!({"shared": SHARED}),
        };
    }
    if reads.pairs() {
        config["pairs"] = serde_json::json!({});
    }
    checked(model, config)
}

/// Where the ids of each row of a field start.
fn offsets(schema: &Schema, place: usize) -> Vec<u32> {
    let field = &schema.categorical[place];
    let rows = 0..=BATCH as u32;
    match (schema.is_drawn(place), &field.source) {
        (true, _) if schema.items.as_ref().is_some_and(|i| i.pairs.is_some()) => {
            rows.map(|r| r * BESIDE as u32).collect()
        }
        (true, _) => rows.map(|r| if r == 0 { 0 } else { SHARED as u32 }).collect(),
        (_, CategoricalSource::Leaves) => rows.map(|r| r * 100).collect(),
        _ => rows.map(|row| row / 50 * (50 * 51 / 2) + row % 50 * (row % 50 + 1) / 2).collect(),
    }
}

/// A batch with Zipf ids (exponent 1.05).
pub fn batch(schema: &Schema) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(12_345);
    let keys = schema.categorical.iter().enumerate().map(|(place, field)| {
        let law = Zipf::new(u64::from(field.buckets.max(1000)), 1.05);
        let mut draw = |count: usize| (0..count).map(|_| law.rank(rng.random()) + 1).collect();
        if field.sequence.is_none() && field.pooling.is_none() {
            return Keys::One(draw(BATCH));
        }
        let offsets = offsets(schema, place);
        Keys::Many { keys: draw(offsets[BATCH] as usize), weights: None, offsets }
    });
    let keys = keys.collect();
    let drawn = schema.items.as_ref().filter(|i| i.drawn.is_some()).map(|items| match items.pairs {
        Some(_) => Drawn { sharing: Sharing::Own(BESIDE), ..Drawn::default() },
        None => Drawn { log_expected_own: vec![-5.0; BATCH], log_expected: vec![-5.0; SHARED], ..Drawn::default() },
    });
    Batch {
        rows: BATCH,
        keys,
        numeric: (0..BATCH * schema.numeric.len()).map(|_| rng.random::<f32>()).collect(),
        targets: targets(schema.targets.len(), &mut rng),
        drawn,
        ..Batch::default()
    }
}

/// Host tables of a model's lookups.
pub fn tables(schema: &Schema, slots: &Slots, optimizer: &SparseOptimizer) -> Tables {
    Tables::new(Arc::new(schema.clone()), slots, &[], optimizer, 1, None).unwrap()
}

fn targets(tasks: usize, rng: &mut ChaCha8Rng) -> Targets {
    let values = (0..BATCH * tasks).map(|_| f32::from(u8::from(rng.random::<f64>() < 0.25))).collect();
    Targets { tasks, values, known: None, weights: None }
}

/// A model in training, its tables in host memory.
pub fn stepper(checked: &Checked, opened: &Opened) -> Stepper {
    let fitted = Fitted::assumed(checked.tasks().len(), 0.25);
    Stepper::new(Weights::first(checked, &fitted, &[], opened).unwrap(), checked)
}

/// The CPU.
pub fn flex() -> Opened {
    open(DeviceName::Flex).unwrap()
}
