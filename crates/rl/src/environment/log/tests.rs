//! A small log in the form of MIND's behaviours.

use super::*;
use crate::environment::Environment;
use burnrec_data::DataConfig;

fn log(folder: &std::path::Path) -> (std::path::PathBuf, DataConfig) {
    let path = folder.join("behaviors.tsv");
    let mut text = String::new();
    for n in 0..200 {
        let (hour, minute) = (n / 30, n % 30 * 2);
        // Midnight is twelve.
        let (half, twelve) = ("AM", if hour == 0 { 12 } else { hour });
        let candidates: Vec<String> =
            (0..3 + n % 4).map(|i| format!("N{}-{}", (n * 7 + i * 5) % 40, u8::from(i == n % 3))).collect();
        text += &format!(
            "{n}\tU{}\t11/15/2019 {}:{minute:02}:01 {half}\tN1 N2\t{}\n",
            n % 17,
            twelve,
            candidates.join(" ")
        );
    }
    std::fs::write(&path, text).unwrap();
    let data: DataConfig = toml::from_str(&format!(
        "source = \"{}\"\ntext = {{ names = [\"impression\", \"user\", \"time\", \"history\", \"shown\"] }}\n\
         explode = {{ column = \"shown\", by = \"-\", into = [\"item\", \"clicked\"] }}\n",
        path.display()
    ))
    .unwrap();
    (path, data)
}

fn config() -> LogConfig {
    toml::from_str("request = \"impression\"\nuser = \"user\"\nitem = \"item\"\ntime = \"time\"\nclick = \"clicked\"\n")
        .unwrap()
}

fn open(folder: &std::path::Path) -> LogReplay {
    let (path, data) = log(folder);
    let source = burnrec_data::open(&path, &data).unwrap();
    LogReplay::open(source, Box::new(Lists::new(config())), &["item".into(), "user".into()], 24.0).unwrap()
}

#[test]
fn a_log_passes_request_by_request_and_pays_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    let (mut requests, mut clicks, mut candidates) = (0, 0, 0);
    for tick in 0..=600 {
        let now = f64::from(tick) * 60.0;
        for request in log.requests(now).unwrap() {
            assert!(request.time <= now);
            let rows = log.rows(std::slice::from_ref(&request)).unwrap();
            assert_eq!(rows.num_rows(), request.candidates.len());
            let labels = log.labels(&request);
            let all: Vec<usize> = (0..request.candidates.len()).rev().collect();
            log.show(request.id, &all).unwrap();
            assert!(log.show(request.id, &all).is_err());
            let back = log.feedback(now + 1.0).pop().unwrap();
            assert_eq!(back.clicks, labels.into_iter().rev().flatten().collect::<Vec<_>>());
            clicks += back.clicks.iter().filter(|clicked| **clicked).count();
            requests += 1;
            candidates += request.candidates.len();
        }
    }
    assert_eq!((requests, clicks), (200, 200));
    assert!(candidates > 800);
}

#[test]
fn what_was_saved_goes_on_with_the_same_requests() {
    let folder = tempfile::tempdir().unwrap();
    let all = |cut: Option<u32>| {
        let mut log = open(folder.path());
        let mut told = Vec::new();
        for tick in 0..=600 {
            let now = f64::from(tick) * 60.0;
            if cut == Some(tick) {
                let saved = log.save().unwrap();
                log = open(folder.path());
                log.restore(&saved).unwrap();
            }
            for request in log.requests(now).unwrap() {
                log.show(request.id, &[0]).unwrap();
                told.push((request.id, request.user, request.candidates));
            }
            told.extend(log.feedback(now).into_iter().map(|f| (f.request, u64::from(f.clicks[0]), Vec::new())));
        }
        told
    };
    let whole = all(None);
    assert_eq!(whole.len(), 400);
    for cut in [1, 130, 333] {
        assert!(all(Some(cut)) == whole, "{cut}");
    }
    assert!(open(folder.path()).restore(&[9, 9]).is_err());
}
