//! Bad input of sequences and histories: exit code 2, a message that names the place and the remedy, nothing written.

use burnrec_tests::{job, refused, run_ok};

const TRAIN: &str = "epochs = 1\nbatch_size = 128";

/// Trains a model of sequences on rows with a history column, with a changed configuration.
fn refused_history(log: &str, fields: &str, model: &str, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    let config = format!(
        "[data]\nsource = \"log.csv\"\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = {{ column = \"y\" }}\n[features]\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\n{fields}\n[model.{model}]\n"
    );
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    refused(folder.path(), &[], says);
}

#[test]
fn a_history_that_is_longer_than_declared_is_its_latest_ids() {
    let lines = |past: fn(usize) -> String| -> String {
        (0..200).map(|i| format!("u{},i{},{},{}\n", i % 9, i % 5, past(i), i % 2)).collect()
    };
    let long = lines(|i| format!("i0 i{} i{}", i % 3, i % 4));
    let cut = lines(|i| format!("i{} i{}", i % 3, i % 4));
    let folder = tempfile::tempdir().unwrap();
    let mut scored = Vec::new();
    for (name, log) in [("long", long), ("cut", cut)] {
        std::fs::write(folder.path().join(format!("{name}.csv")), format!("user,item,past,y\n{log}")).unwrap();
        let config = format!(
            "[data]\nsource = \"{name}.csv\"\n[tasks.label]\nlabel = \"y\"\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\npast = {{ kind = \"sequence\", table = \"item\", max_length = 2 }}\n[model.din]\n[train]\nepochs = 1\n"
        );
        std::fs::write(folder.path().join(format!("{name}.toml")), config).unwrap();
        let told = run_ok(folder.path(), &["train", &format!("{name}.toml"), "--out", name, "--device", "flex"]);
        assert_eq!(
            told.err.contains(": column `past`: holds more than max_length = 2") && told.err.contains("latest 2"),
            name == "long"
        );
        let output = format!("{name}-p.csv");
        run_ok(folder.path(), &["predict", name, "--input", "long.csv", "--output", &output]);
        scored.push(std::fs::read_to_string(folder.path().join(output)).unwrap());
    }
    assert_eq!(scored[0], scored[1]);
}

#[test]
fn sequences_where_they_cannot_be() {
    let log = "user,item,past,kinds,y\nu1,i1,i2 i3,a b,1\nu2,i2,,,0\nu3,i3,i1 i2 i3,a b,0\n";
    let past = "past = { kind = \"sequence\", table = \"item\" }";
    refused_history(log, past, "mlp", &["features.fields.past", "sequence", "mlp", "multi"]);
    refused_history(log, "", "din", &["din", "no field is of kind", "table"]);
    refused_history(log, "past = \"sequence\"", "dien", &["dien", "past", "table"]);
    let along = format!("{past}\nkinds = {{ kind = \"sequence\", along = \"past\", table = \"item\" }}");
    refused_history(log, &along, "din", &["log.csv:4", "kinds", "2 values", "3 ids", "past"]);
    let nobody = format!("{past}\nkinds = {{ kind = \"sequence\", along = \"item\", table = \"item\" }}");
    refused_history(log, &nobody, "din", &["features.fields.kinds.along", "item", "not a field of kind sequence"]);
    let crossed = format!("{past}\nx = {{ kind = \"cross\", of = [\"user\", \"past\"] }}");
    refused_history(log, &crossed, "din", &["features.fields.x.of", "past", "sequence"]);
    let two = "other = { kind = \"categorical\", column = \"user\", table = \"t\" }\nitem2 = { kind = \"categorical\", column = \"item\", table = \"t\" }\npast = { kind = \"sequence\", table = \"t\" }";
    refused_history(log, two, "din", &["cannot tell which of item2, other", "past", "`t`"]);
    let ids = "past = { kind = \"sequence\", table = \"item\", ids = \"int\" }";
    refused_history(log, ids, "din", &["features.fields.past.ids", "item", "same ids"]);
    let folder = job(300, "mlr", TRAIN);
    refused(
        folder.path(),
        &["--set", "tasks.label.label={column=\"clicked\",numeric=true}"],
        &["tasks.label", "mlr", "number"],
    );
    refused_history(log, "", "neumf", &["neumf", "user", "user_id", "model.neumf.user"]);
    let pooled = "past = { kind = \"multi\", max_length = 3 }";
    refused_history(log, pooled, "mlp", &["features.fields.past.max_length", "no meaning"]);
}

