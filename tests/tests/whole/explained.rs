//! What models attend to, and where vectors go that are looked at.

use std::collections::BTreeMap;

use burnrec_tests::{job, run, run_ok};
use serde_json::Value;

const TRAIN: &str = "batch_size = 64\nepochs = 1";

#[test]
fn histories_are_told_with_what_each_behaviour_counts() {
    for model in ["din", "dien", "dupn"] {
        let folder = job(900, model, TRAIN);
        run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
        let log = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
        let header: Vec<&str> = log.lines().next().unwrap().split(',').collect();
        let at = |name: &str| header.iter().position(|own| *own == name).unwrap();
        let rows: Vec<Vec<&str>> = log.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let wanted = rows.len() - 1;
        let number = (wanted + 1).to_string();
        let asked = ["explain", "out", "--input", "log.csv", "--row", &number];
        let found: Value =
            serde_json::from_str(&run_ok(folder.path(), &[&asked[..], &["--json"]].concat()).out).unwrap();
        let past = found["attention"]["past"].as_array().unwrap_or_else(|| panic!("{model}: {found}"));
        // What the row's user did before it, the latest eight, the oldest first.
        let time = |row: &Vec<&str>| row[at("time")].parse::<i64>().unwrap();
        let own = |row: &&Vec<&str>| row[at("user")] == rows[wanted][at("user")] && time(row) < time(&rows[wanted]);
        let mut before: Vec<&Vec<&str>> = rows.iter().filter(own).collect();
        before.sort_by_key(|row| time(row));
        let before: Vec<&str> = before.iter().map(|row| row[at("item")]).collect();
        let before = &before[before.len().saturating_sub(8)..];
        let ids: Vec<&str> = past.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, before, "{model}");
        assert!(ids.len() > 1, "{model}: the row has no history to speak of");
        assert_eq!(past.last().unwrap()["ago"], 1);
        let sum: f64 = past.iter().map(|one| one["weight"].as_f64().unwrap()).sum();
        assert!(model == "din" || (sum - 1.0).abs() < 1e-4, "{model}: weights of a softmax sum to {sum}");
        let text = run_ok(folder.path(), &asked).out;
        assert!(text.contains("behaviours count") && text.contains("1 ago"), "{text}");
    }
}

#[test]
fn what_ids_of_a_field_look_up_goes_to_files_and_to_the_projector() {
    let folder = job(900, "deepfm", TRAIN);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    run_ok(folder.path(), &["export", "out", "--of", "tags", "--embeddings", "tags.vec"]);
    let text = std::fs::read_to_string(folder.path().join("tags.vec")).unwrap();
    let vectors: BTreeMap<&str, &str> = text.lines().skip(1).filter_map(|line| line.split_once(' ')).collect();
    let told = run_ok(folder.path(), &["export", "out", "--of", "tags", "--projector", "look"]).out;
    assert!(told.contains("tensorboard --logdir look"), "{told}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join("look").join(name)).unwrap();
    let (names, values) = (read("metadata.tsv"), read("vectors.tsv"));
    assert_eq!(names.lines().next(), Some("id\trows"));
    assert_eq!(names.lines().count(), values.lines().count() + 1);
    let counts: Vec<u32> =
        names.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap().parse().unwrap()).collect();
    assert!(counts.windows(2).all(|pair| pair[0] >= pair[1]) && counts[0] > 1, "{counts:?}");
    for (name, vector) in names.lines().skip(1).zip(values.lines()) {
        assert_eq!(vectors[name.split('\t').next().unwrap()], vector.replace('\t', " "));
    }
    assert!(read("projector_config.pbtxt").contains("tensor_path: \"vectors.tsv\""));
    let slip = run(folder.path(), &["export", "out", "--of", "tag", "--projector", "look"]);
    assert!(slip.code == Some(2) && slip.err.contains("did you mean `tags`?"), "{}", slip.err);
    let none = run(folder.path(), &["export", "out", "--projector", "look"]);
    assert_eq!(none.code, Some(2), "{}", none.err);
    // Every field of ids has vectors, whichever of its lookup's tables they stand in.
    for field in ["user", "item", "tags"] {
        run_ok(folder.path(), &["export", "out", "--of", field, "--embeddings", "one.vec"]);
        let text = std::fs::read_to_string(folder.path().join("one.vec")).unwrap();
        assert!(text.lines().count() > 5, "{field}: {text}");
    }
    // The projector's own reader, where a Python that has it (`pip install tensorboard`) is named.
    let Ok(python) = std::env::var("BURNREC_TENSORBOARD_PYTHON") else { return };
    let script = "import sys, os
from google.protobuf import text_format
from tensorboard.plugins.projector import projector_config_pb2 as p, projector_plugin as own
c = p.ProjectorConfig(); text_format.Parse(open(os.path.join(sys.argv[1], 'projector_config.pbtxt')).read(), c)
t = own._read_tensor_tsv_file(os.path.join(sys.argv[1], c.embeddings[0].tensor_path))
print('shape', t.shape)";
    let asked =
        std::process::Command::new(python).args(["-c", script]).arg(folder.path().join("look")).output().unwrap();
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(text.contains(&format!("shape ({},", counts.len())), "{text}{}", String::from_utf8_lossy(&asked.stderr));
}
