//! Predictions of every task over a stream of rows.

use std::collections::VecDeque;
use std::sync::Arc;

use burnrec_backend::traffic;
use burnrec_data::{RowStream, Source};
use burnrec_embedding::Strangers;
use burnrec_features::{Batch, Cache, Curve, Draws, Encoder, LoaderConfig, Purpose, load};

use super::chain::GivenRow;
use crate::error::TrainError;
use crate::feed::prepare;
use crate::metrics::Predictions;
use crate::objective::Link;
use crate::stop::Stop;
use crate::task::Task;
use crate::weights::Weights;

/// Rows that are scored at once; a setting of speed, not of results.
const BATCH_ROWS: usize = 4096;

/// Batches whose scores are read only after later ones were begun: a read waits for what the device has finished.
const IN_FLIGHT: usize = 4;

/// The rows of a stream, and how they are read.
pub struct Asked<'a> {
    /// The rows.
    pub rows: RowStream,
    /// Where they come from.
    pub source: &'a Arc<dyn Source>,
    /// How they become inputs.
    pub encoder: &'a Arc<Encoder>,
    /// What they are for.
    pub purpose: Purpose,
    /// What is drawn to them.
    pub draws: Draws,
    /// Where they are kept as they were encoded; nowhere by default.
    pub cache: Option<Cache>,
}

/// The scores of all rows, in order, and the predictions of each task where its label is known. Memory: 4 bytes a row and
/// score, 12 more a task with labels, 8 more with groups.
#[derive(Clone, Debug, Default)]
pub struct Scored {
    /// One entry a task: its scores of every row, row by row, behind their link where that is one of numbers.
    pub scores: Vec<Vec<f32>>,
    /// One entry a task; empty where rows have no labels.
    pub known: Vec<Predictions>,
    /// One entry a task: the rows on which its parent's label is 1 and its own is known.
    pub(crate) given: Vec<Vec<GivenRow>>,
    /// The inputs of whose ids none was learned from.
    pub strangers: Strangers,
    /// The group of every row; empty where there is no group column.
    pub groups: Vec<u64>,
    /// One entry a task: the rows whose label is known, by their places.
    pub known_rows: Vec<Vec<u32>>,
    rows: usize,
}

/// What a row weighs for a task; none where all weigh 1.
fn weight(batch: &Batch, row: usize, task: &Task) -> Option<f32> {
    let weighted = !batch.weight.is_empty() || batch.targets.weights.is_some();
    let own = batch.weight.get(row).copied().unwrap_or(1.0);
    weighted.then(|| own * batch.targets.weight(row, task.target))
}

impl Scored {
    fn take_labels(&mut self, batch: &Batch, tasks: &[Task]) {
        for (task, given) in tasks.iter().zip(&mut self.given) {
            let Some(parent) = task.parent.map(|parent| tasks[parent].target) else { continue };
            let targets = &batch.targets;
            let of = |row: &usize| targets.value(*row, parent) == 1.0 && targets.is_known(*row, task.target);
            given.extend((0..batch.rows).filter(of).map(|row| GivenRow {
                row: self.rows + row,
                label: targets.value(row, task.target),
                weight: weight(batch, row, task),
                group: batch.group.get(row).copied(),
            }));
        }
        let first = self.rows as u32;
        self.rows += batch.rows;
        for ((task, known), places) in tasks.iter().zip(&mut self.known).zip(&mut self.known_rows) {
            for row in (0..batch.rows).filter(|row| batch.targets.is_known(*row, task.target)) {
                places.push(first + row as u32);
                known.labels.push(batch.targets.value(row, task.target));
                known.weights.extend(weight(batch, row, task));
                known.groups.extend(batch.group.get(row));
                known.items.extend(batch.item.get(row));
            }
        }
    }

    fn take_scores(&mut self, scores: &[f32], of: &Shapes<'_>, waiting: &Waiting) {
        let Shapes { tasks, widths, curves } = *of;
        let all: usize = widths.iter().sum();
        let mut first = 0;
        for (number, (task, width)) in tasks.iter().zip(widths).enumerate() {
            let exp = task.objective.link() == Link::Exp;
            for (row, scores) in scores.chunks(all).enumerate() {
                let own = &scores[first..first + width];
                let linked = own.iter().map(|s| match &curves[number] {
                    Some(curve) => curve.apply(*s),
                    None if exp => s.exp(),
                    None => *s,
                });
                self.scores[number].extend(linked.clone());
                if waiting.known.as_ref().is_some_and(|known| known[row * tasks.len() + number]) {
                    self.known[number].scores.extend(linked);
                }
            }
            first += width;
        }
    }
}

