//! What every registered model must do under its own objective, with one task and, where it has heads for them, with
//! two. A new model enters by being registered.

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burnrec_backend::{DeviceName, Opened};
use burnrec_embedding::{Placement, SparseOptimizer, SparseRule, Tables};
use burnrec_features::{Batch, Drawn, Keys, Schema, Sharing, Targets};
use burnrec_models::{Fields, Heads, Learns, ModelConfig, ModelInfo, registered};
use burnrec_tests::small::{Small, experiment, flex};
use burnrec_train::{MixerConfig, TrainConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 64;
/// Items of a row; those that are drawn are others.
const ITEMS: u64 = 10;
/// Items that are drawn for a batch, or beside each pair.
const DRAWN: usize = 5;

/// A model with a number of tasks.
pub struct Case {
    pub model: ModelInfo,
    pub tasks: usize,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {} tasks", self.model.name, self.tasks)
    }
}

pub fn cases() -> Vec<Case> {
    let counts = |model: &ModelInfo| match model.reads.heads {
        Heads::One => vec![1],
        Heads::Any => vec![1, 2],
        Heads::Chain => vec![2],
        Heads::Branches => vec![3],
    };
    let of = |model: ModelInfo| counts(&model).into_iter().map(move |tasks| Case { model: model.clone(), tasks });
    registered().into_iter().flat_map(of).collect()
}

/// A model without chance, which devices draw differently.
pub fn without_chance(model: &ModelInfo) -> ModelInfo {
    let mut value = serde_json::to_value(&model.default).unwrap();
    for (key, setting) in value[model.name].as_object_mut().unwrap().iter_mut() {
        match key.as_str() {
            "noise" => *setting = false.into(),
            key if key.ends_with("dropout") => *setting = 0.0.into(),
            _ => {}
        }
    }
    ModelInfo { default: serde_json::from_value(value).unwrap(), ..model.clone() }
}

/// The settings of a model: as they are without a word, but for a rate that shows something in few steps where the model
/// has an optimiser of its own; and without chance, which devices draw differently.
fn settings(model: &ModelInfo) -> ModelConfig {
    let mut value = serde_json::to_value(without_chance(model).default).unwrap();
    for (key, _) in model.default.optimizers() {
        value[model.name][key]["learning_rate"] = 10.0.into();
    }
    serde_json::from_value(value).unwrap()
}

/// Fields of every kind that the model reads.
fn features(model: &ModelInfo) -> String {
    let reads = &model.reads;
    let mut text = match reads.fields {
        Fields::UserAndItem => "[fields]\nitem_id = \"categorical\"\nuser_id = \"categorical\"\n".to_string(),
        Fields::Item => "[fields]\nb = \"categorical\"\n".to_string(),
        Fields::Described => "[fields]\nb = \"categorical\"\nc = \"categorical\"\nm = \"multi\"\n".to_string(),
        Fields::All | Fields::Placed => {
            let numbers = "n1 = \"numeric\"\nn2 = \"numeric\"\n";
            format!("[fields]\na = \"categorical\"\nb = \"categorical\"\nm = {{ kind = \"multi\" }}\n{numbers}")
        }
    };
    if reads.fields == Fields::Placed {
        text.push_str("position = \"categorical\"\n");
    }
    if reads.crosses {
        text.push_str("x = { kind = \"cross\", of = [\"a\", \"b\"] }\n");
    }
    if reads.reads_sequences() {
        text.push_str("h = { kind = \"sequence\", table = \"a\" }\n");
        text.push_str("g = { kind = \"sequence\", table = \"b\", along = \"h\" }\n");
    }
    if reads.trees {
        text.push_str("[trees]\n");
    }
    if reads.retrieves() {
        let described = if reads.fields == Fields::Described { "fields = [\"c\", \"m\"]\n" } else { "" };
        text.push_str(&format!("[items]\nid = \"b\"\nuser = \"u\"\n{described}"));
        text.push_str(&match reads.learns {
            Learns::Pairs => format!("[pairs]\n[negatives]\nper_positive = {DRAWN}\n"),
            _ => format!("[negatives]\nshared = {DRAWN}\n"),
        });
    }
    text
}

