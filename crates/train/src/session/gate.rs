//! What a round made is published only if it predicts what comes next about as well as what is published.

use burnrec_data::split::Window;

use super::{Notice, Session};
use crate::error::TrainError;
use crate::experiment::GateConfig;
use crate::metrics::{Predictions, log_loss};
use crate::run::Manifest;

/// What a gate decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Log-loss of the published model on the window.
    pub published: f64,
    /// That of what the last round made.
    pub candidate: f64,
    /// Whether it is published now.
    pub passes: bool,
}

impl Session<'_> {
    /// Compares what the last phase made with what is published, on rows that neither learned from. The first is published, or
    /// the second goes on.
    pub(super) fn gate(&mut self, gate: &GateConfig, window: &Window) -> Result<(), TrainError> {
        self.verdict = None;
        let checkpoints = self.folder.checkpoints();
        let Some(manifest) = Manifest::read(&checkpoints)? else { return Ok(()) };
        if manifest.best.as_ref() == Some(&manifest.latest) {
            // What the first stretch made; or what was published a moment ago, before the job was stopped.
            return Ok(());
        }
        let candidate = loss(&self.read_judged(self.progress.judged_before..self.progress.judged)?);
        self.start_best()?;
        let published = loss(&self.predict(window)?);
        let (Some(candidate), Some(published)) = (candidate, published) else {
            return self.start_latest();
        };
        let passes = candidate <= published * (1.0 + gate.margin);
        self.verdict = Some(Verdict { published, candidate, passes });
        if passes {
            self.start_latest()?;
            return manifest.publish(&checkpoints, gate.keep);
        }
        let text = format!(
            "the gate refuses what the last round made: log-loss {candidate:.4} on the next window, {published:.4} of what is published; that goes on",
        );
        tracing::warn!("{text}");
        self.observer.notice(&Notice::Note(&text));
        Ok(())
    }

    /// What the gate of the last phase decided; none where it had none.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }
}

/// The log-loss of the first task.
fn loss(known: &[Predictions]) -> Option<f64> {
    known.first().and_then(|first| log_loss(first).ok())
}
