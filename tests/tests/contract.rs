//! What every registered model must do. A new model enters by being registered.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burnrec_backend::DeviceName;
use burnrec_embedding::{SparseOptimizer, SparseRule, Tables};
use burnrec_features::{Batch, FeaturesConfig, Keys, Schema, Vocabulary};
use burnrec_models::{Initial, InputShapes, ModelConfig, ModelInfo, registered};
use burnrec_train::{Learner, LossKind, Prepared, TrainConfig, prepare};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 64;
const IDS: [u64; 3] = [64, 7, 5];

/// The settings of a model: as they are without a word, but for a rate that shows something in few steps.
fn settings(model: &ModelInfo) -> ModelConfig {
    match model.default.clone() {
        ModelConfig::GbdtLr(mut gbdt) => {
            gbdt.optimizer.learning_rate = 10.0;
            ModelConfig::GbdtLr(gbdt)
        }
        other => other,
    }
}

/// Models without weights of crosses.
const NO_CROSSES: [&str; 7] = ["mlp", "dcn_v2", "din", "dien", "deep_crossing", "youtube_dnn", "gbdt_lr"];

/// Fields of every kind that the model reads.
fn schema(model: &ModelInfo) -> Schema {
    let items = "[items]\nid = \"b\"\nuser = \"u\"\n";
    let pairs = "[pairs]\n[negatives]\nper_positive = 2\n";
    let text = match model.name {
        "neumf" => {
            "label = { column = \"y\" }\n[fields]\nitem_id = \"categorical\"\nuser_id = \"categorical\"".to_string()
        }
        "item2vec" => format!("label = {{ column = \"y\" }}\nfields.b = \"categorical\"\n{items}{pairs}"),
        "eges" => {
            let items = items.replace("user", "fields = [\"c\", \"m\"]\nuser");
            format!(
                "label = {{ column = \"y\" }}\n[fields]\nb = \"categorical\"\nc = \"categorical\"\nm = \"multi\"\n{items}{pairs}"
            )
        }
        _ => {
            let mut text = String::from(
                r#"
                label = { column = "y" }
                [fields]
                a = "categorical"
                b = "categorical"
                m = { kind = "multi" }
                n1 = "numeric"
                n2 = "numeric"
            "#,
            );
            if !NO_CROSSES.contains(&model.name) {
                text.push_str("x = { kind = \"cross\", of = [\"a\", \"b\"] }\n");
            }
            if model.default.reads_sequences() {
                text.push_str("h = { kind = \"sequence\", table = \"a\" }\n");
                text.push_str("g = { kind = \"sequence\", table = \"b\", along = \"h\" }\n");
            }
            if model.default.retrieves() {
                text.push_str(&format!("{items}[negatives]\nshared = 5\n"));
            }
            if model.name == "gbdt_lr" {
                text.push_str("[trees]\n");
            }
            text
        }
    };
    let schema = Schema::new(&toml::from_str::<FeaturesConfig>(&text).unwrap()).unwrap();
    settings(model).check(&schema).unwrap_or_else(|e| panic!("{e}"));
    schema
}

/// Ids of a field.
fn ids(name: &str) -> u64 {
    match name {
        "a" | "h" | "user_id" | "leaves" => IDS[0],
        "b" | "g" | "item_id" | "context" | "drawn items" => 10,
        "m" => IDS[2],
        _ => 20,
    }
}

/// Ids of a row.
type Length = Box<dyn FnMut(usize, &mut ChaCha8Rng) -> usize>;

