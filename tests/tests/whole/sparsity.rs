//! How sparse linear weights become, and at what cost.

use std::fmt::Write as _;

use burnrec_tests::run_ok;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of ten ids out of 10,000, of which 50 say something.
fn sparse_log(rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let weights: Vec<f64> = (0..50).map(|n| if n % 2 == 0 { 1.2 } else { -1.2 }).collect();
    let mut text = String::from("ids,y\n");
    for _ in 0..rows {
        let ids: Vec<usize> =
            (0..10).map(|n| if n < 4 { rng.random_range(0..50) } else { rng.random_range(50..10_000) }).collect();
        let z: f64 = ids.iter().filter_map(|id| weights.get(*id)).sum();
        let y = u8::from(rng.random::<f64>() < 1.0 / (1.0 + (-z).exp()));
        let ids: Vec<String> = ids.iter().map(|id| format!("w{id}")).collect();
        writeln!(text, "{},{y}", ids.join(" ")).unwrap();
    }
    text
}

#[test]
fn ftrl_is_as_good_as_descent_with_a_tenth_of_its_weights_and_sparser_than_fobos() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), sparse_log(30_000)).unwrap();
    let config = "[data]\nsource = \"log.csv\"\nsplit = { kind = \"order\", valid = 0.0, test = 0.2 }\n[features]\nindex = \"growing\"\n[features.fields]\nids = { kind = \"multi\", pooling = \"sum\", separator = \" \" }\n[tasks.click]\nlabel = \"y\"\n[model.lr]\n[train]\nepochs = 1\nbatch_size = 1\nshuffle = false\n";
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    let found = |out: &str, optimizer: &str| {
        let set = format!("model.lr.optimizer={optimizer}");
        run_ok(folder.path(), &["train", "job.toml", "--out", out, "--set", &set]);
        let summary = burnrec_tests::summary(&folder.path().join(out));
        (summary.metrics["test"].get("click", "auc").unwrap(), summary.parameters.embedding_non_zero)
    };
    let descent = found("ogd", "{ kind = \"ftrl\", learning_rate = 0.1, l1 = 0.0, l2 = 0.0 }");
    let ftrl = found("ftrl", "{ kind = \"ftrl\", learning_rate = 0.1, l1 = 4.0, l2 = 0.0 }");
    let fobos = found("fobos", "{ kind = \"fobos\", learning_rate = 0.1, l1 = 0.0003 }");
    assert!(ftrl.0 > descent.0 - 0.002, "{ftrl:?} {descent:?} {fobos:?}");
    assert!(10 * ftrl.1 <= descent.1 && ftrl.1 < fobos.1, "{ftrl:?} {descent:?} {fobos:?}");
    assert!((fobos.0 - ftrl.0).abs() < 0.01, "{ftrl:?} {fobos:?}");
}
