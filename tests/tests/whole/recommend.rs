//! What a trained model of vectors recommends and exports.

use burnrec_tests::{run, run_ok};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::retrieval::{ITEMS, KINDS, config, folder, log, pairs, summary, youtube};

#[test]
fn recommendations_leave_out_what_was_seen_and_name_unknown_users() {
    let folder = folder(&youtube("shared = 40"));
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    // The same figures again from what was saved.
    let again: Value = serde_json::from_str(&run_ok(folder.path(), &["evaluate", "out", "--json"]).out).unwrap();
    assert_eq!(again["metrics"], summary(folder.path(), "out")["metrics"]["test"]);
    assert!(again["baselines"]["popularity"]["recall@10"].is_number());
    std::fs::write(folder.path().join("who.csv"), "user\nu3\nu5\n").unwrap();
    let more = ["--k", "5", "--exclude-seen"];
    let out = run_ok(folder.path(), &[&["recommend", "out", "--users", "who.csv"][..], &more].concat()).out;
    let lines: Vec<Vec<&str>> = out.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(lines.len(), 10, "{out}");
    let log = log();
    let seen: BTreeSet<(&str, &str)> =
        log.lines().map(|l| (l.split(',').next().unwrap(), l.split(',').nth(1).unwrap())).collect();
    assert!(lines.iter().all(|l| !seen.contains(&(l[0], l[2]))), "{out}");
    let kind = |item: &str| item[1..].parse::<usize>().unwrap() % KINDS;
    assert_eq!(kind(lines[0][2]), 3, "{out}");
    assert!(lines[..5].windows(2).all(|w| w[0][3].parse::<f32>().unwrap() >= w[1][3].parse::<f32>().unwrap()), "{out}");
    run_ok(folder.path(), &[&["recommend", "out", "--users", "who.csv", "--output", "top.csv"][..], &more].concat());
    let file = std::fs::read_to_string(folder.path().join("top.csv")).unwrap();
    assert!(file.starts_with("user,rank,item,score\nu3,1,") && file.lines().count() == 11, "{file}");
    std::fs::write(folder.path().join("who.csv"), "user\nu3\nnobody\n").unwrap();
    let outcome = run(folder.path(), &["recommend", "out", "--users", "who.csv"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.err.contains("nobody") && outcome.err.contains("--skip-unknown"), "{}", outcome.err);
    assert_eq!(
        run_ok(folder.path(), &["recommend", "out", "--users", "who.csv", "--k", "2", "--skip-unknown"])
            .out
            .lines()
            .count(),
        2
    );
}

#[test]
fn users_come_with_histories_of_their_own_and_rank_as_such_rows_are_scored() {
    let rows = |text: &str| -> Vec<(String, String, f64)> {
        let cells = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        cells.map(|c| (c[0].to_string(), c[2].to_string(), c[3].parse().unwrap())).collect()
    };
    let kind = |item: &str| item[1..].parse::<usize>().unwrap() % KINDS;
    let past = "i3 i15 i27";
    let who = format!("user,past\nnobody,{past}\nu5,i1\nu5,{past}\n");
    let negatives = "[features.negatives]\nper_positive = 4\n[model.din]\nembedding_dim = 8\nnormalise = \"softmax\"";
    let train = "[train]\nbatch_size = 128\nepochs = 8\npatience = 0\nsparse = { learning_rate = 0.02 }";
    let sequence = "past = { kind = \"sequence\", table = \"item\" }";
    let din = config(sequence, "", &format!("{negatives}\n{train}")).replace("metrics = [\"recall@10\"]\n", "");
    for config in [youtube("shared = 40"), din] {
        let folder = folder(&config);
        std::fs::write(folder.path().join("who.csv"), &who).unwrap();
        run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
        let arguments = ["recommend", "out", "--users", "who.csv", "--k", "6"];
        let told = run_ok(folder.path(), &arguments);
        assert!(told.err.contains("past are read from there") && told.err.contains("by its last row"), "{}", told.err);
        let best = rows(&told.out);
        assert_eq!(best.len(), 12, "{}", told.out);
        assert!(kind(&best[0].1) == 3 && kind(&best[6].1) == 3, "{}", told.out);
        let open = rows(&run_ok(folder.path(), &[&arguments[..], &["--exclude-seen"]].concat()).out);
        assert!(open.iter().all(|(_, item, _)| past.split(' ').all(|seen| seen != item)), "{open:?}");
        // A model that scores pairs says of such rows what it ranked by.
        if config.contains("[model.din]") {
            let asked: String = best[..6].iter().map(|(user, item, _)| format!("{user},{item},{past}\n")).collect();
            std::fs::write(folder.path().join("pairs.csv"), format!("user,item,past\n{asked}")).unwrap();
            run_ok(folder.path(), &["predict", "out", "--input", "pairs.csv", "--output", "p.csv"]);
            let scored = std::fs::read_to_string(folder.path().join("p.csv")).unwrap();
            for (line, (_, _, score)) in scored.lines().skip(1).zip(&best) {
                let probability: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
                assert!((probability - 1.0 / (1.0 + (-score).exp())).abs() < 1e-4, "{scored}\n{best:?}");
            }
        }
    }
}

#[test]
fn a_file_of_users_has_a_header_though_the_runs_own_data_has_none() {
    let config = youtube("shared = 40").replace(
        "source = \"log.csv\"\n",
        "source = \"log.dat\"\nformat = \"csv\"\ntext = { delimiter = \"::\", names = [\"user\", \"item\", \"kind\", \"like\", \"time\"] }\n",
    );
    let folder = folder(&config.replace("epochs = 30", "epochs = 1"));
    let rows: Vec<String> = log().lines().skip(1).map(|line| line.replace(',', "::") + "\n").collect();
    std::fs::write(folder.path().join("log.dat"), rows.concat()).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    for (who, lines) in [("user\nu3\nu5\n", 4), ("user,age\nu3,30\n", 2)] {
        std::fs::write(folder.path().join("who.csv"), who).unwrap();
        let out = run_ok(folder.path(), &["recommend", "out", "--users", "who.csv", "--k", "2"]).out;
        assert!(out.starts_with("u3\t1\t") && out.lines().count() == lines, "{out}");
    }
}

/// A history of what is not of the item goes along with one that is: both stay as the user's latest row had them.
#[test]
fn histories_whose_events_the_catalogue_does_not_hold_are_not_made_again() {
    let fields = "past = { kind = \"sequence\", table = \"item\" }\nkind = \"categorical\"\n\
                  kinds = { kind = \"sequence\", table = \"kind\", along = \"past\" }";
    let model = "[features.negatives]\nper_positive = 2\n[model.din]\nembedding_dim = 4\n[train]\nepochs = 1";
    let config = config(fields, "", model)
        .replace("past = \"item\" }", "past = \"item\", kinds = \"kind\" }")
        .replace("metrics = [\"recall@10\"]\n", "");
    let folder = folder(&config);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    for users in [1, 7] {
        let who: String = (0..users).map(|user| format!("u{user}\n")).collect();
        std::fs::write(folder.path().join("who.csv"), format!("user\n{who}")).unwrap();
        let out = run_ok(folder.path(), &["recommend", "out", "--users", "who.csv", "--k", "3"]).out;
        assert_eq!(out.lines().count(), 3 * users, "{out}");
    }
}

/// Histories of items and their kinds, answered for many users at once: behaviours that they have in common are scored once.
#[test]
fn many_users_rank_as_each_of_them_does_alone() {
    let fields = "past = { kind = \"sequence\", table = \"item\" }\nkind = \"categorical\"\n\
                  kinds = { kind = \"sequence\", table = \"kind\", along = \"past\" }\nuser = \"categorical\"";
    let train = "[train]\nbatch_size = 128\nepochs = 2\npatience = 0\nsparse = { learning_rate = 0.02 }";
    for normalise in ["none", "softmax"] {
        let model = format!("[model.din]\nembedding_dim = 4\nattention = [6, 3]\nnormalise = \"{normalise}\"\n{train}");
        let config = config(fields, "fields = [\"kind\"]", &format!("[features.negatives]\nper_positive = 2\n{model}"))
            .replace("past = \"item\" }", "past = \"item\", kinds = \"kind\" }")
            .replace("metrics = [\"recall@10\"]\n", "");
        let folder = folder(&config);
        run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
        let users: Vec<String> = (0..9).map(|user| format!("u{user}\n")).collect();
        let asked = |users: &[String]| -> BTreeMap<(String, String), f32> {
            std::fs::write(folder.path().join("who.csv"), format!("user\n{}", users.concat())).unwrap();
            let out = run_ok(folder.path(), &["recommend", "out", "--users", "who.csv", "--k", "1000"]).out;
            let cells = out.lines().map(|line| line.split('\t').collect::<Vec<_>>());
            cells.map(|c| ((c[0].to_string(), c[2].to_string()), c[3].parse().unwrap())).collect()
        };
        let together = asked(&users);
        let alone: BTreeMap<_, _> = users.iter().flat_map(|user| asked(std::slice::from_ref(user))).collect();
        assert_eq!(together.len(), 9 * ITEMS);
        assert!(together.keys().eq(alone.keys()));
        for ((pair, together), alone) in together.iter().zip(alone.values()) {
            assert!((together - alone).abs() < 1e-4, "{normalise} {pair:?}: {together} {alone}");
        }
    }
}

fn word2vec(path: &Path) -> BTreeMap<String, Vec<f32>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let head: Vec<usize> = lines.next().unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
    let vectors: BTreeMap<String, Vec<f32>> = lines
        .map(|l| {
            let mut parts = l.split(' ');
            (parts.next().unwrap().to_string(), parts.map(|x| x.parse().unwrap()).collect())
        })
        .collect();
    assert_eq!(vectors.len(), head[0]);
    assert!(vectors.values().all(|v| v.len() == head[1]));
    vectors
}