/// 64 rows with an id of their own in field `a`. Every fourth row has no history.
fn batch(model: &ModelInfo) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut many = |name: &str, mut length: Length| {
        let (mut keys, mut offsets) = (Vec::new(), vec![0]);
        for row in 0..ROWS {
            let count = length(row, &mut rng);
            keys.extend((0..count).map(|_| rng.random_range(1..=ids(name))));
            offsets.push(keys.len() as u32);
        }
        Keys::Many { keys, weights: None, offsets }
    };
    let pairs = model.default.reads_pairs();
    let of = |name: &str| match name {
        "leaves" => {
            Keys::Many { keys: (1..=ROWS as u64).collect(), weights: None, offsets: (0..=ROWS as u32).collect() }
        }
        // Drawn for training alone, by the loader.
        "drawn items" => Keys::Many { keys: vec![], weights: None, offsets: vec![0; ROWS + 1] },
        // Every pair once.
        "b" if pairs => Keys::One((0..ROWS as u64).map(|r| 1 + r % IDS[1]).collect()),
        "context" => Keys::One((0..ROWS as u64).map(|r| 1 + r / IDS[1]).collect()),
        "a" | "user_id" => Keys::One((1..=ROWS as u64).collect()),
        "b" | "c" | "x" | "item_id" => match many(name, Box::new(|_, _| 1)) {
            Keys::Many { keys, .. } | Keys::One(keys) => Keys::One(keys),
        },
        "m" => many(name, Box::new(|_, rng| rng.random_range(0..4))),
        _ => many(name, Box::new(|row, _| row % 4 * (1 + row % 5))),
    };
    let keys = schema(model).categorical.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let keys = keys.iter().map(|name| name.as_str()).map(of).collect();
    Batch {
        rows: ROWS,
        keys,
        numeric: (0..ROWS * schema(model).numeric.len()).map(|_| rng.random_range(-1.0..1.0)).collect(),
        label: (0..ROWS).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect(),
        weight: vec![],
        group: vec![],
        ..Batch::default()
    }
}

fn learner(model: &ModelInfo, device: &Device, rate: f64) -> Learner {
    let schema = schema(model);
    let vocabulary = |n: u64| -> Vocabulary { (1..=n).map(|k| (k, 1)).collect() };
    let vocabularies: Vec<Vocabulary> = schema.categorical.iter().map(|c| vocabulary(ids(&c.name))).collect();
    let slots = Arc::new(settings(model).slots(&schema));
    let mut config = TrainConfig { learning_rate: rate, ..TrainConfig::default() };
    config.sparse = SparseOptimizer::new(SparseRule::Adam, rate as f32);
    let shapes = InputShapes::new(&slots, &schema, 0.1);
    let module = settings(model).init(&shapes, &mut Initial::new(9), &device.clone().inner().autodiff());
    let tables = Tables::new(Arc::new(schema), &slots, &vocabularies, &config.sparse, 4, None).unwrap();
    Learner::new(module, tables, slots, device, &config, LossKind::Bce, 1)
}

fn ready(learner: &Learner, batch: &Batch) -> Prepared {
    prepare(learner.tables.indexer())(batch.clone())
}

fn predict(learner: &mut Learner, batch: &Batch) -> Vec<f32> {
    let prepared = ready(learner, batch);
    let frozen = learner.frozen().unwrap();
    learner.predict(&frozen, prepared).unwrap()
}

fn train(model: &ModelInfo, learner: &mut Learner, steps: usize) -> f64 {
    let batch = batch(model);
    let mut last = 0.0;
    for _ in 0..steps {
        let prepared = ready(learner, &batch);
        last = f64::from(learner.step(prepared, 1.0).unwrap().into_scalar::<f32>());
    }
    last
}

#[test]
fn a_batch_of_one_equals_that_row_of_a_larger_batch() {
    for model in registered() {
        let mut learner = learner(&model, &Device::flex(), 1e-2);
        train(&model, &mut learner, 20);
        let all = predict(&mut learner, &batch(&model));
        for row in [0u32, 7, 63] {
            let one = predict(&mut learner, &batch(&model).take(&[row]));
            assert_eq!(one.len(), 1);
            assert!((one[0] - all[row as usize]).abs() < 1e-5, "{}: {} {}", model.name, one[0], all[row as usize]);
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for model in registered() {
        let mut learner = learner(&model, &Device::flex(), 1e-2);
        train(&model, &mut learner, 20);
        let mut padded = batch(&model);
        for padded in padded.keys.iter_mut() {
            let Keys::Many { keys, offsets, .. } = padded else { continue };
            let (old, ends) = (std::mem::take(keys), offsets.clone());
            for row in 0..ROWS {
                keys.extend(&old[ends[row] as usize..ends[row + 1] as usize]);
                keys.extend([0, 0]);
                offsets[row + 1] = keys.len() as u32;
            }
        }
        assert_eq!(predict(&mut learner, &batch(&model)), predict(&mut learner, &padded), "{}", model.name);
    }
}

/// Every float parameter's values, in order.
#[derive(Default)]
struct Values(Vec<Vec<f32>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data().try_to_vec().unwrap());
    }
}