#[test]
fn histories_that_would_leak_or_cannot_be_built() {
    let folder = job(300, "din", TRAIN);
    let log = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    lines[1..].reverse();
    std::fs::write(folder.path().join("log.csv"), lines.join("\n")).unwrap();
    refused(folder.path(), &[], &["log.csv:", "time", "future", "sort_by"]);
    run_ok(folder.path(), &["train", "job.toml", "--out", "sorted", "--set", "data.sort_by=time"]);
    refused(folder.path(), &["--set", "data.history.user=nobody"], &["nobody", "log.csv"]);
    refused(
        folder.path(),
        &["--set", "data.history.columns={item=\"user\"}"],
        &["history.columns.item", "another name"],
    );
    refused(folder.path(), &["--set", "data.history.max_length=0"], &["history.max_length", "at least 1"]);
    refused(folder.path(), &["--set", "data.history.only={column=\"clicked\",at_least=nan}"], &["at_least", "number"]);
}

#[test]
fn ids_that_no_row_has_as_the_item_are_refused_unless_they_are_allowed() {
    let log = "user,item,past,y\nu1,i1,i2 i3,1\nu2,i2,,0\nu3,i3,i1 film-7 film-9,0\nu4,i1,film-7,1\n";
    let past = "past = { kind = \"sequence\", table = \"item\" }";
    refused_history(log, past, "din", &["log.csv:4", "past", "`item`", "2 such ids", "unknown = true"]);
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|r| format!("u{r},i{},i{} film-{r},{}\n", r % 5, (r + 1) % 5, r % 2)).collect();
    std::fs::write(folder.path().join("log.csv"), format!("user,item,past,y\n{rows}")).unwrap();
    let config = "[data]\nsource = \"log.csv\"\nsplit = { kind = \"order\", valid = 0.2, test = 0.2 }\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = { column = \"y\" }\n[features]\n[features.fields]\nitem = \"categorical\"\npast = { kind = \"sequence\", table = \"item\", unknown = true }\n[model.din]\n[train]\nepochs = 1\n";
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
}

#[test]
fn a_gap_in_a_history_keeps_what_goes_along_in_step() {
    let fields = r#"past = { kind = "sequence", table = "item", separator = "|" }
kinds = { kind = "sequence", along = "past", table = "item", separator = "|" }"#;
    // Three positions, the second without an id: two values along are one too few.
    let text = "user,item,past,kinds,y\nu1,i1,i2||i3,a|b,1\nu2,i2,,,0\n";
    refused_history(text, fields, "din", &["log.csv:2", "kinds", "2 values", "3 ids"]);
    let folder = tempfile::tempdir().unwrap();
    let line = |past: &str, kinds: &str, y: u8| {
        format!("{{\"user\":\"u\",\"item\":\"i1\",\"past\":{past},\"kinds\":{kinds},\"y\":{y}}}\n")
    };
    let log = line("[\"i2\",null,\"i3\"]", "[\"a\",\"b\"]", 1) + &line("[]", "[]", 0);
    std::fs::write(folder.path().join("log.jsonl"), log).unwrap();
    let config = "[data]\nsource = \"log.jsonl\"\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = { column = \"y\" }\n[features]\n[features.fields]\nitem = \"categorical\"\npast = { kind = \"sequence\", table = \"item\" }\nkinds = { kind = \"sequence\", along = \"past\", table = \"item\" }\n[model.din]\n";
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    refused(folder.path(), &[], &["log.jsonl:1", "kinds", "2 values", "3 ids"]);
}
