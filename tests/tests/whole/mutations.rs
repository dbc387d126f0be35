//! Files of runs as somebody might have damaged or made them: whatever they say, reading them gives a value or an error. No
//! panic, no way without an end, no more memory than the files are large.
//!
//! A few hundred changes of each file run with the tests; `BURNREC_MUTATIONS=1000000 cargo test --release --workspace mutations`
//! makes as many of all files together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use burnrec_data::ipc::Batches;
use burnrec_embedding::Tables;
use burnrec_features::{Catalogue, Fitted, Trees};
use burnrec_tests::{job, run_ok};
use burnrec_train::{Checked, Experiment, RunFolder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Changes of every file where nothing else is asked for.
const FEW: usize = 150;
/// No change may take longer to read.
const LONG: Duration = Duration::from_secs(20);

/// Numbers that sizes and places have gone wrong with.
const ODD: [i64; 12] =
    [0, 1, -1, i64::MAX, i64::MIN, 255, 65_535, 65_536, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 1 << 40];

/// Bytes with something changed, a few times over.
fn mutated(original: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..8) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + rng.random_range(1..=64)).min(bytes.len()))),
            4 => {
                let part = bytes[at..(at + 64).min(bytes.len())].to_vec();
                let to = rng.random_range(0..=bytes.len());
                drop(bytes.splice(to..to, part));
            }
            5 => number(&mut bytes, at, rng),
            _ => {
                let odd = ODD[rng.random_range(0..ODD.len())].to_le_bytes();
                let width = [1, 2, 4, 8][rng.random_range(0..4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&odd[..width]);
            }
        }
    }
    bytes
}

/// Puts another number in the place of the one that is written next.
fn number(bytes: &mut Vec<u8>, from: usize, rng: &mut ChaCha8Rng) {
    let Some(start) = (from..bytes.len()).find(|i| bytes[*i].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|i| !bytes[*i].is_ascii_digit()).unwrap_or(bytes.len());
    let odd =
        ["0", "-1", "18446744073709551615", "99999999999999999999", "1e999", "4294967295", "NaN", "null", "1000000000"];
    drop(bytes.splice(start..end, odd[rng.random_range(0..odd.len())].bytes()));
}

/// Reads changed bytes so often, and names the change that went wrong.
fn survive(what: &str, original: &[u8], times: usize, read: impl Fn(&[u8])) {
    let mut rng = ChaCha8Rng::seed_from_u64(original.len() as u64);
    // What the file says as it is must be readable, or the changes would stop at the first check.
    read(original);
    for change in 0..times {
        let bytes = mutated(original, &mut rng);
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
        if outcome.is_err() || start.elapsed() > LONG {
            let path = std::env::temp_dir().join(format!("burnrec-mutation-{change}"));
            std::fs::write(&path, &bytes).unwrap();
            panic!(
                "{what}, change {change}: panicked, or took {:?}; the bytes are at {}",
                start.elapsed(),
                path.display()
            );
        }
    }
}

fn times(share: f64) -> usize {
    let asked = std::env::var("BURNREC_MUTATIONS").ok().and_then(|n| n.parse::<usize>().ok());
    asked.map_or(FEW, |all| (all as f64 * share) as usize)
}

/// A run of a model, its checkpoint's folder, and what it is of.
fn trained(model: &str, set: &[&str]) -> (tempfile::TempDir, std::path::PathBuf, Checked) {
    let folder = job(300, model, "epochs = 1\nbatch_size = 128\n");
    run_ok(folder.path(), &[&["train", "job.toml", "--out", "out"], set].concat());
    let checked = RunFolder::config(&folder.path().join("out")).unwrap().check().unwrap();
    let checkpoints = folder.path().join("out/checkpoints");
    let step = std::fs::read_dir(&checkpoints).unwrap().flatten().map(|e| e.path()).find(|p| p.is_dir()).unwrap();
    (folder, step, checked)
}

fn load_tables(folder: &Path, checked: &Checked) -> Result<Tables, burnrec_embedding::EmbeddingError> {
    let sparse = &checked.experiment().train.sparse;
    Tables::load(folder, checked.schema().clone(), checked.slots(), sparse, 1, None)
}

