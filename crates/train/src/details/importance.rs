//! What each field is worth to a model: how much worse it is judged when the field's values go to other rows (Breiman,
//! Machine Learning 2001).

use std::sync::Arc;

use burnrec_features::{Batch, Draws, Encoder, LoaderConfig, Purpose, load, stream_seed};
use burnrec_record::FieldImportance;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::inputs::{fields, moved};
use crate::checked::Checked;
use crate::error::TrainError;
use crate::feed::prepare;
use crate::measure::{LISTS, OneSide, Scoring};
use crate::metrics::Protocol;
use crate::stop::Stop;
use crate::weights::Frozen;

/// Rows that are looked at, about.
const ROWS: usize = 20_000;

/// Rows that are scored for all fields together, about: with very many fields fewer rows are looked at.
const SCORED: usize = 4_000_000;

/// Rows that are scored at once.
const BATCH_ROWS: usize = 4096;

/// Rows that are looked at at least, where there are so many.
const FEWEST: usize = 500;

/// Batches that they are of at least, where there are so many.
const VISITS: usize = 8;

/// Shuffles of a field, at most.
const REPEATS: usize = 5;

/// The rows that are looked at, and what judges them.
struct Looked<'a> {
    checked: &'a Checked,
    encoder: &'a Encoder,
    frozen: &'a Frozen<'a>,
}

/// Importance of every field to every task; none where a stop is asked for.
pub(super) fn importance(
    frozen: &Frozen<'_>,
    checked: &Checked,
    encoder: &Encoder,
    rows: &Batch,
    stop: &Stop,
) -> Option<Vec<FieldImportance>> {
    let looked = Looked { checked, encoder, frozen };
    let whole = looked.judge(rows);
    let all = fields(encoder.schema()).len() * rows.rows;
    let repeats = (ROWS / rows.rows.max(1)).min(SCORED / all.max(1)).clamp(1, REPEATS);
    let mut found: Vec<FieldImportance> = Vec::new();
    for (field, inputs) in fields(encoder.schema()) {
        let mut losses = vec![Vec::new(); whole.len()];
        for repeat in 0..repeats {
            if stop.is_asked() {
                return None;
            }
            let seed = stream_seed(checked.experiment().run.seed, &format!("importance of {field}"), repeat as u64);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            // Over all rows: neighbours of a sorted log are alike.
            let mut order: Vec<u32> = (0..rows.rows as u32).collect();
            order.shuffle(&mut rng);
            let shuffled = looked.judge(&moved(rows, &inputs, rows, &order));
            let pairs = whole.iter().zip(shuffled).zip(&mut losses);
            pairs.for_each(|((was, is), losses)| losses.extend(was.zip(is).map(|(was, is)| was - is)));
        }
        for (task, losses) in checked.tasks().iter().zip(losses).filter(|(_, losses)| !losses.is_empty()) {
            let metric = task.measurable.monitor();
            let sign = if metric.larger_is_better() { 1.0 } else { -1.0 };
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            let spread = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / losses.len() as f64;
            found.push(FieldImportance {
                field: field.clone(),
                task: task.name.clone(),
                metric: metric.name(),
                loss: sign * mean,
                spread: spread.sqrt(),
            });
        }
    }
    found.sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.field.cmp(&b.field)));
    Some(found)
}

/// Rows from all over a side of so many, as they are measured; one batch.
pub(super) fn rows(
    checked: &Checked,
    encoder: &Arc<Encoder>,
    side: &OneSide<'_>,
    all: usize,
) -> Result<Batch, TrainError> {
    let lists = checked.protocol() == Protocol::Lists;
    let draws = if lists { Draws::Lists(LISTS) } else { Draws::Nothing };
    let config = LoaderConfig {
        batch_size: BATCH_ROWS,
        buffer_rows: BATCH_ROWS,
        purpose: Purpose::Measure,
        draws,
        ..LoaderConfig::default()
    };
    let rows = side.dataset.stream(side.side, &encoder.schema().columns(true))?;
    let loader = load(rows, side.dataset.source(side.side).clone(), encoder.clone(), config, |batch| batch);
    // Every so manieth batch, so that the latest rows have their part; where few rows are looked at, some of each.
    let most = ROWS.min(SCORED / fields(encoder.schema()).len().max(1)).max(FEWEST);
    let stride = (all / most.max(VISITS * BATCH_ROWS)).max(1);
    let visits = all.div_ceil(BATCH_ROWS * stride).max(1);
    let of_each = most.div_ceil(visits);
    let mut found: Option<Batch> = None;
    for batch in loader.step_by(stride) {
        let batch = batch?;
        let first: Vec<u32> = (0..batch.rows.min(of_each) as u32).collect();
        let batch = if first.len() < batch.rows { batch.take(&first) } else { batch };
        match &mut found {
            Some(found) => found.append(&batch),
            None => found = Some(batch),
        }
        if found.as_ref().is_some_and(|found| found.rows >= most) {
            break;
        }
    }
    Ok(found.unwrap_or_default())
}

impl Looked<'_> {
    /// What each task is judged by on some rows.
    fn judge(&self, rows: &Batch) -> Vec<Option<f64>> {
        let tasks = self.checked.tasks();
        let mut scoring = Scoring::new(tasks, self.encoder);
        let ready = prepare(self.frozen.weights().tables.indexer(), None);
        for from in (0..rows.rows as u32).step_by(BATCH_ROWS) {
            let part: Vec<u32> = (from..(from + BATCH_ROWS as u32).min(rows.rows as u32)).collect();
            let part = rows.take(&part);
            let known = scoring.labels(&part);
            scoring.add(known, self.frozen.scores(ready(part)));
        }
        let found = scoring.finish().known;
        tasks.iter().zip(&found).map(|(task, p)| task.measurable.monitor().compute(p).ok()).collect()
    }
}
