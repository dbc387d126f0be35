//! Agents side by side: what is killed goes on, what is heard is learned from, bad input is told.

use std::path::Path;
use std::time::Instant;

use burnrec_tests::{assert_same_weights, ended_at_random, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// A small site with an agent of every kind.
const SITE: &str = r#"
[environment.news]
users = 600
away_hours = 4.0
candidates = 30

[simulate]
seeds = 1
warmup_hours = 3.0
hours = 5.0
checkpoint_hours = 0.7

[features.fields]
topic = "categorical"
provider = "categorical"
user_click_rate = "numeric"
visit_depth = { kind = "numeric", transform = "log1p" }
headline = "numeric"
age_hours = "numeric"
item_click_rate = "numeric"
user_topic_rate = "numeric"

[train]
batch_size = 128
epochs = 1

[agent]
memory = { requests = 500, candidates = 8 }
learn = { steps = 5, requests = 16 }

[agent.model.drn]
state = ["user_click_rate", "visit_depth"]
embedding_dim = 4
value_hidden = [8]
advantage_hidden = [16, 8]
"#;

pub(crate) fn site(agents: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.toml"), format!("{SITE}\n{agents}")).unwrap();
    folder
}

pub(crate) fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn killed_at_ten_random_moments_and_resumed_clicks_and_weights_are_the_same() {
    let agents = "[agents.dbgd]\nexplore = { kind = \"dbgd\" }\nmemory = { priority = 0.6 }\n\
                  [agents.last]\nexplore = { kind = \"thompson_last_layer\" }\nlearn = { target_share = 0.05 }\n\
                  [agents.bandit]\npolicy = \"lin_ucb\"\n";
    let folder = site(agents);
    let begin = Instant::now();
    run_ok(folder.path(), &["simulate", "site.toml", "--out", "whole"]);
    let whole = begin.elapsed().as_secs_f64();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut kills, mut number) = (0, 0);
    while kills < 10 {
        number += 1;
        let out = format!("killed-{number}");
        // By hand now and then, which saves at whatever minute it is.
        let signal = if number % 2 == 0 { "INT" } else { "KILL" };
        let again = ["simulate", "site.toml", "--out", &out, "--resume"];
        kills += ended_at_random(folder.path(), &again, signal, whole, &mut rng);
        let hours = |out: &str| std::fs::read_to_string(folder.path().join(out).join("hours.jsonl")).unwrap();
        assert_eq!(hours("whole"), hours(&out));
        for agent in ["dbgd", "last"] {
            let of = |out: &str| folder.path().join(out).join("seed-1").join(agent);
            assert_same_weights(&of("whole"), &of(&out));
        }
    }
}

#[test]
fn every_policy_and_every_way_to_explore_acts_and_is_a_run_that_predicts() {
    let kinds = ["none", "epsilon_greedy", "boltzmann", "dbgd", "es", "population", "thompson_last_layer"];
    let explorers: String =
        kinds.iter().map(|kind| format!("[agents.{kind}]\nexplore = {{ kind = \"{kind}\" }}\n")).collect();
    let policies: String = ["random", "popularity", "lin_ucb", "thompson"]
        .iter()
        .map(|p| format!("[agents.of_{p}]\npolicy = \"{p}\"\n"))
        .collect();
    let others = "[agents.online]\nmodel = { lr = {} }\nlearn = { minor = \"sgd\", minor_minutes = 5.0, major = \"none\" }\n\
                  [agents.literal]\nexplore = { kind = \"dbgd\", literal = true, additive = 0.001, team_draft = true, fresh_bonus = 0.1 }\n\
                  learn = { huber = true }\n";
    let folder = site(&format!("{explorers}{policies}{others}"));
    run_ok(folder.path(), &["simulate", "site.toml", "--out", "out", "--set", "simulate.hours=2.5"]);
    let summary = read(&folder.path().join("out/summary.json"));
    assert_eq!(summary["status"], "completed");
    for name in kinds
        .iter()
        .map(|k| k.to_string())
        .chain(["of_random", "of_thompson", "online", "literal", "oracle"].map(String::from))
    {
        let ctr =
            summary["agents"][&name]["measures"]["ctr"]["mean"].as_f64().unwrap_or_else(|| panic!("{name} has no CTR"));
        assert!(ctr > 0.02 && ctr < 0.9, "{name}: {ctr}");
    }
    let click = |name: &str| summary["agents"][name]["measures"]["clicks"]["mean"].as_f64().unwrap();
    assert!(click("oracle") > click("none") && click("oracle") > click("of_random"));
    assert_eq!(summary["agents"]["oracle"]["measures"]["regret"]["mean"], 0.0);
    let log = "out/seed-1/start/log.parquet";
    run_ok(folder.path(), &["predict", "out/seed-1/dbgd", "--input", log, "--output", "scores.csv"]);
    assert!(std::fs::read_to_string(folder.path().join("scores.csv")).unwrap().lines().count() > 100);
}

