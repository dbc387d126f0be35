//! What the benches share: a Criteo-shaped schema, batches with Zipf ids, tables and learners over them.
#![expect(clippy::unwrap_used, reason = "benches: what cannot be made cannot be measured")]

use std::sync::Arc;

use burnrec_backend::{DeviceName, Opened, open};
use burnrec_data::Zipf;
use burnrec_embedding::{Placement, Slots, SparseOptimizer, Tables};
use burnrec_features::{Batch, CategoricalSource, Drawn, FeaturesConfig, Keys, Schema, Sharing};
use burnrec_models::{Initial, InputShapes, ModelConfig};
use burnrec_train::{Learner, LossKind, TrainConfig, table_device};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of a batch.
pub const BATCH: usize = 4096;
/// Rows of the tables together.
pub const ROWS: u64 = 1_000_000;
const FIELDS: usize = 26;
const NUMBERS: usize = 13;

/// 26 categorical fields by the modulo policy, of falling size, and 13 numbers.
pub fn schema() -> Schema {
    let size = |field: usize| ((ROWS as f64 * 0.3 * 0.7f64.powi(field as i32)) as u64).max(4);
    let category = |f: usize| {
        (format!("c{f:02}"), serde_json::json!({"kind": "categorical", "index": "modulo", "buckets": size(f)}))
    };
    let number = |n: usize| (format!("n{n:02}"), serde_json::json!("numeric"));
    let fields: serde_json::Map<_, _> = (0..FIELDS).map(category).chain((0..NUMBERS).map(number)).collect();
    let config: FeaturesConfig =
        serde_json::from_value(serde_json::json!({"label": {"column": "label"}, "fields": fields})).unwrap();
    Schema::new(&config).unwrap()
}

/// Items that a batch shares, and those beside a pair.
const SHARED: usize = 1000;
const BESIDE: usize = 5;

/// The fields that a model reads: those of [`schema`], with a history of 1 to 50 of its first field for models of
/// sequences; users and items alone for NeuralCF; items and what is drawn for models of vectors; 100 leaves for trees.
pub fn schema_of(model: &ModelConfig) -> Schema {
    let ids = |table: &str| serde_json::json!({"index": "modulo", "buckets": ROWS, "table": table});
    let history = || {
        let mut history = ids("item");
        history["kind"] = "sequence".into();
        history
    };
    let mut config = serde_json::json!({"label": {"column": "label"}});
    match model.name() {
        _ if model.check(&schema()).is_ok() => return schema(),
        "neumf" => config["fields"] = serde_json::json!({"item_id": ids("item_id"), "user_id": ids("user_id")}),
        "gbdt_lr" => {
            config["fields"] = serde_json::json!({"n": "numeric"});
            config["trees"] = serde_json::json!({"trees": 100});
        }
        "din" | "dien" => {
            config["fields"] = serde_json::json!({"item": ids("item"), "user": ids("user"), "history": history()});
        }
        _ => {
            let pairs = model.reads_pairs();
            config["items"] = serde_json::json!({"id": "item", "user": "user"});
            config["fields"] = match pairs {
                true => serde_json::json!({"item": ids("item")}),
                false => serde_json::json!({"item": ids("item"), "user": ids("user"), "history": history()}),
            };
            config["negatives"] = match pairs {
                true => serde_json::json!({"per_positive": BESIDE}),
                false => serde_json::json!({"shared": SHARED}),
            };
            if pairs {
                config["pairs"] = serde_json::json!({});
            }
        }
    }
    let schema = Schema::new(&serde_json::from_value::<FeaturesConfig>(config).unwrap()).unwrap();
    model.check(&schema).unwrap();
    schema
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
        label: (0..BATCH).map(|_| f32::from(u8::from(rng.random::<f64>() < 0.25))).collect(),
        drawn,
        ..Batch::default()
    }
}

/// Host tables of a model's lookups.
pub fn tables(schema: &Schema, slots: &Slots, optimizer: &SparseOptimizer) -> Tables {
    Tables::new(Arc::new(schema.clone()), slots, &[], optimizer, 1, None).unwrap()
}

/// A model in training.
pub fn learner(model: &ModelConfig, schema: &Schema, opened: &Opened, placement: Placement) -> Learner {
    let slots = Arc::new(model.slots(schema));
    let shapes = InputShapes::new(&slots, schema, -1.1);
    let config = TrainConfig::default();
    let module = model.init(&shapes, &mut Initial::new(1), &opened.device.clone().inner().autodiff());
    let place = table_device(opened, placement);
    let tables = Tables::new(Arc::new(schema.clone()), &slots, &[], &config.sparse, 1, place.as_ref()).unwrap();
    let loss = match (model.retrieves(), model.reads_pairs()) {
        (_, true) => LossKind::NegativeSampling,
        (true, _) => LossKind::SampledSoftmax,
        _ => LossKind::Bce,
    };
    Learner::new(module, tables, slots, &opened.device, &config, loss, 1)
}

/// The CPU.
pub fn flex() -> Opened {
    open(DeviceName::Flex).unwrap()
}
