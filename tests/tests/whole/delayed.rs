//! Labels that come later than their events.

use std::fmt::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use burnrec_tests::{assert_same_weights, command, run, run_ok};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::online::folder;

const START: u64 = 1_600_000_000;

/// A stream of events that come as negatives, whose labels come up to 100 seconds later, some of them too late; and the events that
/// waited 60 seconds, as they should be learned from.
fn stream(rows: usize) -> (String, String) {
    let mut rng = ChaCha8Rng::seed_from_u64(40);
    let mut lines: Vec<(u64, String)> = Vec::new();
    let mut events = Vec::new();
    for row in 0..rows {
        let (time, item) = (START + 2 * row as u64, rng.random_range(0..40usize));
        let event = |y: u8| {
            format!(
                "{{\"id\": {row}, \"user\": \"u{}\", \"item\": \"i{item}\", \"time\": {time}, \"y\": {y}}}",
                row / 20
            )
        };
        lines.push((time, event(0)));
        let positive = rng.random::<f64>() < 1.0 / (1.0 + (-(item as f64 - 20.0) / 8.0).exp());
        let delay = rng.random_range(1..=100) / 2 * 2 + 1;
        if positive {
            lines.push((time + delay, format!("{{\"id\": \"{row}\", \"time\": {}, \"y\": 1}}", time + delay)));
        }
        if row % 50 == 7 {
            lines.push((time + 1, event(0)));
        }
        events.push((time, event(u8::from(positive && delay < 60))));
    }
    lines.retain(|(time, _)| *time < START + 2 * rows as u64);
    lines.sort();
    let last = lines.last().unwrap().0;
    let text =
        |lines: &mut dyn Iterator<Item = &(u64, String)>| -> String { lines.map(|(_, l)| format!("{l}\n")).collect() };
    (text(&mut lines.iter()), text(&mut events.iter().filter(|(time, _)| time + 60 <= last)))
}

const WAITS: [&str; 12] = [
    "online",
    "run",
    "--rows",
    "1",
    "--time",
    "time",
    "--input",
    "late.jsonl",
    "--label-window",
    "60s",
    "--event-id",
    "id",
];

fn lines(text: &str) -> usize {
    text.lines().count()
}

