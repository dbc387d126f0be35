//! Tables on a device against tables in host memory: the same training, on a software adapter in CI.

use std::sync::{Mutex, MutexGuard, PoisonError};

use burnrec_backend::traffic::{Traffic, traffic};
use burnrec_backend::{DeviceName, LaunchCounter, Opened, open};
use burnrec_embedding::{Placement, SparseOptimizer, SparseRule, Tables};
use burnrec_features::{Batch, Keys, Targets};
use burnrec_models::{Fields, Learns, ModelInfo, Reads, Sequences, registered};
use burnrec_tests::small::{Small, experiment, flex};
use burnrec_train::{TrainConfig, table_device};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 48;
/// Counters are of the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn adapter() -> Option<Opened> {
    let opened = open(DeviceName::Wgpu).ok();
    if opened.is_none() {
        eprintln!("SKIPPED: no wgpu adapter answers; nothing was tested");
    }
    opened
}

fn fields(count: usize, index: &str) -> String {
    let one: String =
        (0..count).map(|f| format!("c{f} = {{ kind = \"categorical\", index = \"{index}\" }}\n")).collect();
    format!(
        "[fields]\n{one}\
         m = {{ kind = \"multi\" }}\nx = {{ kind = \"multi\", pooling = \"max\" }}\nn = \"numeric\""
    )
}

fn many(rng: &mut ChaCha8Rng) -> Keys {
    let (mut keys, mut offsets) = (Vec::new(), vec![0]);
    for _ in 0..ROWS {
        keys.extend((0..rng.random_range(0..4)).map(|_| rng.random_range(1..=9)));
        offsets.push(keys.len() as u32);
    }
    Keys::Many { keys, weights: None, offsets }
}

/// A batch of the schema's fields, with a missing id here and there and ids that no vocabulary has.
fn batch(fields: usize, step: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(step % 5);
    let one = |rng: &mut ChaCha8Rng| Keys::One((0..ROWS).map(|_| rng.random_range(0..24)).collect());
    let mut keys: Vec<Keys> = (0..fields).map(|_| one(&mut rng)).collect();
    keys.extend([many(&mut rng), many(&mut rng)]);
    Batch {
        rows: ROWS,
        keys,
        numeric: (0..ROWS).map(|_| rng.random_range(-1.0..1.0)).collect(),
        targets: Targets::one((0..ROWS).map(|_| f32::from(u8::from(rng.random::<bool>()))).collect()),
        weight: (0..ROWS).map(|_| rng.random_range(0.5..2.0)).collect(),
        group: vec![],
        ..Batch::default()
    }
}

fn learner(
    model: &ModelInfo,
    (count, index): (usize, &str),
    opened: &Opened,
    placement: Placement,
    config: &TrainConfig,
) -> Small {
    let tasks = "[label]\nlabel = \"y\"\n";
    let experiment = experiment(&fields(count, index), tasks, model.default.clone(), config.clone(), 9);
    Small::new(experiment, |_| 20, opened, placement)
}

fn losses(learner: &mut Small, fields: usize, steps: u64) -> Vec<f32> {
    (0..steps).map(|s| learner.step(&batch(fields, s))[0]).collect()
}

/// Models that read any fields without histories, in the registry's order.
fn models() -> impl Iterator<Item = ModelInfo> {
    let plain = |r: &Reads| r.fields == Fields::All && r.sequences == Sequences::Refused && !r.trees;
    registered()
        .into_iter()
        .filter(move |m| plain(&m.reads) && m.reads.learns == Learns::Rows && !m.reads.heads.multiplies())
        .map(|m| super::contract::without_chance(&m))
}

/// A model of one lookup, and one of two: weights of single ids beside vectors.
fn of_lookups(count: usize) -> ModelInfo {
    let own = |m: &ModelInfo| {
        let tasks = "[label]\nlabel = \"y\"\n";
        let experiment = experiment(&fields(2, "vocabulary"), tasks, m.default.clone(), TrainConfig::default(), 1);
        let checked = experiment.check().unwrap();
        checked.slots().0.len() == count && checked.slots().0.iter().any(|lookup| lookup.dim > 1)
    };
    models().find(own).unwrap()
}

fn alike(found: &[f32], expected: &[f32], what: &str) {
    for (step, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-3 * e.abs(), "{what}, step {step}: {f} {e}");
    }
}

