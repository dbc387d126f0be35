//! Pages as a browser shows them, for people to look at: opt-in, since it takes a browser.
//!
//! `BURNREC_CHROMIUM=chromium BURNREC_PICTURES=/tmp/pictures cargo test --release --workspace pictures::`

use std::path::{Path, PathBuf};
use std::process::Command;

use burnrec_tests::{job, run, run_ok};

use crate::{online, schedules, simulate};

const TRAIN: &str = "epochs = 3\nbatch_size = 64\nlog_every = 5";

/// Ways to look at a page: its name, its width, and what the browser is told.
const LOOKS: [(&str, &str, &[&str]); 3] = [
    ("light", "1200,2600", &[]),
    ("dark", "1200,2600", &["--blink-settings=preferredColorScheme=0"]),
    ("phone", "500,3200", &[]),
];

/// Takes a picture, and wants a console without errors.
fn picture(browser: &str, page: &Path, to: &Path, size: &str, more: &[&str]) {
    let profile = tempfile::tempdir().unwrap();
    let asked = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"])
        .args(["--virtual-time-budget=3000", &format!("--window-size={size}")])
        .args(more)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", to.display()))
        .arg(format!("file://{}", page.canonicalize().unwrap().display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&asked.stderr).into_owned();
    let errors: Vec<&str> =
        told.lines().filter(|line| line.contains("CONSOLE") && !line.contains("ResizeObserver")).collect();
    assert!(errors.is_empty(), "{}: {errors:?}", page.display());
    assert!(std::fs::metadata(to).unwrap().len() > 20_000, "{} is empty", to.display());
}

#[test]
fn pages_are_whole_in_light_dark_and_on_a_phone() {
    let (Ok(browser), Ok(out)) = (std::env::var("BURNREC_CHROMIUM"), std::env::var("BURNREC_PICTURES")) else { return };
    let out = PathBuf::from(out);
    std::fs::create_dir_all(&out).unwrap();
    let folder = job(3000, "mmoe", TRAIN);
    let train = |to: &str, more: &[&str]| {
        run_ok(folder.path(), &[&["train", "job.toml", "--out", to][..], more].concat());
    };
    train("one", &[]);
    train("two", &["--set", "train.learning_rate=0.01"]);
    train("three", &["--set", "train.learning_rate=0.0001"]);
    run_ok(folder.path(), &["report", "one", "two", "three", "--out", "compared.html"]);
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let space = "\n[sweep]\ntrials = 8\npareto = [\"valid.auc\", \"valid.logloss\"]\n[sweep.space]\n\"train.learning_rate\" = { low = 1e-4, high = 1e-1, log = true }\n\"train.l2\" = { low = 1e-7, high = 1e-2, log = true }\n";
    std::fs::write(folder.path().join("sweep.toml"), config + space).unwrap();
    run_ok(folder.path(), &["sweep", "sweep.toml", "--out", "sweep"]);
    run_ok(folder.path(), &["report", "sweep"]);
    for (name, page) in [("run", "one/report.html"), ("comparison", "compared.html"), ("sweep", "sweep/report.html")] {
        pictures(&browser, &out, name, &folder.path().join(page));
    }
}

fn pictures(browser: &str, out: &Path, name: &str, page: &Path) {
    for (look, size, more) in LOOKS {
        picture(browser, page, &out.join(format!("{name}-{look}.png")), size, more);
    }
}

#[test]
fn pages_of_schedules_and_simulations_are_whole() {
    let (Ok(browser), Ok(out)) = (std::env::var("BURNREC_CHROMIUM"), std::env::var("BURNREC_PICTURES")) else { return };
    let out = PathBuf::from(out);
    std::fs::create_dir_all(&out).unwrap();
    let events = schedules::log(12, 600, 0.5, &[8]);
    let replay = schedules::folder(&events, schedules::ALL);
    run_ok(replay.path(), &["replay", "job.toml", "--out", "out"]);
    run_ok(replay.path(), &["report", "out"]);
    pictures(&browser, &out, "replay", &replay.path().join("out/report.html"));
    let gated = "[schedule.incremental]\nepochs = 3\n[schedule.gate]\nmargin = 0.02\n";
    let update = schedules::folder(&events, gated);
    run(update.path(), &["update", "job.toml", "--out", "out"]);
    run_ok(update.path(), &["report", "out"]);
    pictures(&browser, &out, "update", &update.path().join("out/report.html"));
    let stream = online::folder("lr");
    std::fs::write(stream.path().join("more.jsonl"), online::events(60_000, false)).unwrap();
    let beats = ["--rows", "16", "--time", "time", "--beat", "1s", "--out", "out"];
    run_ok(stream.path(), &[&["online", "run", "--input", "more.jsonl"][..], &beats].concat());
    run_ok(stream.path(), &["report", "out"]);
    pictures(&browser, &out, "online", &stream.path().join("out/report.html"));
    let agents = "[agents.dbgd]\nexplore = { kind = \"dbgd\" }\n[agents.bandit]\npolicy = \"lin_ucb\"\n";
    let site = simulate::site(agents);
    run_ok(site.path(), &["simulate", "site.toml", "--out", "out"]);
    run_ok(site.path(), &["report", "out"]);
    pictures(&browser, &out, "simulation", &site.path().join("out/report.html"));
}
