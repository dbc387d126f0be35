//! Plans by hand.

use burnrec_data::split::Window;
use burnrec_data::windows::Stretch;
use burnrec_train::{ScheduleConfig, StartFrom};

use super::{Kind, Plan, plan};

const DAY: i64 = 86_400_000_000_000;

fn windows(rows: &[u64]) -> Vec<Stretch> {
    let of = |(day, rows): (i64, &u64)| Stretch { from: day * DAY, to: (day + 1) * DAY, rows: *rows, sum: 0 };
    (100..).zip(rows).filter(|(_, rows)| **rows > 0).map(of).collect()
}

fn schedule(text: &str) -> ScheduleConfig {
    // The crate's own tests read no files; a config is what its text says.
    serde_json::from_str(text).unwrap()
}

fn whats(plan: &Plan) -> Vec<&'static str> {
    plan.phases.iter().map(|p| p.what).collect()
}

#[test]
fn the_first_stretch_has_its_share_at_most_and_every_window_behind_it_is_judged_once() {
    let all = windows(&[10, 30, 0, 20, 40, 100]);
    let config = schedule(r#"{"time": "t", "start": 0.3, "epochs": 2, "incremental": {"replay": 0.5}}"#);
    let plan = plan(&config, Kind::Incremental, &all).unwrap();
    assert_eq!(plan.start.phase.train, Window::Span { column: "t".into(), from: 100 * DAY, to: 104 * DAY });
    assert_eq!((plan.start.rows, plan.judged.len()), (120, 2));
    assert_eq!(plan.phases.iter().map(|p| p.rows).collect::<Vec<_>>(), [80, 200]);
    assert!(
        plan.phases.iter().all(|p| p.phase.judge.as_ref() == Some(&p.phase.train) && p.phase.from == StartFrom::Last)
    );
}

#[test]
fn full_trainings_end_where_their_window_begins() {
    let all = windows(&[10; 8]);
    let config = schedule(r#"{"time": "t", "start": 0.5, "full": {"history": "2d"}, "combined": {"rounds": 2}}"#);
    let full = plan(&config, Kind::Full, &all).unwrap();
    assert_eq!(whats(&full), ["judge", "full", "judge", "full", "judge", "full", "judge", "full"]);
    assert!(full.phases.iter().filter(|p| p.what == "full").all(|p| p.rows == 20 && p.phase.from == StartFrom::Fresh));
    let combined = plan(&config, Kind::Combined, &all).unwrap();
    assert_eq!(whats(&combined), ["round", "round", "judge", "full", "round", "round"]);
    let contest = combined.phases[3].phase.contest.clone();
    assert_eq!(contest, combined.phases[2].phase.judge);
    assert_eq!(combined.phases[4].phase.judge, None);
    let growing = schedule(r#"{"time": "t", "start": 0.5, "full": {}}"#);
    let growing = plan(&growing, Kind::Full, &all).unwrap();
    assert_eq!(whats(&growing), ["judge", "full", "judge", "full", "judge", "full", "judge", "full"]);
    assert_eq!(growing.rows(), 50 + 60 + 70 + 80);
    // A stretch without rows is no training.
    let gap = windows(&[10, 10, 0, 0, 10, 10]);
    let daily = schedule(r#"{"time": "t", "start": 0.5, "full": {"history": "1d"}, "combined": {"rounds": 1}}"#);
    assert!(plan(&daily, Kind::Full, &gap).unwrap().phases.iter().all(|p| p.rows > 0 || p.what == "judge"));
    assert_eq!(whats(&plan(&daily, Kind::Combined, &gap).unwrap()), ["round", "judge", "full", "round"]);
}

#[test]
fn too_few_windows_are_refused() {
    let config = schedule(r#"{"time": "t", "start": 0.5, "stale": {}}"#);
    for rows in [&[10][..], &[90, 10], &[]] {
        assert!(plan(&config, Kind::Stale, &windows(rows)).is_err(), "{rows:?}");
    }
}
