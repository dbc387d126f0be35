//! Every mixer with every model of several tasks, and what mixers do to gradients.

use burnrec_embedding::{Placement, SparseOptimizer, SparseRule};
use burnrec_features::{Batch, Keys, Targets};
use burnrec_models::{ModelConfig, registered};
use burnrec_tests::small::{Small, experiment, flex};
use burnrec_train::{DenseOptimizer, DenseRule, MixerConfig, TrainConfig};

use super::contract::{Case, Trained, cases, values};

fn mixers() -> Vec<MixerConfig> {
    let of = |text: &str| toml::from_str::<MixerConfig>(text).unwrap();
    [
        "kind = \"uncertainty\"",
        "kind = \"uncertainty\"\nunified = true",
        "kind = \"dwa\"",
        "kind = \"gradnorm\"\nfirst_steps = 3",
        "kind = \"pcgrad\"",
        "kind = \"mgda\"",
        "kind = \"mgda\"\nnormalise = \"loss_l2\"",
        "kind = \"pe_ltr\"\nevery = 2\nfloors = { y0 = 0.2 }",
    ]
    .map(of)
    .into()
}

/// Those that compare gradients where trunk and heads meet.
fn at_cut() -> Vec<MixerConfig> {
    let of = |text: &str| toml::from_str::<MixerConfig>(&format!("{text}\nover = \"cut\"")).unwrap();
    ["kind = \"pcgrad\"", "kind = \"mgda\"", "kind = \"pe_ltr\"\nevery = 2"].map(of).into()
}

fn several() -> Vec<Case> {
    cases().into_iter().filter(|case| case.tasks > 1).collect()
}

fn case(name: &str) -> Case {
    several().into_iter().find(|case| case.model.name == name).unwrap()
}

#[test]
fn every_mixer_trains_every_model_of_several_tasks() {
    for case in several() {
        let own = if case.model.reads.cut { at_cut() } else { Vec::new() };
        for mixer in mixers().into_iter().chain(own) {
            // Adam makes full steps of gradients that nearly cancel each other; a lower rate bears that.
            let (mut first, mut last) = (0.0, f64::INFINITY);
            for (rate, steps) in [(1e-2, 20), (1e-3, 100)] {
                if last < 0.9 * first {
                    continue;
                }
                let mut trained = Trained::mixed(&case, &flex(), rate, mixer.clone());
                first = trained.train(1);
                for _ in 0..3 {
                    trained.train(steps);
                    trained.small.stepper.end_epoch();
                }
                last = trained.train(1);
                let weights = trained.small.stepper.end_epoch().0.unwrap_or_else(|| vec![1.0; case.tasks]);
                assert!(weights.iter().all(|w| *w >= 0.0 && w.is_finite()), "{case}, {mixer:?}: {weights:?}");
            }
            assert!(last < 0.9 * first, "{case}, {mixer:?}: from {first} to {last}");
        }
    }
}

#[test]
fn a_walk_for_each_task_in_fixed_shares_is_one_walk_of_all_and_running_statistics_move_once_a_step() {
    let mut normalised = case("mlp");
    let mut config = serde_json::to_value(&normalised.model.default).unwrap();
    config["mlp"]["batch_norm"] = true.into();
    normalised.model.default = serde_json::from_value::<ModelConfig>(config).unwrap();
    for case in [case("shared_bottom"), case("mmoe"), normalised] {
        let trained = |mixer: MixerConfig| {
            let optimizer = DenseOptimizer { kind: DenseRule::Sgd, ..DenseOptimizer::default() };
            let sparse = SparseOptimizer::new(SparseRule::Sgd, 0.1);
            let train = TrainConfig { learning_rate: 0.1, optimizer, sparse, mixer, ..TrainConfig::default() };
            let halved = if train.mixer == MixerConfig::default() { "weight = 0.5\n" } else { "" };
            Trained::told(&case, &flex(), train, halved)
        };
        // Floors that leave no choice: half of each task's gradient.
        let halves = "kind = \"pe_ltr\"\nevery = 1\nfloors = { y0 = 0.5, y1 = 0.5 }";
        let [halves, at_cut] = [halves, &format!("{halves}\nover = \"cut\"")].map(|text| toml::from_str(text).unwrap());
        let mut mixed = [MixerConfig::default(), halves, at_cut].map(trained);
        for steps in 1..=3 {
            for trained in &mut mixed {
                trained.train(1);
            }
            let [plain, apart, at_cut] = [0, 1, 2].map(|way| values(&mixed[way].small));
            for (number, (a, (b, c))) in plain.iter().zip(apart.iter().zip(&at_cut)).enumerate() {
                let off = |b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let (b, c) = (off(b), off(c));
                assert!(b.max(c) < 1e-5, "{case}: parameter {number} is off by {b} and {c} after {steps} steps");
            }
            let [plain, at_cut] = [0, 2].map(|way| mixed[way].small.predict(&mixed[way].batch));
            assert!(plain.iter().zip(&at_cut).all(|(a, b)| (a - b).abs() < 1e-4), "{case}: the tables' rows");
        }
    }
}

#[test]
fn what_a_mixer_learned_is_kept_and_what_is_not_its_own_is_refused() {
    let case = case("shared_bottom");
    for mixer in mixers() {
        let mut trained = Trained::mixed(&case, &flex(), 1e-2, mixer.clone());
        trained.train(10);
        let Some(state) = trained.small.stepper.mixer_state() else { continue };
        let mut again = Trained::mixed(&case, &flex(), 1e-2, mixer.clone());
        again.small.stepper.restore_mixer(&state).unwrap();
        assert_eq!(again.small.stepper.mixer_state(), Some(state.clone()), "{mixer:?}");
        let mut short = state;
        let Some(values) = short.values.values_mut().next() else { continue };
        values.push(f64::NAN);
        let error = again.small.stepper.restore_mixer(&short).unwrap_err().to_string();
        assert!(error.contains("another config"), "{mixer:?}: {error}");
    }
}

