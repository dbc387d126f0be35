//! Weights that a model starts from: those of runs before it.

use burnrec_features::Fitted;
use burnrec_models::StartRule;

use crate::checked::Checked;
use crate::error::{TrainError, bad};
use crate::weights::Weights;

/// A run that another starts from.
pub(crate) struct Origin {
    pub(crate) weights: Weights,
    pub(crate) fitted: Fitted,
}

/// Gives weights at step 0 those of the runs that the model's settings name.
pub(crate) fn adopt(
    weights: &mut Weights,
    checked: &Checked,
    fitted: &Fitted,
    open: &dyn Fn(&StartRule) -> Result<Origin, TrainError>,
) -> Result<(), TrainError> {
    let config = &checked.experiment().model;
    let rules = config.starts();
    let refused = |rule: &StartRule, problem: String| bad(format!("model.{}.{}", config.name(), rule.key), problem);
    let mut origins = Vec::with_capacity(rules.len());
    for rule in &rules {
        let origin = open(rule).map_err(|e| refused(rule, e.to_string()))?;
        let own = &origin.weights.slots().0;
        if own.len() != 1 || own[0].name != rule.from {
            let what = format!(
                "{} is a run of another model; train one with model.{}.{}",
                rule.run,
                config.name(),
                rule.trained_with
            );
            return Err(refused(rule, what));
        }
        if (origin.fitted.rows, &origin.fitted.keys) != (fitted.rows, &fitted.keys) {
            let what = format!(
                "{} learned from other rows, which may be those that this run is tested on; train it on the same data and split",
                rule.run
            );
            return Err(refused(rule, what));
        }
        if !weights.tables.adopt(rule.lookup, &origin.weights.tables, 0) {
            let what = format!("{} has other ids or widths; train it on the same rows, split and fields", rule.run);
            return Err(refused(rule, what));
        }
        origins.push(origin);
    }
    let Some(last) = rules.last() else { return Ok(()) };
    let models = origins.iter().map(|o| o.weights.model()).collect::<Result<Vec<_>, _>>()?;
    let model = weights.model.as_mut().ok_or(TrainError::HalfStep)?;
    match burnrec_models::Model::start_from(model, &models) {
        true => Ok(()),
        false => {
            let runs: Vec<&str> = rules.iter().map(|rule| rule.run.as_str()).collect();
            Err(refused(last, format!("{} have other widths than this model; give all the same", runs.join(" or "))))
        }
    }
}
