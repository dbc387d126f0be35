//! Phases over windows of time, through `Session`: a warm start, a frozen group.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burnrec_data::split::{Dataset, Window};
use burnrec_embedding::Placement;
use burnrec_features::{Batch, Keys, Targets};
use burnrec_tests::small::{self, Small, flex};
use burnrec_tests::{click_log, experiment};
use burnrec_train::{Dense, Ending, Experiment, Job, Phase, Session, StartFrom, Stepper, Stop, TrainConfig, Trainable};

/// Rows of [`click_log`] are a minute apart, from this time on.
const FIRST: f64 = 1000.0;

fn window(from: f64, to: f64) -> Window {
    let at = |minutes: f64| ((FIRST + minutes * 60.0) * 1e9) as i64;
    Window::Span { column: "time".into(), from: at(from), to: at(to) }
}

fn job(folder: &Path, resume: bool) -> Job {
    std::fs::write(folder.join("log.csv"), click_log(2000, 7)).unwrap();
    let source = folder.join("log.csv").display().to_string();
    let text = experiment(&source, "mlp", "batch_size = 64\nepochs = 1\nsparse = { learning_rate = 0.01 }");
    let checked = toml::from_str::<Experiment>(&text).unwrap().check().unwrap();
    let dataset = Dataset::open(&folder.join("log.csv"), &checked.experiment().data).unwrap();
    Job { checked, dataset, opened: flex(), out: folder.join("out"), resume, stop: Stop::default() }
}

/// Weights by the path of their part, and every table with its optimiser's state.
fn state(stepper: &Stepper) -> BTreeMap<String, Vec<u8>> {
    #[derive(Default)]
    struct Read(Vec<String>, BTreeMap<String, Vec<u8>>);
    impl ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values: Vec<f32> = param.val().into_data().try_to_vec().unwrap();
            let name = format!("{} {}", self.0.join("."), self.1.len());
            self.1.insert(name, values.iter().flat_map(|v| v.to_le_bytes()).collect());
        }

        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.pop();
        }
    }
    let mut read = Read::default();
    stepper.weights.model().unwrap().visit(&mut read);
    let folder = tempfile::tempdir().unwrap();
    stepper.weights.tables.save(folder.path(), stepper.weights.slots()).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".arrow") {
            read.1.insert(format!("table {name}"), std::fs::read(file.path()).unwrap());
        }
    }
    read.1
}

fn frozen_towers() -> Trainable {
    Trainable { dense: Dense::Only(vec!["score".into()]), lookups: Some(Vec::new()), rests: Vec::new(), rate: 0.5 }
}

fn plan() -> [Phase; 2] {
    let first = Phase { train: window(0.0, 900.0), eval: Some(window(900.0, 1000.0)), ..Phase::whole(2) };
    let second = Phase {
        train: window(1000.0, 1900.0),
        eval: Some(window(1900.0, 2000.0)),
        trainable: frozen_towers(),
        epochs: 1,
        ..first.clone()
    };
    [first, second]
}

#[test]
fn a_second_phase_starts_warm_over_another_window_and_what_is_frozen_rests_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = plan();
    let mut silent = ();
    let mut session = Session::start(job(folder.path(), false), &mut silent).unwrap();
    let fresh = state(session.stepper());
    assert_eq!(session.run(&first).unwrap(), Ending::Completed);
    let before = state(session.stepper());
    for (name, value) in &before {
        // Numberings of rows are tables too, and stay.
        assert!(fresh[name] != *value || name.starts_with("table index"), "{name} rests in the first phase");
    }
    assert_eq!(session.run(&second).unwrap(), Ending::Completed);
    let after = state(session.stepper());
    for (name, value) in &after {
        let learns = name.contains("score");
        assert_eq!(before[name] != *value, learns, "{name}");
    }
    assert!(after.keys().any(|name| name.contains("score")) && after.keys().any(|name| name.starts_with("table")));
    let summary = session.finish(Ending::Completed).unwrap();
    assert_eq!((summary.epochs, summary.best_epoch), (3, 3));
}

#[test]
fn a_plan_goes_on_where_it_was_left_to_the_bit() {
    for from in [StartFrom::Last, StartFrom::Best, StartFrom::Fresh] {
        goes_on(from);
    }
}

