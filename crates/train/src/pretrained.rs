//! Weights that a model starts from: those of runs before it.

use std::path::Path;

use burnrec_backend::Opened;
use burnrec_features::Encoder;
use burnrec_models::{AnyModel, ModelConfig, Pretrained};

use crate::error::TrainError;
use crate::experiment::Experiment;
use crate::learner::Learner;
use crate::saved::SavedModel;

fn bad(key: &str, problem: String) -> TrainError {
    TrainError::Setting { key: format!("model.neumf.pretrained.{key}"), problem }
}

/// Gives a learner at step 0 the weights that its settings name.
pub(crate) fn apply(
    learner: &mut Learner,
    experiment: &Experiment,
    encoder: &Encoder,
    opened: &Opened,
) -> Result<(), TrainError> {
    let ModelConfig::NeuMf(config) = &experiment.model else { return Ok(()) };
    let Some(Pretrained { gmf, mlp, alpha }) = &config.pretrained else { return Ok(()) };
    let open = |key: &str, path: &str| SavedModel::open(Path::new(path), opened).map_err(|e| bad(key, e.to_string()));
    let (product, tower) = (open("gmf", gmf)?, open("mlp", mlp)?);
    for (lookup, key, run, name) in [(0, "gmf", &product, gmf), (1, "mlp", &tower, mlp)] {
        if run.learner.slots.0.len() != 1 || run.learner.slots.0[0].name != key {
            return Err(bad(
                key,
                format!("{name} is a run of another model; train one with model.neumf.part = \"{key}\""),
            ));
        }
        let (theirs, ours) = (run.encoder.fitted(), encoder.fitted());
        if (theirs.rows, &theirs.keys) != (ours.rows, &ours.keys) {
            let problem = format!(
                "{name} learned from other rows, which may be those that this run is tested on; train it on the same data and split"
            );
            return Err(bad(key, problem));
        }
        if !learner.tables.adopt(lookup, &run.learner.tables, 0) {
            let problem = format!("{name} has other ids or widths; train it on the same rows, split and fields");
            return Err(bad(key, problem));
        }
    }
    let (AnyModel::NeuMf(product), AnyModel::NeuMf(tower)) = (product.learner.model()?, tower.learner.model()?) else {
        return Err(bad("gmf", "is a run of another model".into()));
    };
    let started = match learner.model_mut() {
        Some(AnyModel::NeuMf(model)) => model.start_from(product, tower, *alpha),
        _ => false,
    };
    match started {
        true => Ok(()),
        false => Err(bad("mlp", format!("{mlp} or {gmf} has other widths than this model; give all three the same"))),
    }
}
