//! Several tasks in one run: labels that are not known, predictions and metrics by task, chains of tasks.

use std::fmt::Write as _;
use std::path::Path;

use burnrec_models::{Fields, Heads, registered};
use burnrec_record::{EVENTS, Event};
use burnrec_tests::{assert_same_weights, run_ok, summary};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// `user,item,clicked,bought,weight`: what was not clicked was not bought. Where `masked`, half of the labels of purchases
/// are missing; else they are there with weight 0.
fn log(rows: usize, masked: bool) -> String {
    log_of(rows, masked, false)
}

/// The same; where `implied`, labels are missing of rows alone whose click does not tell them.
fn log_of(rows: usize, masked: bool, implied: bool) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut text = String::from("user,item,clicked,bought,weight\n");
    for _ in 0..rows {
        let (user, item) = (rng.random_range(0..30u32), rng.random_range(0..40u32));
        let chance = |z: f64| 1.0 / (1.0 + (-z).exp());
        let clicked = rng.random::<f64>() < chance(f64::from(user % 4) - f64::from(item % 3));
        let bought = clicked && rng.random::<f64>() < chance(f64::from(item % 5) - 2.0);
        // What was not clicked is known not to be bought; of what was, half is not known.
        let known = rng.random::<bool>() || (!clicked && implied);
        let (label, weight) = match (known, masked) {
            (true, _) => (u8::from(bought).to_string(), 1),
            (false, true) => (String::new(), 1),
            (false, false) => (u8::from(bought).to_string(), 0),
        };
        writeln!(text, "u{user},i{item},{},{label},{weight}", u8::from(clicked)).unwrap();
    }
    text
}

/// A model over that log: a task of clicks and one of purchases.
fn config(model: &str, more: &str) -> String {
    format!(
        "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"random\", valid = 0.1, test = 0.2 }}\n[backend]\ndevice = \"flex\"\n\
         [features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\n\
         [tasks.click]\nlabel = \"clicked\"\n[tasks.buy]\nlabel = \"bought\"\n{more}\n\
         [model.{model}]\n[train]\nbatch_size = 64\nepochs = 2\nsparse = {{ learning_rate = 0.01 }}\n"
    )
}

fn folder(log: &str, config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    folder
}

fn trained(folder: &Path) {
    run_ok(folder, &["train", "job.toml", "--out", "out"]);
}

/// Models with heads for two tasks, and what their second task needs.
fn models_of_two() -> Vec<(&'static str, &'static str)> {
    let parent = |heads| if heads == Heads::Chain { "parent = \"click\"" } else { "" };
    let plain = |m: &burnrec_models::ModelInfo| {
        matches!(m.reads.heads, Heads::Any | Heads::Chain)
            && m.reads.fields == Fields::All
            && !m.reads.reads_sequences()
    };
    registered().into_iter().filter(plain).map(|m| (m.name, parent(m.reads.heads))).collect()
}

#[test]
fn labels_that_are_missing_teach_as_much_as_labels_of_weight_0() {
    for (model, parent) in models_of_two() {
        let implied = !parent.is_empty();
        let masked = folder(&log_of(1500, true, implied), &config(model, parent));
        let weighted =
            folder(&log_of(1500, false, implied), &config(model, &format!("{parent}\nrow_weight = \"weight\"")));
        trained(masked.path());
        trained(weighted.path());
        assert_same_weights(&masked.path().join("out"), &weighted.path().join("out"));
        let all = folder(&log(1500, false), &config(model, parent));
        trained(all.path());
        let [a, b] = [&masked, &all].map(|f| burnrec_tests::weights(&f.path().join("out")));
        assert!(a.iter().zip(&b).any(|(a, b)| a.1 != b.1), "{model}: the labels that were missing would have taught");
    }
}

