//! Fields that a config names by what their columns are called, and side tables that few rows find.

use burnrec_tests::{run, run_ok};

fn log() -> String {
    let rows = (0..600).map(|r| {
        let label = u8::from(r % 3 == 0);
        format!("{label},c{},d{},{},{},{}\n", r % 7, r % 5, r % 11, r % 13, 1_700_000_000 + r)
    });
    format!("label,C1,C2,I1,I2,time\n{}", rows.collect::<String>())
}

const CONFIG: &str = r#"[data]
source = "log.csv"
split = { kind = "time", column = "time", valid = 0.1, test = 0.1 }
[backend]
device = "flex"
[features.fields]
"C*" = "categorical"
"I*" = "numeric"
I2 = { kind = "bucket", quantiles = 4 }
[tasks.label]
label = "label"
[model.deepfm]
[train]
epochs = 1
"#;

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log.csv"), log()).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    folder
}

#[test]
fn a_star_stands_for_the_columns_that_are_like_it() {
    let folder = folder(CONFIG);
    let told = run_ok(folder.path(), &["check", "job.toml"]).out;
    assert!(told.contains("ids     C1, C2, I2 (bucket)") && told.contains("numbers I1 ("), "{told}");
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    let saved = std::fs::read_to_string(folder.path().join("out/config.toml")).unwrap();
    assert!(!saved.contains('*') && saved.contains("[features.fields.C1]"), "{saved}");
    run_ok(folder.path(), &["predict", "out", "--input", "log.csv", "--output", "p.csv"]);
    run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--resume"]);
    // All columns but labels and the time of the split.
    let all = CONFIG.replace("\"C*\" = \"categorical\"\n\"I*\" = \"numeric\"", "\"*\" = \"categorical\"");
    std::fs::write(folder.path().join("all.toml"), all).unwrap();
    let told = run_ok(folder.path(), &["check", "all.toml"]).out;
    assert!(told.contains("ids     C1, C2, I1, I2 (bucket)") && told.contains("numbers none"), "{told}");
}

#[test]
fn patterns_that_say_nothing_are_refused_at_their_line() {
    let folder = folder(&CONFIG.replace("\"I*\"", "\"J*\""));
    let refused = run(folder.path(), &["train", "job.toml", "--out", "out"]);
    assert!(refused.code == Some(2) && refused.err.contains("job.toml:8"), "{}", refused.err);
    assert!(
        refused.err.contains("no column that is still free") && refused.err.contains("C1, C2, I1"),
        "{}",
        refused.err
    );
    assert!(!folder.path().join("out").exists());
    let public = CONFIG.replace("log.csv", "ml-100k").replace("column = \"time\"", "column = \"timestamp\"");
    std::fs::write(folder.path().join("job.toml"), public).unwrap();
    let absent = run(folder.path(), &["check", "job.toml", "--data-dir", "nowhere"]);
    assert!(absent.code == Some(2) && absent.err.contains("`ml-100k`, which is not here yet"), "{}", absent.err);
}

#[test]
fn side_tables_say_how_many_rows_found_theirs() {
    let folder = folder(&CONFIG.replace("[backend]", "[[data.join]]\nsource = \"side.csv\"\non = \"C1\"\n[backend]"));
    let side = |ids: std::ops::Range<usize>| ids.map(|id| format!("c{id},k{}\n", id % 2)).collect::<String>();
    std::fs::write(folder.path().join("side.csv"), format!("C1,kind\n{}", side(0..7))).unwrap();
    let told = run_ok(folder.path(), &["train", "job.toml", "--out", "all"]).err;
    assert_eq!(told.matches("100.0% of 600 rows of ").count(), 1, "{told}");
    std::fs::write(folder.path().join("side.csv"), format!("C1,kind\n{}", side(0..1))).unwrap();
    let told = run_ok(folder.path(), &["train", "job.toml", "--out", "few"]).err;
    assert!(told.contains("14.3% of 600 rows of ") && told.contains("compare the values"), "{told}");
    let page = std::fs::read_to_string(folder.path().join("few/report.html")).unwrap();
    assert!(page.contains("14.3% of 600 rows"), "the report does not say it");
}