#[test]
fn every_optimiser_learns_the_same_curve_on_the_device_as_in_host_memory() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let flex = flex();
    for rule in SparseRule::ALL {
        let rate = if rule == SparseRule::Adam { 1e-3 } else { 0.01 };
        let sparse = SparseOptimizer { l1: 1e-4, l2: 1e-4, mba_l2: 1e-3, ..SparseOptimizer::new(rule, rate) };
        let config = TrainConfig { sparse, ..TrainConfig::default() };
        let mut host = learner(&of_lookups(2), (3, "vocabulary"), &flex, Placement::Host, &config);
        let mut device = learner(&of_lookups(2), (3, "vocabulary"), &adapter, Placement::Device, &config);
        assert_eq!(
            (host.stepper.weights.tables.placement(), device.stepper.weights.tables.placement()),
            ("host", "device")
        );
        let expected = losses(&mut host, 3, 200);
        alike(&losses(&mut device, 3, 200), &expected, &format!("{rule:?}"));
        assert!(expected.last() < expected.first(), "{rule:?} does not learn: {expected:?}");
    }
}

#[test]
fn every_model_learns_the_same_curve_on_the_device_with_clipping() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let flex = flex();
    let config = TrainConfig { clip_norm: Some(0.05), ..TrainConfig::default() };
    let free = TrainConfig::default();
    // Models of sequences, and those of certain fields, have the contract test.
    for info in models() {
        let curve = |opened, placement, config| {
            losses(&mut learner(&info, (2, "vocabulary"), opened, placement, config), 2, 30)
        };
        let expected = curve(&flex, Placement::Host, &config);
        assert_ne!(expected, curve(&flex, Placement::Host, &free), "{}: nothing was clipped", info.name);
        alike(&curve(&adapter, Placement::Device, &config), &expected, info.name);
        alike(&curve(&adapter, Placement::Host, &config), &expected, info.name);
    }
}

#[test]
fn growing_tables_grow_on_the_device_and_move_home_when_they_outgrow_it() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let flex = flex();
    let config = TrainConfig::default();
    let mut host = learner(&of_lookups(1), (2, "growing"), &flex, Placement::Host, &config);
    let expected = losses(&mut host, 2, 20);
    let mut device = learner(&of_lookups(1), (2, "growing"), &adapter, Placement::Device, &config);
    alike(&losses(&mut device, 2, 20), &expected, "growing");
    assert_eq!(device.stepper.weights.tables.placement(), "device");
    assert_eq!(device.stepper.weights.tables.facts().rows, host.stepper.weights.tables.facts().rows);
    // Buffers of 7 rows of 2·16 floats of state: the growing space takes several. Of a row each there are not enough.
    for (rows, placement) in [(7, "device"), (1, "host")] {
        let mut small = adapter.clone();
        small.facts.max_binding_bytes = Some(rows * 32 * 4);
        let mut device = learner(&of_lookups(1), (2, "growing"), &small, Placement::Device, &config);
        alike(&losses(&mut device, 2, 20), &expected, "outgrown");
        assert_eq!(device.stepper.weights.tables.placement(), placement, "{rows}");
    }
}

#[test]
fn tables_above_the_limit_live_in_host_memory_beside_others_on_the_device() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let flex = flex();
    let config = TrainConfig::default();
    let mut host = learner(&of_lookups(2), (3, "vocabulary"), &flex, Placement::Host, &config);
    let mut small = adapter.clone();
    let expected = losses(&mut host, 3, 30);
    // Buffers of 8 rows of 2·16 floats of state, and buffers that hold no such row.
    for (limit, placement) in [(1024, "device"), (64, "mixed")] {
        small.facts.max_binding_bytes = Some(limit);
        let mut learner = learner(&of_lookups(2), (3, "vocabulary"), &small, Placement::Device, &config);
        assert_eq!(learner.stepper.weights.tables.placement(), placement);
        alike(&losses(&mut learner, 3, 30), &expected, placement);
    }
}

#[test]
fn what_is_saved_from_the_device_is_the_same_wherever_it_is_loaded() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let config = TrainConfig::default();
    for index in ["vocabulary", "growing"] {
        let mut device = learner(&of_lookups(2), (3, index), &adapter, Placement::Device, &config);
        losses(&mut device, 3, 5);
        let folder = tempfile::tempdir().unwrap();
        let (schema, slots) = (device.checked.schema().clone(), device.checked.slots().clone());
        device.stepper.weights.tables.save(folder.path(), &slots).unwrap();
        for placement in [Placement::Device, Placement::Host] {
            let there = table_device(&adapter, placement);
            let schema = schema.clone();
            let loaded = Tables::load(folder.path(), schema, &slots, &config.sparse, 4, there.as_ref()).unwrap();
            let again = tempfile::tempdir().unwrap();
            loaded.save(again.path(), &slots).unwrap();
            for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
                let (a, b) = (std::fs::read(file.path()), std::fs::read(again.path().join(file.file_name())));
                assert!(a.unwrap() == b.unwrap(), "{index} {placement:?} {:?}", file.file_name());
            }
        }
    }
}

