//! A model as a run left it, ready to predict.

use std::path::Path;
use std::sync::Arc;

use burnrec_backend::Opened;
use burnrec_embedding::Tables;
use burnrec_features::{Encoder, Schema, stream_seed};
use burnrec_models::{Initial, InputShapes};

use crate::catalogue;
use crate::checkpoint::{Manifest, load_dense, tables_folder};
use crate::error::TrainError;
use crate::experiment::Experiment;
use crate::folder::RunFolder;
use crate::learner::Learner;
use crate::measured::Measured;
use crate::place::table_device;
use crate::start::limit_labels;

/// Checkpoints that are tried while a run replaces them.
const TRIES: usize = 20;

/// A trained model with its encoder and configuration.
pub struct SavedModel {
    /// The configuration that it was trained with.
    pub experiment: Experiment,
    /// The encoder, fitted on the training rows.
    pub encoder: Arc<Encoder>,
    /// Weights and tables.
    pub learner: Learner,
}

impl SavedModel {
    /// Opens the best checkpoint of a run folder, or the latest where none was evaluated.
    ///
    /// # Errors
    /// Folders that hold no run, runs of another version, missing or altered files.
    pub fn open(run: &Path, opened: &Opened) -> Result<Self, TrainError> {
        let experiment = RunFolder::config(run)?;
        let checkpoints = run.join("checkpoints");
        let mut tries = 0;
        loop {
            let manifest = Manifest::read(&checkpoints)?.ok_or_else(|| TrainError::NotARun {
                path: run.to_path_buf(),
                problem: "it has no checkpoint yet; train it to the end, or with --resume".into(),
            })?;
            let name = manifest.best.clone().unwrap_or_else(|| manifest.latest.clone());
            let outcome = Self::open_checkpoint(&manifest, &checkpoints, &name, experiment.clone(), opened);
            tries += 1;
            // A run that is still training may have removed this checkpoint for a newer one meanwhile.
            let replaced = || Manifest::read(&checkpoints).is_ok_and(|m| m.is_some_and(|m| m.files != manifest.files));
            if outcome.is_ok() || tries == TRIES || !replaced() {
                return outcome;
            }
        }
    }

    pub(crate) fn open_checkpoint(
        manifest: &Manifest,
        checkpoints: &Path,
        name: &str,
        experiment: Experiment,
        opened: &Opened,
    ) -> Result<Self, TrainError> {
        let loaded = manifest.open(checkpoints, name)?;
        let mut schema = Schema::new(&experiment.features)?;
        let measured = Measured::new(&experiment, &schema);
        limit_labels(&mut schema, &measured, &experiment.train.metric_names(&measured)?);
        let slots = Arc::new(experiment.model.slots(&schema));
        let shapes = InputShapes::new(&slots, &schema, 0.0);
        let seed = experiment.run.seed;
        let mut model =
            experiment.model.init(&shapes, &mut Initial::new(seed), &opened.device.clone().inner().autodiff());
        load_dense(&loaded.folder, &mut model)?;
        let tables = Tables::load(
            &tables_folder(&loaded.folder),
            Arc::new(schema.clone()),
            &slots,
            &experiment.train.sparse,
            stream_seed(seed, "tables", 0),
            table_device(opened, experiment.backend.placement).as_ref(),
        )?;
        let loss = measured.loss;
        let learner = Learner::new(model, tables, slots, &opened.device, &experiment.train, loss, seed);
        let catalogue = catalogue::read(checkpoints, &schema, &loaded.fitted)?;
        let trees = catalogue::read_trees(checkpoints, &loaded.fitted)?;
        let encoder = Arc::new(Encoder::restore(schema, loaded.fitted, catalogue, trees));
        Ok(Self { experiment, encoder, learner })
    }
}
