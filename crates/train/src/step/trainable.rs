//! What learns and what rests: groups of dense weights by their names, tables by the names of their lookups.
//!
//! What rests has no gradient at all: a rate of 0 would still move an optimiser's moments. Running statistics of what rests
//! are put back after each step.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burnrec_embedding::Slots;
use burnrec_models::AnyModel;

use crate::error::{TrainError, bad};

/// Which dense weights learn.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Dense {
    /// All.
    #[default]
    All,
    /// Those whose path in the model starts with one of these names: `score`, `towers`.
    Only(Vec<String>),
}

/// What learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Trainable {
    /// Which dense weights.
    pub dense: Dense,
    /// Which lookups' tables, by name; all when absent.
    pub lookups: Option<Vec<String>>,
    /// Parts that rest though the others above learn: dense weights by a name in their path, tables by the name of their lookup.
    pub rests: Vec<String>,
    /// A factor of all learning rates.
    pub rate: f64,
}

impl Default for Trainable {
    fn default() -> Self {
        Self { dense: Dense::All, lookups: None, rests: Vec::new(), rate: 1.0 }
    }
}

/// What rests, found in a model.
#[derive(Default)]
pub(super) struct Resting {
    /// Dense weights that have no gradient.
    weights: Vec<ParamId>,
    /// Running statistics, with the values that they keep.
    statistics: HashMap<ParamId, Box<dyn Any + Send>>,
    /// Whether each lookup learns; empty where all do.
    pub(super) learns: Vec<bool>,
}

impl Trainable {
    /// Refuses names that a model does not have.
    pub(crate) fn check(&self, model: &AnyModel, slots: &Slots) -> Result<(), TrainError> {
        self.resting(model, slots).map(drop)
    }

    /// Finds what rests.
    pub(super) fn resting(&self, model: &AnyModel, slots: &Slots) -> Result<Resting, TrainError> {
        let mut resting = Resting::default();
        let known = |name: &&String| slots.0.iter().any(|lookup| lookup.name == **name);
        let only = match &self.dense {
            Dense::All => None,
            Dense::Only(names) => Some(&names[..]),
        };
        if only.is_some() || !self.rests.is_empty() {
            let mut found = Find { only, rests: &self.rests, path: Vec::new(), used: Vec::new(), resting };
            model.visit(&mut found);
            if let Some(name) = only.unwrap_or_default().iter().find(|name| !found.used.contains(name)) {
                return Err(bad("trainable", format!("the model has no weights called `{name}`")));
            }
            if let Some(name) = self.rests.iter().find(|name| !found.used.contains(name) && !known(name)) {
                return Err(bad("trainable", format!("the model has neither weights nor a lookup called `{name}`")));
            }
            resting = found.resting;
        }
        if let Some(name) = self.lookups.iter().flatten().find(|name| !known(name)) {
            return Err(bad("trainable", format!("the model has no lookup called `{name}`")));
        }
        if self.lookups.is_some() || self.rests.iter().any(|name| known(&name)) {
            let is = |names: &[String], of: &str| names.iter().any(|name| name == of);
            let learns = |of: &str| self.lookups.as_ref().is_none_or(|names| is(names, of)) && !is(&self.rests, of);
            resting.learns = slots.0.iter().map(|lookup| learns(lookup.name)).collect();
        }
        Ok(resting)
    }
}

/// Walks a model by the names of its parts.
struct Find<'a> {
    only: Option<&'a [String]>,
    rests: &'a [String],
    path: Vec<String>,
    used: Vec<String>,
    resting: Resting,
}

impl ModuleVisitor for Find<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let own = |names: &[String]| names.iter().filter(|name| self.path.contains(name)).cloned().collect::<Vec<_>>();
        let (only, rests) = (own(self.only.unwrap_or_default()), own(self.rests));
        let learns = (self.only.is_none() || !only.is_empty()) && rests.is_empty();
        self.used.extend(only.into_iter().chain(rests));
        if learns {
            return;
        }
        let value = param.val();
        match value.is_require_grad() {
            true => self.resting.weights.push(param.id),
            false => drop(self.resting.statistics.insert(param.id, Box::new(value))),
        }
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

/// Takes the gradients of what rests away.
struct Remove<'a> {
    weights: &'a [ParamId],
    gradients: &'a mut GradientsParams,
}

impl ModuleVisitor for Remove<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.weights.contains(&param.id) {
            drop(self.gradients.remove::<D>(param.id));
        }
    }
}

/// Puts running statistics back.
struct Restore<'a>(&'a HashMap<ParamId, Box<dyn Any + Send>>);

impl ModuleMapper for Restore<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.get(&param.id).and_then(|kept| kept.downcast_ref::<Tensor<D>>()) {
            Some(kept) => Param::initialized(param.id, kept.clone()),
            None => param,
        }
    }
}

/// Puts running statistics of a step of several passes back to what they were behind the first.
pub(super) fn put_back(model: AnyModel, statistics: Option<super::mixer::Statistics>) -> AnyModel {
    match statistics {
        Some(statistics) if !statistics.0.is_empty() => model.map(&mut Restore(&statistics.0)),
        _ => model,
    }
}

impl Resting {
    pub(super) fn drop_gradients(&self, model: &AnyModel, gradients: &mut GradientsParams) {
        if !self.weights.is_empty() {
            model.visit(&mut Remove { weights: &self.weights, gradients });
        }
    }

    pub(super) fn restored(&self, model: AnyModel) -> AnyModel {
        match self.statistics.is_empty() {
            true => model,
            false => model.map(&mut Restore(&self.statistics)),
        }
    }
}
