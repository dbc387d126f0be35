//! Every mixer with every model of several tasks, and what mixers do to gradients.

use burnrec_features::Targets;
use burnrec_models::{ModelConfig, registered};
use burnrec_tests::small::flex;
use burnrec_train::MixerConfig;

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

fn several() -> Vec<Case> {
    cases().into_iter().filter(|case| case.tasks > 1).collect()
}

fn case(name: &str) -> Case {
    several().into_iter().find(|case| case.model.name == name).unwrap()
}

#[test]
fn every_mixer_trains_every_model_of_several_tasks() {
    for case in several() {
        for mixer in mixers() {
            let mut trained = Trained::mixed(&case, &flex(), 1e-2, mixer.clone());
            let first = trained.train(1);
            for _ in 0..3 {
                trained.train(20);
                trained.small.stepper.end_epoch();
            }
            let last = trained.train(1);
            assert!(last < 0.9 * first, "{case}, {mixer:?}: from {first} to {last}");
            let weights = trained.small.stepper.end_epoch().0.unwrap_or_else(|| vec![1.0; case.tasks]);
            assert!(weights.iter().all(|w| *w >= 0.0 && w.is_finite()), "{case}, {mixer:?}: {weights:?}");
        }
    }
}

/// The labels of the first task for all.
fn agreeing(trained: &mut Trained) {
    let tasks = trained.batch.targets.tasks;
    let first: Vec<f32> = trained.batch.targets.values.chunks(tasks).map(|row| row[0]).collect();
    let values = first.iter().flat_map(|label| std::iter::repeat_n(*label, tasks)).collect();
    trained.batch.targets = Targets { tasks, values, known: None, weights: None };
}

#[test]
fn surgery_on_gradients_that_agree_is_their_sum_and_running_statistics_move_once_a_step() {
    let mut normalised = case("mlp");
    let mut config = serde_json::to_value(&normalised.model.default).unwrap();
    config["mlp"]["batch_norm"] = true.into();
    normalised.model.default = serde_json::from_value::<ModelConfig>(config).unwrap();
    for case in [case("shared_bottom"), case("mmoe"), normalised] {
        let mut mixed = [MixerConfig::Fixed, MixerConfig::Pcgrad].map(|m| Trained::mixed(&case, &flex(), 1e-3, m));
        mixed.iter_mut().for_each(agreeing);
        for steps in 1..=3 {
            mixed.iter_mut().for_each(|trained| drop(trained.train(1)));
            let [plain, surgery] = [&mixed[0], &mixed[1]].map(|trained| values(&trained.small));
            // Adam makes much of a gradient near 0, whose sign a sum in another order may turn: nearly all must agree.
            let pairs: Vec<(f32, f32)> =
                plain.iter().zip(&surgery).flat_map(|(a, b)| a.iter().copied().zip(b.iter().copied())).collect();
            let off = pairs.iter().filter(|(a, b)| (a - b).abs() > 1e-4).count();
            assert!(off * 200 < pairs.len(), "{case}: {off} of {} differ after {steps} steps", pairs.len());
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
