//! Users that something is recommended to, as a file describes them.

use burnrec_tests::{run, run_ok};
use std::fmt::Write;
use std::path::Path;

/// Users with an age and two histories as columns of the data, items of two kinds: a user likes the kind that `liked` has.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut log = String::from("user,age,item,liked,disliked,y\n");
    for row in 0..1200 {
        let (user, item) = (row % 30, (row * 7 + row / 30) % 12);
        let kind = user % 2;
        let past = |kind: usize| format!("i{} i{}", (row % 5) * 2 + kind, (row % 4) * 2 + kind);
        let y = u8::from(item % 2 == kind);
        writeln!(log, "u{user},{},i{item},{},{},{y}", 20 + user, past(kind), past(1 - kind)).unwrap();
    }
    let config = r#"
[data]
source = "log.csv"
split = { kind = "order", valid = 0.1, test = 0.1 }
[features]
group = "user"
[features.fields]
item = "categorical"
age = "numeric"
liked = { kind = "sequence", table = "item" }
disliked = { kind = "sequence", table = "item" }
[features.items]
id = "item"
user = "user"
[tasks.click]
label = "y"
[model.din]
embedding_dim = 4
[train]
epochs = 3
batch_size = 64
sparse = { learning_rate = 0.05 }
"#;
    std::fs::write(folder.path().join("log.csv"), log).unwrap();
    std::fs::write(folder.path().join("job.toml"), config).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "out"]);
    folder
}

fn best(folder: &Path, users: &str, more: &[&str]) -> Vec<(String, String, f64)> {
    std::fs::write(folder.join("who.csv"), users).unwrap();
    let told = run_ok(folder, &[&["recommend", "out", "--users", "who.csv", "--k", "12"][..], more].concat());
    let cells = told.out.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    cells.map(|c| (c[0].to_string(), c[2].to_string(), c[3].parse().unwrap())).collect()
}

#[test]
fn histories_that_are_columns_are_those_of_the_users_latest_row() {
    let folder = folder();
    let own = best(folder.path(), "user\nu4\n", &[]);
    // The last training row of u4, as it stands in the log.
    let log = std::fs::read_to_string(folder.path().join("log.csv")).unwrap();
    let last: Vec<&str> = log.lines().take(961).filter(|l| l.starts_with("u4,")).last().unwrap().split(',').collect();
    let told = best(folder.path(), &format!("user,age,liked,disliked\nu4,{},{},{}\n", last[1], last[3], last[4]), &[]);
    assert_eq!(own, told);
    let items: String =
        own.iter().map(|(_, item, _)| format!("u4,{},{item},{},{}\n", last[1], last[3], last[4])).collect();
    std::fs::write(folder.path().join("p.csv"), format!("user,age,item,liked,disliked\n{items}")).unwrap();
    run_ok(folder.path(), &["predict", "out", "--input", "p.csv", "--output", "o.csv"]);
    let scored = std::fs::read_to_string(folder.path().join("o.csv")).unwrap();
    for (line, (_, _, score)) in scored.lines().skip(1).zip(&own) {
        let probability: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
        assert!((probability - 1.0 / (1.0 + (-score).exp())).abs() < 1e-4, "{scored}\n{own:?}");
    }
    // What a mixed file leaves out of a known user stays known.
    let mixed = best(folder.path(), "user,age,liked,disliked\nnew,33,i1 i3,i2\nu4,,,\n", &[]);
    assert_eq!(mixed[12..], own[..]);
}

#[test]
fn all_histories_count_and_half_of_them_are_refused() {
    let folder = folder();
    let who = "user,age,liked,disliked\nnew,33,i1 i3,i2 i4\n";
    let open = best(folder.path(), who, &["--exclude-seen"]);
    let seen = ["i1", "i3", "i2", "i4"];
    assert!(open.len() == 8 && open.iter().all(|(_, item, _)| !seen.contains(&item.as_str())), "{open:?}");
    std::fs::write(folder.path().join("who.csv"), "user,liked\nu4,i1\n").unwrap();
    let half = run(folder.path(), &["recommend", "out", "--users", "who.csv"]);
    assert!(half.code == Some(2) && half.err.contains("`disliked`"), "{}", half.err);
    // Users that are not known are answered where they are described, unless they are not wanted.
    assert_eq!(best(folder.path(), who, &[]).len(), 12);
    assert!(best(folder.path(), who, &["--skip-unknown"]).is_empty());
    std::fs::write(folder.path().join("who.jsonl"), "").unwrap();
    assert_eq!(run_ok(folder.path(), &["recommend", "out", "--users", "who.jsonl"]).out, "");
}
