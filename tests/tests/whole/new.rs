//! From a data file to a trained model in two commands.

use burnrec_tests::{click_log, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Clicks with everything that a guess has to see: ids, times, lists, a leak, a constant, an id a row, wide numbers.
fn shop(rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut text = String::from("row_id,event_time,user_id,item_id,genres,price,country,site,n1,n2,n3,paid,clicked\n");
    for row in 0..rows {
        let (user, item) = (rng.random_range(0..90u32), rng.random_range(0..60u32));
        let z = f64::from(user % 7) * 0.5 - f64::from(item % 5) * 0.6;
        let clicked = rng.random::<f64>() < 1.0 / (1.0 + (-z).exp());
        let paid = if clicked { 5.0 + rng.random::<f64>() } else { 0.0 };
        let wide = |rng: &mut ChaCha8Rng| (rng.random::<f64>() * 9.0).exp();
        let (a, b, c) = (wide(&mut rng), wide(&mut rng), wide(&mut rng));
        text += &format!(
            "{row},2024-03-{:02}T{:02}:00:00,u{user},{item},g{}|g{},{:.2},{},shop,{a:.3},{b:.3},{c:.3},{paid:.2},{}\n",
            1 + row * 28 / rows,
            row % 24,
            item % 9,
            item % 7,
            f64::from(item) * 1.5 + rng.random::<f64>(),
            ["de", "fr", "us"][(user % 3) as usize],
            u8::from(clicked),
        );
    }
    text
}

#[test]
fn a_csv_becomes_a_config_that_trains() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.csv"), shop(4000)).unwrap();
    let told = run_ok(folder.path(), &["new", "shop.csv"]);
    for says in ["label  clicked", "user   user_id", "item   item_id", "time   event_time", "burnrec train shop.toml"] {
        assert!(told.out.contains(says), "no `{says}` in {}", told.out);
    }
    assert!(told.err.contains("paid") && told.err.contains("alone"), "{}", told.err);
    let config = std::fs::read_to_string(folder.path().join("shop.toml")).unwrap();
    for line in [
        "group = \"user_id\"",
        "kind = \"time\", column = \"event_time\"",
        "separator = \"|\"",
        "price = \"numeric\"",
        "\"n[1-3]\" = { kind = \"numeric\"",
        "#   paid:",
        "#   site: is \"shop\" on every row",
        "#   row_id:",
        "part = \"hour\"",
    ] {
        assert!(config.contains(line), "no `{line}` in\n{config}");
    }
    run_ok(folder.path(), &["check", "shop.toml"]);
    run_ok(folder.path(), &["train", "shop.toml", "--out", "out", "--device", "flex", "--set", "train.epochs=3"]);
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/summary.json")).unwrap()).unwrap();
    let auc = summary["metrics"]["test"]["auc"].as_f64().unwrap();
    assert!((0.65..0.95).contains(&auc), "AUC {auc}: the pattern is there to be learned, and the leak is not");
    let again = run(folder.path(), &["new", "shop.csv"]);
    assert!(again.code == Some(2) && again.err.contains("exists already"), "{}", again.err);
}

#[test]
fn labels_of_every_kind_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let label = |name: &str, text: &str, more: &[&str]| {
        std::fs::write(folder.path().join("d.csv"), text).unwrap();
        let out = format!("{name}.toml");
        run_ok(folder.path(), &[&["new", "d.csv", "--out", &out][..], more].concat());
        run_ok(folder.path(), &["check", &out]);
        std::fs::read_to_string(folder.path().join(out)).unwrap()
    };
    let rows = |of: &dyn Fn(usize) -> String| (0..400).map(|row| of(row) + "\n").collect::<String>();
    let income = rows(&|r| format!("k{},{}", r % 11, if r % 4 == 0 { ">50K" } else { "<=50K" }));
    let config = label("a", &format!("job,income\n{income}"), &[]);
    assert!(config.contains("positive = [\">50K\"], negative = [\"<=50K\"]"), "{config}");
    let ratings = rows(&|r| format!("u{},i{},{}", r % 17, r % 13, 1 + r % 5));
    let config = label("b", &format!("userId,movieId,rating\n{ratings}"), &[]);
    assert!(config.contains("threshold = 3.0") || config.contains("threshold = 4.0"), "{config}");
    let seconds = rows(&|r| format!("u{},{}", r % 17, f64::from(r as u32 * 7 % 1000) / 8.0));
    let config = label("c", &format!("user,watched_seconds\n{seconds}"), &["--label", "watched_seconds"]);
    assert!(config.contains("numeric = true"), "{config}");
    let kinds = rows(&|r| format!("u{},{}", r % 17, ["buy", "view", "cart"][r % 3]));
    let config = label("d", &format!("user,event\n{kinds}"), &["--label", "event"]);
    assert!(config.contains("classes = [\"buy\", \"cart\", \"view\"]"), "{config}");
    // Numbers alone, and names that a config has to quote.
    let numbers = rows(&|r| format!("{}.5,{}.25,{}", r % 97, r % 89, u8::from(r % 5 > 2)));
    let config = label("e", &format!("a b,\"c\"\"d\",y\n{numbers}"), &[]);
    assert!(config.contains("kind = \"bucket\"") && config.contains("\"a b\""), "{config}");
}

