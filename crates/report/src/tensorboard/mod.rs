//! A run as an event file of TensorBoard: metrics as scalars, scores and lengths of vectors as histograms.

mod wire;

use burnrec_record::{ScoreHistogram, TableDetails};

use crate::run::Run;
use wire::{Message, record};

/// An event at a time and step.
fn event(time: f64, step: u64) -> Message {
    Message::default().double(1, time).int(2, step)
}

fn scalar(tag: &str, x: f64) -> Message {
    Message::default().message(1, Message::default().bytes(1, tag.as_bytes()).float(2, x as f32))
}

/// Bins of equal width as a histogram.
fn histogram(tag: &str, low: f64, high: f64, counts: &[u64]) -> Message {
    let width = (high - low) / counts.len().max(1) as f64;
    let limits: Vec<f64> = (1..=counts.len()).map(|bin| low + bin as f64 * width).collect();
    let counts: Vec<f64> = counts.iter().map(|n| *n as f64).collect();
    let middles = || limits.iter().map(|limit| limit - width / 2.0).zip(&counts);
    let sum: f64 = middles().map(|(x, n)| x * n).sum();
    let squares: f64 = middles().map(|(x, n)| x * x * n).sum();
    let own = Message::default()
        .double(1, low)
        .double(2, high)
        .double(3, counts.iter().sum())
        .double(4, sum)
        .double(5, squares)
        .doubles(6, &limits)
        .doubles(7, &counts);
    Message::default().message(1, Message::default().bytes(1, tag.as_bytes()).message(5, own))
}

/// The bytes of an event file, and its name.
pub fn event_file(run: &Run) -> (String, Vec<u8>) {
    let begins = run.events.first().map_or(0.0, |event| event.time);
    let mut out = Vec::new();
    record(&mut out, Message::default().double(1, begins).bytes(3, b"brain.Event:2"));
    for own in &run.events {
        for (metric, value) in own.metrics.flat() {
            if let Some(x) = value {
                let tag = format!("{metric}/{}", own.split);
                record(&mut out, event(own.time, own.step).message(5, scalar(&tag, x)));
            }
        }
    }
    let (time, step) = run.events.last().map_or((0.0, 0), |event| (event.time, event.step));
    let details = run.details.iter();
    for task in details.clone().flat_map(|details| &details.tasks) {
        let Some(ScoreHistogram { low, high, negatives, positives }) = &task.scores else { continue };
        for (class, counts) in [(0, negatives), (1, positives)] {
            let tag = format!("probability/{}/label {class}", task.task);
            record(&mut out, event(time, step).message(5, histogram(&tag, *low, *high, counts)));
        }
    }
    for TableDetails { lookup, fields, norms, largest_norm, .. } in details.flat_map(|details| &details.tables) {
        let tag = format!("lengths of vectors/{lookup}/{}", fields.join(", "));
        record(&mut out, event(time, step).message(5, histogram(&tag, 0.0, *largest_norm, norms)));
    }
    (format!("events.out.tfevents.{:010}.burnrec", begins as u64), out)
}
