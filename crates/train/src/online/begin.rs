//! Where an online job begins: at a copy of a run.

use std::path::Path;

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
    let text = std::fs::read_to_string(run.join(BEGIN)).unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|begin| begin["checkpoint"] == *latest)
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
