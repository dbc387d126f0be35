//! A run that is killed or stopped at any moment and resumed ends with the same bits.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use burnrec_tests::{assert_same_weights, command, ended_at_random, job, run, run_ok};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn start(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn killed_at_twenty_random_moments_and_resumed_the_weights_are_the_same_bits() {
    let folder = job(6000, "wide_deep", "epochs = 4\nbatch_size = 64\ncheckpoint_every = 5\npatience = 0");
    let begin = Instant::now();
    run_ok(folder.path(), &["train", "job.toml", "--out", "whole"]);
    let whole = begin.elapsed().as_secs_f64();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut kills, mut number) = (0, 0);
    while kills < 20 {
        number += 1;
        let out = format!("killed-{number}");
        let again = ["train", "job.toml", "--out", &out, "--resume"];
        kills += ended_at_random(folder.path(), &again, "KILL", whole, &mut rng);
        assert_same_weights(&folder.path().join("whole"), &folder.path().join(&out));
        let left: Vec<_> = std::fs::read_dir(folder.path().join(&out).join("checkpoints"))
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert!(left.iter().all(|n| !n.to_string_lossy().starts_with('.')), "left behind: {left:?}");
    }
}

#[test]
fn a_stop_by_signal_makes_a_checkpoint_for_every_model_and_resuming_equals_never_having_stopped() {
    for model in burnrec_models::registered() {
        let folder = job(6000, model.name, "epochs = 6\nbatch_size = 32\npatience = 0\nlog_every = 10");
        run_ok(folder.path(), &["train", "job.toml", "--out", "whole"]);
        let mut child = start(folder.path(), &["train", "job.toml", "--out", "stopped"]);
        while !folder.path().join("stopped/metrics.jsonl").metadata().is_ok_and(|m| m.len() > 200) {
            std::thread::sleep(Duration::from_millis(1));
            assert!(child.try_wait().unwrap().is_none(), "{}: ended before it could be stopped", model.name);
        }
        let signal = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(signal.success() && child.wait().unwrap().success(), "{}", model.name);
        let summary = std::fs::read_to_string(folder.path().join("stopped/summary.json")).unwrap();
        assert!(summary.contains("interrupted"), "{}: {summary}", model.name);
        run_ok(folder.path(), &["train", "job.toml", "--out", "stopped", "--resume"]);
        assert_same_weights(&folder.path().join("whole"), &folder.path().join("stopped"));
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let folder = job(2000, "deep_crossing", "epochs = 1\nbatch_size = 128");
    for (out, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
        run_ok(folder.path(), &["train", "job.toml", "--out", out, "--set", &format!("run.seed={seed}")]);
    }
    assert_same_weights(&folder.path().join("a"), &folder.path().join("b"));
    assert_ne!(burnrec_tests::weights(&folder.path().join("a")), burnrec_tests::weights(&folder.path().join("c")));
}

#[test]
fn a_growing_table_survives_a_resume() {
    let folder = job(4000, "fm", "epochs = 3\nbatch_size = 64\npatience = 0\ncheckpoint_every = 20");
    let config = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let growing = config.replace("group = \"user\"", "group = \"user\"\nindex = \"growing\"\nmin_count = 3");
    std::fs::write(folder.path().join("job.toml"), growing).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "whole"]);
    for delay in [150, 250, 400] {
        let mut child = start(folder.path(), &["train", "job.toml", "--out", "killed", "--resume"]);
        std::thread::sleep(Duration::from_millis(delay));
        drop(child.kill());
        child.wait().unwrap();
    }
    let resumed = run(folder.path(), &["train", "job.toml", "--out", "killed", "--resume"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert_same_weights(&folder.path().join("whole"), &folder.path().join("killed"));
}