#[test]
fn a_table_that_admits_a_key_every_step_grows_by_what_it_needs() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let config = TrainConfig::default();
    let mut device = learner(&of_lookups(1), (1, "growing"), &adapter, Placement::Device, &config);
    for step in 0..100u64 {
        let mut one = batch(1, 0);
        one.keys[0] = Keys::One((0..ROWS as u64).map(|row| 1 + step * ROWS as u64 + row).collect());
        device.step(&one);
    }
    let rows = device.stepper.weights.tables.facts().rows as usize;
    let capacity = device.stepper.weights.tables.device_capacity(0).unwrap();
    assert!(rows > 100 * ROWS && (rows..=2 * rows + 100).contains(&capacity), "{rows} rows, room for {capacity}");
}

/// Launches, and traffic, of one step after some others.
fn of_one_step(fields: usize, model: &ModelInfo, opened: &Opened, clip_norm: Option<f64>) -> (u64, Traffic) {
    let config = TrainConfig { clip_norm, ..TrainConfig::default() };
    let mut learner = learner(model, (fields, "vocabulary"), opened, Placement::Device, &config);
    for step in 0..3 {
        learner.step(&batch(fields, step));
    }
    let prepared = learner.ready(&batch(fields, 3));
    let (counter, before) = (LaunchCounter::start(), traffic());
    let losses = learner.stepper.step(prepared, 1.0).unwrap();
    let (count, after) = (counter.count(), traffic());
    drop(losses);
    let spent = Traffic {
        bytes_up: after.bytes_up - before.bytes_up,
        bytes_down: after.bytes_down - before.bytes_down,
        waits: after.waits - before.waits,
    };
    (count, spent)
}

#[test]
fn a_step_never_waits_for_the_device_and_launches_as_often_for_fifty_two_fields_as_for_half() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    for model in models() {
        let name = model.name;
        let (few, spent) = of_one_step(26, &model, &adapter, None);
        let (more, _) = of_one_step(52, &model, &adapter, None);
        assert!(few > 0, "{name}: no launch was seen");
        // Burn copies a slice whose start no kernel can bind at, and does not copy another: one launch either way.
        assert!(few.abs_diff(more) <= 1, "{name}: {few} launches, {more} with twice the fields");
        assert_eq!((spent.waits, spent.bytes_down), (0, 0), "{name}");
        assert!(spent.bytes_up > 0, "{name}");
        let (_, spent) = of_one_step(10, &model, &adapter, Some(1.0));
        assert_eq!((spent.waits, spent.bytes_down), (0, 0), "{name}, clipped");
    }
}

#[test]
fn a_step_of_a_model_of_histories_sends_ids_alone_and_waits_for_nothing() {
    use super::contract::{Trained, cases};
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    for case in cases().into_iter().filter(|case| case.model.reads.reads_sequences()) {
        let train = TrainConfig::default();
        let mut trained = Trained::placed(&case, &adapter, train, "", Placement::Device);
        trained.train(2);
        let prepared = trained.small.ready(&trained.batch);
        let before = traffic();
        let losses = trained.small.stepper.step(prepared, 1.0).unwrap();
        let after = traffic();
        drop(losses);
        assert_eq!((after.waits - before.waits, after.bytes_down - before.bytes_down), (0, 0), "{case}");
        let positions = trained.batch.rows as u64 * 8;
        assert!(after.bytes_up - before.bytes_up < positions * 16 * 4, "{case}: vectors went up");
    }
}

/// A batch of these fields: ids, five behaviours a row in `h`, `g` and `s`, numbers.
fn of_fields(schema: &burnrec_features::Schema, rows: usize) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut ids = |count: usize| (0..count).map(|_| rng.random_range(1..=20)).collect::<Vec<u64>>();
    let mut keys = |name: &str| match name {
        "h" | "g" | "s" => {
            let offsets: Vec<u32> = (0..=rows as u32).map(|row| row * 5).collect();
            Keys::Many { keys: ids(rows * 5), weights: None, offsets }
        }
        _ => Keys::One(ids(rows)),
    };
    Batch {
        rows,
        keys: schema.categorical.iter().map(|field| keys(&field.name)).collect(),
        numeric: vec![0.5; rows * schema.numeric.len()],
        targets: Targets::one((0..rows).map(|row| (row % 2) as f32).collect()),
        ..Batch::default()
    }
}

