//! Labels that come late: events that wait for them, and negatives that may be none yet.

use std::collections::VecDeque;
use std::path::Path;

use burn::tensor::Tensor;
use burnrec_backend::traffic;
use burnrec_data::events::{Held, Waiting};

use super::Online;
use crate::checked::Checked;
use crate::error::{TrainError, bad};
use crate::feed::{Prepared, prepare};
use crate::objective::Link;
use crate::run::broken;
use crate::task::Task;

/// The events that wait, in a checkpoint: a line of JSON each.
const WAITING: &str = "waiting.jsonl";

/// Reads the events that wait, out of a checkpoint.
pub(super) fn read_held(checkpoint: &Path) -> Result<VecDeque<Held>, TrainError> {
    let path = checkpoint.join(WAITING);
    if !path.exists() {
        return Ok(VecDeque::new());
    }
    let text = std::fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|e| broken(&path, e.to_string()))).collect()
}

/// The task that is said to come as negatives at once: by its name, or the only one of 0 and 1.
pub(super) fn delayed_task(checked: &Checked, name: Option<&str>) -> Result<Option<usize>, TrainError> {
    let Some(name) = name else { return Ok(None) };
    let binary = |(_, task): &(usize, &Task)| task.objective.link() == Link::Sigmoid;
    let all: Vec<(usize, &Task)> = checked.tasks().iter().enumerate().filter(binary).collect();
    let names = all.iter().map(|(_, task)| task.name.as_str()).collect::<Vec<_>>().join(", ");
    match all.iter().find(|(_, task)| task.name == name) {
        Some((at, _)) => Ok(Some(*at)),
        None if name.is_empty() && all.len() == 1 => Ok(Some(all[0].0)),
        None if name.is_empty() => {
            Err(bad("--fake-negatives", format!("which task's labels come late? name it: {names}")))
        }
        None => Err(bad("--fake-negatives", format!("`{name}` is no task of 0 and 1; there are {names}"))),
    }
}

impl Online<'_> {
    /// Where events wait for labels, with those that wait already.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let experiment = self.checked.experiment();
        let mut wait = self.job.label_wait.clone()?;
        // A column that also holds numbers or classes says nothing where it is silent.
        let targets = &self.encoder.schema().targets;
        let open = |column: &str| targets.iter().any(|other| other.column == column && other.no().is_none());
        for target in targets.iter().filter(|target| !open(&target.column)) {
            if let (Some(no), false) = (target.no(), wait.labels.iter().any(|(known, _)| *known == target.column)) {
                wait.labels.push((target.column.clone(), no));
            }
        }
        let inputs = self.encoder.schema().columns(false);
        let known = |key: &String| *key != wait.id && *key != wait.time;
        let inputs = inputs.into_iter().filter(known).collect();
        let path = self.job.input.name();
        let of = (&*path, experiment.data.time_unit);
        Some(Waiting::new(of, wait, inputs, self.held.clone(), self.progress.stream.newest))
    }

    /// The file of the events that wait; none where none do.
    pub(super) fn held_file(&self) -> Option<(&'static str, Vec<u8>)> {
        let line = |held: &Held| serde_json::to_string(held).unwrap_or_default() + "\n";
        let text: String = self.held.iter().map(line).collect();
        (!text.is_empty()).then(|| (WAITING, text.into_bytes()))
    }

    /// Weighs rows of which every one came as a negative at once, and those that turn out positive come once more as such. With `p` a
    /// share of positives in truth, a share of `p / (1 + p)` of such rows are: a positive weighs `1 + p`, a negative `(1 - p)(1 + p)`,
    /// `p` as it is predicted (fake negative weighted; Ktena et al., RecSys 2019). The mean is over rows, not over weights.
    pub(super) fn reweigh(&self, prepared: Prepared, scores: &Tensor<2>, delayed: usize) -> Prepared {
        let (tasks, schema) = (self.checked.tasks(), self.encoder.schema());
        let totals: Vec<f64> = prepared.targets.iter().map(|target| target.total).collect();
        let widths: Vec<usize> = tasks.iter().map(|task| task.width(schema)).collect();
        let (all, scores) = (widths.iter().sum::<usize>(), traffic::read(scores.clone()));
        let mut batch = prepared.batch;
        let mut weights = vec![1.0; batch.targets.values.len()];
        let (first, target) = (widths[..delayed].iter().sum::<usize>(), tasks[delayed].target);
        for row in 0..batch.rows {
            let p = 1.0 / (1.0 + (-scores[row * all + first]).exp());
            let own = if batch.targets.value(row, target) > 0.5 { 1.0 + p } else { (1.0 - p) * (1.0 + p) };
            weights[row * batch.targets.tasks + target] = own;
        }
        match &mut batch.targets.weights {
            Some(known) => known.iter_mut().zip(weights).for_each(|(known, own)| *known *= own),
            none => *none = Some(weights),
        }
        let mut prepared = prepare(self.stepper.weights.tables.indexer(), Some(tasks.clone()))(batch);
        prepared.targets.iter_mut().zip(totals).for_each(|(target, total)| target.total = total);
        prepared
    }
}
