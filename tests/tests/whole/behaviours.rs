//! Generated logs of several behaviours whose truth is known: each model of them does what it is for, on three seeds.

use std::fmt::Write as _;
use std::path::Path;

use burnrec_tests::{run_ok, summary};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const SEEDS: std::ops::Range<u64> = 1..4;

fn chance(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Trains `text` over `log` and gives its folder's metrics of the test side.
fn trained(folder: &Path, name: &str, text: &str) -> burnrec_record::Values {
    std::fs::write(folder.join("job.toml"), text).unwrap();
    run_ok(folder, &["train", "job.toml", "--out", name, "--device", "flex"]);
    summary(&folder.join(name)).metrics["test"].clone()
}

/// Predictions of a run for `rows.csv`, a column.
fn predicted(folder: &Path, run: &str, column: &str) -> Vec<f64> {
    run_ok(folder, &["predict", run, "--input", "rows.csv", "--output", "scored.csv"]);
    let text = std::fs::read_to_string(folder.join("scored.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = names.iter().position(|name| *name == column).unwrap_or_else(|| panic!("{column} in {names:?}"));
    lines.map(|line| line.split(',').nth(at).unwrap().parse().unwrap()).collect()
}

/// AUC of scores against probabilities: each row is `p` positives and `1 - p` negatives.
fn auc(scores: &[f64], truth: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut below, mut won) = (0.0, 0.0);
    for row in order {
        won += truth[row] * (below + 0.5 * (1.0 - truth[row]));
        below += 1.0 - truth[row];
    }
    won / (truth.iter().sum::<f64>() * below)
}

/// Wins of the first of two figures over seeds, and their mean difference.
fn ahead(figures: impl Fn(u64) -> (f64, f64)) -> (usize, f64) {
    let all: Vec<(f64, f64)> = SEEDS.map(figures).collect();
    eprintln!("{all:?}");
    let wins = all.iter().filter(|(a, b)| a > b).count();
    (wins, all.iter().map(|(a, b)| a - b).sum::<f64>() / all.len() as f64)
}

/// Clicks and conversions behind them, of ids whose worth for one tells something of their worth for the other; rare clicks.
#[test]
fn esmm_knows_conversions_of_what_was_not_clicked_better_than_learning_from_clicks_does() {
    const IDS: usize = 200;
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        // Of each id of each field, what it does for clicks and for conversions.
        let worth: Vec<(f64, f64)> = (0..3 * IDS)
            .map(|_| {
                let (a, own) = (normal(&mut rng), normal(&mut rng));
                (0.7 * a, 0.7 * (0.8 * a + 0.6 * own))
            })
            .collect();
        let mut log = |rows: usize| {
            let mut text = String::from("f,g,h,clicked,bought\n");
            let (mut truth, mut clicks) = (Vec::new(), Vec::new());
            for _ in 0..rows {
                let ids: [usize; 3] = std::array::from_fn(|_| rng.random_range(0..IDS));
                let own = ids.iter().enumerate().map(|(field, id)| worth[field * IDS + id]);
                let (a, b) = own.fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
                let (click, buy) = (chance(a - 2.5), chance(b - 1.0));
                let clicked = rng.random::<f64>() < click;
                let bought = clicked && rng.random::<f64>() < buy;
                writeln!(text, "f{},g{},h{},{},{}", ids[0], ids[1], ids[2], u8::from(clicked), u8::from(bought))
                    .unwrap();
                truth.push(buy);
                clicks.push(clicked);
            }
            (text, truth, clicks)
        };
        let (train, ..) = log(20_000);
        let (rows, truth, clicks) = log(6000);
        std::fs::write(folder.path().join("log.csv"), train).unwrap();
        std::fs::write(folder.path().join("rows.csv"), rows).unwrap();
        let config = |tasks: &str, model: &str| {
            format!(
                "[data]\nsource = \"log.csv\"\n[run]\nseed = {seed}\n[features.fields]\nf = \"categorical\"\ng = \"categorical\"\nh = \"categorical\"\n\
                 {tasks}\n[model.{model}]\nembedding_dim = 8\nhidden = [16]\n[train]\nbatch_size = 128\nsparse = {{ kind = \"adam\", learning_rate = 0.005, l2 = 1e-4 }}\n"
            )
        };
        let chained = "[tasks.click]\nlabel = \"clicked\"\n[tasks.buy]\nlabel = \"bought\"\nparent = \"click\"";
        let alone = "[tasks.buy]\nlabel = \"bought\"\nwhere = \"clicked == 1\"";
        trained(folder.path(), "esmm", &config(chained, "esmm"));
        trained(folder.path(), "clicks", &config(alone, "mlp"));
        let loss = |p: &[f64]| {
            let of = |row: usize| {
                let p = p[row].clamp(1e-6, 1.0 - 1e-6);
                -(truth[row] * p.ln() + (1.0 - truth[row]) * (1.0 - p).ln())
            };
            let unclicked: Vec<f64> = (0..truth.len()).filter(|row| !clicks[*row]).map(of).collect();
            unclicked.iter().sum::<f64>() / unclicked.len() as f64
        };
        let esmm = predicted(folder.path(), "esmm", "prediction_buy_given_click");
        let from_clicks = predicted(folder.path(), "clicks", "prediction");
        // DIVISION: two models, whose quotient is no probability everywhere; a chain's is.
        trained(folder.path(), "click", &config("[tasks.click]\nlabel = \"clicked\"", "mlp"));
        trained(folder.path(), "both", &config("[tasks.buy]\nlabel = \"bought\"", "mlp"));
        let (click, both) =
            (predicted(folder.path(), "click", "prediction"), predicted(folder.path(), "both", "prediction"));
        let above = click.iter().zip(&both).filter(|(click, both)| both > click).count();
        eprintln!("seed {seed}: of {} quotients {above} are above 1", click.len());
        assert!(esmm.iter().all(|p| *p <= 1.0));
        (-loss(&esmm), -loss(&from_clicks))
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.0, "{wins} of 3, by {by}");
}

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

/// Views, carts and purchases of one taste, purchases rare: what is viewed tells what is bought.
#[test]
fn a_cascade_of_behaviours_knows_rare_purchases_better_than_a_model_of_them_alone() {
    let one = |seed: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut vectors = |count: usize| -> Vec<[f64; 4]> {
            (0..count).map(|_| std::array::from_fn(|_| StandardNormal.sample(&mut rng))).collect()
        };
        let (users, items) = (vectors(150), vectors(150));
        let mut text = String::from("user_id,item_id,viewed,carted,bought\n");
        for _ in 0..20_000 {
            let (u, i) = (rng.random_range(0..150usize), rng.random_range(0..150usize));
            let taste: f64 = users[u].iter().zip(&items[i]).map(|(a, b)| a * b).sum();
            let mut past = |bar: f64| u8::from(rng.random::<f64>() < chance(1.5 * taste - bar));
            let viewed = past(0.0);
            let carted = viewed * past(3.0);
            writeln!(text, "u{u},i{i},{viewed},{carted},{}", carted * past(4.0)).unwrap();
        }
        std::fs::write(folder.path().join("log.csv"), text).unwrap();
        let config = |tasks: &str, model: &str| {
            format!(
                "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"random\", valid = 0.1, test = 0.4 }}\n[run]\nseed = {seed}\n[features.fields]\n\
                 user_id = \"categorical\"\nitem_id = \"categorical\"\n{tasks}[model.{model}]\n[train]\nbatch_size = 256\n\
                 sparse = {{ kind = \"adam\", learning_rate = 0.005, l2 = 1e-5 }}\n"
            )
        };
        let buy = "[tasks.buy]\nlabel = \"bought\"\n";
        let all = format!("[tasks.view]\nlabel = \"viewed\"\n[tasks.cart]\nlabel = \"carted\"\n{buy}");
        let cascade = trained(folder.path(), "cascade", &config(&all, "nmtr")).get("buy", "auc").unwrap();
        let alone = trained(folder.path(), "alone", &config(buy, "neumf")).get("buy", "auc").unwrap();
        (cascade, alone)
    };
    let (wins, by) = ahead(one);
    assert!(wins == 3 && by > 0.005, "{wins} of 3, by {by}");
}

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
