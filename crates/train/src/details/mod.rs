//! What a run's report shows beside its metrics, found once at its end: how scores and labels agree, intervals, what each field is
//! worth, what is in the tables.

mod bootstrap;
mod contribution;
mod doubts;
mod importance;
mod inputs;
mod settings;
mod task;

pub use contribution::{Explained, GateShares, explain};

use std::collections::BTreeMap;
use std::sync::Arc;

use burnrec_features::{Batch, Encoder};
use burnrec_record::{Details, TableDetails, UnseenIds};

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
    let batches = match checked.protocol() {
        // All items are looked for; no row of its own has a score.
        Protocol::Retrieval => Vec::new(),
        _ => importance::rows(checked, encoder, side)?,
    };
    let (importance, importance_rows) = match batches.is_empty() {
        true => (Vec::new(), 0),
        false => importance::importance(&weights.frozen()?, checked, encoder, &batches, stop),
    };
    let mut found = Details {
        side: side.side.name().into(),
        tasks,
        importance,
        importance_rows,
        unseen: unseen(weights, &batches),
        tables: tables(weights),
        settings: settings::changed(checked.experiment()),
        warnings: Vec::new(),
    };
    found.warnings = doubts::doubts(&found, checked);
    found.warnings.iter().for_each(|doubt| tracing::warn!("{doubt}"));
    Ok(found)
}

/// Fields with ids that training did not know.
fn unseen(weights: &Weights, batches: &[Batch]) -> Vec<UnseenIds> {
    let mut all: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for (field, ids, unknown) in batches.iter().flat_map(|batch| weights.tables.unknown_ids(batch)) {
        let own = all.entry(field).or_default();
        *own = (own.0 + ids, own.1 + unknown);
    }
    let name = |field: usize| weights.schema().categorical[field].name.clone();
    let of = |(field, (ids, unseen)): (usize, (u64, u64))| UnseenIds { field: name(field), ids, unseen };
    all.into_iter().filter(|(_, (_, unseen))| *unseen > 0).map(of).collect()
}

fn tables(weights: &Weights) -> Vec<TableDetails> {
    let of = |table: burnrec_embedding::TableSummary| TableDetails {
        lookup: weights.slots().0[table.lookup].name.to_string(),
        fields: table.fields,
        rows: table.rows,
        waiting: table.waiting,
        free: table.free,
        dim: table.dim,
        untouched: table.untouched,
        largest_norm: f64::from(table.largest_norm),
        norms: table.norms,
    };
    weights.tables.summaries().into_iter().map(of).collect()
}