#[test]
fn a_label_that_its_parent_tells_need_not_be_written_down() {
    for (model, _) in models_of_two() {
        let blank = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            let bought = if cells[2] == "0" { "" } else { cells[3] };
            format!("{},{},{},{bought},{}\n", cells[0], cells[1], cells[2], cells[4])
        };
        let sparse: String = log(1500, false).lines().map(blank).collect();
        let (whole, sparse) = (
            folder(&log(1500, false), &config(model, "parent = \"click\"")),
            folder(&sparse, &config(model, "parent = \"click\"")),
        );
        trained(whole.path());
        trained(sparse.path());
        assert_same_weights(&whole.path().join("out"), &sparse.path().join("out"));
    }
}

#[test]
fn metrics_of_a_task_count_its_known_rows_only() {
    let (model, parent) = models_of_two()[0];
    let folder = folder(&log(1500, false), &config(model, parent));
    trained(folder.path());
    let masked = log(1500, true);
    let head = masked.lines().next().unwrap();
    let known: Vec<&str> = masked.lines().skip(1).filter(|line| line.split(',').nth(3) != Some("")).collect();
    assert!(known.len() > 600 && known.len() < 900);
    std::fs::write(folder.path().join("masked.csv"), &masked).unwrap();
    std::fs::write(folder.path().join("known.csv"), format!("{head}\n{}\n", known.join("\n"))).unwrap();
    let evaluated = |input: &str| -> serde_json::Value {
        serde_json::from_str(&run_ok(folder.path(), &["evaluate", "out", "--input", input, "--json"]).out).unwrap()
    };
    let (masked, known) = (evaluated("masked.csv"), evaluated("known.csv"));
    assert_eq!(masked["metrics"]["buy"], known["metrics"]["buy"]);
    assert_ne!(masked["metrics"]["click"], known["metrics"]["click"]);
    assert!(masked["metrics"]["buy"]["auc"].is_number(), "{masked}");
}

#[test]
fn a_task_is_of_the_rows_that_where_names() {
    let (model, _) = models_of_two()[0];
    let spaced = folder(&log(1500, false), &config(model, "where = \"click == 1\""));
    // The same by hand: rows that were not clicked have no label.
    let blank = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        match cells[2] {
            "0" => format!("{},{},0,,{}\n", cells[0], cells[1], cells[4]),
            _ => format!("{line}\n"),
        }
    };
    let by_hand: String = log(1500, false).lines().map(blank).collect();
    let by_hand = folder(&by_hand, &config(model, ""));
    trained(spaced.path());
    trained(by_hand.path());
    assert_same_weights(&spaced.path().join("out"), &by_hand.path().join("out"));
}

#[test]
fn predictions_and_metrics_stand_by_task_and_a_chain_tells_the_later_given_the_earlier() {
    for (model, parent) in models_of_two() {
        let chain = !parent.is_empty();
        let folder = folder(&log(1500, false), &config(model, parent));
        trained(folder.path());
        let out = folder.path().join("out");
        let summary = summary(&out);
        assert_eq!(summary.tasks, ["click", "buy"]);
        let test = &summary.metrics["test"];
        assert!(test.get("click", "auc").unwrap() > 0.6 && test.get("buy", "auc").is_some(), "{model}");
        assert_eq!(test.get("buy_given_click", "auc").is_some(), chain, "{model}");
        let events = std::fs::read_to_string(out.join(EVENTS)).unwrap();
        let losses = events.lines().filter_map(Event::read).filter(|e| e.split == "train");
        assert!(losses.clone().count() > 0 && losses.clone().all(|e| e.metrics.get("buy", "loss").is_some()));
        run_ok(folder.path(), &["predict", "out", "--input", "log.csv", "--output", "scored.csv"]);
        let scored = std::fs::read_to_string(folder.path().join("scored.csv")).unwrap();
        let mut lines = scored.lines();
        let heads: Vec<&str> = lines.next().unwrap().split(',').skip(5).collect();
        match chain {
            true => assert_eq!(heads, ["prediction_click", "prediction_buy", "prediction_buy_given_click"]),
            false => assert_eq!(heads, ["prediction_click", "prediction_buy"]),
        }
        for line in lines.filter(|_| chain) {
            let p: Vec<f64> = line.split(',').skip(5).map(|x| x.parse().unwrap()).collect();
            assert!(p[1] <= p[0] && (p[0] * p[2] - p[1]).abs() < 1e-5, "{model}: {line}");
        }
    }
}

