//! Where an online job begins: at a copy of a run.

use std::path::Path;

use burnrec_data::DataError;
use burnrec_data::events::{Entry, Input, RedisStream};

use super::OnlineJob;
use super::delayed::delayed_task;
use crate::checked::Checked;
use crate::error::{TrainError, bad};
use crate::metrics::Protocol;
use crate::objective::Link;
use crate::run::{Manifest, RunFolder, write_whole};

/// Says at which step a copy of a run begins to learn from a stream.
const BEGIN: &str = "stream.json";

/// Whether a run folder is that of an online job.
pub fn is_stream(run: &Path) -> bool {
    run.join(BEGIN).is_file()
}

/// Makes a copy of a run the beginning of an online job: what the run itself learned from a stream, or was judged by, is none of
/// the job's.
///
/// # Errors
/// A folder without a checkpoint, or that cannot be written; models that cannot learn from rows as they come, so many at a time.
pub fn begin_stream(run: &Path, rows: usize, fake_negatives: Option<&str>) -> Result<(), TrainError> {
    let checked = RunFolder::config(run)?.check()?;
    check(&checked, rows)?;
    delayed_task(&checked, fake_negatives)?;
    let told = ["metrics.jsonl", "summary.json", "details.json", "report.html", "tensorboard"];
    for old in ["rejected.jsonl", "judged.bin", "ledger.jsonl", "open.json"].into_iter().chain(told) {
        let path = run.join(old);
        if path.exists() {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(TrainError::io(&path))?;
        }
    }
    let manifest = Manifest::read(&run.join("checkpoints"))?.ok_or_else(|| TrainError::NotARun {
        path: run.to_path_buf(),
        problem: "it has no checkpoint yet; train it first".into(),
    })?;
    write_whole(&run.join(BEGIN), serde_json::json!({ "checkpoint": manifest.latest }).to_string().as_bytes())
}

/// Whether a checkpoint is the one that a job begins with.
pub(super) fn begins(run: &Path, latest: &str) -> bool {
    read(run)["checkpoint"] == *latest
}

/// A job's place in a stream of Redis as its first run wrote it down: the entry behind which it begins, as joining the group gave
/// it, and a name for its consumers. A job that has read `lines` without one reads something else.
pub(super) fn begin_with_stream(
    run: &Path,
    stream: &RedisStream,
    lines: u64,
    join: impl FnOnce() -> Result<Entry, DataError>,
) -> Result<RedisStream, TrainError> {
    let mut begin = read(run);
    let named = |job: &str, from: Entry| {
        let consumer = format!("burnrec-{job}-{}", nonce());
        RedisStream { consumer, from, ..stream.clone() }
    };
    let (key, group) = (begin["redis"]["key"].as_str(), begin["redis"]["group"].as_str());
    if let (Some(key), Some(group)) = (key, group) {
        let same = (key, group) == (&stream.key, &stream.group);
        if !same && lines > 0 {
            return Err(other(run, &format!("it reads the stream `{key}` of Redis by the group `{group}`")));
        }
        let from = begin["redis"]["from"].as_str().unwrap_or_default();
        let from = from.parse().map_err(|problem: String| other(run, &problem))?;
        if let (Some(job), true) = (begin["redis"]["job"].as_str().filter(|job| !job.is_empty()), same) {
            return Ok(named(job, from));
        }
    }
    if lines > 0 && begin["redis"].is_null() {
        return Err(other(run, "it reads lines of JSON"));
    }
    let from = match begin["redis"]["from"].as_str().filter(|_| lines > 0) {
        Some(from) => from.parse().map_err(|problem: String| other(run, &problem))?,
        None => join()?,
    };
    let job = nonce();
    let (key, group) = (&stream.key, &stream.group);
    begin["redis"] = serde_json::json!({ "key": key, "group": group, "from": from.to_string(), "job": job });
    write_whole(&run.join(BEGIN), begin.to_string().as_bytes())?;
    Ok(named(&job, from))
}

/// Tells processes apart: two of them never have the same time and number.
fn nonce() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let words = [now.to_le_bytes(), u128::from(std::process::id()).to_le_bytes()].concat();
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&words))
}

/// How lines become events and labels, as the first run of a job wrote it down: another way would read what waits, and what comes,
/// otherwise.
pub(super) fn check_reading(run: &Path, job: &OnlineJob) -> Result<(), TrainError> {
    let wait = job.label_wait.as_ref();
    let field = match &job.input {
        Input::Redis(stream) => stream.field.clone(),
        Input::File(_) => None,
    };
    let now = serde_json::json!({
        "--label-window (ns)": wait.map(|wait| wait.window),
        "--event-id": wait.map(|wait| &wait.id),
        "--time": wait.map(|wait| &wait.time),
        "--fake-negatives": job.fake_negatives,
        "--field": field,
    });
    let mut begin = read(run);
    if let Some(was) = begin.get("reading") {
        let names = ["--label-window (ns)", "--event-id", "--time", "--fake-negatives", "--field"];
        return match names.into_iter().find(|name| was[*name] != now[*name]) {
            Some(name) => {
                let problem =
                    format!("was {} when this job began, and is {} now; give it as before", was[name], now[name]);
                Err(bad(name, problem))
            }
            None => Ok(()),
        };
    }
    begin["reading"] = now;
    write_whole(&run.join(BEGIN), begin.to_string().as_bytes())
}

/// Refuses lines of JSON where a job reads a stream of Redis.
pub(super) fn refuse_other_input(run: &Path) -> Result<(), TrainError> {
    match read(run)["redis"]["key"].as_str() {
        Some(key) => Err(other(run, &format!("it reads the stream `{key}` of Redis"))),
        None => Ok(()),
    }
}

fn other(run: &Path, difference: &str) -> TrainError {
    TrainError::OtherData { path: run.to_path_buf(), difference: difference.into() }
}

fn read(run: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(run.join(BEGIN)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Refuses models that cannot learn from rows as they come.
pub(super) fn check(checked: &Checked, rows: usize) -> Result<(), TrainError> {
    let experiment = checked.experiment();
    let refused = |problem: &str| Err(bad("online", problem));
    match () {
        () if checked.protocol() != Protocol::Rows || checked.learns_pairs() || experiment.features.items.is_some() => {
            refused("goes with models that score rows as they are; this one draws or looks for items of a catalogue")
        }
        () if checked.tasks()[0].objective.link() != Link::Sigmoid => refused(
            "goes with a first task of 0 and 1, whose log-loss says how the stream is going; put such a task first",
        ),
        () if checked.lists().is_some() => {
            refused("learns rows as they come, and a loss over lists needs whole groups")
        }
        () if experiment.data.history.is_some() => {
            refused("does not make histories; give them as columns of the events, and train without data.history")
        }
        () if !experiment.data.join.is_empty() || experiment.data.explode.is_some() => {
            refused("reads events as they are; train on rows that have the columns of side tables, one item a row")
        }
        () if rows < 2 && experiment.model.normalises() => refused(
            "needs two rows at a time or more with batch norm, whose statistics are of the batch; give --rows 2",
        ),
        () => Ok(()),
    }
}