/// A log as MIND has them, whose readers change their minds: the kind of item that is clicked turns every twelve hours.
fn behaviours(folder: &Path, hours: u32) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut text = String::new();
    let mut number = 0;
    for hour in 0..hours {
        for _ in 0..40 {
            number += 1;
            let (day, of_day) = (11 + hour / 24, hour % 24);
            let (half, twelve) =
                (if of_day < 12 { "AM" } else { "PM" }, if of_day % 12 == 0 { 12 } else { of_day % 12 });
            let wanted = hour / 12 % 4;
            let shown: Vec<String> = (0..12)
                .map(|_| {
                    let item = rng.random_range(0..80u32);
                    let rate = if item % 4 == wanted { 0.5 } else { 0.05 };
                    format!("N{item}-{}", u8::from(rng.random::<f64>() < rate))
                })
                .collect();
            let user = rng.random_range(0..200u32);
            text += &format!(
                "{number}\tU{user}\t11/{day}/2019 {twelve}:{:02}:00 {half}\tN1 N2\t{}\n",
                number % 60,
                shown.join(" ")
            );
        }
    }
    std::fs::write(folder.join("behaviors.tsv"), text).unwrap();
    let news: String = (0..80).map(|item| format!("N{item}\tkind{}\n", item % 4)).collect();
    std::fs::write(folder.join("news.tsv"), news).unwrap();
}

/// Some lines of the log.
fn text_of(folder: &Path, lines: std::ops::Range<usize>) -> String {
    let text = std::fs::read_to_string(folder.join("behaviors.tsv")).unwrap();
    text.lines().skip(lines.start).take(lines.len()).map(|line| format!("{line}\n")).collect()
}

const LOG: &str = r#"
[environment.log]
request = "impression"
user = "user"
item = "item"
time = "time"
click = "clicked"
about = "kind"

[data]
source = "behaviors.tsv"
sort_by = "time"
text = { names = ["impression", "user", "time", "history", "shown"] }
explode = { column = "shown", by = "-", into = ["item", "clicked"] }

[[data.join]]
source = "news.tsv"
on = "item"
text = { names = ["item", "kind"] }

[simulate]
seeds = 1
warmup_hours = 12.0
hours = 36.0

[features.fields]
user = "categorical"
item = "categorical"
kind = "categorical"

[train]
batch_size = 64
epochs = 2
learning_rate = 0.01
sparse = { kind = "adam", learning_rate = 0.01 }

[agent.model.drn]
state = ["user"]
embedding_dim = 4
value_hidden = [8]
advantage_hidden = [16]

[agents.stale]
learn = { minor = "none", major = "none" }

[agents.hourly]
memory = { requests = 200 }
learn = { minor = "none", steps = 40 }
"#;

