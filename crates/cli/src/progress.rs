//! What a training job shows while it runs: a bar on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use burnrec_backend::{Opened, device_memory};
use burnrec_record::TaskMetrics;
use burnrec_train::{Notice, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use crate::reading::Reading;

/// Seconds between lines where there is no terminal.
const LINE_EVERY: f64 = 10.0;

/// Between looks at a device's memory, which wait for what was issued: they come behind a loss, which did so too.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a device's memory holds, as it was looked at last.
struct Memory {
    of: Opened,
    looked: Option<Instant>,
    text: String,
}

impl Memory {
    fn look(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let memory = device_memory(&self.of.device);
        self.text = memory.map_or_else(String::new, |memory| format!(", {} on the device", bytes(memory.reserved)));
    }
}

/// `512 MiB`, `3.4 GiB`
fn bytes(n: u64) -> String {
    const GIB: u64 = 1 << 30;
    if n >= GIB { format!("{:.1} GiB", n as f64 / GIB as f64) } else { format!("{} MiB", n >> 20) }
}

/// Shows a training job.
pub struct Progress {
    bar: Option<ProgressBar>,
    epoch: (usize, usize),
    steps: Option<u64>,
    at: u64,
    rows: u64,
    since: Instant,
    last_line: Instant,
    loss: Option<f64>,
    /// Sum of the losses of this epoch's steps, and how many they are; steps whose loss is not told yet.
    losses: (f64, u64),
    untold: u64,
    metrics: String,
    /// The mean loss of training in the latest epoch, and the log-loss of validation behind it.
    latest: Option<(f64, f64)>,
    /// A pass over the data that goes on.
    reading: Option<Reading>,
    memory: Memory,
}

impl Progress {
    /// A bar where standard error is a terminal and the log is text, of a job on a device.
    pub fn new(opened: &Opened) -> Self {
        let terminal = std::io::stderr().is_terminal() && !crate::out::is_json();
        let now = Instant::now();
        Self {
            bar: terminal.then(ProgressBar::no_length),
            epoch: (0, 0),
            steps: None,
            at: 0,
            rows: 0,
            since: now,
            last_line: now,
            loss: None,
            losses: (0.0, 0),
            untold: 0,
            metrics: String::new(),
            latest: None,
            reading: None,
            memory: Memory { of: opened.clone(), looked: None, text: String::new() },
        }
    }

    /// The mean loss of training in the latest epoch, and the log-loss of validation behind it, of runs of one task.
    pub fn latest(&self) -> Option<(f64, f64)> {
        self.latest
    }

    /// The mean loss of the steps behind the last one that it was told of.
    fn tell(&mut self, loss: Option<f64>) {
        let Some(loss) = loss else { return };
        self.losses = (self.losses.0 + loss * self.untold as f64, self.losses.1 + self.untold);
        (self.untold, self.loss) = (0, Some(loss));
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => tracing::info!("{text}"),
        }
    }

    fn start_epoch(&mut self, steps: Option<u64>, done: u64) {
        (self.steps, self.at, self.rows, self.since, self.last_line) = (steps, done, 0, Instant::now(), Instant::now());
        (self.losses, self.untold) = ((0.0, 0), 0);
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{}/{}", self.epoch.0, self.epoch.1));
            if let Some(steps) = steps {
                bar.set_length(steps);
            }
            let style = "epoch {prefix} [{bar:24}] {pos}/{len} steps, {eta} left, {wide_msg}";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            );
            bar.reset();
            bar.set_position(done);
        }
    }

    fn step(&mut self, rows: usize, loss: Option<f64>) {
        self.at += 1;
        self.untold += 1;
        self.rows += rows as u64;
        self.tell(loss);
        let speed = self.rows as f64 / self.since.elapsed().as_secs_f64().max(1e-9);
        if loss.is_some() {
            self.memory.look();
        }
        let loss = self.loss.map_or_else(String::new, |l| format!(", loss {l:.4}"));
        let memory = &self.memory.text;
        if let Some(bar) = &self.bar {
            bar.set_position(self.at);
            bar.set_message(format!("{speed:.0} rows/s{loss}{}{memory}", self.metrics));
        } else if self.last_line.elapsed().as_secs_f64() > LINE_EVERY {
            self.last_line = Instant::now();
            let of = self.steps.map_or_else(String::new, |s| format!("/{s}"));
            self.line(&format!(
                "epoch {}/{} step {}{of}, {speed:.0} rows/s{loss}{memory}",
                self.epoch.0, self.epoch.1, self.at
            ));
        }
    }
}

