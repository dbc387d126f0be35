//! Training on all rows but those of the test, for as many epochs as validation found best.

use burnrec_data::Side;
use burnrec_record::Summary;

use super::{Job, Notice, Observer, begin, epochs_of};
use crate::error::{TrainError, bad};
use crate::run::RunFolder;

/// Trains twice: a run in the folder's `search` finds the epochs, the folder's own is trained on its rows of training and
/// validation. Resumed where either was stopped.
pub(super) fn refit(job: Job, observer: &mut dyn Observer) -> Result<Summary, TrainError> {
    let experiment = job.checked.experiment();
    if !begin::wants(&experiment.data.split, Side::Valid) {
        return Err(bad(
            "train.refit",
            "needs rows that validate, to find how many epochs are best; give data.split some",
        ));
    }
    let all = job.dataset.with_valid_in_train()?;
    let search = RunFolder::search(&job.out);
    if !(job.resume && RunFolder::is_started(&job.out)) {
        RunFolder::check_free(&job.out)?;
    }
    let found = match RunFolder::is_started(&search) && job.resume {
        true => {
            RunFolder::check_same(&search, experiment)?;
            RunFolder::ended(&search)
        }
        false => None,
    };
    let found = match found {
        Some(found) => found,
        None => {
            let (checked, dataset) = (job.checked.clone(), job.dataset.clone());
            let (opened, stop) = (job.opened.clone(), job.stop.clone());
            let first = Job { checked, dataset, opened, out: search, resume: job.resume, stop };
            epochs_of(first, experiment.train.epochs, observer)?
        }
    };
    if found.status == "interrupted" {
        return Ok(found);
    }
    let epochs = found.best_epoch.max(1);
    observer.notice(&Notice::Note(&format!(
        "refit: {epochs} epochs, the best of {}, over the rows of training and validation",
        found.epochs
    )));
    epochs_of(Job { dataset: all, ..job }, epochs, observer)
}
