//! `burnrec watch`

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use burnrec_record::{EVENTS, Event, SUMMARY, Summary, counted};
use burnrec_report::is_held;
use burnrec_train::RunFolder;

use super::saved::latest;
use crate::args::WatchArgs;
use crate::error::CliError;
use crate::out;

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Shows what a run writes down, from its first event to its end.
pub fn run(args: &WatchArgs) -> Result<(), CliError> {
    let begins = Instant::now();
    let wait = Duration::from_nanos(args.wait.map_or(0, |time| time.nanoseconds().unsigned_abs()));
    let waits = |path: &Path| !path.is_dir() && begins.elapsed() < wait;
    while waits(&args.run) {
        std::thread::sleep(EVERY);
    }
    if !args.run.is_dir() {
        return Err(CliError::Usage(format!("{}: is no folder; name that of a run", args.run.display())));
    }
    let folder = latest(&args.run);
    let mut follow = Follow::default();
    loop {
        // What was written before the end is shown before it.
        let ended = summary(&folder)?;
        let held = is_held(&folder);
        for event in follow.events(&folder.join(EVENTS)) {
            out::line(&line(&event))?;
        }
        if let Some(summary) = ended {
            return out::line(&format!(
                "{}: {} rows/s on {}, {}, best {}",
                summary.status,
                summary.throughput.rows_per_second as u64,
                summary.device.kind,
                counted(summary.epochs as u64, "epoch"),
                summary.best_epoch
            ));
        }
        if !RunFolder::is_begun(&folder) {
            return Err(CliError::Usage(format!("{}: holds no run", folder.display())));
        }
        if !held && !is_held(&folder) && burnrec_train::is_stream(&folder) {
            return out::line("the stream ended; more of it is learned by `burnrec online … --resume`");
        }
        if !held && !is_held(&folder) {
            return Err(CliError::Left { path: folder.display().to_string() });
        }
        std::thread::sleep(EVERY);
    }
}

/// The summary of a run that ended.
fn summary(folder: &Path) -> Result<Option<Summary>, CliError> {
    let path = folder.join(SUMMARY);
    let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))
}

/// A file that grows, read on from where it was left.
#[derive(Default)]
struct Follow {
    at: u64,
    rest: Vec<u8>,
}

impl Follow {
    /// The events that came since the last time; a line that is being written waits. A file that was begun anew, as by a run
    /// that goes on, is read from its start.
    fn events(&mut self, path: &Path) -> Vec<Event> {
        let Ok(mut file) = std::fs::File::open(path) else { return Vec::new() };
        let length = file.metadata().map_or(0, |m| m.len());
        if length < self.at {
            *self = Self::default();
        }
        let mut new = Vec::new();
        if file.seek(SeekFrom::Start(self.at)).and_then(|_| file.take(length - self.at).read_to_end(&mut new)).is_err()
        {
            return Vec::new();
        }
        self.at += new.len() as u64;
        self.rest.extend(new);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        String::from_utf8_lossy(&lines).lines().filter_map(Event::read).collect()
    }
}

/// An event as a line: `epoch 2  step 180  valid  auc 0.7801  logloss 0.5671`.
fn line(event: &Event) -> String {
    let show =
        |(name, value): (String, Option<f64>)| value.map_or(format!("{name} undefined"), |x| format!("{name} {x:.4}"));
    let metrics: Vec<String> = event.metrics.flat().into_iter().map(show).collect();
    format!("epoch {:<3} step {:<8} {:<6} {}", event.epoch, event.step, event.split, metrics.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burnrec_record::{Metrics, TaskMetrics};
    use std::io::Write;

    #[test]
    fn a_file_that_grows_is_read_once_and_by_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EVENTS);
        let event = |step| {
            let metrics = TaskMetrics(vec![("t".into(), Metrics(vec![("auc".into(), Ok(0.5))]))]);
            Event::now("train", 1, step, "valid", &metrics).line()
        };
        let mut follow = Follow::default();
        assert!(follow.events(&path).is_empty());
        let mut file = std::fs::File::create(&path).unwrap();
        let (first, second) = (event(1), event(2));
        write!(file, "{first}\n{}", &second[..20]).unwrap();
        assert_eq!(follow.events(&path).iter().map(|e| e.step).collect::<Vec<_>>(), [1]);
        writeln!(file, "{}", &second[20..]).unwrap();
        assert_eq!(follow.events(&path).iter().map(|e| e.step).collect::<Vec<_>>(), [2]);
        assert!(follow.events(&path).is_empty());
        std::fs::write(&path, format!("{}\n", event(9))).unwrap();
        assert_eq!(follow.events(&path).iter().map(|e| e.step).collect::<Vec<_>>(), [9]);
    }
}