fn tasks(case: &Case, more: &str) -> String {
    let parent = if case.model.reads.heads.multiplies() { "parent = \"y0\"\n" } else { "" };
    let own = |t: usize| format!("[y{t}]\nlabel = \"y{t}\"\n{more}{}", if t > 0 { parent } else { "" });
    (0..case.tasks).map(own).collect()
}

/// Ids of a field: rows have an id of their own in `a`.
fn ids(name: &str) -> u64 {
    match name {
        "a" | "h" | "user_id" | "leaves" => ROWS as u64,
        "b" | "g" | "item_id" | "context" | "drawn items" => ITEMS + DRAWN as u64,
        "m" => 5,
        _ => 20,
    }
}

/// Keys with a number of ids a row.
fn many(name: &str, rng: &mut ChaCha8Rng, length: impl Fn(usize, &mut ChaCha8Rng) -> usize) -> Keys {
    let (mut keys, mut offsets) = (Vec::new(), vec![0]);
    for row in 0..ROWS {
        let count = length(row, rng);
        keys.extend((0..count).map(|_| rng.random_range(1..=ids(name).min(ROWS as u64))));
        offsets.push(keys.len() as u32);
    }
    Keys::Many { keys, weights: None, offsets }
}

fn keys_of(name: &str, model: &ModelInfo, rng: &mut ChaCha8Rng) -> Keys {
    let rows = 0..ROWS as u64;
    let pairs = model.reads.pairs();
    match name {
        "leaves" => {
            Keys::Many { keys: (1..=ROWS as u64).collect(), weights: None, offsets: (0..=ROWS as u32).collect() }
        }
        "drawn items" => {
            let lists = if pairs { ROWS } else { 1 };
            let keys = (0..lists * DRAWN).map(|at| ITEMS + 1 + (at % DRAWN) as u64).collect();
            let end = |row: usize| if pairs { row * DRAWN } else { row.min(1) * DRAWN };
            Keys::Many { keys, weights: None, offsets: (0..=ROWS).map(|row| end(row) as u32).collect() }
        }
        // Every pair once.
        "b" if pairs => Keys::One(rows.map(|r| 1 + r % 7).collect()),
        "context" => Keys::One(rows.map(|r| 1 + r / 7).collect()),
        "a" | "user_id" => Keys::One(rows.map(|r| r + 1).collect()),
        "b" | "item_id" => Keys::One(rows.map(|_| rng.random_range(1..=ITEMS)).collect()),
        "c" | "x" => Keys::One(rows.map(|_| rng.random_range(1..=ids(name))).collect()),
        "m" => many(name, rng, |_, rng| rng.random_range(0..4)),
        // Every fourth row has no history.
        _ => many(name, rng, |row, _| row % 4 * (1 + row % 5)),
    }
}

/// What was drawn, where the model learns from it: items that no row has.
fn drawn(model: &ModelInfo) -> Option<Drawn> {
    match model.reads.learns {
        Learns::Rows => None,
        Learns::Items => {
            Some(Drawn { log_expected_own: vec![0.0; ROWS], log_expected: vec![0.0; DRAWN], ..Drawn::default() })
        }
        Learns::Pairs => Some(Drawn { sharing: Sharing::Own(DRAWN), ..Drawn::default() }),
    }
}

fn batch(case: &Case, schema: &Schema) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let model = &case.model;
    let keys = schema.categorical.iter().map(|field| keys_of(&field.name, model, &mut rng)).collect();
    let numeric = (0..ROWS * schema.numeric.len()).map(|_| rng.random_range(-1.0..1.0)).collect();
    let mut values = Vec::new();
    for _ in 0..ROWS {
        let first = model.reads.retrieves() || rng.random::<bool>();
        values.push(f32::from(u8::from(first)));
        let follows = model.reads.heads.multiplies();
        let own = (1..case.tasks).map(|_| f32::from(u8::from((first || !follows) && rng.random::<bool>())));
        values.extend(own);
    }
    let targets = Targets { tasks: case.tasks, values, known: None, weights: None };
    Batch { rows: ROWS, keys, numeric, targets, drawn: drawn(model), ..Batch::default() }
}

