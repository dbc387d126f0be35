//! Exports of what changed: in their order they make the whole, and others are refused.

use std::path::Path;

use burnrec_tests::{run, run_ok};

use crate::online::{events, folder};

/// The files of a folder, by name.
fn files(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut all = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().is_dir() {
            true => all.extend(files(&entry.path()).into_iter().map(|(below, b)| (format!("{name}/{below}"), b))),
            false => drop(all.insert(name, std::fs::read(entry.path()).unwrap())),
        }
    }
    all
}

#[test]
fn deltas_in_their_order_make_the_full_export_to_the_bit_and_others_are_refused() {
    let folder = folder("fm");
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    std::fs::write(folder.path().join("job.toml"), format!("{config}evict = {{ steps = 60, every = 10 }}\n")).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "fresh"]);
    let text = events(6000, false);
    let lines: Vec<&str> = text.lines().collect();
    let export = |run: &str| run_ok(folder.path(), &["export", run, "--deltas", "exports"]).out;
    let apply = |from: &str, to: &str| run(folder.path(), &["apply", from, "--to", to]);
    assert!(export("fresh").contains("export 0:"));
    assert!(export("fresh").contains("nothing changed"));
    assert_eq!(apply("exports", "early").code, Some(0));
    for (number, end) in [(1, 2000), (2, 4000), (3, 6000)] {
        std::fs::write(folder.path().join("more.jsonl"), format!("{}\n", lines[..end].join("\n"))).unwrap();
        let online = ["online", "fresh", "--rows", "16", "--input", "more.jsonl", "--out", "live", "--resume"];
        run_ok(folder.path(), &online);
        let told = export("live");
        assert!(told.contains(&format!("export {number}:")) && !told.contains(" 0 gone"), "{told}");
    }
    // All at once, one after another, and from a copy that is behind.
    for to in ["all", "early"] {
        assert!(apply("exports", to).out.contains("stands at 3"));
        assert_eq!(files(&folder.path().join(to).join("state")), files(&folder.path().join("exports/state")), "{to}");
    }
    run_ok(folder.path(), &["export", "live", "--deltas", "anew"]);
    let whole = |name: &str| {
        let mut all = files(&folder.path().join(name).join("state"));
        all.remove("manifest.json");
        all
    };
    assert_eq!(whole("anew"), whole("exports"));
    // A state that was lost is made again of the exports.
    std::fs::remove_dir_all(folder.path().join("exports/state")).unwrap();
    assert!(export("live").contains("nothing changed"));
    assert_eq!(files(&folder.path().join("all/state")), files(&folder.path().join("exports/state")));
    // A repeat, a gap, another model, a file that was changed.
    let refused = |from: &str, to: &str, says: &str| {
        let told = apply(from, to);
        assert!(told.code == Some(2) && told.err.contains(says), "{from} {to}: {}", told.err);
    };
    refused("exports/000002-delta", "all", "taken in before");
    assert_eq!(apply("exports/000000-full", "gap").code, Some(0));
    refused("exports/000002-delta", "gap", "export 1 is missing");
    refused("exports/000003-delta", "gap", "exports 1 to 2 are missing");
    run_ok(folder.path(), &["export", "run", "--deltas", "others"]);
    let other = run(folder.path(), &["export", "run", "--deltas", "exports"]);
    assert!(other.code == Some(2) && other.err.contains("another config"), "{}", other.err);
    let table = folder.path().join("exports/000001-delta/dense.safetensors");
    let bytes = std::fs::read(&table).unwrap();
    std::fs::write(&table, &bytes[1..]).unwrap();
    refused("exports", "gap", "dense.safetensors");
    std::fs::write(&table, bytes).unwrap();
    std::fs::write(folder.path().join("gap/state/encoder.toml"), "x").unwrap();
    refused("exports", "gap", "encoder.toml");
}
