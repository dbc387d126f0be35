//! Training on all rows but those of the test, for as many epochs as validation found best.

use std::path::Path;

use burnrec_data::Side;
use burnrec_record::Summary;

use super::{Job, Notice, Observer, begin, epochs_of};
use crate::error::{TrainError, bad};
use crate::run::{RunFolder, SavedModel};

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
    // The search is a run like any other, that holds its validation rows out.
    let alone = job.checked.without_refit();
    let found = match RunFolder::is_started(&search) && job.resume {
        true => {
            RunFolder::check_same(&search, alone.experiment())?;
            RunFolder::ended(&search)
        }
        false => None,
    };
    let searches = found.is_none();
    let found = match found {
        Some(found) => found,
        None => {
            let (dataset, stop) = (job.dataset.clone(), job.stop.clone());
            let (opened, out) = (job.opened.clone(), search.clone());
            let first = Job { checked: alone, dataset, opened, out, resume: job.resume, stop };
            epochs_of(first, experiment.train.epochs, observer)?
        }
    };
    if found.status == "interrupted" {
        return Ok(found);
    }
    if !(1..=experiment.train.epochs).contains(&found.best_epoch) {
        let problem = format!("names epoch {} as the best, of {}", found.best_epoch, experiment.train.epochs);
        return Err(TrainError::Checkpoint { path: search.join(burnrec_record::SUMMARY), problem });
    }
    let tasks = job.checked.tasks();
    let decides = |(task, metric): (usize, crate::metrics::MetricName)| {
        found.metrics.get("valid").and_then(|valid| valid.get(&tasks[task].name, &metric.name()))
    };
    if job.checked.monitor().metrics().any(|one| decides(one).is_none()) {
        return Err(bad(
            "train.refit",
            "found no best epoch: what decides on it is undefined on the rows that validate; give them both classes, or set train.monitor to what is defined",
        ));
    }
    if !searches {
        check_rows(&job, &search)?;
    }
    let epochs = found.best_epoch;
    let last = if found.best_epoch == found.epochs && found.status == "completed" && epochs > 1 {
        " (the last: more may be better; raise train.epochs, or the learning rates)"
    } else {
        ""
    };
    observer.notice(&Notice::Note(&format!(
        "refit: {epochs} epochs, the best of {}{last}, over the rows of training and validation",
        found.epochs
    )));
    epochs_of(Job { dataset: all, ..job }, epochs, observer)
}

/// Refuses rows that are not those in which the best number of epochs was found.
fn check_rows(job: &Job, search: &Path) -> Result<(), TrainError> {
    let encoder = SavedModel::open(search, &job.opened)?.encoder;
    for side in [Side::Train, Side::Valid] {
        if !encoder.is_as_fitted(&job.dataset, side)? {
            let difference =
                format!("its {} rows are not those that the search in {} had", side.name(), search.display());
            return Err(TrainError::OtherData { path: job.out.clone(), difference });
        }
    }
    Ok(())
}
