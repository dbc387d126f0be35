//! What an online job says of itself while it runs, and at its end.

use std::time::{Duration, Instant};

use burnrec_data::events::Place;
use burnrec_embedding::TableFacts;
use burnrec_record::{Event, Metrics, TaskMetrics};

use crate::metrics::{Predictions, auc, log_loss};
use crate::run::StreamPlace;

/// Times of steps that percentiles are taken over, at most.
const TIMES: usize = 1 << 16;

/// What happened since the last beat.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Events a second.
    pub rows_per_second: f64,
    /// Events that were learned from, in all.
    pub rows: u64,
    /// Log-loss of the events since the last beat, predicted before they were learned from; none where there were none.
    pub logloss: Option<f64>,
    /// Their AUC, where both classes came.
    pub auc: Option<f64>,
    /// Seconds between the clock and the latest event time; none without times.
    pub lag: Option<f64>,
    /// Lines that were put aside, in all.
    pub rejected: u64,
    /// Events that came behind one of a later time, in all.
    pub late: u64,
}

/// The phase that beats are events of, and what they tell: how events were predicted, and how fast they were learned from.
const PHASE: &str = "online";
const STREAM: &str = "stream";
const PACE: &str = "pace";
const LAG: &str = "lag";

impl Beat {
    /// Its lines in the events of a run: metrics of the task's events since the last beat, rows a second, the lag.
    pub(super) fn lines(&self, epoch: usize, step: u64, task: &str) -> String {
        let some = |all: &[(&str, Option<f64>)]| {
            let known = all.iter().filter_map(|(name, x)| Some(((*name).to_string(), Ok((*x)?))));
            TaskMetrics(vec![(task.to_string(), Metrics(known.collect()))])
        };
        let stream = some(&[("logloss", self.logloss), ("auc", self.auc)]);
        let pace = some(&[("rows/s", Some(self.rows_per_second))]);
        let lag = some(&[("seconds", self.lag)]);
        let line = |split, metrics| Event::now(PHASE, epoch, step, split, metrics).line() + "\n";
        let lag = if self.lag.is_some() { line(LAG, &lag) } else { String::new() };
        line(STREAM, &stream) + &line(PACE, &pace) + &lag
    }
}

/// What a stream came to.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// Events that were learned from, in all runs of the job.
    pub rows: u64,
    /// Log-loss of all events, predicted before they were learned from.
    pub logloss: Option<f64>,
    /// That over the entropy of their base rate.
    pub ne: Option<f64>,
    /// Predicted over observed positives.
    pub pcoc: Option<f64>,
    /// Lines that were put aside.
    pub rejected: u64,
    /// Events that came behind one of a later time.
    pub late: u64,
    /// Events that wait for their labels.
    pub waiting: usize,
    /// Lines with nothing but labels, whose event was gone or never came.
    pub orphans: u64,
    /// Lines that said once more what an event that waits came as.
    pub duplicates: u64,
    /// The place behind the last event.
    pub place: Place,
    /// Milliseconds of a step of this run: the median and the 99th percentile.
    pub step_ms: Option<(f64, f64)>,
    /// Sizes of the tables.
    pub tables: TableFacts,
}

/// Gathers beats.
pub(super) struct Beats {
    since: Instant,
    rows_before: u64,
    /// Of the first task: predictions since the last beat.
    seen: Predictions,
    times: Vec<f32>,
}

impl Beats {
    pub(super) fn new(place: &StreamPlace) -> Self {
        Self { since: Instant::now(), rows_before: place.rows, seen: Predictions::default(), times: Vec::new() }
    }

    /// Takes in what was predicted of some events.
    pub(super) fn see(&mut self, known: &[Predictions], place: &mut StreamPlace, time: Duration) {
        if self.times.len() < TIMES {
            self.times.push(time.as_secs_f32());
        } else {
            let at = place.rows as usize % TIMES;
            self.times[at] = time.as_secs_f32();
        }
        let Some(first) = known.first() else { return };
        for row in 0..first.rows() {
            let (weight, z, y) = (first.weight(row), f64::from(first.scores[row]), f64::from(first.labels[row]));
            let loss = z.max(0.0) - z * y + (-z.abs()).exp().ln_1p();
            let adds = [weight, weight * loss, weight * y, weight * first.probability(row)];
            place.sums.iter_mut().zip(adds).for_each(|(sum, add)| *sum += add);
        }
        // A long beat keeps a bounded number of predictions.
        if self.seen.rows() < TIMES * 4 {
            self.seen.scores.extend(&first.scores);
            self.seen.labels.extend(&first.labels);
            self.seen.weights.extend(&first.weights);
        }
    }

    pub(super) fn is_due(&self, every: Duration) -> bool {
        self.since.elapsed() >= every
    }

    pub(super) fn take(&mut self, place: &StreamPlace) -> Beat {
        let seconds = self.since.elapsed().as_secs_f64().max(1e-9);
        let rows = place.rows - self.rows_before;
        let seen = std::mem::take(&mut self.seen);
        (self.since, self.rows_before) = (Instant::now(), place.rows);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        Beat {
            rows_per_second: rows as f64 / seconds,
            rows: place.rows,
            logloss: (seen.rows() > 0).then(|| log_loss(&seen).ok()).flatten(),
            auc: (seen.rows() > 0).then(|| auc(&seen).ok()).flatten(),
            lag: (place.newest > 0).then(|| now - place.newest as f64 / 1e9),
            rejected: place.rejected,
            late: place.late,
        }
    }
}

impl Streamed {
    pub(super) fn of(place: &StreamPlace, beats: &Beats, tables: TableFacts, waiting: usize) -> Self {
        let [weights, losses, labels, predicted] = place.sums;
        let rate = labels / weights;
        let entropy = -(rate * rate.ln() + (1.0 - rate) * (-rate).ln_1p());
        let logloss = (weights > 0.0).then(|| losses / weights);
        let mut times = beats.times.clone();
        times.sort_by(f32::total_cmp);
        let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) * 1e3;
        Self {
            rows: place.rows,
            logloss,
            ne: logloss.filter(|_| entropy.is_finite() && entropy > 0.0).map(|loss| loss / entropy),
            pcoc: (labels > 0.0).then(|| predicted / labels),
            rejected: place.rejected,
            late: place.late,
            waiting,
            orphans: place.orphans,
            duplicates: place.duplicates,
            place: place.place(),
            step_ms: (!times.is_empty()).then(|| (at(0.5), at(0.99))),
            tables,
        }
    }
}