/// A batch whose scores are not read yet: whether each row's label is known, a task each; none without labels.
struct Waiting {
    scores: burn::tensor::Tensor<2>,
    known: Option<Vec<bool>>,
}

/// What scores are of, one entry a task each.
struct Shapes<'a> {
    tasks: &'a [Task],
    widths: &'a [usize],
    curves: &'a [Option<Curve>],
}

/// Scores that are read from the device some batches late.
pub(crate) struct Scoring {
    tasks: Arc<[Task]>,
    widths: Vec<usize>,
    /// One entry a task: what its log-odds become.
    curves: Vec<Option<Curve>>,
    scored: Scored,
    waiting: VecDeque<Waiting>,
}

impl Scoring {
    /// Of these tasks.
    pub(crate) fn new(tasks: &Arc<[Task]>, encoder: &Encoder) -> Self {
        let scored = Scored {
            scores: vec![Vec::new(); tasks.len()],
            known: vec![Predictions::default(); tasks.len()],
            given: vec![Vec::new(); tasks.len()],
            groups: Vec::new(),
            known_rows: vec![Vec::new(); tasks.len()],
            strangers: Strangers::default(),
            rows: 0,
        };
        let widths = tasks.iter().map(|task| task.width(encoder.schema())).collect();
        let curves = tasks.iter().map(|task| encoder.fitted().curves.get(&task.name).cloned()).collect();
        let tasks = tasks.clone();
        Self { tasks, widths, curves, scored, waiting: VecDeque::with_capacity(IN_FLIGHT + 1) }
    }

    /// What is known of a batch's labels, and who waits for its scores.
    pub(crate) fn labels(&mut self, batch: &Batch) -> Option<Vec<bool>> {
        let known = (!batch.targets.is_empty()).then(|| {
            let rows = 0..batch.rows;
            rows.flat_map(|row| self.tasks.iter().map(move |task| batch.targets.is_known(row, task.target))).collect()
        });
        if known.is_some() {
            self.scored.take_labels(batch, &self.tasks);
        }
        known
    }

    /// The scores of a batch whose labels were told before.
    pub(crate) fn add(&mut self, known: Option<Vec<bool>>, scores: burn::tensor::Tensor<2>) {
        self.waiting.push_back(Waiting { known, scores });
        if self.waiting.len() > IN_FLIGHT {
            self.read_first();
        }
    }

    fn read_first(&mut self) {
        if let Some(first) = self.waiting.pop_front() {
            let shapes = Shapes { tasks: &self.tasks, widths: &self.widths, curves: &self.curves };
            self.scored.take_scores(&traffic::read(first.scores.clone()), &shapes, &first);
        }
    }

    /// All scores.
    pub(crate) fn finish(mut self) -> Scored {
        while !self.waiting.is_empty() {
            self.read_first();
        }
        self.scored
    }
}

/// Scores all rows of a stream.
///
/// # Errors
/// Unreadable rows.
pub fn score_rows(weights: &Weights, tasks: &Arc<[Task]>, asked: Asked<'_>, stop: &Stop) -> Result<Scored, TrainError> {
    let Asked { rows, source, encoder, purpose, draws, cache } = asked;
    let config = LoaderConfig {
        batch_size: BATCH_ROWS,
        buffer_rows: BATCH_ROWS,
        purpose,
        draws,
        cache,
        ..LoaderConfig::default()
    };
    let ready = prepare(weights.tables.indexer(), None);
    let loader = load(rows, source.clone(), encoder.clone(), config, ready);
    let frozen = weights.frozen()?;
    let mut scoring = Scoring::new(tasks, encoder);
    for prepared in loader {
        let prepared = prepared?;
        if stop.is_asked() {
            break;
        }
        scoring.scored.strangers.see(&weights.tables, &prepared.batch);
        let known = scoring.labels(&prepared.batch);
        scoring.scored.groups.extend(&prepared.batch.group);
        scoring.add(known, frozen.scores(prepared));
    }
    Ok(scoring.finish())
}
