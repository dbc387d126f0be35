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
    /// A factor of all learning rates.
    pub rate: f64,
}

impl Default for Trainable {
    fn default() -> Self {
        Self { dense: Dense::All, lookups: None, rate: 1.0 }
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
    /// Finds what rests.
    pub(super) fn resting(&self, model: &AnyModel, slots: &Slots) -> Result<Resting, TrainError> {
        let mut resting = Resting::default();
        if let Dense::Only(names) = &self.dense {
            let mut found = Find { names, path: Vec::new(), used: vec![false; names.len()], resting };
            model.visit(&mut found);
            if let Some(at) = found.used.iter().position(|used| !used) {
                return Err(bad("trainable", format!("the model has no weights called `{}`", names[at])));
            }
            resting = found.resting;
        }
        if let Some(names) = &self.lookups {
            let known = |name: &&String| slots.0.iter().any(|lookup| lookup.name == **name);
            if let Some(name) = names.iter().find(|name| !known(name)) {
                return Err(bad("trainable", format!("the model has no lookup called `{name}`")));
            }
            resting.learns = slots.0.iter().map(|lookup| names.iter().any(|name| name == lookup.name)).collect();
        }
        Ok(resting)
    }
}

/// Walks a model by the names of its parts.
struct Find<'a> {
    names: &'a [String],
    path: Vec<String>,
    used: Vec<bool>,
    resting: Resting,
}

impl ModuleVisitor for Find<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut learns = false;
        for (name, used) in self.names.iter().zip(&mut self.used) {
            let own = self.path.contains(name);
            learns |= own;
            *used |= own;
        }
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