fn values(learner: &Learner) -> Vec<Vec<f32>> {
    let mut values = Values::default();
    learner.model().unwrap().visit(&mut values);
    values.0
}

#[test]
fn every_parameter_gets_a_gradient() {
    for model in registered() {
        let mut learner = learner(&model, &Device::flex(), 1e-2);
        let (before, facts) = (values(&learner), learner.tables.facts());
        train(&model, &mut learner, 2);
        for (number, (before, after)) in before.iter().zip(values(&learner)).enumerate() {
            assert_ne!(*before, after, "{}: parameter {number} did not move", model.name);
        }
        assert!(learner.tables.facts().non_zero > facts.non_zero / 2, "{}", model.name);
    }
}

#[test]
fn sixty_four_rows_overfit() {
    for model in registered() {
        let mut learner = learner(&model, &Device::flex(), 1e-2);
        // Additive models need larger weights, and Adam moves each by its rate a step.
        let steps = if ["lr", "fm"].contains(&model.name) { 1500 } else { 500 };
        let loss = train(&model, &mut learner, steps);
        assert!(loss < 0.01, "{}: loss {loss} after {steps} steps", model.name);
    }
}

#[test]
fn wgpu_and_flex_agree_before_and_after_training() {
    let opened = match burnrec_backend::open(DeviceName::Wgpu) {
        Ok(opened) => opened,
        Err(error) => return burnrec_tests::skipped(&format!("models on wgpu: {error}")),
    };
    for model in registered() {
        let (mut cpu, mut gpu) = (learner(&model, &Device::flex(), 1e-3), learner(&model, &opened.device, 1e-3));
        for steps in [0, 10] {
            let (loss_cpu, loss_gpu) = (train(&model, &mut cpu, steps), train(&model, &mut gpu, steps));
            assert!(
                (loss_cpu - loss_gpu).abs() < 1e-3 * loss_cpu.abs().max(1.0),
                "{}: {loss_cpu} {loss_gpu}",
                model.name
            );
            for (a, b) in predict(&mut cpu, &batch(&model)).iter().zip(predict(&mut gpu, &batch(&model))) {
                assert!((a - b).abs() < 2e-3 * a.abs().max(1.0), "{} after {steps} steps: {a} {b}", model.name);
            }
        }
    }
}

#[test]
fn saved_tables_come_back_to_the_bit() {
    for model in registered() {
        let mut learner = learner(&model, &Device::flex(), 1e-2);
        train(&model, &mut learner, 10);
        let folder = tempfile::tempdir().unwrap();
        let schema = Arc::new(schema(&model));
        let slots = settings(&model).slots(&schema);
        learner.tables.save(folder.path(), &slots).unwrap();
        let sparse = SparseOptimizer::new(SparseRule::Adam, 1e-2);
        let before = predict(&mut learner, &batch(&model));
        learner.tables = Tables::load(folder.path(), schema, &slots, &sparse, 4, None).unwrap();
        assert_eq!(before, predict(&mut learner, &batch(&model)), "{}", model.name);
        let (first, again) = (folder.path().to_path_buf(), tempfile::tempdir().unwrap());
        learner.tables.save(again.path(), &slots).unwrap();
        for file in std::fs::read_dir(first).unwrap().flatten() {
            let other = again.path().join(file.file_name());
            assert!(
                std::fs::read(file.path()).unwrap() == std::fs::read(other).unwrap(),
                "{}: {:?}",
                model.name,
                file.file_name()
            );
        }
    }
}
