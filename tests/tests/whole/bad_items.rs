//! Wrong uses of items, negatives, pairs and losses: each named where it stands, nothing written.

use burnrec_tests::{click_log, run};

const FIELDS: &str = "user = \"categorical\"\nitem = \"categorical\"\n";
const ITEMS: &str = "[features.items]\nid = \"item\"\nuser = \"user\"\n";

fn refused(fields: &str, tables: &str, says: &[&str]) {
    refused_task("", fields, tables, says);
}

/// The same with more settings of the task.
fn refused_task(task: &str, fields: &str, tables: &str, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), click_log(200, 1)).unwrap();
    let config = format!(
        "[data]\nsource = \"log.csv\"\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = \"clicked\"\n{task}\n[features.fields]\n{fields}{tables}"
    );
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    for command in [&["train", "job.toml", "--out", "out"][..], &["check", "job.toml"]] {
        let outcome = run(folder.path(), command);
        assert_eq!(outcome.code, Some(2), "{tables}\n{}\n{}", outcome.out, outcome.err);
        for word in says {
            assert!(outcome.err.contains(word), "{tables}\nlacks {word}: {}", outcome.err);
        }
        assert!(outcome.err.contains("job.toml:"), "{tables}\nno place: {}", outcome.err);
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn what_an_item_is_must_be_known() {
    refused(
        FIELDS,
        "[features.negatives]\nper_positive = 2\n[model.fm]\n",
        &["features.negatives", "[features.items]"],
    );
    refused(FIELDS, "[model.youtube_dnn]\n", &["youtube_dnn", "[features.items]"]);
    let items = ITEMS.replace("id = \"item\"", "id = \"itme\"");
    refused(FIELDS, &format!("{items}[model.fm]\n"), &["features.items.id", "`itme`"]);
    refused(
        "item = \"categorical\"\nprice = \"numeric\"\n",
        "[features.items]\nid = \"price\"\nuser = \"user\"\n[model.fm]\n",
        &["features.items.id", "`price`"],
    );
    let items = format!("{ITEMS}fields = [\"past\"]\n");
    let past =
        format!("{FIELDS}past = {{ kind = \"sequence\", column = \"tags\", separator = \"|\", table = \"item\" }}\n");
    refused(&past, &format!("{items}[model.din]\n"), &["features.items.fields", "`past`", "sequence"]);
}

#[test]
fn what_is_drawn_must_be_of_use() {
    let negatives = |text: &str| format!("{ITEMS}[features.negatives]\n{text}\n");
    for (text, model, says) in [
        ("", "fm", "all 0"),
        ("per_positive = 2\nshared = 5", "fm", "features.negatives.shared"),
        ("shared = 5", "fm", "scores rows"),
        ("sampler = \"in_batch\"", "fm", "scores rows"),
        ("per_positive = 2\npower = 0.5", "fm", "features.negatives.power"),
        ("per_positive = 2\nsampler = \"zipf\"", "fm", "zipf"),
        ("per_positive = 2", "item2vec", "[features.pairs]"),
    ] {
        refused(FIELDS, &format!("{}[model.{model}]\n", negatives(text)), &[says]);
    }
    let pairs = "[features.pairs]\nwindow = 2\n";
    refused(FIELDS, &format!("{}{pairs}[model.fm]\n", negatives("per_positive = 2")), &["learns from rows"]);
    refused(FIELDS, &format!("{}{pairs}[model.item2vec]\n", negatives("per_positive = 2")), &["field `user`"]);
    let gap = "[features.pairs]\nsession_gap = 60.0\n";
    refused(
        "item = \"categorical\"\n",
        &format!("{}{gap}[model.item2vec]\n", negatives("per_positive = 2")),
        &["features.items.time"],
    );
}

#[test]
fn losses_must_have_what_they_compare() {
    for (tables, task, says) in [
        ("", "loss = \"bpr\"", "features.group"),
        ("", "loss = \"sampled_softmax\"", "features.negatives.shared"),
        ("", "loss = \"negative_sampling\"", "[features.pairs]"),
        ("", "loss = \"weighted_logistic\"", "numeric"),
        ("", "pointwise = 0.5", "tasks.label.pointwise"),
        ("", "loss = \"hinge\"", "hinge"),
        ("[features.negatives]\nper_positive = 2\n", "loss = \"bpr\"\nmetrics = [\"logloss\"]", "logloss"),
        ("[features.negatives]\nevaluate = 9\n", "metrics = [\"pcoc\"]", "pcoc"),
    ] {
        refused_task(task, FIELDS, &format!("{ITEMS}{tables}[model.fm]\n"), &[says]);
    }
    refused(FIELDS, &format!("{ITEMS}[model.fm]\n[train]\nlist_size = 9\n"), &["train.list_size"]);
    let vectors = format!("{ITEMS}[features.negatives]\nshared = 5\n[model.youtube_dnn]\n");
    refused_task("loss = \"bce\"", FIELDS, &vectors, &["sampled_softmax"]);
    refused_task("metrics = [\"auc\"]", FIELDS, &vectors, &["auc", "recall@K"]);
}

#[test]
fn fields_that_nothing_reads_are_named() {
    let cross = format!("{FIELDS}both = {{ kind = \"cross\", of = [\"user\", \"item\"] }}\n");
    refused(&cross, "[model.mlp]\n", &["features.fields.both", "crosses"]);
    let described = format!("{ITEMS}fields = [\"tags\"]\n[features.negatives]\nshared = 5\n[model.youtube_dnn]\n");
    refused(&format!("{FIELDS}tags = {{ kind = \"multi\", separator = \"|\" }}\n"), &described, &["`tags`"]);
}

#[test]
fn labels_that_a_loss_cannot_use_are_named_where_they_stand() {
    for (loss, label, says) in [
        ("lambdarank", "-1", "lambdarank"),
        ("lambdarank", "400", "2^label"),
        ("weighted_logistic", "-2.5", "weighted_logistic"),
        ("softmax", "-1", "ndcg"),
        ("listnet", "31", "ndcg"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let rows: String = (0..60).map(|r| format!("u{},i{},{}\n", r / 6, r % 7, r % 3)).collect();
        std::fs::write(folder.path().join("log.csv"), format!("user,item,grade\n{rows}u1,i2,{label}\n")).unwrap();
        let config = format!(
            "[data]\nsource = \"log.csv\"\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = {{ column = \"grade\", numeric = true }}\nloss = \"{loss}\"\n[features]\ngroup = \"user\"\n[features.fields]\nitem = \"categorical\"\n[model.fm]\n[train]\nepochs = 1\n"
        );
        std::fs::write(folder.path().join("job.toml"), config).unwrap();
        let outcome = run(folder.path(), &["train", "job.toml", "--out", "out"]);
        assert_eq!(outcome.code, Some(2), "{loss}: {}", outcome.err);
        for word in [says, "log.csv:62", "grade", label] {
            assert!(outcome.err.contains(word), "{loss} lacks {word}: {}", outcome.err);
        }
        assert!(!folder.path().join("out").exists());
        let good =
            std::fs::read_to_string(folder.path().join("log.csv")).unwrap().replace(&format!("u1,i2,{label}\n"), "");
        std::fs::write(folder.path().join("log.csv"), good).unwrap();
        burnrec_tests::run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    }
}

#[test]
fn training_that_teaches_nothing_is_no_success() {
    let train_as = |task: &str, config: &str, says: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.csv"), click_log(200, 1)).unwrap();
        let head = "[data]\nsource = \"log.csv\"\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = \"clicked\"\n";
        std::fs::write(folder.path().join("job.toml"), format!("{head}{task}\n[features]\n{config}")).unwrap();
        let outcome = run(folder.path(), &["train", "job.toml", "--out", "out"]);
        assert_eq!(outcome.code, Some(2), "{config}: {}", outcome.err);
        assert!(outcome.err.contains(says), "{config}: {}", outcome.err);
    };
    let train = |config: &str, says: &str| train_as("", config, says);
    let none = "[features.negatives]\nper_positive = 2\n[model.fm]\n";
    let rare = "[features.fields]\nitem = { kind = \"categorical\", min_count = 5000 }\n[features.items]\nid = \"item\"\nuser = \"user\"\n";
    train(&format!("{rare}{none}"), "0 items can be drawn");
    // Times differ on every row: groups of one.
    train_as("loss = \"bpr\"", "group = \"time\"\n[features.fields]\nitem = \"categorical\"\n[model.fm]\n", "no list");
    let items = "[features.fields]\nitem = \"categorical\"\n[features.items]\nid = \"item\"\nuser = \"time\"\n";
    let pairs = "[features.pairs]\n[features.negatives]\nper_positive = 2\n[model.item2vec]\n";
    train(&format!("{items}{pairs}"), "no two items");
    let history = "[features.negatives]\nsampler = \"in_batch\"\n[model.youtube_dnn]\n[train]\nbatch_size = 1\n";
    train(
        &format!("{}{history}", items.replace("[features.fields]\n", "[features.fields]\nuser = \"categorical\"\n")),
        "train.batch_size",
    );
}

#[test]
fn runs_without_items_cannot_recommend() {
    let folder = burnrec_tests::job(300, "fm", "epochs = 1");
    burnrec_tests::run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    std::fs::write(folder.path().join("who.csv"), "user\nu1\n").unwrap();
    for command in [&["recommend", "out", "--users", "who.csv"][..], &["export", "out", "--embeddings", "v.txt"]] {
        let outcome = run(folder.path(), command);
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert!(outcome.err.contains("features.items") && outcome.err.contains("config.toml"), "{}", outcome.err);
    }
    let outcome = run(folder.path(), &["export", "out", "--embeddings", "v.bin"]);
    assert!(outcome.code == Some(2) && outcome.err.contains(".arrow"), "{}", outcome.err);
    assert!(!folder.path().join("v.txt").exists());
}

#[test]
fn what_describes_an_item_must_not_vary_by_row() {
    // The field is random on every row: rows that are drawn would have the item's first value, positives their own.
    let rows: String =
        (0..400).map(|r| format!("u{},i{},t{}|s{},1\n", r % 40, r * 7 % 23, r * 31 % 17, r % 3)).collect();
    let config = |fields: &str| {
        format!(
            "[data]\nsource = \"log.csv\"\nsplit = {{ kind = \"order\", valid = 0.1, test = 0.1 }}\n[backend]\ndevice = \"flex\"\n[tasks.label]\nlabel = {{ column = \"liked\" }}\n[features]\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\nmood = {{ kind = \"multi\", separator = \"|\" }}\n{ITEMS}{fields}[features.negatives]\nper_positive = 2\nevaluate = 9\n[model.fm]\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), format!("user,item,mood,liked\n{rows}")).unwrap();
    std::fs::write(folder.path().join("job.toml"), config("fields = [\"mood\"]\n")).unwrap();
    // Row 23 is the first that shows item i0 again.
    burnrec_tests::refused(folder.path(), &[], &["log.csv:25", "`mood`", "item `i0`", "features.items.fields"]);
    std::fs::write(folder.path().join("job.toml"), config("")).unwrap();
    burnrec_tests::run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    // The same tags in another order describe the same item.
    let rows: String = (0..400)
        .map(|r| format!("u{},i{},{},1\n", r % 40, r * 7 % 23, if r % 2 == 0 { "a|b" } else { "b|a" }))
        .collect();
    std::fs::write(folder.path().join("log.csv"), format!("user,item,mood,liked\n{rows}")).unwrap();
    std::fs::write(folder.path().join("job.toml"), config("fields = [\"mood\"]\n")).unwrap();
    burnrec_tests::run_ok(folder.path(), &["train", "job.toml", "--out", "described"]);
}