/// A batch that is only asked about: nothing is drawn to it.
fn asked(batch: &Batch, schema: &Schema) -> Batch {
    let mut asked = Batch { drawn: None, ..batch.clone() };
    for (place, keys) in asked.keys.iter_mut().enumerate() {
        if schema.is_drawn(place) {
            *keys = Keys::Many { keys: Vec::new(), weights: None, offsets: vec![0; ROWS + 1] };
        }
    }
    asked
}

pub struct Trained {
    pub small: Small,
    pub batch: Batch,
}

impl Trained {
    fn new(case: &Case, opened: &Opened, rate: f64) -> Self {
        Self::mixed(case, opened, rate, MixerConfig::default())
    }

    /// The same with a mixer of the tasks.
    pub fn mixed(case: &Case, opened: &Opened, rate: f64, mixer: MixerConfig) -> Self {
        let sparse = SparseOptimizer::new(SparseRule::Adam, rate as f32);
        let train = TrainConfig { learning_rate: rate, sparse, mixer, ..TrainConfig::default() };
        Self::with(case, opened, train)
    }

    /// The same with these settings of training.
    pub fn with(case: &Case, opened: &Opened, train: TrainConfig) -> Self {
        Self::told(case, opened, train, "")
    }

    /// The same with more keys of each task.
    pub fn told(case: &Case, opened: &Opened, train: TrainConfig, more: &str) -> Self {
        Self::placed(case, opened, train, more, Placement::Host)
    }

    /// The same with tables at a place.
    pub fn placed(case: &Case, opened: &Opened, train: TrainConfig, more: &str, placement: Placement) -> Self {
        let experiment = experiment(&features(&case.model), &tasks(case, more), settings(&case.model), train, 9);
        let small = Small::new(experiment, ids, opened, placement);
        let batch = batch(case, small.checked.schema());
        Self { small, batch }
    }

    /// The last step's losses together.
    pub fn train(&mut self, steps: usize) -> f64 {
        (0..steps).map(|_| self.small.step(&self.batch).iter().map(|l| f64::from(*l)).sum()).last().unwrap_or(0.0)
    }

    fn asked(&self) -> Batch {
        asked(&self.batch, self.small.checked.schema())
    }
}

#[test]
fn a_batch_of_one_equals_that_row_of_a_larger_batch() {
    for case in cases() {
        let mut trained = Trained::new(&case, &flex(), 1e-2);
        trained.train(20);
        let (asked, all) = (trained.asked(), trained.small.predict(&trained.asked()));
        for row in [0u32, 7, 63] {
            let one = trained.small.predict(&asked.take(&[row]));
            assert_eq!(one.len(), case.tasks);
            for (one, all) in one.iter().zip(&all[row as usize * case.tasks..]) {
                // Products of other shapes round otherwise.
                assert!((one - all).abs() < 1e-5 * all.abs().max(1.0), "{case}: {one} {all}");
            }
        }
    }
}

