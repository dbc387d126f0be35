//! The crates depend on each other as ARCHITECTURE.md says, and every config is sound.

use std::collections::{BTreeMap, BTreeSet};

use burnrec_tests::{run_ok, workspace};

#[test]
fn the_crate_graph_is_the_documented_one() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("record", &[][..]),
        ("client", &[]),
        ("report", &["record"]),
        ("backend", &["record"]),
        ("data", &[]),
        ("features", &["data"]),
        ("embedding", &["record", "backend", "features"]),
        ("models", &["backend", "embedding", "features"]),
        ("train", &["record", "backend", "data", "features", "embedding", "models"]),
        ("schedule", &["record", "backend", "data", "train"]),
        ("rl", &["record", "backend", "data", "features", "models", "train"]),
        (
            "cli",
            &[
                "record",
                "backend",
                "data",
                "features",
                "embedding",
                "models",
                "train",
                "schedule",
                "rl",
                "report",
                "client",
            ],
        ),
    ]);
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(workspace().join("crates")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let manifest: toml::Table = std::fs::read_to_string(entry.path().join("Cargo.toml")).unwrap().parse().unwrap();
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| panic!("crate {name} is not in the picture"));
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            if let Some(ours) = dependency.strip_prefix("burnrec-") {
                assert!(allowed.contains(&ours), "{name} must not depend on {ours}");
            }
            let burn = dependency == "burn" || dependency.starts_with("burn-") || dependency.starts_with("cubecl");
            assert!(
                !(burn && ["data", "features", "record"].contains(&name.as_str())),
                "{name} must not know {dependency}"
            );
        }
        found.insert(name);
    }
    assert_eq!(found.len(), allowed.len(), "{found:?}");
}

#[test]
fn every_config_is_sound_and_short_ones_are_short() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for set in std::fs::read_dir(workspace().join("configs")).unwrap().flatten() {
        for config in std::fs::read_dir(set.path()).unwrap().flatten() {
            let path = config.path();
            run_ok(folder.path(), &["check", path.to_str().unwrap()]);
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            let whole = ["synthetic", "drn", "paper", "sweeps"].iter().any(|name| set.file_name() == *name);
            assert!(whole || lines < 40, "{}: {lines} lines", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen} configs");
}
