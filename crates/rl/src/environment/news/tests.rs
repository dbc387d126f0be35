//! What the site does, told by what happens there.

use super::*;
use crate::draw::Draws;
use crate::environment::Environment;
use crate::error::RlError;

fn small() -> NewsConfig {
    NewsConfig { users: 400, away_hours: 6.0, ..NewsConfig::default() }
}

/// Runs a site for some hours under a way to choose; clicks, lists, and what was tallied.
fn run(
    config: NewsConfig,
    seed: u64,
    hours: f64,
    choose: impl Fn(&[(f64, f64)]) -> Vec<f64>,
) -> (usize, usize, super::super::Tally) {
    let mut news = News::new(config, seed, hours).unwrap();
    let (mut clicks, mut lists) = (0, 0);
    for minute in 1..=(hours * 60.0) as u32 {
        let now = f64::from(minute) * 60.0;
        for request in news.requests(now).unwrap() {
            let scores = choose(&news.truth(&request).unwrap());
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            order.truncate(5);
            news.show(request.id, &order).unwrap();
            lists += 1;
        }
        clicks += news.feedback(now).iter().flat_map(|f| &f.clicks).filter(|c| **c).count();
    }
    (clicks, lists, news.tally())
}

#[test]
fn who_looks_ahead_earns_more_clicks_than_who_takes_the_next_one() {
    let (mut near, mut far, mut chance) = (0, 0, 0);
    for seed in 1..=3 {
        near += run(small(), seed, 36.0, |truth| truth.iter().map(|(click, _)| *click).collect()).0;
        far += run(small(), seed, 36.0, |truth| truth.iter().map(|(click, worth)| click + worth).collect()).0;
        chance += run(small(), seed, 36.0, |truth| (0..truth.len()).map(|i| -(i as f64)).collect()).0;
    }
    assert!(far as f64 > 1.1 * near as f64, "far {far}, near {near}, chance {chance}");
    assert!(near as f64 > 1.5 * chance as f64, "near {near}, chance {chance}");
}

#[test]
fn articles_live_for_the_hours_that_are_asked_for_and_are_shown_once() {
    let mut news = News::new(small(), 3, 20.0).unwrap();
    let mut seen = std::collections::HashSet::new();
    for minute in 1..=1_200 {
        for request in news.requests(f64::from(minute) * 60.0).unwrap() {
            for number in &request.candidates[..request.candidates.len().min(3)] {
                assert!(seen.insert((request.user, *number)), "shown before");
            }
            let shown: Vec<usize> = (0..request.candidates.len().min(3)).collect();
            news.show(request.id, &shown).unwrap();
        }
    }
    let lives: Vec<f64> = news.state.articles.iter().map(|a| (a.dies - a.born) / 3_600.0).collect();
    let mean = lives.iter().sum::<f64>() / lives.len() as f64;
    assert!((mean - 4.0).abs() < 0.5, "{mean} of {}", lives.len());
}

#[test]
fn the_same_seed_is_the_same_site_and_what_was_saved_goes_on() {
    let all = |cut: Option<u32>| {
        let mut news = News::new(small(), 5, 10.0).unwrap();
        let mut told = Vec::new();
        for minute in 1..=600 {
            let now = f64::from(minute) * 60.0;
            if cut == Some(minute) {
                let saved = news.save().unwrap();
                news = News::new(small(), 5, 10.0).unwrap();
                news.restore(&saved).unwrap();
            }
            for request in news.requests(now).unwrap() {
                let batch = news.rows(std::slice::from_ref(&request)).unwrap();
                assert_eq!(batch.num_rows(), request.candidates.len());
                news.show(request.id, &[0]).unwrap();
                told.push((request.id, request.user, request.candidates.clone()));
            }
            told.extend(
                news.feedback(now).into_iter().map(|f| (f.request, f.time.to_bits(), vec![u64::from(f.clicks[0])])),
            );
        }
        told
    };
    let whole = all(None);
    assert!(whole.len() > 200);
    let mut draws = Draws::new(1, "cut", 0);
    for _ in 0..3 {
        assert!(all(Some(1 + draws.below(599) as u32)) == whole);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut news = News::new(small(), 1, 5.0).unwrap();
    let request = loop {
        let until = news.state.now + 60.0;
        if let Some(request) = news.requests(until).unwrap().pop() {
            break request;
        }
    };
    assert!(matches!(news.requests(0.0), Err(RlError::Clock { .. })));
    assert!(matches!(news.show(request.id, &[0, 0]), Err(RlError::Slate { .. })));
    assert!(matches!(news.show(request.id, &[9_999]), Err(RlError::Slate { .. })));
    assert!(matches!(news.show(9_999, &[0]), Err(RlError::Slate { .. })));
    news.show(request.id, &[]).unwrap();
    assert!(news.show(request.id, &[0]).is_err(), "it was answered");
    let mut other = News::new(NewsConfig { users: 7, ..small() }, 1, 5.0).unwrap();
    assert!(other.restore(&news.save().unwrap()).is_err());
    assert!(other.restore(&[1, 2, 3]).is_err());
    assert!(News::new(NewsConfig { lost: 1.0, ..small() }, 1, 5.0).is_err());
}
