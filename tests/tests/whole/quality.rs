//! Generated data whose truth one model can see and another cannot: the models must part where theory says so.

use std::cell::Cell;

use burnrec_embedding::{Placement, SparseOptimizer, SparseRule};
use burnrec_features::{Batch, Keys, Targets};
use burnrec_tests::small::{Small, experiment, flex};
use burnrec_train::TrainConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SEEDS: [u64; 3] = [1, 2, 3];
const BATCH: usize = 256;

/// A task: fields with the number of ids of each (in the schema's order), rows to train on and to test on.
struct Task {
    fields: &'static str,
    ids: Vec<u64>,
    train: Batch,
    test: Batch,
}

fn rows(keys: Vec<Keys>, label: Vec<f32>) -> Batch {
    Batch { rows: label.len(), keys, targets: Targets::one(label), ..Batch::default() }
}

fn lists(rows: Vec<Vec<u64>>) -> Keys {
    let ends = rows.iter().scan(0, |end, row| {
        *end += row.len() as u32;
        Some(*end)
    });
    let offsets = std::iter::once(0).chain(ends).collect();
    Keys::Many { keys: rows.into_iter().flatten().collect(), weights: None, offsets }
}

/// Trains a model on a task, and gives its AUC on the test rows.
fn auc(task: &Task, model: &str, epochs: usize, rate: f64, seed: u64) -> f64 {
    let train = TrainConfig {
        learning_rate: rate,
        sparse: SparseOptimizer::new(SparseRule::Adam, rate as f32),
        ..TrainConfig::default()
    };
    let (fields, model) = (format!("[fields]\n{}", task.fields), toml::from_str(model).unwrap());
    let experiment = experiment(&fields, "[label]\nlabel = \"y\"\n", model, train, seed);
    // Asked of each field once, in their order.
    let next = Cell::new(0);
    let ids = |_: &str| task.ids[next.replace(next.get() + 1)];
    let mut learner = Small::new(experiment, ids, &flex(), Placement::Host);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<u32> = (0..task.train.rows as u32).collect();
    for _ in 0..epochs {
        for at in (1..order.len()).rev() {
            order.swap(at, rng.random_range(0..=at));
        }
        for part in order.chunks(BATCH) {
            learner.step(&task.train.take(part));
        }
    }
    area(&learner.predict(&task.test), &task.test.targets.column(0))
}

/// The share of pairs in the right order, ties a half.
fn area(scores: &[f32], labels: &[f32]) -> f64 {
    let of = |class: f32| scores.iter().zip(labels).filter(move |(_, y)| **y == class).map(|(s, _)| *s);
    let (mut right, mut pairs) = (0.0, 0.0);
    for one in of(1.0) {
        for zero in of(0.0) {
            pairs += 1.0;
            right += if one > zero { 1.0 } else { f64::from(u8::from(one == zero)) / 2.0 };
        }
    }
    right / pairs
}

#[test]
fn pairs_of_fields_that_no_sum_of_weights_can_tell_are_seen_by_the_fm_family() {
    // Each id has a hidden bit; the label is the exclusive or of two of them.
    let make = |count: usize, seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (a, b): (Vec<u64>, Vec<u64>) =
            (0..count).map(|_| (rng.random_range(1..=20), rng.random_range(1..=20))).unzip();
        let label = a.iter().zip(&b).map(|(a, b)| ((a * 7 % 20 < 10) != (b * 3 % 20 < 10)) as u8 as f32).collect();
        rows(vec![Keys::One(a), Keys::One(b)], label)
    };
    let task = Task {
        fields: "a = \"categorical\"\nb = \"categorical\"",
        ids: vec![20, 20],
        train: make(4000, 1),
        test: make(1500, 2),
    };
    for seed in SEEDS {
        let linear = auc(&task, "[lr]", 20, 0.01, seed);
        assert!((linear - 0.5).abs() < 0.06, "lr {linear}");
        for model in [
            "[fm]\nembedding_dim = 4",
            "[deepfm]\nembedding_dim = 4",
            "[xdeepfm]\nembedding_dim = 4",
            "[dcn_v2]\nembedding_dim = 4",
        ] {
            let found = auc(&task, model, 20, 0.01, seed);
            assert!(found > 0.95, "{model}: {found}");
        }
    }
}

