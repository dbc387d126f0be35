//! Curves out of events: each metric by step, epoch and time, thinned so that peaks stay.

use burnrec_record::Event;
use serde::Serialize;

use crate::run::Run;

/// Points of a curve, at most.
const POINTS: usize = 1500;

/// A chart as the page draws it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Chart {
    #[serde(skip)]
    pub(crate) title: String,
    /// What lies along the axis, where that is not step, epoch and time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<String>,
    pub(crate) series: Vec<Series>,
}

/// A curve.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) colour: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dashed: bool,
    pub(crate) x: Places,
    pub(crate) y: Vec<f64>,
}

/// Where the points of a curve are.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Places {
    Training { step: Vec<f64>, epoch: Vec<f64>, time: Vec<f64> },
    At { at: Vec<f64> },
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    step: f64,
    epoch: f64,
    minutes: f64,
    pub(crate) y: f64,
}

/// A metric of a side of a run over its steps.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// The side that it is of, or what else was written down.
    pub(crate) split: String,
    pub(crate) metric: String,
    pub(crate) points: Vec<Point>,
}

/// Every curve of a run, in the order in which they begin.
pub(crate) fn curves(run: &Run) -> Vec<Curve> {
    let start = run.events.first().map_or(0.0, |event| event.time);
    let steps = steps_an_epoch(&run.events);
    let mut all: Vec<Curve> = Vec::new();
    for event in run.events.iter().filter(|event| event.split != "test") {
        let step = event.step as f64;
        for (metric, value) in event.metrics.flat() {
            let Some(y) = value.filter(|y| y.is_finite()) else { continue };
            let epoch = steps.map_or(event.epoch as f64, |steps| step / steps);
            let point = Point { step, epoch, minutes: (event.time - start) / 60.0, y };
            match all.iter_mut().find(|curve| curve.split == event.split && curve.metric == metric) {
                Some(curve) => curve.points.push(point),
                None => all.push(Curve { split: event.split.clone(), metric, points: vec![point] }),
            }
        }
    }
    all.iter_mut().for_each(|curve| curve.points = thinned(std::mem::take(&mut curve.points)));
    all
}

/// Steps of an epoch, by the first validation.
fn steps_an_epoch(events: &[Event]) -> Option<f64> {
    let valid = events.iter().find(|event| event.split == "valid" && event.epoch > 0)?;
    Some(valid.step as f64 / valid.epoch as f64).filter(|steps| *steps > 0.0)
}

/// Rows a second between events of training, from steps, time and rows a step.
pub(crate) fn speed(run: &Run) -> Option<Curve> {
    let rows = *run.summary.as_ref()?.rows.get("train")? as f64;
    let rows_a_step = rows / steps_an_epoch(&run.events)?;
    let start = run.events.first()?.time;
    let events: Vec<&Event> = run.events.iter().filter(|event| event.split == "train").collect();
    let between = |pair: &[&Event]| {
        let (steps, seconds) = (pair[1].step.checked_sub(pair[0].step)? as f64, pair[1].time - pair[0].time);
        // A validation, or a pause of the run, lies between.
        let same = pair[0].epoch == pair[1].epoch && seconds > 0.0 && steps > 0.0;
        let (step, y) = (pair[1].step as f64, steps * rows_a_step / seconds);
        let epoch = step * rows_a_step / rows;
        same.then_some(Point { step, epoch, minutes: (pair[1].time - start) / 60.0, y })
    };
    let points: Vec<Point> = events.windows(2).filter_map(between).collect();
    let curve = || Curve { split: "train".into(), metric: "rows/s".into(), points: thinned(points.clone()) };
    (points.len() > 1).then(curve)
}

/// At most [`POINTS`] of `(x, y)`, so that peaks stay.
pub(crate) fn at_most(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let points = points.into_iter().map(|(x, y)| Point { step: x, epoch: 0.0, minutes: 0.0, y }).collect();
    thinned(points).into_iter().map(|point| (point.step, point.y)).collect()
}

/// At most [`POINTS`]: of each stretch its smallest and its largest value, and the ends.
fn thinned(points: Vec<Point>) -> Vec<Point> {
    if points.len() <= POINTS {
        return points;
    }
    let width = points.len().div_ceil(POINTS / 2);
    let ends = |part: &[Point]| {
        let (mut low, mut high) = (0, 0);
        for (at, point) in part.iter().enumerate() {
            low = if point.y < part[low].y { at } else { low };
            high = if point.y > part[high].y { at } else { high };
        }
        let (first, second) = (low.min(high), low.max(high));
        if first == second { vec![part[first]] } else { vec![part[first], part[second]] }
    };
    let (first, last) = (points[0], points[points.len() - 1]);
    let mut thin: Vec<Point> = points.chunks(width).flat_map(ends).collect();
    if thin.first() != Some(&first) {
        thin.insert(0, first);
    }
    if thin.last() != Some(&last) {
        thin.push(last);
    }
    thin
}

impl Curve {
    /// The curve as a chart shows it.
    pub(crate) fn series(&self, name: String, colour: usize, dashed: bool) -> Series {
        let of = |part: fn(&Point) -> f64| self.points.iter().map(part).collect();
        let x = Places::Training { step: of(|p| p.step), epoch: of(|p| p.epoch), time: of(|p| p.minutes) };
        Series { name, colour, dashed, x, y: of(|p| p.y) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stay_when_a_curve_is_thinned() {
        let point = |n: usize| Point { step: n as f64, epoch: 0.0, minutes: 0.0, y: (n % 7) as f64 };
        let mut points: Vec<Point> = (0..100_000).map(point).collect();
        points[54_321].y = 99.0;
        points[77_777].y = -99.0;
        let thin = thinned(points);
        assert!(thin.len() <= POINTS + 2, "{}", thin.len());
        assert_eq!((thin[0].step, thin[thin.len() - 1].step), (0.0, 99_999.0));
        assert!(thin.iter().any(|p| p.y == 99.0) && thin.iter().any(|p| p.y == -99.0));
        assert!(thin.is_sorted_by(|a, b| a.step < b.step));
    }
}
