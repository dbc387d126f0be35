//! What a run's report shows beside its metrics, found once at its end: how scores and labels agree, intervals, what each field is
//! worth, what is in the tables.

mod bootstrap;
mod contribution;
mod doubts;
mod importance;
mod inputs;
mod settings;
mod task;

pub use contribution::{Attention, Explained, ExplainedRow, GateShares, explain};

use std::sync::Arc;

use burnrec_features::{Batch, Encoder};
use burnrec_record::{Details, UnseenIds};

use crate::checked::Checked;
use crate::error::TrainError;
use crate::measure::OneSide;
use crate::metrics::{Predictions, Protocol};
use crate::stop::Stop;
use crate::weights::Weights;

/// Details of weights on a side whose predictions are known.
pub(crate) fn details(
    weights: &Weights,
    checked: &Checked,
    encoder: &Arc<Encoder>,
    side: &OneSide<'_>,
    known: &[Predictions],
    stop: &Stop,
) -> Result<Details, TrainError> {
    let tasks = checked.tasks().iter().zip(known).map(|(task, p)| task::of_task(task, p)).collect();
    let all = known.iter().map(Predictions::rows).max().unwrap_or(0);
    let rows = match checked.protocol() {
        // All items are looked for; no row of its own has a score.
        Protocol::Retrieval => Batch::default(),
        _ => importance::rows(checked, encoder, side, all)?,
    };
    let importance = match rows.rows {
        0 => Some(Vec::new()),
        _ => importance::importance(&weights.frozen()?, checked, encoder, &rows, stop),
    };
    let stopped = importance.is_none();
    let mut found = Details {
        side: side.side.name().into(),
        tasks,
        importance: importance.unwrap_or_default(),
        importance_rows: rows.rows as u64,
        unseen: unseen(weights, &rows),
        tables: weights.tables.summaries(weights.slots()),
        settings: settings::changed(checked.experiment()),
        warnings: Vec::new(),
    };
    found.warnings = doubts::doubts(&found, checked);
    if stopped {
        found.warnings.push("a stop was asked for before it was found what each field is worth".into());
    }
    found.warnings.iter().for_each(|doubt| tracing::warn!("{doubt}"));
    Ok(found)
}

/// Fields with ids that training did not know.
fn unseen(weights: &Weights, rows: &Batch) -> Vec<UnseenIds> {
    if rows.rows == 0 {
        return Vec::new();
    }
    let name = |field: usize| weights.schema().categorical[field].name.clone();
    let of = |(field, ids, unseen): (usize, u64, u64)| UnseenIds { field: name(field), ids, unseen };
    let found = weights.tables.unknown_ids(rows).into_iter().filter(|(.., unseen)| *unseen > 0);
    found.map(of).collect()
}
