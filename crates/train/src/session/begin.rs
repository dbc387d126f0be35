//! Where a run begins: the encoder fitted, and weights at step 0 or at the latest checkpoint.

use std::sync::Arc;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, SplitConfig};
use burnrec_features::{Encoder, FeatureError, Fitted, SideRows, Vocabulary};
use burnrec_models::StartRule;

use super::{Job, Notice, Observer};
use crate::caching::FitCache;
use crate::checked::Checked;
use crate::error::TrainError;
use crate::run::{Manifest, Progress, RunFolder, SavedModel, load_step, sweep};
use crate::step::{Stepper, Trainable};
use crate::weights::{Origin, Weights, adopt, first_model};

/// Whether a run stands in the folder; refuses what cannot be gone on with, and folders of other things.
pub(super) fn check_folder(job: &Job, observer: &mut dyn Observer) -> Result<bool, TrainError> {
    let started = RunFolder::is_started(&job.out);
    if !(job.resume && started) {
        RunFolder::check_free(&job.out)?;
    }
    if started {
        RunFolder::check_same(&job.out, job.checked.experiment())?;
    } else if job.resume {
        let note = format!("{}: holds no run yet; starting one", job.out.display());
        observer.notice(&Notice::Note(&note));
    }
    Ok(started)
}

/// One pass over all sides: the encoder fitted on the training rows, every other row checked, all counted.
pub(super) fn fit(job: &Job, dataset: &Dataset) -> Result<(Encoder, Vec<Vocabulary>, SideRows), TrainError> {
    fit_rows(&job.checked, dataset)
}

/// Reads every row of a log that is to be learned from, so that what is wrong with it is found before anything is written.
///
/// # Errors
/// The first value that cannot be read, with its place.
pub fn check_rows(checked: &Checked, dataset: &Dataset) -> Result<(), TrainError> {
    fit_rows(checked, dataset).map(drop)
}

/// Refuses names of parts that the model of an experiment does not have.
///
/// # Errors
/// The first such name.
pub fn check_trainable(checked: &Checked, trainable: &Trainable, opened: &Opened) -> Result<(), TrainError> {
    trainable.check(&first_model(checked, None, opened), checked.slots())
}

fn fit_rows(checked: &Checked, dataset: &Dataset) -> Result<(Encoder, Vec<Vocabulary>, SideRows), TrainError> {
    let schema = checked.schema();
    for side in [Side::Train, Side::Valid, Side::Test] {
        schema.check_columns(&**dataset.source(side), true)?;
    }
    let kept = FitCache::of(checked, dataset);
    let (encoder, vocabularies, rows) = match kept.as_ref().and_then(|kept| kept.read(checked)) {
        Some(found) => found,
        None => {
            let found = Encoder::fit((**schema).clone(), dataset, &schema.columns(true))?;
            kept.iter().for_each(|kept| kept.write((&found.0, &found.1, &found.2)));
            found
        }
    };
    encoder.check_draws()?;
    for side in [Side::Valid, Side::Test] {
        // A schedule has windows, and no sides.
        let merged = checked.experiment().schedule.is_some() || (side == Side::Valid && dataset.has_valid_in_train());
        if !merged && rows.get(side.name()).copied().unwrap_or(0) == 0 && wants(&checked.experiment().data.split, side)
        {
            return Err(FeatureError::NoRows { side: side.name() }.into());
        }
    }
    Ok((encoder, vocabularies, rows))
}

/// Whether a split promises rows on a side.
pub(super) fn wants(split: &SplitConfig, side: Side) -> bool {
    match split {
        SplitConfig::Random { valid, test, .. }
        | SplitConfig::Order { valid, test }
        | SplitConfig::Time { valid, test, .. }
        | SplitConfig::UserLast { valid, test, .. } => (if side == Side::Valid { *valid } else { *test }) > 0.0,
        SplitConfig::Day { valid_days, test_days, .. } => {
            (if side == Side::Valid { *valid_days } else { *test_days }) > 0
        }
        SplitConfig::LeaveOneOut { .. } | SplitConfig::Files { .. } => true,
    }
}

/// Weights in training, the place of the latest checkpoint and its encoder, if there is one. What `encoder` found of the data now
/// must be what the checkpoint's did.
pub(super) fn reopen(job: &Job, encoder: Option<&Encoder>) -> Result<Option<Reopened>, TrainError> {
    let checkpoints = job.out.join("checkpoints");
    let Some(manifest) = sweep(&checkpoints)? else { return Ok(None) };
    let latest = manifest.latest.clone();
    let loaded = manifest.open(&checkpoints, &latest, job.checked.schema())?;
    if let Some(encoder) = encoder.filter(|encoder| loaded.fitted != *encoder.fitted()) {
        let (was, is) = (&loaded.fitted, encoder.fitted());
        let difference = match was.rows == is.rows {
            true if was.keys != is.keys => "its ids are others".to_string(),
            true => "its columns have other values".to_string(),
            false => format!("{} training rows then, {} now", was.rows, is.rows),
        };
        return Err(TrainError::OtherData { path: job.out.clone(), difference });
    }
    let saved = SavedModel::open_checkpoint(&manifest, &checkpoints, &latest, job.checked.clone(), &job.opened)?;
    let mut stepper = Stepper::new(saved.weights, &job.checked);
    load_step(&loaded.folder, &mut stepper)?;
    Ok(Some((stepper, loaded.progress, saved.encoder)))
}

/// Weights, their place, and their encoder.
pub(super) type Reopened = (Stepper, Progress, Arc<Encoder>);

/// A schedule behind its first stretch: what that had may be gone from the log, and its ledger knows the windows.
pub(super) fn reopen_later(job: &Job) -> Result<Option<Reopened>, TrainError> {
    let checkpoints = job.out.join("checkpoints");
    let Some(manifest) = Manifest::read(&checkpoints)? else { return Ok(None) };
    let phase = manifest.open(&checkpoints, &manifest.latest, job.checked.schema())?.progress.phase;
    if job.checked.experiment().schedule.is_none() || phase == 0 {
        return Ok(None);
    }
    reopen(job, None)
}

/// Weights at step 0, those of other runs adopted where the model starts from some.
pub(super) fn first(job: &Job, fitted: &Fitted, vocabularies: &[Vocabulary]) -> Result<Weights, TrainError> {
    let mut weights = Weights::first(&job.checked, fitted, vocabularies, &job.opened)?;
    let open = |rule: &StartRule| {
        let saved = SavedModel::open(std::path::Path::new(&rule.run), &job.opened)?;
        Ok(Origin { weights: saved.weights, fitted: saved.encoder.fitted().clone() })
    };
    adopt(&mut weights, &job.checked, fitted, &open)?;
    Ok(weights)
}