#[test]
fn pairs_within_a_field_of_several_ids_are_seen_by_the_fm_family() {
    // Of six ids each is there or not; the label is whether just one of the first two is.
    let make = |count: usize, seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let own: Vec<Vec<u64>> = (0..count).map(|_| (1..=6).filter(|_| rng.random::<bool>()).collect()).collect();
        let label = |ids: &Vec<u64>| f32::from(u8::from(ids.contains(&1) != ids.contains(&2)));
        let label = own.iter().map(label).collect();
        rows(vec![lists(own)], label)
    };
    for pooling in ["sum", "mean"] {
        let fields = format!("a = {{ kind = \"multi\", pooling = \"{pooling}\" }}");
        let fields: &'static str = fields.leak();
        let task = Task { fields, ids: vec![6], train: make(3000, 1), test: make(1000, 2) };
        let linear = auc(&task, "[lr]", 20, 0.02, 1);
        assert!((linear - 0.5).abs() < 0.12, "lr {linear}");
        let pairs = auc(&task, "[fm]\nembedding_dim = 4\nembedding_std = 0.1", 20, 0.02, 1);
        assert!(pairs > 0.95, "fm {pooling}: {pairs}");
    }
}

#[test]
fn what_a_history_holds_of_the_candidate_is_seen_by_din_and_blurred_by_a_mean() {
    // The label: whether the candidate's category, one of 50, is among the 20 of the history.
    let make = |count: usize, seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut candidates, mut histories, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..count {
            let history: Vec<u64> = (0..20).map(|_| rng.random_range(1..=50)).collect();
            let candidate = if row % 2 == 0 { history[rng.random_range(0..20)] } else { rng.random_range(1..=50) };
            labels.push(f32::from(u8::from(history.contains(&candidate))));
            candidates.push(candidate);
            histories.push(history);
        }
        let (candidate, history) = (Keys::One(candidates), lists(histories));
        rows(vec![candidate, history], labels)
    };
    let task = |fields: &'static str| Task { fields, ids: vec![50, 50], train: make(16_000, 1), test: make(1500, 2) };
    let sequence = task("c = \"categorical\"\nh = { kind = \"sequence\", table = \"c\" }");
    let mean = task("c = \"categorical\"\nh = { kind = \"multi\", table = \"c\", pooling = \"mean\" }");
    for seed in SEEDS {
        let din = auc(&sequence, "[din]\nembedding_dim = 8\nembedding_std = 0.1\nhidden = [64, 32]", 12, 0.005, seed);
        let mlp = auc(&mean, "[mlp]\nembedding_dim = 8\nembedding_std = 0.1\nhidden = [64, 32]", 12, 0.005, seed);
        assert!(din > 0.95, "din {din}, mlp {mlp}");
        assert!(mlp < din - 0.05, "din {din}, mlp {mlp}");
    }
}

#[test]
fn where_only_order_tells_dien_sees_more_than_din() {
    // Items are a topic with a sign; the label is the sign of the topic's last occurrence.
    const TOPICS: u64 = 5;
    let make = |count: usize, seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut candidates, mut items, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let length = rng.random_range(6..=14);
            let history: Vec<(u64, u64)> =
                (0..length).map(|_| (rng.random_range(0..TOPICS), rng.random_range(0..2))).collect();
            let topic = history[rng.random_range(0..length)].0;
            let last = history.iter().rev().find(|(t, _)| *t == topic).unwrap().1;
            // The candidate is an item of the topic that has no sign.
            candidates.push(1 + 2 * TOPICS + topic);
            items.push(history.iter().map(|(t, s)| 1 + 2 * t + s).collect());
            labels.push(last as f32);
        }
        rows(vec![Keys::One(candidates), lists(items)], labels)
    };
    let task = Task {
        fields: "c = \"categorical\"\nh = { kind = \"sequence\", table = \"c\" }",
        ids: vec![3 * TOPICS, 3 * TOPICS],
        train: make(8000, 1),
        test: make(1500, 2),
    };
    let settings = "embedding_dim = 8\nembedding_std = 0.3\nhidden = [64, 32]";
    for seed in SEEDS {
        let din = auc(&task, &format!("[din]\n{settings}"), 12, 0.005, seed);
        let dien = auc(&task, &format!("[dien]\n{settings}"), 12, 0.005, seed);
        assert!(dien > din + 0.03, "dien {dien}, din {din}");
    }
}