/// A learner of a model over an item, its kind, a user, histories of the former two, and what `more` says.
fn over_histories(model: &str, more: &str, opened: &Opened, placement: Placement) -> Small {
    let ids = ["user", "item", "kind"].map(|f| format!("{f} = \"categorical\"\n")).concat();
    let histories = "h = { kind = \"sequence\", table = \"item\" }\n\
                     g = { kind = \"sequence\", table = \"kind\", along = \"h\" }\n";
    let fields = format!("[fields]\n{ids}{histories}{more}");
    let model = toml::from_str(model).unwrap();
    let tasks = "[label]\nlabel = \"y\"\n";
    Small::new(experiment(&fields, tasks, model, TrainConfig::default(), 9), |_| 20, opened, placement)
}

/// Launches of one step.
fn launches_of(mut small: Small) -> u64 {
    let batch = of_fields(&small.checked.schema().clone(), 640);
    (0..2).for_each(|_| drop(small.step(&batch)));
    let prepared = small.ready(&batch);
    let counter = LaunchCounter::start();
    drop(small.stepper.step(prepared, 1.0).unwrap());
    counter.count()
}

#[test]
fn a_step_is_few_launches() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let ids: String = (0..26).map(|f| format!("c{f} = \"categorical\"\n")).collect();
    let numbers: String = (0..13).map(|n| format!("n{n} = \"numeric\"\n")).collect();
    let fields = format!("[fields]\n{ids}{numbers}");
    let three = "hidden = [24, 24, 24], embedding_dim = 8";
    let models = [
        (format!("deepfm = {{ {three} }}"), 39),
        (format!("wide_deep = {{ {three}, wide_optimizer = {{ kind = \"adam\" }} }}"), 31),
        ("deep_crossing = { hidden = [24, 24, 16, 16, 8], embedding_dim = 8 }".into(), 70),
        (format!("xdeepfm = {{ {three}, cin = [10, 10] }}"), 69),
    ];
    for (model, most) in models {
        let tasks = "[label]\nlabel = \"y\"\n";
        let experiment = experiment(&fields, tasks, toml::from_str(&model).unwrap(), TrainConfig::default(), 9);
        let found = launches_of(Small::new(experiment, |_| 20, &adapter, Placement::Device));
        assert!(found <= most && found > 10, "{model}: {found} launches, {most} at most");
    }
    let din = "din = { embedding_dim = 8, attention = [8, 4], attention_activation = \"relu\", hidden = [8, 8], activation = \"relu\" }";
    let found = launches_of(over_histories(din, "", &adapter, Placement::Device));
    assert!(found <= 73 && found > 10, "{din}: {found} launches");
    let dien = "dien = { embedding_dim = 8, hidden = [8, 8], activation = \"relu\" }";
    let found = launches_of(over_histories(dien, "", &adapter, Placement::Device));
    assert!(found <= 180 && found > 10, "{dien}: {found} launches");
}

#[test]
fn a_history_with_a_table_of_its_own_learns_on_the_device_as_in_host_memory() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    for index in ["growing", "vocabulary"] {
        let own = format!("s = {{ kind = \"sequence\", index = \"{index}\", along = \"h\" }}\n");
        let model = "dupn = { embedding_dim = 4 }";
        let mut host = over_histories(model, &own, &flex(), Placement::Host);
        let mut device = over_histories(model, &own, &adapter, Placement::Device);
        assert_eq!(device.stepper.weights.tables.placement(), "device");
        let batch = of_fields(&host.checked.schema().clone(), 60);
        let curve = |small: &mut Small| (0..20).map(|_| small.step(&batch)[0]).collect::<Vec<f32>>();
        alike(&curve(&mut device), &curve(&mut host), index);
    }
}

#[test]
fn ragged_batches_leave_the_devices_memory_where_it_was() {
    let (_alone, Some(adapter)) = (alone(), adapter()) else { return };
    let config = TrainConfig::default();
    let mut learner = learner(&of_lookups(2), (3, "vocabulary"), &adapter, Placement::Device, &config);
    let mut held = Vec::new();
    for step in 0..1000u64 {
        let rows: Vec<u32> = (0..24 + (step * 7 % 25) as u32).collect();
        let ragged = batch(3, step).take(&rows);
        let prepared = learner.ready(&ragged);
        drop(learner.stepper.step(prepared, 1.0).unwrap());
        if step == 99 || step == 999 {
            held.push(burnrec_backend::device_memory(&adapter.device).unwrap());
        }
    }
    assert!(held[0].in_use > 0 && held[0].reserved >= held[0].in_use, "{held:?}");
    // Some bytes for the launches' own numbers come and go.
    let grown = held[1].reserved.saturating_sub(held[0].reserved);
    assert!(held[1].in_use <= held[0].in_use && grown < 65_536, "{held:?}");
}