#[test]
fn on_a_log_the_agent_that_learns_every_hour_is_above_the_one_that_does_not() {
    let folder = tempfile::tempdir().unwrap();
    behaviours(folder.path(), 48);
    std::fs::write(folder.path().join("log.toml"), LOG).unwrap();
    run_ok(folder.path(), &["check", "log.toml"]);
    run_ok(folder.path(), &["simulate", "log.toml", "--out", "out"]);
    let summary = read(&folder.path().join("out/summary.json"));
    let of = |agent: &str, measure: &str| summary["agents"][agent]["measures"][measure]["mean"].as_f64().unwrap();
    assert!(of("hourly", "ctr") > 1.3 * of("stale", "ctr"), "{} {}", of("hourly", "ctr"), of("stale", "ctr"));
    assert!(of("hourly", "ndcg") > of("stale", "ndcg"));
    assert!(summary["agents"]["hourly"]["measures"]["regret"].is_null(), "nobody knows the best of a log");
    let told = run(folder.path(), &["check", "log.toml", "--set", "features.fields.clicked=\"numeric\""]);
    assert!(told.code == Some(2) && told.err.contains("are to find out"), "{}", told.err);
    let turned = format!("{}{}", text_of(folder.path(), 100..200), text_of(folder.path(), 0..100));
    let text = std::fs::read_to_string(folder.path().join("behaviors.tsv")).unwrap();
    std::fs::write(folder.path().join("behaviors.tsv"), turned).unwrap();
    std::fs::write(folder.path().join("unsorted.toml"), LOG.replace("sort_by = \"time\"\n", "")).unwrap();
    let back = run(folder.path(), &["simulate", "unsorted.toml", "--out", "back"]);
    assert!(back.code == Some(2) && back.err.contains("data.sort_by"), "{}", back.err);
    std::fs::write(folder.path().join("behaviors.tsv"), text).unwrap();
    // A click that is none is told with its place.
    let text = std::fs::read_to_string(folder.path().join("behaviors.tsv")).unwrap();
    std::fs::write(folder.path().join("behaviors.tsv"), text.replacen("-1", "-2", 1)).unwrap();
    let bad = run(folder.path(), &["simulate", "log.toml", "--out", "bad"]);
    assert_eq!(bad.code, Some(2), "{}", bad.err);
    assert!(bad.err.contains("neither 0 nor 1") && bad.err.contains("behaviors.tsv"), "{}", bad.err);
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_place_and_nothing_is_written() {
    let folder = site("[agents.a]\n");
    let refused = |more: &str, words: &[&str]| {
        std::fs::write(folder.path().join("bad.toml"), format!("{SITE}\n{more}")).unwrap();
        let outcome = run(folder.path(), &["simulate", "bad.toml", "--out", "bad"]);
        assert_eq!(outcome.code, Some(2), "{more}: {}", outcome.err);
        for word in words {
            assert!(outcome.err.contains(word), "no `{word}` in {}", outcome.err);
        }
        assert!(!folder.path().join("bad").exists(), "{more}: something was written");
    };
    refused("[agents.a]\ngamma = 1.0\n", &["agents.a.gamma", "bad.toml:"]);
    refused("[agents.a]\ngamme = 0.5\n", &["gamme", "agents.a"]);
    refused("[agents.a]\npolicy = \"random\"\nexplore = { kind = \"dbgd\" }\n", &["explore.kind", "network"]);
    refused("[agents.a]\nmodel = { din = {} }\n", &["agents.a.model", "history"]);
    refused("[agents.a]\nmodel = { lr = {} }\nexplore = { kind = \"thompson_last_layer\" }\n", &["drn"]);
    refused("[agents.\"a/b\"]\n", &["plain name"]);
    refused("[data]\nsource = \"x.csv\"\n[agents.a]\n", &["data", "simulated site"]);
    refused("", &["agents"]);
    refused("[agents.oracle]\npolicy = \"random\"\n", &["oracle", "regret"]);
    refused("[agents.best]\npolicy = \"oracle\"\n", &["agents.best.policy", "oracle"]);
    refused("[agents.a]\nexplore = { kind = \"dbgd\" }\nlearn = { minor = \"sgd\" }\n", &["agents.a.learn.minor"]);
    refused(
        "[agents.a]\nexplore = { kind = \"thompson_last_layer\" }\nlearn = { major = \"none\" }\n",
        &["learn.major"],
    );
    refused("[agents.a]\nexplore = { kind = \"dbgd\", tau = 2000.0 }\n", &["explore.tau", "at most 50"]);
    refused("[agents.a]\nexplore = { kind = \"dbgd\", alpha = 1e300 }\n", &["explore.alpha"]);
    refused("[agents.a]\npolicy = \"popularity\"\ngamma = 0.2\n", &["agents.a.gamma", "popularity"]);
    refused(
        "[agents.a]\n[features.fields.nothing]\nkind = \"numeric\"\n",
        &["features.fields.nothing", "which the site does not have"],
    );
    let set = |setting: &str, word: &str| {
        let outcome = run(folder.path(), &["simulate", "site.toml", "--out", "bad", "--set", setting]);
        assert!(outcome.code == Some(2) && outcome.err.contains(word), "{setting}: {}", outcome.err);
    };
    set("simulate.places=0", "simulate.places");
    set("environment.news.lost=1.0", "environment.news.lost");
    set("agent.model.drn.state=[\"nobody\"]", "nobody");
    set("environment.news.article_hours=1e6", "articles_per_hour");
    set("environment.news.depth=1e300", "environment.news.depth");
    set("simulate.baseline=\"who\"", "who");
    // What all agents have is of networks, and no fault of others.
    std::fs::write(folder.path().join("mixed.toml"), format!("{SITE}\n[agents.a]\npolicy = \"popularity\"\n")).unwrap();
    run_ok(folder.path(), &["check", "mixed.toml", "--set", "agent.explore.kind=\"dbgd\""]);
    // A field of the state that differs between candidates is seen at the first request.
    let state = "agent.model.drn.state=[\"headline\"]";
    let differs = run(folder.path(), &["simulate", "site.toml", "--out", "differs", "--set", state]);
    assert!(differs.code == Some(2) && differs.err.contains("differs between the candidates"), "{}", differs.err);
    // Weights that leave all bounds end the simulation, and not in silence.
    let rate = [
        "--set",
        "train.optimizer={ kind = \"sgd\" }",
        "--set",
        "agent.learn.rate=1000.0",
        "--set",
        "train.learning_rate=0.3",
    ];
    let far = run(folder.path(), &[&["simulate", "site.toml", "--out", "far"][..], &rate].concat());
    assert!(far.code == Some(1) && far.err.contains("the loss is NaN"), "{:?} {}", far.code, far.err);
    let only = run(folder.path(), &["simulate", "site.toml", "--only", "b", "--out", "bad"]);
    assert!(only.code == Some(2) && only.err.contains("there are a"), "{}", only.err);
    let trained = run(folder.path(), &["train", "site.toml", "--out", "bad"]);
    assert!(trained.code == Some(2) && trained.err.contains("burnrec simulate"), "{}", trained.err);
    // Another simulation does not go on in the same folder, and a finished one is not begun anew.
    run_ok(folder.path(), &["simulate", "site.toml", "--out", "out", "--set", "simulate.hours=1.0"]);
    let again = run(folder.path(), &["simulate", "site.toml", "--out", "out"]);
    assert_eq!(again.code, Some(2), "{}", again.err);
    let other = run(folder.path(), &["simulate", "site.toml", "--out", "out", "--resume", "--set", "agent.gamma=0.1"]);
    assert_eq!(other.code, Some(2), "{}", other.err);
    let damaged = folder.path().join("out/seed-1/start/environment.bin");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    std::fs::remove_file(folder.path().join("out/seed-1/a/hours.json")).unwrap();
    let broken =
        run(folder.path(), &["simulate", "site.toml", "--out", "out", "--resume", "--set", "simulate.hours=1.0"]);
    assert!(broken.code == Some(2) && broken.err.contains("environment.bin"), "{}", broken.err);
    std::fs::remove_file(folder.path().join("out/simulation.toml")).unwrap();
    let nameless = run(folder.path(), &["simulate", "site.toml", "--out", "out", "--resume"]);
    assert!(nameless.code == Some(2) && nameless.err.contains("simulation.toml"), "{}", nameless.err);
}
