//! Rows of before that are learned from again, against forgetting.

use burnrec_data::RowStream;
use burnrec_data::Side;
use burnrec_data::split::Window;
use burnrec_data::windows::Reservoir;
use burnrec_features::stream_seed;

use super::Session;
use super::phase::{Current, Phase};
use crate::error::TrainError;

/// A sample of the rows before a moment. It follows from the rows alone: a run that is taken up again makes it anew.
pub(super) struct Remembered {
    rows: Reservoir,
    /// All rows before it have passed.
    to: i64,
}

impl Session<'_> {
    /// Lets the rows that came since the last phase, up to this one, pass the sample, where the phase wants one.
    pub(super) fn remember(&mut self, phase: &Phase) -> Result<(), TrainError> {
        let (Some((_, capacity)), Window::Span { column, from, .. }) = (phase.replay, &phase.train) else {
            return Ok(());
        };
        let seed = stream_seed(self.job.checked.experiment().run.seed, "reservoir", 0);
        let fresh = || Remembered { rows: Reservoir::new(capacity, seed), to: i64::MIN };
        let mut kept = self.remembered.take().unwrap_or_else(fresh);
        if kept.to < *from {
            let window = Window::Span { column: column.clone(), from: kept.to, to: *from };
            let dataset = self.job.dataset.view(&window, None)?;
            for batch in dataset.stream(Side::Train, &self.encoder.schema().columns(true))? {
                kept.rows.add(&batch?)?;
            }
            kept.to = *from;
        }
        self.remembered = Some(kept);
        Ok(())
    }

    /// The rows of a pass, with rows of before among them.
    pub(super) fn with_replayed(&self, current: &Current<'_>, rows: RowStream) -> RowStream {
        let seed = stream_seed(self.job.checked.experiment().run.seed, "replay", self.progress.epoch as u64);
        match (current.phase.replay, &self.remembered) {
            (Some((share, _)), Some(kept)) if share > 0.0 => kept.rows.clone().mix(rows, share, seed),
            _ => rows,
        }
    }
}