#[test]
fn tables_and_arrow_files() {
    for (model, set) in [("lr", &["--set", "features.index=growing"][..]), ("fm", &[])] {
        let (_folder, step, checked) = trained(model, set);
        let tables = step.join("tables");
        load_tables(&tables, &checked).unwrap();
        let files: Vec<_> = std::fs::read_dir(&tables).unwrap().flatten().map(|e| e.path()).collect();
        let share = 0.3 / files.len() as f64;
        for file in &files {
            let original = std::fs::read(file).unwrap();
            survive(&file.display().to_string(), &original, times(share), |bytes| {
                std::fs::write(file, bytes).unwrap();
                drop(load_tables(&tables, &checked));
            });
            std::fs::write(file, &original).unwrap();
        }
        let arrow = files.iter().find(|f| f.extension().is_some_and(|e| e == "arrow")).unwrap();
        survive("an arrow file", &std::fs::read(arrow).unwrap(), times(0.1), |bytes| {
            if let Ok(batches) = Batches::open(std::io::Cursor::new(bytes)) {
                batches.for_each(drop);
            }
        });
    }
}

#[test]
fn catalogues_and_trees() {
    let (folder, _, checked) = trained("youtube_dnn", &[]);
    let schema = checked.schema();
    let [items, users] =
        ["items", "users"].map(|n| std::fs::read(folder.path().join(format!("out/catalogue/{n}.arrow"))).unwrap());
    assert!(Catalogue::from_arrow(schema, &items, &users).is_ok());
    let read = |items: &[u8], users: &[u8]| {
        if let Ok(catalogue) = Catalogue::from_arrow(schema, items, users) {
            // Everything in it names something that is there.
            (0..catalogue.user_ids.len() as u32).for_each(|user| {
                let known = |item: &u32| (*item as usize) < catalogue.ids.len();
                assert!(catalogue.history(user, 3, false).iter().all(known));
            });
        }
    };
    survive("items", &items, times(0.05), |bytes| read(bytes, &users));
    survive("users", &users, times(0.05), |bytes| read(&items, bytes));
    let (folder, _, checked) = trained("gbdt_lr", &[]);
    let trees = std::fs::read(folder.path().join("out/trees.json")).unwrap();
    assert!(Trees::load(std::str::from_utf8(&trees).unwrap(), checked.schema()).is_ok());
    survive("trees", &trees, times(0.1), |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            drop(Trees::load(text, checked.schema()));
        }
    });
}

#[test]
fn configs_states_and_manifests() {
    let (folder, step, checked) = trained("deepfm", &[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let config = std::fs::read(folder.path().join("out/config.toml")).unwrap();
    survive("config.toml", &config, times(0.1), |bytes| {
        drop(toml::from_str::<Experiment>(&text(bytes)).map(|experiment| experiment.check().is_ok()));
    });
    let encoder = std::fs::read(step.join("encoder.toml")).unwrap();
    let schema = checked.schema();
    survive("encoder.toml", &encoder, times(0.1), |bytes| {
        drop(
            toml::from_str::<Fitted>(&text(bytes))
                .map(|fitted| fitted.check(&[0], schema.numeric.len(), schema.categorical.len())),
        );
    });
    // Manifest and state stand in a run, and are read with it.
    let opened = burnrec_tests::small::flex();
    let run = folder.path().join("out");
    for name in
        ["checkpoints/manifest.json".into(), format!("checkpoints/{}/state.toml", step.file_name().unwrap().display())]
    {
        let path = run.join(&name);
        let original = std::fs::read(&path).unwrap();
        let manifest = run.join("checkpoints/manifest.json");
        let kept = std::fs::read_to_string(&manifest).unwrap();
        let hash = |bytes: &[u8]| burnrec_data::sha256(bytes);
        survive(&name, &original, times(0.001), |bytes| {
            std::fs::write(&path, bytes).unwrap();
            if path != manifest {
                // As somebody who means it would, with the manifest to match.
                let (old, new) = (hash(&original), hash(bytes));
                let text =
                    kept.replace(&old, &new).replace(&format!("{},", original.len()), &format!("{},", bytes.len()));
                std::fs::write(&manifest, text).unwrap();
            }
            drop(burnrec_train::SavedModel::open(&run, &opened));
        });
        std::fs::write(&path, &original).unwrap();
        std::fs::write(&manifest, &kept).unwrap();
    }
    assert!(burnrec_train::SavedModel::open(&run, &opened).is_ok());
    // Nothing appeared beside the run.
    let beside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(beside.len(), 3, "{beside:?}");
}