#[test]
fn other_dialects_and_other_sizes_are_met() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..600)
        .map(|r| format!("K{};{},5;{:02}.03.2024;{}\n", r % 40, r % 300, 1 + r % 28, ["ja", "nein"][r % 2]))
        .collect();
    std::fs::write(folder.path().join("kunden.csv"), format!("Kunde;Preis;Tag;gekauft\n{rows}")).unwrap();
    run_ok(folder.path(), &["new", "kunden.csv"]);
    let config = std::fs::read_to_string(folder.path().join("kunden.toml")).unwrap();
    for says in [
        "delimiter = \";\"",
        "#   Preis: holds numbers with a decimal comma",
        "#   Tag: holds days",
        "positive = [\"ja\"]",
    ] {
        assert!(config.contains(says), "no `{says}` in {config}");
    }
    // Hundreds of numbers: a short config, and a report of a bounded size in a bounded time.
    let names: Vec<String> = (0..400).map(|n| format!("x{n}")).collect();
    let rows: String = (0..300)
        .map(|r| {
            (0..400).map(|n| format!("{}.25,", (r * 31 + n * 17) % 97)).collect::<String>() + &format!("{}\n", r % 2)
        })
        .collect();
    std::fs::write(folder.path().join("wide.csv"), format!("{},clicked\n{rows}", names.join(","))).unwrap();
    run_ok(folder.path(), &["new", "wide.csv"]);
    assert!(std::fs::read_to_string(folder.path().join("wide.toml")).unwrap().lines().count() < 40);
    run_ok(folder.path(), &["train", "wide.toml", "--out", "out", "--device", "flex", "--set", "train.epochs=1"]);
    assert!(std::fs::metadata(folder.path().join("out/report.html")).unwrap().len() < 1_500_000);
}

#[test]
fn names_that_meet_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..400)
        .map(|r| format!("2024-01-{:02}T{:02}:00:00,{},{},{},{}\n", 1 + r % 28, r % 24, r % 24, r % 7, r % 5, r % 2))
        .collect();
    std::fs::write(folder.path().join("d.csv"), format!("timestamp,hour,a[1-3],a(1-3),clicked\n{rows}")).unwrap();
    run_ok(folder.path(), &["new", "d.csv"]);
    run_ok(folder.path(), &["check", "d.toml"]);
    let config = std::fs::read_to_string(folder.path().join("d.toml")).unwrap();
    assert!(config.contains("\"hour 2\"") && config.contains("\"a(1-3) 2\""), "{config}");
}

#[test]
fn files_without_a_guess_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str, more: &[&str], says: &str| {
        std::fs::write(folder.path().join("d.csv"), text).unwrap();
        let outcome = run(folder.path(), &[&["new", "d.csv"][..], more].concat());
        assert!(outcome.code == Some(2) && outcome.err.contains(says), "{}", outcome.err);
        assert!(!folder.path().join("d.toml").exists(), "something was written");
    };
    refused("a,b\nx,1.5\ny,2.5\nz,9\n", &[], "--label");
    refused("", &[], "empty");
    refused("a,clicked\n", &[], "no rows");
    refused("a,clicked\nx,1\ny,0\n", &["--label", "click"], "there are a, clicked");
    refused("clicked\n1\n0\n1\n", &[], "no column is left");
    refused(&click_log(50, 1), &["--user", "nobody"], "no such column");
    refused("a,clicked\nx,1\ny,1\n", &["--label", "clicked"], "on every row");
    refused(&click_log(50, 1), &["--user", "clicked"], "is the label already");
    refused(&click_log(50, 1), &["--time", "tags"], "not every row has a time");
}