fn goes_on(from: StartFrom) {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [first, second] = plan();
    let (first, second) = (Phase { epochs: 4, ..first }, Phase { from, epochs: 2, ..second });
    let mut silent = ();
    let mut session = Session::start(job(whole.path(), false), &mut silent).unwrap();
    session.run(&first).unwrap();
    session.run(&second).unwrap();
    let expected = state(session.stepper());
    drop(session);
    // Left behind the first phase; the plan is given anew.
    let mut silent = ();
    let mut session = Session::start(job(parts.path(), false), &mut silent).unwrap();
    session.run(&first).unwrap();
    drop(session);
    let mut silent = ();
    let mut session = Session::start(job(parts.path(), true), &mut silent).unwrap();
    session.run(&first).unwrap();
    session.run(&Phase { epochs: 1, ..second.clone() }).unwrap();
    drop(session);
    // And once more inside of the second phase, whose weights are of fewer steps than the run where they started from earlier ones.
    let mut silent = ();
    let mut session = Session::start(job(parts.path(), true), &mut silent).unwrap();
    session.run(&first).unwrap();
    session.run(&second).unwrap();
    assert!(state(session.stepper()) == expected, "{from:?}");
}

#[test]
fn a_phase_starts_from_the_best_epoch_or_anew_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let [first, _] = plan();
    // Nothing learns: what a phase starts from is what it ends with.
    let resting =
        Trainable { dense: Dense::Only(vec!["score".into()]), lookups: Some(Vec::new()), rests: Vec::new(), rate: 0.0 };
    let still = |from| Phase { from, trainable: resting.clone(), epochs: 1, ..first.clone() };
    let mut silent = ();
    let mut session = Session::start(job(folder.path(), false), &mut silent).unwrap();
    let fresh = state(session.stepper());
    session.run(&Phase { epochs: 1, ..first.clone() }).unwrap();
    let trained = state(session.stepper());
    session.run(&still(StartFrom::Fresh)).unwrap();
    let again = state(session.stepper());
    let layers = |name: &String| !name.contains("score") && !name.starts_with("table");
    for name in fresh.keys().filter(|name| layers(name)) {
        assert!(fresh[name] == again[name] && fresh[name] != trained[name], "{name}");
    }
}

#[test]
fn windows_that_share_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [first, _] = plan();
    let mut silent = ();
    let mut session = Session::start(job(folder.path(), false), &mut silent).unwrap();
    let shared = Phase { eval: Some(window(800.0, 1000.0)), ..first };
    assert!(session.run(&shared).unwrap_err().to_string().contains("shares rows"));
}

/// A model of two layers over one field, and a batch of it.
fn small() -> (Small, Batch) {
    let model = toml::from_str("[mlp]\nhidden = [6, 4]\nembedding_dim = 3\nembedding_std = 0.3").unwrap();
    let (features, tasks) = ("[fields]\na = \"categorical\"\n", "[label]\nlabel = \"y\"\n");
    let experiment = small::experiment(features, tasks, model, TrainConfig::default(), 5);
    let keys = vec![Keys::One((1..=32).collect())];
    let targets = Targets::one((0..32).map(|row| f32::from(u8::from(row % 3 == 0))).collect());
    (Small::new(experiment, |_| 32, &flex(), Placement::Host), Batch { rows: 32, keys, targets, ..Batch::default() })
}

#[test]
fn the_optimiser_of_what_is_frozen_rests_too() {
    let run = |between: usize| {
        let (mut small, batch) = small();
        (0..3).for_each(|_| drop(small.step(&batch)));
        // The heads have gradients and no rate, all else rests: every weight stays, and the moments of what is frozen must.
        let resting = Trainable {
            dense: Dense::Only(vec!["score".into()]),
            lookups: Some(Vec::new()),
            rests: Vec::new(),
            rate: 0.0,
        };
        small.stepper.set_trainable(resting).unwrap();
        (0..between).for_each(|_| drop(small.step(&batch)));
        small.stepper.set_trainable(Trainable::default()).unwrap();
        small.step(&batch);
        let mut all = state(&small.stepper);
        all.retain(|name, _| name.contains("layers"));
        all
    };
    let (without, with) = (run(0), run(7));
    assert!(without.len() >= 4, "{:?}", without.keys());
    assert!(without == with, "seven steps at rest moved the moments of frozen layers");
}