#[test]
fn a_monitor_is_a_tasks_metric_or_a_weighted_sum() {
    let (model, parent) = models_of_two()[0];
    let best = |monitor: &str| {
        let folder = folder(&log(1500, false), &config(model, parent));
        let set = format!("train.monitor={monitor}");
        run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--set", &set, "--set", "train.epochs=6"]);
        let out = folder.path().join("out");
        let events = std::fs::read_to_string(out.join(EVENTS)).unwrap();
        let valid: Vec<Event> = events.lines().filter_map(Event::read).filter(|e| e.split == "valid").collect();
        (valid, summary(&out).best_epoch)
    };
    let of = |event: &Event, task: &str| event.metrics.get(task, "auc").unwrap();
    for (monitor, value) in [
        ("buy.auc", (|e, of| of(e, "buy")) as fn(&Event, &dyn Fn(&Event, &str) -> f64) -> f64),
        ("click.auc + 2*buy.auc", |e, of| of(e, "click") + 2.0 * of(e, "buy")),
    ] {
        let (valid, epoch) = best(monitor);
        let largest = valid.iter().map(|e| value(e, &of)).fold(f64::MIN, f64::max);
        assert_eq!(value(&valid[epoch - 1], &of), largest, "{monitor}");
    }
}

#[test]
fn a_run_of_several_tasks_goes_on_to_the_bit() {
    for (model, parent) in models_of_two().into_iter().rev().take(3) {
        let folder = folder(&log(1500, true), &config(model, parent));
        trained(folder.path());
        run_ok(folder.path(), &["train", "job.toml", "--out", "parts", "--set", "train.checkpoint_every=7"]);
        // As a crash would leave it: the summary gone, the latest checkpoint of the middle of an epoch is not there any
        // more, so that the run goes on behind its first epoch.
        std::fs::remove_file(folder.path().join("parts/summary.json")).unwrap();
        run_ok(
            folder.path(),
            &["train", "job.toml", "--out", "parts", "--resume", "--set", "train.checkpoint_every=7"],
        );
        assert_same_weights(&folder.path().join("out"), &folder.path().join("parts"));
    }
}

/// Log-losses by hand, over rows with a weight each.
fn log_loss(rows: &[(f64, f64, f64)]) -> f64 {
    let own = |(p, y, w): &(f64, f64, f64)| -w * (y * p.ln() + (1.0 - y) * (1.0 - p).ln());
    rows.iter().map(own).sum::<f64>() / rows.iter().map(|r| r.2).sum::<f64>()
}

#[test]
fn a_chain_is_measured_with_the_weights_of_its_rows() {
    let (model, parent) = models_of_two().into_iter().find(|(_, parent)| !parent.is_empty()).unwrap();
    let folder = folder(&log(1500, false), &config(model, &format!("{parent}\nrow_weight = \"weight\"")));
    trained(folder.path());
    run_ok(folder.path(), &["predict", "out", "--input", "log.csv", "--output", "scored.csv"]);
    let scored = std::fs::read_to_string(folder.path().join("scored.csv")).unwrap();
    let cells = |line: &str| -> Vec<f64> { line.split(',').skip(2).map(|x| x.parse().unwrap()).collect() };
    let clicked = scored.lines().skip(1).map(cells).filter(|c| c[0] == 1.0);
    let rows: Vec<(f64, f64, f64)> = clicked.map(|c| (c[5], c[1], c[2])).collect();
    let text = run_ok(folder.path(), &["evaluate", "out", "--input", "log.csv", "--json"]).out;
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found = found["metrics"]["buy_given_click"]["logloss"].as_f64().unwrap();
    let plain: Vec<_> = rows.iter().map(|(p, y, _)| (*p, *y, 1.0)).collect();
    assert!((found - log_loss(&rows)).abs() < 1e-4 && (found - log_loss(&plain)).abs() > 1e-3, "{found}");
}