#[test]
fn events_wait_for_their_labels_and_a_job_that_is_killed_forgets_none() {
    let folder = folder("fm");
    let (late, settled) = stream(3000);
    std::fs::write(folder.path().join("late.jsonl"), &late).unwrap();
    std::fs::write(folder.path().join("settled.jsonl"), &settled).unwrap();
    run_ok(folder.path(), &["online", "run", "--rows", "1", "--input", "settled.jsonl", "--out", "settled"]);
    let whole = run_ok(folder.path(), &[&WAITS[..], &["--out", "whole"]].concat());
    assert!(whole.out.contains(&format!("{} events", lines(&settled))), "{}", whole.out);
    let waits = 3000 - lines(&settled);
    assert!(waits > 0 && whole.out.contains(&format!("{waits} events wait")), "{}", whole.out);
    assert!(whole.out.contains("60 events came twice") && !whole.out.contains("; 0 labels"), "{}", whole.out);
    assert_same_weights(&folder.path().join("settled"), &folder.path().join("whole"));
    let resume = [&WAITS[..], &["--out", "killed", "--resume", "--checkpoint-every", "150"]].concat();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..12 {
        let mut child = command(folder.path(), &resume).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(rng.random_range(30..300)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = run_ok(folder.path(), &resume);
    let told = |text: &str| text.lines().take(2).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(told(&whole.out), told(&last.out));
    assert_same_weights(&folder.path().join("whole"), &folder.path().join("killed"));
    // What a job reads by is what it began with.
    for (more, says) in [
        (&["--label-window", "1s", "--event-id", "id"][..], "--label-window"),
        (&["--label-window", "60s", "--event-id", "user"], "--event-id"),
    ] {
        let told = run(
            folder.path(),
            &[&["online", "run", "--input", "late.jsonl", "--time", "time", "--out", "killed", "--resume"][..], more]
                .concat(),
        );
        assert!(told.code == Some(2) && told.err.contains(says), "{}", told.err);
    }
    // What waits goes on with when the stream does, and only with its window.
    let without = run(folder.path(), &["online", "run", "--input", "late.jsonl", "--out", "killed", "--resume"]);
    assert!(without.code == Some(2) && without.err.contains("--label-window"), "{}", without.err);
    let more = format!(
        "{late}{{\"id\": \"x\", \"user\": \"u1\", \"item\": \"i1\", \"time\": {}, \"y\": 0}}\n",
        START + 99_000
    );
    std::fs::write(folder.path().join("late.jsonl"), more).unwrap();
    let more = run_ok(folder.path(), &resume);
    assert!(more.out.contains("3000 events") && more.out.contains("1 events wait"), "{}", more.out);
}

/// Items with a rate of their own, in truth; every event comes as a negative, and positives come once more.
fn fake_negatives(rows: usize, path: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (mut text, mut later) = (String::new(), std::collections::VecDeque::new());
    for row in 0..rows {
        let (item, time) = (rng.random_range(0..4usize), START + row as u64);
        let line = |y: u8| format!("{{\"user\": \"u\", \"item\": \"i{item}\", \"time\": {time}, \"y\": {y}}}\n");
        text.push_str(&line(0));
        if rng.random::<f64>() < [0.1, 0.3, 0.5, 0.7][item] {
            later.push_back(line(1));
        }
        if later.len() > 50 {
            text.push_str(&later.pop_front().unwrap());
        }
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn fake_negatives_are_weighed_so_that_the_true_rate_is_learned() {
    let folder = folder("lr");
    fake_negatives(60_000, &folder.path().join("fake.jsonl"));
    let mut asked = String::from("user,item\n");
    (0..4).for_each(|item| writeln!(asked, "u,i{item}").unwrap());
    std::fs::write(folder.path().join("asked.csv"), asked).unwrap();
    let rates = |out: &str, more: &[&str]| -> Vec<f64> {
        let online = ["online", "run", "--rows", "32", "--time", "time", "--input", "fake.jsonl", "--out", out];
        run_ok(folder.path(), &[&online[..], more].concat());
        run_ok(folder.path(), &["predict", out, "--input", "asked.csv", "--output", "p.csv"]);
        let text = std::fs::read_to_string(folder.path().join("p.csv")).unwrap();
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
    };
    let (weighed, plain) = (rates("weighed", &["--fake-negatives"]), rates("plain", &[]));
    for (item, truth) in [0.1, 0.3, 0.5, 0.7].into_iter().enumerate() {
        assert!((weighed[item] - truth).abs() < 0.06, "{item}: {weighed:?}");
        assert!((plain[item] - truth / (1.0 + truth)).abs() < 0.06, "{item}: {plain:?}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = folder("lr");
    let refused = |more: &[&str], says: &str| {
        let told = run(folder.path(), &[&["online", "run", "--input", "first.jsonl", "--out", "x"][..], more].concat());
        assert!(told.code == Some(2) && told.err.contains(says), "{more:?}: {}", told.err);
    };
    refused(&["--label-window", "1h"], "--event-id");
    refused(&["--event-id", "id"], "--label-window");
    refused(&["--label-window", "1h", "--event-id", "id"], "--time");
    refused(&["--label-window", "1h", "--event-id", "id", "--time", "time", "--fake-negatives"], "--fake-negatives");
}

#[test]
fn a_wrong_clock_an_event_twice_and_silence_are_what_they_are() {
    let folder = folder("lr");
    let mut text = String::new();
    for row in 0..400u64 {
        let time = START + row;
        writeln!(text, "{{\"id\": {row}, \"user\": \"u\", \"item\": \"i1\", \"time\": {time}}}").unwrap();
        if row % 4 == 0 {
            writeln!(text, "{{\"id\": {row}, \"time\": {time}, \"y\": 1}}").unwrap();
            // The event once more, behind its label, takes nothing back.
            writeln!(text, "{{\"id\": {row}, \"user\":  \"u\", \"item\": \"i1\", \"time\": {time}, \"y\": 0}}")
                .unwrap();
        }
        if row == 3 {
            // A clock that is far off moves nothing: neither that of an event nor that of a label.
            writeln!(text, "{{\"id\": \"f\", \"user\": \"u\", \"item\": \"i1\", \"time\": 4102444800}}").unwrap();
            writeln!(text, "{{\"id\": 2, \"time\": 4102444800, \"y\": 1}}").unwrap();
        }
    }
    std::fs::write(folder.path().join("late.jsonl"), text).unwrap();
    let told = run_ok(folder.path(), &[&WAITS[..], &["--out", "x"]].concat());
    assert!(told.out.contains("340 events") && told.out.contains("2 lines put aside"), "{}", told.out);
    assert!(told.out.contains("60 events wait") && told.out.contains("100 events came twice"), "{}", told.out);
    // A quarter is positive, and silence is a no.
    std::fs::write(folder.path().join("asked.csv"), "user,item\nu,i1\n").unwrap();
    run_ok(folder.path(), &["predict", "x", "--input", "asked.csv", "--output", "p.csv"]);
    let p: f64 = std::fs::read_to_string(folder.path().join("p.csv"))
        .unwrap()
        .trim()
        .rsplit(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((p - 0.25).abs() < 0.1, "{p}");
    let aside = std::fs::read_to_string(folder.path().join("x/rejected.jsonl")).unwrap();
    assert!(aside.matches("ahead of this machine's clock").count() == 2, "{aside}");
}

#[test]
fn silence_is_a_no_for_values_and_nulls_say_nothing() {
    let folder = folder("lr");
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let job = job.replace("label = \"y\"", "label = { column = \"act\", positive = [\"buy\"] }");
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    let first = std::fs::read_to_string(folder.path().join("first.jsonl")).unwrap();
    let first = first.replace("\"y\": 0", "\"act\": \"view\"").replace("\"y\": 1", "\"act\": \"buy\"");
    std::fs::write(folder.path().join("first.jsonl"), first).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "values"]);
    let mut text = String::new();
    for row in 0..800u64 {
        let (time, item) = (START + row, row % 2);
        writeln!(text, "{{\"id\": {row}, \"user\": \"u\", \"item\": \"new{item}\", \"time\": {time}}}").unwrap();
        if item == 1 {
            let line = |act: &str| format!("{{\"id\": {row}, \"time\": {time}, \"user\": null, \"act\": {act}}}\n");
            text += &(line("\"buy\"") + &line("null"));
        }
    }
    std::fs::write(folder.path().join("late.jsonl"), text).unwrap();
    let waits = [&["online", "values"][..], &WAITS[2..], &["--out", "x"]].concat();
    let told = run_ok(folder.path(), &waits);
    assert!(told.out.contains(" 0 labels came too late") && told.out.contains(" 0 events came twice"), "{}", told.out);
    std::fs::write(folder.path().join("asked.csv"), "user,item\nu,new0\nu,new1\n").unwrap();
    run_ok(folder.path(), &["predict", "x", "--input", "asked.csv", "--output", "p.csv"]);
    let text = std::fs::read_to_string(folder.path().join("p.csv")).unwrap();
    let p: Vec<f64> = text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert!(p[0] < 0.2 && p[1] > 0.8, "{p:?}");
    // What only waits is kept as well.
    let lone = "{\"id\": 1, \"user\": \"u\", \"item\": \"i1\", \"time\": 1600000000}\n";
    std::fs::write(folder.path().join("late.jsonl"), lone).unwrap();
    let waits = [&["online", "values"][..], &WAITS[2..], &["--out", "lone"]].concat();
    assert!(run_ok(folder.path(), &waits).out.contains("1 events wait"));
    let all = std::fs::read_dir(folder.path().join("lone/checkpoints")).unwrap().flatten();
    assert!(all.into_iter().any(|e| e.path().join("waiting.jsonl").is_file()));
    assert!(run_ok(folder.path(), &[&waits[..], &["--resume"]].concat()).out.contains("1 events wait"));
}

#[test]
fn of_several_tasks_one_is_named_whose_labels_come_late() {
    let folder = folder("lr");
    let text: String = (0..600)
        .map(|n| {
            format!(
                "{{\"user\": \"u\", \"item\": \"i{}\", \"y\": {}, \"z\": {}}}\n",
                n % 4,
                n % 2,
                u8::from(n % 3 == 0)
            )
        })
        .collect();
    std::fs::write(folder.path().join("first.jsonl"), &text).unwrap();
    let job = std::fs::read_to_string(folder.path().join("job.toml")).unwrap();
    let job = job.replace("[model.lr]", "[tasks.buy]\nlabel = \"z\"\n[model.shared_bottom]");
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    run_ok(folder.path(), &["train", "job.toml", "--out", "two"]);
    let online = ["online", "two", "--input", "first.jsonl", "--out", "x"];
    for (named, says) in [("--fake-negatives", "click, buy"), ("--fake-negatives=none", "`none`")] {
        let told = run(folder.path(), &[&online[..], &[named]].concat());
        assert!(told.code == Some(2) && told.err.contains(says), "{}", told.err);
    }
    assert!(!folder.path().join("x").exists());
    let named = ["online", "two", "--input", "first.jsonl", "--out", "y", "--fake-negatives=buy"];
    run_ok(folder.path(), &named);
    std::fs::write(folder.path().join("asked.csv"), "user,item\nu,i1\n").unwrap();
    run_ok(folder.path(), &["predict", "y", "--input", "asked.csv", "--output", "p.csv"]);
}
