//! Generated logs whose policies are known.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::environment::log::LogReplay;
use crate::environment::{Environment, Request};
use crate::error::RlError;
use burnrec_data::DataConfig;

/// Kinds of requests, and of items.
const KINDS: i64 = 3;
const ITEMS: i64 = 6;

/// How probable the log's policy is to choose an item: it prefers the first ones, and on kind 0 more so.
fn chance(kind: i64, item: i64) -> f64 {
    let weight = |item: i64| (ITEMS - item) as f64 + if kind == 0 { 5.0 * f64::from(u8::from(item == 0)) } else { 0.0 };
    weight(item) / (0..ITEMS).map(weight).sum::<f64>()
}

/// How probable a click is.
fn rate(kind: i64, item: i64) -> f64 {
    if item % KINDS == kind { 0.6 } else { 0.1 + 0.05 * item as f64 }
}

fn write(path: &Path, rows: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut text = String::from("time,item,clicked,mu,kind,shelf,colour\n");
    for row in 0..rows {
        let kind = rng.random_range(0..KINDS);
        let mut left: f64 = rng.random();
        let item = (0..ITEMS - 1).find(|item| {
            left -= chance(kind, *item);
            left < 0.0
        });
        let item = item.unwrap_or(ITEMS - 1);
        let clicked = u8::from(rng.random::<f64>() < rate(kind, item));
        text += &format!("{},{item},{clicked},{},{kind},s{},c{}\n", row * 6, chance(kind, item), item % 2, item % 4);
    }
    std::fs::write(path, text).unwrap();
}

fn config(more: &str) -> BanditConfig {
    let own = "item = \"item\"\ntime = \"time\"\nclick = \"clicked\"\npropensity = \"mu\"\n";
    toml::from_str(&format!("{own}item_columns = [\"shelf\", \"colour\"]\n{more}")).unwrap()
}

fn open(path: &Path, config: BanditConfig) -> Result<LogReplay, RlError> {
    let data: DataConfig = toml::from_str(&format!("source = \"{}\"", path.display())).unwrap();
    let source = burnrec_data::open(path, &data).unwrap();
    let features = ["item", "kind", "shelf", "colour"].map(String::from);
    let form = Choices::new(&source, config, &features)?;
    LogReplay::open(source, Box::new(form), &features, 1e6)
}

/// What the kind of each request is, and which item each candidate is, by its rows.
fn seen(log: &mut LogReplay, request: &Request) -> (i64, Vec<i64>) {
    let rows = log.rows(std::slice::from_ref(request)).unwrap();
    assert_eq!(rows.num_rows(), request.candidates.len());
    let column = |name: &str| {
        let numbers = arrow::compute::cast(rows.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
        numbers.as_primitive::<Int64Type>().values().to_vec()
    };
    let (kinds, items) = (column("kind"), column("item"));
    assert!(kinds.iter().all(|kind| *kind == kinds[0]), "what is of the request is the same for all candidates");
    let colours = rows.column_by_name("colour").unwrap().clone();
    let colours = arrow::compute::cast(&colours, &DataType::Utf8).unwrap();
    let text = |row: usize| colours.as_string::<i32>().value(row).to_string();
    items.iter().enumerate().for_each(|(row, item)| assert_eq!(text(row), format!("c{}", item % 4)));
    assert_eq!(colours.null_count(), 0);
    (kinds[0], items)
}

#[test]
fn what_matches_counts_by_its_propensity_and_gives_a_policys_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    write(&path, 20_000);
    let mut log = open(&path, config("")).unwrap();
    let best = |kind: i64| kind + 3;
    let truth = (0..KINDS).map(|kind| rate(kind, best(kind))).sum::<f64>() / KINDS as f64;
    let (mut lists, mut weights, mut weighed, mut heard, mut clicked) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for tick in 0..2_001 {
        for request in log.requests(f64::from(tick) * 60.0).unwrap() {
            let known = log.labels(&request).iter().filter(|label| label.is_some()).count();
            assert_eq!((known, request.candidates.len()), (1, ITEMS as usize), "one choice is known, of all items");
            let (kind, items) = seen(&mut log, &request);
            let place = items.iter().position(|item| *item == best(kind)).unwrap();
            log.show(request.id, &[place]).unwrap();
            assert!(log.show(request.id, &[place]).is_err());
            lists += 1.0;
            for feedback in log.feedback(1e9) {
                let (weight, click) = (1.0 / feedback.propensity.unwrap(), f64::from(u8::from(feedback.clicks[0])));
                (weights, weighed, heard, clicked) =
                    (weights + weight, weighed + weight * click, heard + 1.0, clicked + click);
            }
        }
    }
    assert_eq!(lists, 20_000.0);
    assert!((weights / lists - 1.0).abs() < 0.06, "the mean weight is {}", weights / lists);
    assert!((weighed / weights - truth).abs() < 0.03, "snips {} of {truth}", weighed / weights);
    assert!((weighed / lists - truth).abs() < 0.05, "ips {} of {truth}", weighed / lists);
    assert!(heard / lists < 0.25 && clicked > 0.0);
}

