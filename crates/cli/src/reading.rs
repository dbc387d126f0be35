//! Passes over data show how far they are: a spinner with rows and rows a second on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burnrec_data::rows_read;
use indicatif::{ProgressBar, ProgressStyle};

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(150);

/// Between lines where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

/// A pass that is shown until it is dropped.
pub struct Reading {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// `12.3 M rows, 1.2 M rows/s`
fn in_words(rows: u64, seconds: f64) -> String {
    let short = |n: f64| match n {
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e4 => format!("{:.0} k", n / 1e3),
        n => format!("{n:.0}"),
    };
    format!("{} rows, {} rows/s", short(rows as f64), short(rows as f64 / seconds.max(1e-3)))
}

impl Reading {
    /// Shows a pass called `what` from now on.
    pub fn new(what: &str) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (own, what) = (ended.clone(), what.to_string());
        let terminal = std::io::stderr().is_terminal() && !crate::out::is_json();
        let thread = std::thread::Builder::new().name("reading".into());
        let thread = thread.spawn(move || if terminal { spin(&own, &what) } else { lines(&own, &what) });
        // Without a thread nothing is shown, and all works.
        Self { ended, thread: thread.ok() }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

fn spin(ended: &AtomicBool, what: &str) {
    let (begins, first) = (Instant::now(), rows_read());
    let style = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg}");
    let bar = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_prefix(what.to_string());
    while !ended.load(Ordering::Relaxed) {
        bar.set_message(in_words(rows_read() - first, begins.elapsed().as_secs_f64()));
        bar.tick();
        std::thread::park_timeout(TURN);
    }
    bar.finish_and_clear();
}

fn lines(ended: &AtomicBool, what: &str) {
    let (begins, first) = (Instant::now(), rows_read());
    let mut last = begins;
    while !ended.load(Ordering::Relaxed) {
        std::thread::park_timeout(LINE.saturating_sub(last.elapsed()));
        if last.elapsed() >= LINE && !ended.load(Ordering::Relaxed) {
            last = Instant::now();
            tracing::info!("{what}: {}", in_words(rows_read() - first, begins.elapsed().as_secs_f64()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_in_few_digits_and_a_pass_ends_at_once() {
        assert_eq!(in_words(12_345_678, 10.0), "12.3 M rows, 1.2 M rows/s");
        assert_eq!(in_words(900, 1.0), "900 rows, 900 rows/s");
        let begins = Instant::now();
        drop(Reading::new("reading"));
        assert!(begins.elapsed() < LINE / 2);
    }
}