#[test]
fn padding_changes_nothing() {
    for case in cases() {
        let mut trained = Trained::new(&case, &flex(), 1e-2);
        trained.train(20);
        let asked = trained.asked();
        let mut padded = asked.clone();
        for padded in padded.keys.iter_mut() {
            let Keys::Many { keys, offsets, .. } = padded else { continue };
            let (old, ends) = (std::mem::take(keys), offsets.clone());
            for row in 0..ROWS {
                keys.extend(&old[ends[row] as usize..ends[row + 1] as usize]);
                keys.extend([0, 0]);
                offsets[row + 1] = keys.len() as u32;
            }
        }
        assert_eq!(trained.small.predict(&asked), trained.small.predict(&padded), "{case}");
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

pub fn values(small: &Small) -> Vec<Vec<f32>> {
    let mut values = Values::default();
    small.stepper.weights.model().unwrap().visit(&mut values);
    values.0
}

#[test]
fn every_parameter_gets_a_gradient() {
    for case in cases() {
        let mut trained = Trained::new(&case, &flex(), 1e-2);
        let (before, facts) = (values(&trained.small), trained.small.stepper.weights.tables.facts());
        trained.train(2);
        for (number, (before, after)) in before.iter().zip(values(&trained.small)).enumerate() {
            assert_ne!(*before, after, "{case}: parameter {number} did not move");
        }
        assert!(trained.small.stepper.weights.tables.facts().non_zero > facts.non_zero / 2, "{case}");
    }
}

#[test]
fn sixty_four_rows_overfit() {
    for case in cases() {
        // Additive models need larger weights, and Adam moves each by its rate a step; in deep ones that rate can put out
        // the ReLUs that tell two rows apart.
        let mut loss = f64::INFINITY;
        for (rate, steps) in [(1e-2, 500), (1e-2, 1500), (2e-3, 1000)] {
            if loss > 0.01 {
                loss = Trained::new(&case, &flex(), rate).train(steps);
            }
        }
        assert!(loss < 0.01 * case.tasks as f64, "{case}: loss {loss}");
    }
}

#[test]
fn wgpu_and_flex_agree_before_and_after_training() {
    let opened = match burnrec_backend::open(DeviceName::Wgpu) {
        Ok(opened) => opened,
        Err(error) => return burnrec_tests::skipped(&format!("models on wgpu: {error}")),
    };
    let sparse = SparseOptimizer::new(SparseRule::Adam, 1e-3);
    let train = TrainConfig { learning_rate: 1e-3, sparse, ..TrainConfig::default() };
    // Models without sequences have tests of both places of their own.
    let places = |case: &Case| match case.model.reads.reads_sequences() {
        true => vec![Placement::Host, Placement::Device],
        false => vec![Placement::Device],
    };
    for (case, placement) in
        cases().into_iter().flat_map(|c| places(&c).into_iter().map(move |p| (Case { model: c.model.clone(), ..c }, p)))
    {
        let mut cpu = Trained::new(&case, &flex(), 1e-3);
        let mut gpu = Trained::placed(&case, &opened, train.clone(), "", placement);
        let found = gpu.small.stepper.weights.tables.placement();
        assert_eq!(found, if placement == Placement::Host { "host" } else { "device" }, "{case}");
        for steps in [0, 10] {
            let (loss_cpu, loss_gpu) = (cpu.train(steps), gpu.train(steps));
            assert!((loss_cpu - loss_gpu).abs() < 1e-3 * loss_cpu.abs().max(1.0), "{case}: {loss_cpu} {loss_gpu}");
            for (a, b) in cpu.small.predict(&cpu.asked()).iter().zip(gpu.small.predict(&gpu.asked())) {
                assert!((a - b).abs() < 2e-3 * a.abs().max(1.0), "{case} after {steps} steps: {a} {b}");
            }
        }
    }
}

#[test]
fn saved_tables_come_back_to_the_bit() {
    for case in cases() {
        let mut trained = Trained::new(&case, &flex(), 1e-2);
        trained.train(10);
        let folder = tempfile::tempdir().unwrap();
        let asked = trained.asked();
        let schema: Arc<Schema> = trained.small.checked.schema().clone();
        let slots = trained.small.checked.slots().clone();
        trained.small.stepper.weights.tables.save(folder.path(), &slots).unwrap();
        let sparse = SparseOptimizer::new(SparseRule::Adam, 1e-2);
        let before = trained.small.predict(&asked);
        trained.small.stepper.weights.tables = Tables::load(folder.path(), schema, &slots, &sparse, 4, None).unwrap();
        assert_eq!(before, trained.small.predict(&asked), "{case}");
        let again = tempfile::tempdir().unwrap();
        trained.small.stepper.weights.tables.save(again.path(), &slots).unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let (name, other) = (file.file_name(), again.path().join(file.file_name()));
            assert!(std::fs::read(file.path()).unwrap() == std::fs::read(other).unwrap(), "{case}: {name:?}");
        }
    }
}