#[test]
fn what_was_saved_goes_on_and_some_requests_have_fewer_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let line = |row: i64| {
        let item = row % 3;
        format!(
            "{{\"time\":{row},\"item\":{item},\"clicked\":0,\"mu\":0.5,\"kind\":1,\"shelf\":\"s\",\"colour\":\"c{item}\",\"pool\":[{item},{},9]}}\n",
            (item + 1) % 3
        )
    };
    std::fs::write(&path, (0..500).map(line).collect::<String>()).unwrap();
    let with = || open(&path, config("candidates = \"pool\"")).unwrap();
    let all = |cut: Option<i32>| {
        let (mut log, mut told) = (with(), Vec::new());
        for tick in 0..11 {
            if cut == Some(tick) {
                let saved = log.save().unwrap();
                log = with();
                log.restore(&saved).unwrap();
            }
            for request in log.requests(f64::from(tick) * 60.0).unwrap() {
                assert_eq!(request.candidates.len(), 2, "item 9 was never chosen");
                seen(&mut log, &request);
                log.show(request.id, &[(request.id % 2) as usize]).unwrap();
                told.push((request.id, request.candidates));
            }
            told.extend(log.feedback(f64::from(tick) * 60.0).into_iter().map(|f| (f.request, Vec::new())));
        }
        told
    };
    let whole = all(None);
    assert!(whole.len() > 600 && whole.len() < 1_000, "{}", whole.len());
    assert!(all(Some(4)) == whole);
}

#[test]
fn rows_that_no_policy_can_have_left_are_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let told = |rows: &str, more: &str| {
        std::fs::write(&path, format!("time,item,clicked,mu,kind,shelf,colour\n{rows}")).unwrap();
        open(&path, config(more)).and_then(|mut log| log.requests(1e9).map(drop)).unwrap_err().to_string()
    };
    let good = "0,1,0,0.5,0,s,c1\n";
    for (bad, words) in
        [("6,1,0,0,0,s,c1", "probability 0"), ("6,1,0,1.5,0,s,c1", "at most 1"), ("6,1,0,,0,s,c1", "missing")]
    {
        let told = told(&format!("{good}{bad}\n"), "");
        assert!(told.contains("row 3") && told.contains(words), "{told}");
    }
    let text = told(&format!("{good}6,1,0,12%,0,s,c1\n"), "");
    assert!(text.contains("column mu holds `12%`") && text.contains("row 3"), "{text}");
    let about = told(&format!("{good}6,1,0,0.5,1,s,c1\n"), "about = \"kind\"");
    assert!(about.contains("environment.bandit.about"), "{about}");
    let varies = told(&format!("{good}6,1,0,0.5,0,s,c2\n"), "");
    assert!(varies.contains("row 3") && varies.contains("item_columns"), "{varies}");
    let click = told(&format!("{good}6,1,2,0.5,0,s,c1\n"), "");
    assert!(click.contains("neither 0 nor 1"), "{click}");
    let back = told(&format!("{good}-6,1,0,0.5,0,s,c1\n"), "");
    assert!(back.contains("data.sort_by"), "{back}");
    let lines = |colour: &str| {
        let line = |colour: &str| {
            format!(
                "{{\"time\":0,\"item\":1,\"clicked\":0,\"mu\":0.5,\"kind\":1,\"shelf\":\"s\",\"colour\":{colour}}}\n"
            )
        };
        let path = folder.path().join("lists.jsonl");
        std::fs::write(&path, [line("[\"a\",\"b\"]"), line(colour)].concat()).unwrap();
        open(&path, config("")).map(drop)
    };
    lines("[\"a\",\"b\"]").unwrap();
    let list = lines("[\"b\"]").unwrap_err().to_string();
    assert!(list.contains("column colour") && list.contains("row 2"), "{list}");
    let pool = told(good, "candidates = \"shelf\"");
    assert!(pool.contains("holds no lists"), "{pool}");
}

#[test]
fn a_column_of_items_that_nobody_named_is_doubted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    write(&path, 300);
    let doubts = |own: &[&str]| {
        let own = own.iter().map(ToString::to_string).collect();
        open(&path, BanditConfig { item_columns: own, ..config("") }).unwrap().doubts()
    };
    assert_eq!(doubts(&["shelf", "colour"]), [""; 0]);
    let told = doubts(&["shelf"]);
    assert!(told.len() == 1 && told[0].contains("column colour"), "{told:?}");
}