#[test]
fn exported_vectors_are_the_ones_that_rank_and_new_items_are_what_describes_them() {
    let config = pairs("eges", "kind = \"categorical\"", "fields = [\"kind\"]", "window = 3");
    let config = config
        .replace("history = { user = \"user\", time = \"time\", columns = { past = \"item\" }, max_length = 8 }\n", "");
    let folder = folder(&config);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    run_ok(folder.path(), &["export", "out", "--embeddings", "items.txt"]);
    run_ok(folder.path(), &["export", "out", "--embeddings", "items.arrow"]);
    let items = word2vec(&folder.path().join("items.txt"));
    assert_eq!(items.len(), ITEMS);
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for (a, b) in [(0, KINDS), (5, 5 + 2 * KINDS), (7, 7 + 3 * KINDS)] {
        near.push(cosine(&items[&format!("i{a}")], &items[&format!("i{b}")]));
        far.push(cosine(&items[&format!("i{a}")], &items[&format!("i{}", b + 1)]));
    }
    assert!(near.iter().all(|n| far.iter().all(|f| n > f)), "{near:?} {far:?}");
    let file = std::fs::File::open(folder.path().join("items.arrow")).unwrap();
    let rows: usize = arrow::ipc::reader::FileReader::try_new(file, None).unwrap().map(|b| b.unwrap().num_rows()).sum();
    assert_eq!(rows, ITEMS);
    // An item that nobody saw has the vector of its kind alone; one that is known has its own.
    std::fs::write(folder.path().join("new.csv"), "item,kind\nfresh,k4\nother,k4\nstranger,k7\ni4,k4\n").unwrap();
    run_ok(folder.path(), &["export", "out", "--items", "new.csv", "--embeddings", "new.vec"]);
    let new = word2vec(&folder.path().join("new.vec"));
    assert_eq!(new["fresh"], new["other"]);
    assert_ne!(new["fresh"], new["stranger"]);
    assert_eq!(new["i4"], items["i4"]);
    assert!(cosine(&new["fresh"], &items["i4"]) > cosine(&new["stranger"], &items["i4"]));
}

