//! Labels softened by what the model of before predicts: a round then moves it no further than the new rows ask for.
//!
//! `(1 - α)·BCE(y) + α·BCE(p_old)` has the gradient of the cross-entropy to `(1 - α)·y + α·p_old`, so that it is the labels
//! that change, and the loss stays what it is.

use burnrec_backend::traffic;
use burnrec_features::Batch;

use super::Session;
use super::phase::Phase;
use crate::error::TrainError;
use crate::feed::{Prepared, prepare};
use crate::objective::Link;
use crate::run::{Manifest, SavedModel};

/// The model that teaches, and how much.
pub(super) struct Teacher {
    model: SavedModel,
    share: f64,
}

impl Session<'_> {
    /// Takes what stands before a phase for its teacher, where it wants one. What a phase that was stopped began with stands as long
    /// as it is not complete.
    pub(super) fn find_teacher(&mut self, phase: &Phase) -> Result<(), TrainError> {
        self.teacher = None;
        let checkpoints = self.folder.checkpoints();
        let Some(manifest) = Manifest::read(&checkpoints)?.filter(|_| phase.distil > 0.0) else { return Ok(()) };
        let passed = self.candidate.as_ref().map(|candidate| candidate.name.clone());
        if let Some(name) = passed.or_else(|| manifest.best.clone()) {
            let (checked, opened) = (self.job.checked.clone(), &self.job.opened);
            let model = SavedModel::open_checkpoint(&manifest, &checkpoints, &name, checked, opened)?;
            self.teacher = Some(Teacher { model, share: phase.distil });
        }
        Ok(())
    }

    /// A batch with softened labels, where there is a teacher.
    pub(super) fn taught_by(&self, prepared: Prepared) -> Result<Prepared, TrainError> {
        let Some(Teacher { model, share }) = &self.teacher else { return Ok(prepared) };
        let tasks = self.job.checked.tasks();
        let ready = prepare(model.weights.tables.indexer(), None);
        let scores = traffic::read(model.weights.frozen()?.scores(ready(prepared.batch.clone())));
        let mut batch: Batch = prepared.batch;
        let width = tasks.len();
        for (number, task) in tasks.iter().enumerate().filter(|(_, task)| task.objective.link() == Link::Sigmoid) {
            for row in (0..batch.rows).filter(|row| batch.targets.is_known(*row, task.target)).collect::<Vec<_>>() {
                let old = 1.0 / (1.0 + (-f64::from(scores[row * width + number])).exp());
                let label = &mut batch.targets.values[row * batch.targets.tasks + task.target];
                *label = ((1.0 - share) * f64::from(*label) + share * old) as f32;
            }
        }
        Ok(prepare(self.stepper.weights.tables.indexer(), Some(tasks.clone()))(batch))
    }
}
