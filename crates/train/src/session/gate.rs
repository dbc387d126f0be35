//! What a round made is published only if it predicts what comes next about as well as what is published.

use burnrec_data::split::Window;

use super::{Notice, Session};
use crate::error::TrainError;
use crate::experiment::GateConfig;
use crate::metrics::{Predictions, log_loss};
use crate::run::{Candidate, Manifest, Verdict};

impl Session<'_> {
    /// Predicts the rows of a window by what is published, and keeps that. What the last phase made predicts them too: it is
    /// published with the next checkpoint, or what is published goes on.
    pub(super) fn gate(&mut self, gate: &GateConfig, window: &Window) -> Result<(), TrainError> {
        let manifest = Manifest::read(&self.folder.checkpoints())?;
        let Some(manifest) = manifest.filter(|m| m.best.as_ref().is_some_and(|best| *best != m.latest)) else {
            // What the first stretch made is published.
            return self.judge(window);
        };
        let candidate = loss(&self.predict(window)?);
        self.start_best()?;
        let known = self.predict(window)?;
        self.note_judged(&known)?;
        let (Some(candidate), Some(published)) = (candidate, loss(&known)) else {
            return self.start_latest();
        };
        // What descends from a model that was gone back from is not let pass, however well it does.
        let discarded = manifest.discarded.as_ref() == Some(&manifest.latest);
        let passes = candidate <= published * (1.0 + gate.margin) && !discarded;
        self.progress.verdict = Some(Verdict { published, candidate, passes });
        if passes {
            self.candidate = Some(Candidate { name: manifest.latest.clone(), keep: gate.keep });
            return self.start_latest();
        }
        let text = format!(
            "the gate refuses what the last round made{}: log-loss {candidate:.4} on the next window, {published:.4} of what is published; that goes on",
            if discarded { " of a model that was rolled back" } else { "" }
        );
        tracing::warn!("{text}");
        self.observer.notice(&Notice::Note(&text));
        Ok(())
    }

    /// What the gate of the last phase decided; none where it had none.
    pub fn verdict(&self) -> Option<Verdict> {
        self.progress.verdict
    }
}

/// The log-loss of the first task.
fn loss(known: &[Predictions]) -> Option<f64> {
    known.first().and_then(|first| log_loss(first).ok())
}
