//! Clicks that hang on where an item was shown.

use std::fmt::Write as _;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{ahead, auc, chance, predicted, trained};

/// Clicks that hang on relevance and on the place at which an item was shown; better items were shown further up.
#[test]
fn a_tower_for_positions_ranks_relevance_better_than_one_that_does_not_know_them() {
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let worth: Vec<f64> = (0..200).map(|_| StandardNormal.sample(&mut rng)).collect();
        // What the site believed: other than the truth, so that much that is shown far up does not deserve it.
        let believed: Vec<f64> = (0..200).map(|_| StandardNormal.sample(&mut rng)).collect();
        let mut text = String::from("item,position,clicked\n");
        for _ in 0..4000 {
            let mut shown: Vec<usize> = (0..10).map(|_| rng.random_range(0..200)).collect();
            shown.sort_by(|a, b| believed[*b].total_cmp(&believed[*a]));
            for (place, item) in shown.into_iter().enumerate() {
                let clicked = rng.random::<f64>() < chance(worth[item] - 0.5 * place as f64);
                writeln!(text, "i{item},{place},{}", u8::from(clicked)).unwrap();
            }
        }
        std::fs::write(folder.path().join("log.csv"), text).unwrap();
        // What is asked about has no position yet.
        let rows: String = (0..200).map(|item| format!("i{item}\n")).collect();
        std::fs::write(folder.path().join("rows.csv"), format!("item\n{rows}")).unwrap();
        let config = |fields: &str, model: &str| {
            format!(
                "[data]\nsource = \"log.csv\"\n[run]\nseed = {seed}\n[features.fields]\nitem = \"categorical\"\n{fields}[tasks.click]\nlabel = \"clicked\"\n\
                 [model.{model}\nembedding_dim = 4\nexperts = 2\nexpert = [8]\ntower = [4]\n[train]\nepochs = 4\nbatch_size = 128\n\
                 sparse = {{ kind = \"adam\", learning_rate = 0.01 }}\n"
            )
        };
        trained(folder.path(), "with", &config("position = \"categorical\"\n", "youtube_ranker]\nbottom = [8]"));
        trained(folder.path(), "without", &config("", "mmoe]"));
        let asked = predicted(folder.path(), "with", "prediction");
        let placed: String = (0..200).map(|item| format!("i{item},{}\n", item % 10)).collect();
        std::fs::write(folder.path().join("rows.csv"), format!("item,position\n{placed}")).unwrap();
        assert_eq!(asked, predicted(folder.path(), "with", "prediction"), "positions have a say in what is asked");
        let truth: Vec<f64> = worth.iter().map(|w| chance(3.0 * w)).collect();
        let [with, without] = ["with", "without"].map(|run| auc(&predicted(folder.path(), run, "prediction"), &truth));
        (with, without)
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.01, "{wins} of 3, by {by}");
}