/// How far a job is that answers one after another: a bar on a terminal, lines elsewhere.
pub struct Answered {
    bar: Option<ProgressBar>,
    what: &'static str,
    all: usize,
    done: usize,
    last_line: Instant,
}

impl Answered {
    /// Of so many, called `what`.
    pub fn new(all: usize, what: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal() && !crate::out::is_json();
        let style = ProgressStyle::with_template("[{bar:24}] {pos}/{len} {prefix}, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
        let bar = terminal.then(|| ProgressBar::new(all as u64).with_style(style).with_prefix(what));
        Self { bar, what, all, done: 0, last_line: Instant::now() }
    }

    /// So many more are answered.
    pub fn add(&mut self, more: usize) {
        self.done += more;
        match &self.bar {
            Some(bar) if self.done < self.all => bar.set_position(self.done as u64),
            Some(bar) => bar.finish_and_clear(),
            None if self.last_line.elapsed().as_secs_f64() > LINE_EVERY => {
                self.last_line = Instant::now();
                tracing::info!("{} of {} {}", self.done, self.all, self.what);
            }
            None => {}
        }
    }
}

/// `auc 0.7801  logloss 0.5671`
pub fn in_a_line(metrics: &TaskMetrics) -> String {
    let show = |(name, value): (String, &Result<f64, String>)| match value {
        Ok(value) => format!("{name} {value:.4}"),
        Err(reason) => format!("{name} undefined ({reason})"),
    };
    metrics.flat().map(show).collect::<Vec<_>>().join("  ")
}

impl Observer for Progress {
    fn notice(&mut self, notice: &Notice<'_>) {
        self.reading = None;
        match notice {
            Notice::Stage(name) => {
                self.line(name);
                // One thing moves at a time.
                self.bar.iter().for_each(ProgressBar::finish_and_clear);
                self.reading = Some(Reading::new(name));
            }
            Notice::Epoch { epoch, epochs, steps, done } => {
                self.epoch = (*epoch, *epochs);
                self.start_epoch(*steps, *done);
            }
            Notice::Step { loss, rows, .. } => self.step(*rows, *loss),
            Notice::Loss { loss } => self.tell(*loss),
            Notice::Metrics { epoch, split, metrics, best } => {
                let mark = if *best && *split == "valid" { "  (best)" } else { "" };
                let learned = match *split == "valid" && self.losses.1 > 0 {
                    true => format!("loss {:.4}  ", self.losses.0 / self.losses.1 as f64),
                    false => String::new(),
                };
                if *split == "valid" && self.losses.1 > 0 {
                    let log_loss = metrics.flat().find(|(name, _)| name == "logloss").and_then(|(_, x)| x.clone().ok());
                    self.latest = log_loss.map(|valid| (self.losses.0 / self.losses.1 as f64, valid));
                }
                let took = match *split {
                    "valid" => format!("  {:.1} s", self.since.elapsed().as_secs_f64()),
                    _ => String::new(),
                };
                self.line(&format!("epoch {epoch}  {learned}{split}  {}{took}{mark}", in_a_line(metrics)));
                let aucs = metrics.flat().filter(|(name, _)| name == "auc" || name.ends_with(".auc"));
                let show = |(name, value): (String, &Result<f64, String>)| {
                    value.as_ref().map_or_else(|_| String::new(), |auc| format!(", {split} {name} {auc:.4}"))
                };
                self.metrics = aucs.map(show).collect();
                if *split == "test"
                    && let Some(bar) = &self.bar
                {
                    bar.finish_and_clear();
                }
            }
            Notice::Checkpoint { step } => tracing::debug!("checkpoint at step {step}"),
            Notice::Note(text) => self.line(text),
        }
    }
}
