//! What a person sees while a job runs: in a small terminal, in a wide one, and through a pipe.

use std::process::Command;

use burnrec_tests::{binary, job, run_ok, skipped};

/// What a terminal of a size gets of a training job; none without `script` of util-linux.
fn shown(columns: usize) -> Option<String> {
    let folder = job(4000, "deepfm", "epochs = 4\nbatch_size = 16\nlog_every = 10");
    let train = format!("stty rows 24 cols {columns}; {} train job.toml --out out --device flex", binary().display());
    let asked = Command::new("script")
        .args(["-qec", &train, "/dev/null"])
        .current_dir(folder.path())
        .env("TERM", "xterm")
        .env_remove("RUST_LOG")
        .output();
    match asked {
        Ok(found) if found.status.success() => Some(String::from_utf8_lossy(&found.stdout).into_owned()),
        _ => {
            skipped("no `script` makes a terminal here");
            None
        }
    }
}

/// Text without what steers a terminal.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
            }
            '\r' => out.push('\n'),
            c => out.push(c),
        }
    }
    out
}

#[test]
fn a_bar_stays_on_its_line_whatever_the_terminal_s_width() {
    for columns in [80, 200] {
        let Some(text) = shown(columns) else { return };
        let text = plain(&text);
        // What is printed above a bar is followed by the bar itself.
        let bars: Vec<&str> = text.lines().filter(|line| line.contains(" steps, ")).collect();
        let bars: Vec<&str> = bars.iter().filter_map(|line| line.rfind("epoch ").map(|at| &line[at..])).collect();
        assert!(!bars.is_empty(), "no bar in {text}");
        assert!(bars.iter().all(|bar| bar.chars().count() <= columns), "{columns}: {bars:?}");
        assert!(bars.iter().any(|bar| bar.contains("rows/s")), "{bars:?}");
        assert!(text.contains("test   auc"), "{text}");
    }
}

#[test]
fn a_pipe_gets_lines_fit_for_a_log() {
    let folder = job(2000, "lr", "epochs = 2\nbatch_size = 64");
    let outcome = run_ok(folder.path(), &["train", "job.toml", "--out", "out", "--device", "flex"]);
    assert!(!outcome.err.contains('\u{1b}') && !outcome.err.contains('\r'), "{}", outcome.err);
    for says in ["rows: train", "% positive", "ids of training", "epoch 1  loss", "valid  auc", " s  (best)"] {
        assert!(outcome.err.contains(says), "no `{says}` in {}", outcome.err);
    }
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let bash = run_ok(folder.path(), &["completions", "bash"]).out;
    assert!(bash.contains("serve-report") && bash.contains("--resume"));
    run_ok(folder.path(), &["man", "--out", "pages"]);
    let train = std::fs::read_to_string(folder.path().join("pages/burnrec-train.1")).unwrap();
    assert!(train.contains(".TH"), "{train}");
}