#[test]
fn tasks_of_which_nothing_is_known_take_no_part() {
    let case = case("shared_bottom");
    for mixer in mixers() {
        let mut trained = Trained::mixed(&case, &flex(), 1e-2, mixer.clone());
        trained.batch.targets.known = Some((0..trained.batch.targets.values.len()).map(|at| at % 2 == 0).collect());
        let first = trained.small.step(&trained.batch)[0];
        trained.train(40);
        let last = trained.small.step(&trained.batch)[0];
        assert!(last < 0.9 * first, "{mixer:?}: from {first} to {last}");
    }
}

#[test]
fn only_models_that_are_registered_are_asked() {
    assert!(registered().len() >= 31 && several().len() >= 15, "{} models", registered().len());
}

/// The gradient of a row's last hidden layer is `(p - y) w / B` for each task, so that products of gradients are known.
#[test]
fn at_the_cut_gradients_are_those_of_what_the_trunk_gives() {
    let case = case("mlp");
    let share = |over: &str| {
        let mixer = toml::from_str(&format!("kind = \"mgda\"\nover = \"{over}\"")).unwrap();
        let mut trained = Trained::mixed(&case, &flex(), 1e-2, mixer);
        trained.train(3);
        let (scores, all) = (trained.small.predict(&trained.batch), values(&trained.small));
        let last = &all[all.len() - 2];
        let product_of_weights = |i: usize, j: usize| last.chunks(2).map(|w| f64::from(w[i] * w[j])).sum::<f64>();
        let off = |at: usize| 1.0 / (1.0 + f64::from(-scores[at]).exp()) - f64::from(trained.batch.targets.values[at]);
        let rows = scores.len() / 2;
        let product = |i: usize, j: usize| {
            (0..rows).map(|row| off(2 * row + i) * off(2 * row + j)).sum::<f64>() * product_of_weights(i, j)
        };
        let (aa, ab, bb) = (product(0, 0), product(0, 1), product(1, 1));
        trained.train(1);
        let shares = trained.small.stepper.end_epoch().0.unwrap();
        (shares[0], ((bb - ab) / (aa - 2.0 * ab + bb)).clamp(0.0, 1.0))
    };
    let (found, wanted) = share("cut");
    assert!((found - wanted).abs() < 1e-3 && (0.05..0.95).contains(&wanted), "{found} and not {wanted}");
    let (whole, _) = share("weights");
    assert!((whole - found).abs() > 1e-3, "the weights below say another thing: {whole}");
}

#[test]
fn a_cut_is_asked_of_models_that_have_one() {
    for case in several() {
        let fits = case.model.reads.cut;
        let mixer: MixerConfig = toml::from_str("kind = \"pcgrad\"\nover = \"cut\"").unwrap();
        let told = std::panic::catch_unwind(|| drop(Trained::mixed(&case, &flex(), 1e-2, mixer.clone())));
        assert_eq!(told.is_ok(), fits, "{case}");
        if let Err(told) = told {
            let told = told.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(told.contains("train.mixer.over") && told.contains("shared_bottom"), "{told}");
        }
    }
}

/// The gradient of a head's bias is the mean error of its scores, those that the first pass told: a walk that drew other dropout
/// would move it by other errors.
#[test]
fn every_walk_draws_what_the_first_pass_drew() {
    let model = r#"{"shared_bottom": {"embedding_dim": 4, "bottom": [8], "tower": [8], "dropout": 0.5}}"#;
    for over in ["weights", "cut"] {
        let mixer: MixerConfig = toml::from_str(&format!("kind = \"pcgrad\"\nover = \"{over}\"")).unwrap();
        let optimizer = DenseOptimizer { kind: DenseRule::Sgd, ..DenseOptimizer::default() };
        let train = TrainConfig { learning_rate: 0.5, optimizer, mixer, ..TrainConfig::default() };
        let tasks = "[y0]\nlabel = \"y0\"\n[y1]\nlabel = \"y1\"\n";
        let model: ModelConfig = serde_json::from_str(model).unwrap();
        let experiment = experiment("[fields]\na = \"categorical\"\n", tasks, model, train, 9);
        let mut small = Small::new(experiment, |_| 64, &flex(), Placement::Host);
        let labels = (0..128).map(|at| f32::from(u8::from(at % 3 == 0))).collect();
        let targets = Targets { tasks: 2, values: labels, known: None, weights: None };
        let batch = Batch { rows: 64, keys: vec![Keys::One((1..=64).collect())], targets, ..Batch::default() };
        let before = values(&small);
        let (_, scores) = small.stepper.step_scored(small.ready(&batch), 1.0, true).unwrap();
        let scores: Vec<f32> = scores.unwrap().into_data().try_to_vec().unwrap();
        let biases = before.iter().zip(values(&small)).filter(|(b, _)| b.len() == 1);
        let moved: Vec<f32> = biases.map(|(before, after)| (before[0] - after[0]) / 0.5).collect();
        assert_eq!(moved.len(), 2);
        for (task, moved) in moved.into_iter().enumerate() {
            let off = |row: usize| 1.0 / (1.0 + (-scores[2 * row + task]).exp()) - batch.targets.values[2 * row + task];
            let wanted = (0..64).map(off).sum::<f32>() / 64.0;
            assert!((moved - wanted).abs() < 1e-6, "{over}, task {task}: {moved} and not {wanted}");
        }
    }
}
