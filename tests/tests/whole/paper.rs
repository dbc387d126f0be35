//! Experiments of papers on generated rows whose truth is known.

use std::path::PathBuf;

use burnrec_tests::{run_ok, summary};

fn config() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../configs/paper/mmoe_synthetic.toml")
}

/// A short form of the MMoE paper's experiment: a fifth of its rows, one correlation, two seeds. `burnrec sweep` on the config
/// makes the whole table.
#[test]
fn mixtures_of_experts_learn_two_related_numbers_better_than_a_shared_bottom() {
    let folder = tempfile::tempdir().unwrap();
    let config = config();
    let mean = |model: &str| -> f64 {
        let of = |seed: u64| {
            let out = format!("{}-{seed}", model.split('=').next().unwrap().trim_matches(['{', ' ']));
            let sets = [
                format!("model={model}"),
                format!("run.seed={seed}"),
                format!("data.regression.seed={seed}"),
                "data.regression.rows=250_000".to_string(),
                "data.split={kind=\"order\",valid=0.02,test=0.02}".to_string(),
            ];
            let mut arguments =
                vec!["train", config.to_str().unwrap(), "--out", &out, "--data-dir", "data", "--device", "flex"];
            sets.iter().for_each(|set| arguments.extend(["--set", set]));
            run_ok(folder.path(), &arguments);
            let values = &summary(&folder.path().join(&out)).metrics["test"];
            (values.get("first", "mse").unwrap() + values.get("second", "mse").unwrap()) / 2.0
        };
        (of(1) + of(2)) / 2.0
    };
    let shared = mean("{ shared_bottom = { embedding_dim = 1, bottom = [113], tower = [8] } }");
    let mixed = mean("{ mmoe = { embedding_dim = 1, experts = 8, expert = [16], tower = [8] } }");
    // Nobody is below the noise.
    assert!(mixed > 0.0099 && mixed < shared && mixed < 0.05, "{mixed} {shared}");
}
