//! Where an online job begins: at a copy of a run.

use std::path::Path;

use burnrec_data::DataError;
use burnrec_data::events::{Entry, RedisStream};

use crate::checked::Checked;
use crate::error::{TrainError, bad};
use crate::metrics::Protocol;
use crate::objective::Link;
use crate::run::{Manifest, write_whole};

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
/// A folder without a checkpoint, or that cannot be written.
pub fn begin_stream(run: &Path) -> Result<(), TrainError> {
    for old in ["rejected.jsonl", "judged.bin", "ledger.jsonl", "open.json", "metrics.jsonl", "summary.json"] {
        let path = run.join(old);
        if path.exists() {
            std::fs::remove_file(&path).map_err(TrainError::io(&path))?;
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

/// The entry behind which a job begins to read a stream of Redis: what `join` gives, and the first run of the job wrote down.
/// A job that has read `lines` without one reads something else.
pub(super) fn begin_with_stream(
    run: &Path,
    stream: &RedisStream,
    lines: u64,
    join: impl FnOnce() -> Result<Entry, DataError>,
) -> Result<Entry, TrainError> {
    let mut begin = read(run);
    let (key, group) = (begin["redis"]["key"].as_str(), begin["redis"]["group"].as_str());
    if let (Some(key), Some(group)) = (key, group) {
        if (key, group) != (&stream.key, &stream.group) {
            return Err(other(run, &format!("it reads the stream `{key}` of Redis by the group `{group}`")));
        }
        let from = begin["redis"]["from"].as_str().unwrap_or_default();
        return from.parse().map_err(|problem: String| other(run, &problem));
    }
    if lines > 0 {
        return Err(other(run, "it reads lines of JSON"));
    }
    let from = join()?;
    begin["redis"] = serde_json::json!({ "key": stream.key, "group": stream.group, "from": from.to_string() });
    write_whole(&run.join(BEGIN), begin.to_string().as_bytes())?;
    Ok(from)
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
