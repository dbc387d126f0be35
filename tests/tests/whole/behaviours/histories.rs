//! What users did before, whose truth a model may learn from.

use std::fmt::Write as _;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ahead, auc, chance, predicted, trained};

/// Behaviours of two kinds, of which one alone says what a user likes.
#[test]
fn properties_of_behaviours_tell_what_a_user_likes() {
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut text = String::from("item,history,kinds,liked\n");
        for _ in 0..8000 {
            let length = rng.random_range(3..9);
            let past: Vec<(u32, bool)> =
                (0..length).map(|_| (rng.random_range(0..40u32), rng.random::<bool>())).collect();
            let item = rng.random_range(0..40u32);
            // Bought things of a group are liked; those that were only seen say nothing.
            let near = past.iter().filter(|(other, bought)| *bought && other % 8 == item % 8).count();
            let liked = rng.random::<f64>() < chance(3.0 * (near as f64).min(1.0) - 1.5);
            let ids: Vec<String> = past.iter().map(|(other, _)| format!("i{other}")).collect();
            let kinds: Vec<&str> = past.iter().map(|(_, bought)| if *bought { "buy" } else { "see" }).collect();
            writeln!(text, "i{item},{},{},{}", ids.join(" "), kinds.join(" "), u8::from(liked)).unwrap();
        }
        std::fs::write(folder.path().join("log.csv"), text).unwrap();
        let config = |more: &str, properties: &str| {
            format!(
                "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"random\", valid = 0.1, test = 0.2 }}\n[run]\nseed = {seed}\n[features.fields]\n\
                 item = \"categorical\"\nhistory = {{ kind = \"sequence\", table = \"item\" }}\n{more}[tasks.like]\nlabel = \"liked\"\n\
                 [model.dupn]\nstate = 24\ntower = [32]\n{properties}[train]\nepochs = 12\nbatch_size = 128\nlearning_rate = 0.003\n\
                 sparse = {{ kind = \"adam\", learning_rate = 0.01 }}\n"
            )
        };
        let kinds = "kinds = { kind = \"sequence\", along = \"history\" }\n";
        let with =
            trained(folder.path(), "with", &config(kinds, "properties = [\"kinds\"]\n")).get("like", "auc").unwrap();
        let without = trained(folder.path(), "without", &config("", "")).get("like", "auc").unwrap();
        (with, without)
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.01, "{wins} of 3, by {by}");
}

/// Items of eight topics, a quarter of which were all but never asked about, and are in histories as often as any other.
#[test]
fn what_stands_near_in_histories_ranks_cold_items_better() {
    const ITEMS: u32 = 160;
    const COLD: u32 = 40;
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // An item of a topic, whose number is its remainder by 8.
        fn of(rng: &mut ChaCha8Rng, topic: u32, items: std::ops::Range<u32>) -> u32 {
            let at = rng.random_range(0..items.len() as u32 / 8);
            items.start + 8 * at + topic
        }
        let mut log = |rows: usize, cold: &dyn Fn(&mut ChaCha8Rng) -> bool| {
            let mut text = String::from("item,history,liked\n");
            for row in 0..rows as u32 {
                let taste = rng.random_range(0..8u32);
                let history: Vec<String> = (0..rng.random_range(3..8))
                    .map(|_| {
                        let topic = if rng.random_bool(0.9) { taste } else { rng.random_range(0..8) };
                        format!("i{}", of(&mut rng, topic, 0..ITEMS))
                    })
                    .collect();
                let topic = if rng.random_bool(0.5) { taste } else { rng.random_range(0..8) };
                let item = match () {
                    // Each item is asked about once at least.
                    () if row < ITEMS => row,
                    () if cold(&mut rng) => of(&mut rng, topic, 0..COLD),
                    () => of(&mut rng, topic, COLD..ITEMS),
                };
                let liked = rng.random::<f64>() < chance(if item % 8 == taste { 1.5 } else { -1.5 });
                writeln!(text, "i{item},{},{}", history.join(" "), u8::from(liked)).unwrap();
            }
            text
        };
        let train = log(6000, &|rng| rng.random_bool(0.02));
        let rows = log(2000, &|_| true);
        std::fs::write(folder.path().join("log.csv"), train).unwrap();
        std::fs::write(folder.path().join("rows.csv"), &rows).unwrap();
        let asked = rows.lines().skip(1);
        let (cold, liked): (Vec<bool>, Vec<f64>) = asked
            .map(|line| {
                let (item, rest) = line[1..].split_once(',').unwrap();
                (item.parse::<u32>().unwrap() < COLD, if rest.ends_with('1') { 1.0 } else { 0.0 })
            })
            .unzip();
        let with = |correlation: f64| {
            let text = format!(
                "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"random\", valid = 0.1, test = 0.1 }}\n[run]\nseed = {seed}\n[features.fields]\n\
                 item = \"categorical\"\nhistory = {{ kind = \"sequence\", table = \"item\" }}\n[tasks.like]\nlabel = \"liked\"\n\
                 [model.deepmcp]\nembedding_dim = 8\nhidden = [32]\nitems = [16]\nmatching = 0.0\ncorrelation = {correlation:?}\n\
                 [train]\nepochs = 6\nbatch_size = 128\nlearning_rate = 0.003\nsparse = {{ kind = \"adam\", learning_rate = 0.01 }}\n"
            );
            let run = format!("correlation-{correlation}");
            trained(folder.path(), &run, &text);
            let all = predicted(folder.path(), &run, "prediction");
            let of_cold = |all: &[f64]| -> Vec<f64> {
                all.iter().zip(&cold).filter_map(|(value, cold)| cold.then_some(*value)).collect()
            };
            auc(&of_cold(&all), &of_cold(&liked))
        };
        (with(1.0), with(0.0))
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.02, "{wins} of 3, by {by}");
}