#[test]
fn a_clients_own_vector_ranks_as_the_servers_does_and_of_another_training_it_is_refused() {
    let config = pairs("item2vec", "", "latest = 5\ndecay = 0.8", "window = 3");
    let history = "history = { user = \"user\", time = \"time\", columns = { past = \"item\" }, max_length = 8 }\n";
    let config = config.replace(history, "");
    let folder = folder(&config);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    run_ok(folder.path(), &["export", "out", "--client", "slate.txt"]);
    let slate =
        burnrec_client::Slate::read(&std::fs::read_to_string(folder.path().join("slate.txt")).unwrap()).unwrap();
    // What u3 and u5 liked, the oldest first, as the log has it.
    let log = log();
    let rows: Vec<Vec<&str>> = log.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let head: Vec<&str> = log.lines().next().unwrap().split(',').collect();
    let at = |name: &str| head.iter().position(|h| *h == name).unwrap();
    let (mut messages, mut clicks) = (String::new(), 0);
    for who in ["u3", "u5"] {
        let mut own: Vec<&Vec<&str>> = rows.iter().filter(|row| row[at("user")] == who).collect();
        own.sort_by_key(|row| row[at("time")].parse::<i64>().unwrap());
        let mut user = burnrec_client::User::new(who, &slate);
        for row in own.iter().filter(|row| row[at("like")] == "1") {
            user.click(&slate, row[at("item")]).unwrap();
            clicks += 1;
        }
        messages += &format!("{}\n", user.message().line());
    }
    assert!(clicks > 10);
    std::fs::write(folder.path().join("sent.txt"), &messages).unwrap();
    std::fs::write(folder.path().join("who.csv"), "user\nu3\nu5\n").unwrap();
    let top = |how: &[&str]| -> Vec<(String, f32)> {
        let told = run_ok(folder.path(), &[&["recommend", "out", "--k", "10"][..], how].concat()).out;
        let cells = told.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        cells.map(|c| (format!("{} {} {}", c[0], c[1], c[2]), c[3].parse().unwrap())).collect()
    };
    let (server, client) = (top(&["--users", "who.csv"]), top(&["--vectors", "sent.txt"]));
    assert_eq!(server.len(), 20);
    for (a, b) in server.iter().zip(&client) {
        assert!((a.1 - b.1).abs() < 1e-5, "{server:?}\n{client:?}");
    }
    // A slate of few items has the same version; another training has another.
    run_ok(folder.path(), &["train", "job.toml", "--out", "other", "--set", "run.seed=2"]);
    let refused = run(folder.path(), &["recommend", "other", "--vectors", "sent.txt"]);
    assert!(
        refused.code == Some(2) && refused.err.contains("sent.txt:1") && refused.err.contains("export --client"),
        "{}",
        refused.err
    );
    std::fs::write(folder.path().join("sent.txt"), "u3\tx\n").unwrap();
    let refused = run(folder.path(), &["recommend", "out", "--vectors", "sent.txt"]);
    assert!(refused.code == Some(2) && refused.err.contains("line 1"), "{}", refused.err);
}