#[test]
fn rows_that_are_drawn_say_nothing_of_tasks_that_do_not_follow_what_is_liked() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = String::from("user,item,clicked,stars,seconds\n");
    for _ in 0..3000 {
        let (user, item) = (rng.random_range(0..30u32), rng.random_range(0..40u32));
        let clicked = u8::from(rng.random::<f64>() < 0.5);
        // Nobody gives one star; what was watched was watched for 5 seconds.
        writeln!(text, "u{user},i{item},{clicked},{},5", rng.random_range(2..=3)).unwrap();
    }
    let tasks = "[tasks.stars]\nlabel = { column = \"stars\", classes = [1, 2, 3] }\n\
                 [tasks.seconds]\nlabel = { column = \"seconds\", numeric = true }\nwhere = \"click == 1\"\n";
    let config = config(models_of_two()[0].0, "")
        .replace("[tasks.buy]\nlabel = \"bought\"\n", tasks)
        .replace(
            "[tasks.click]",
            "[features.items]\nid = \"item\"\nuser = \"user\"\n[features.negatives]\nper_positive = 4\n[tasks.click]",
        )
        .replace("epochs = 2", "epochs = 2\nmonitor = \"click.auc\"");
    let folder = folder(&text, &config);
    trained(folder.path());
    run_ok(folder.path(), &["predict", "out", "--input", "log.csv", "--output", "scored.csv"]);
    let scored = std::fs::read_to_string(folder.path().join("scored.csv")).unwrap();
    let heads: Vec<&str> = scored.lines().next().unwrap().split(',').collect();
    let mean = |name: &str| {
        let place = heads.iter().position(|head| *head == name).unwrap_or_else(|| panic!("{name}: {heads:?}"));
        let values = scored.lines().skip(1).map(|line| line.split(',').nth(place).unwrap().parse::<f64>().unwrap());
        values.sum::<f64>() / 3000.0
    };
    assert!(mean("prediction_stars_is_1") < 0.05, "{}", mean("prediction_stars_is_1"));
    assert!((mean("prediction_seconds") - 5.0).abs() < 0.5, "{}", mean("prediction_seconds"));
    assert!(mean("prediction_click") < 0.3, "{}", mean("prediction_click"));
}

#[test]
fn a_space_over_a_task_is_of_the_rows_of_that_task() {
    let (model, _) = models_of_two()[0];
    let own = |text: &str| config(model, "where = \"click == 1\"").replace("label = \"clicked\"\n", text);
    let even = own("label = \"clicked\"\nwhere = \"item != i7\"\n");
    let folder = folder(&log(1500, false), &even);
    trained(folder.path());
    let manifest = folder.path().join("out/checkpoints");
    let step = std::fs::read_dir(manifest).unwrap().flatten().find(|e| e.path().is_dir()).unwrap();
    let fitted: toml::Table = std::fs::read_to_string(step.path().join("encoder.toml")).unwrap().parse().unwrap();
    let known = |task: usize| fitted["targets"].as_array().unwrap()[task]["known"].as_integer().unwrap();
    let (clicks, buys) = (known(0), known(1));
    assert!(clicks < 1500 && buys < clicks, "{clicks} {buys}");
    let rate = |name: &str| {
        let rows = log(1500, false);
        rows.lines().skip(1).filter(|l| l.split(',').nth(1) == Some("i7") && l.split(',').nth(2) == Some(name)).count()
    };
    assert!(rate("1") > 5, "no row of the item that is left out was clicked");
}
