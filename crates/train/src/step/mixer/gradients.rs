//! The gradients of a step: of dense weights, and of what was looked up.

use std::collections::HashMap;

use burn::module::{ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use burnrec_backend::traffic;
use burnrec_models::AnyModel;

use super::super::gather::Gathered;
use super::solve::Gram;

/// Gradients of all that a pass went through.
pub struct Walked {
    /// Of dense weights.
    pub dense: GradientsParams,
    /// Of the leaf of each lookup.
    pub leaves: Vec<Option<Tensor<3>>>,
    /// Of the sequences of each lookup.
    pub sequences: Vec<Vec<Option<Tensor<2>>>>,
}

impl Walked {
    /// Takes them out of what a walk gave.
    pub(super) fn of(mut gradients: Gradients, model: &AnyModel, gathered: &Gathered) -> Self {
        let leaves = gathered.leaves.iter().map(|leaf| leaf.grad_remove(&mut gradients)).collect();
        let mut of_lookup = |own: &Vec<Tensor<2>>| own.iter().map(|s| s.grad_remove(&mut gradients)).collect();
        let sequences = gathered.inputs.sequences.iter().map(&mut of_lookup).collect();
        Self { dense: GradientsParams::from_grads(gradients, model), leaves, sequences }
    }
}

/// Gradients of several losses, a walk each.
pub(super) struct Each {
    pub(super) walks: Vec<Walked>,
    /// Whether each is of a task, which may be mixed; the others are added as they are.
    pub(super) tasks: usize,
}

/// Products of `[n]`s with each other, `[K, K]`.
fn products(parts: Vec<Tensor<1>>) -> Tensor<2> {
    let all: Tensor<2> = Tensor::stack(parts, 0); // [K, n]
    all.clone().matmul(all.transpose())
}

/// Those there are, zeros for the others; none where fewer than two are.
fn shared<const D: usize>(parts: Vec<Option<Tensor<D>>>) -> Option<Vec<Tensor<1>>> {
    let like = parts.iter().flatten().next().cloned()?;
    let there = parts.iter().flatten().count();
    let flat = |part: Option<Tensor<D>>| part.unwrap_or_else(|| like.zeros_like()).flatten::<1>(0, D - 1);
    (there > 1).then(|| parts.into_iter().map(flat).collect())
}

/// Adds the products over dense weights up.
struct Products<'a> {
    walks: &'a [Walked],
    sum: Option<Tensor<2>>,
}

impl Products<'_> {
    fn add<const D: usize>(&mut self, parts: Vec<Option<Tensor<D>>>) {
        let Some(parts) = shared(parts) else { return };
        let own = products(parts);
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + own,
            None => own,
        });
    }
}

impl ModuleVisitor for Products<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parts = self.walks.iter().map(|walk| walk.dense.get::<D>(param.id)).collect();
        self.add::<D>(parts);
    }
}

/// Sums dense gradients, each by its share.
struct Sums<'a> {
    walks: &'a mut [Walked],
    shares: &'a Shares,
    sum: GradientsParams,
}

impl ModuleVisitor for Sums<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parts = self.walks.iter_mut().map(|walk| walk.dense.remove::<D>(param.id)).collect();
        if let Some(sum) = self.shares.sum(parts) {
            self.sum.register(param.id, sum);
        }
    }
}

/// How much of each gradient a step takes.
pub(super) struct Shares {
    /// Of what several tasks reach.
    pub(super) shared: Vec<f64>,
    /// Of what one task alone reaches.
    pub(super) own: Vec<f64>,
}

impl Shares {
    /// Losses of the model's own stand behind the tasks' and are taken whole.
    fn sum<const D: usize>(&self, parts: Vec<Option<Tensor<D>>>) -> Option<Tensor<D>> {
        let tasks = self.shared.len();
        let there = parts.iter().take(tasks).flatten().count();
        let shares = if there > 1 { &self.shared } else { &self.own };
        let weighed = |(at, part): (usize, Option<Tensor<D>>)| {
            let share = shares.get(at).copied().unwrap_or(1.0);
            part.map(|part| if share == 1.0 { part } else { part * share })
        };
        parts.into_iter().enumerate().filter_map(weighed).reduce(|sum, part| sum + part)
    }
}

impl Each {
    /// Products of the tasks' gradients with each other over what they share, read from the device.
    pub(super) fn gram(&self, model: &AnyModel, own_memory: bool) -> Gram {
        let walks = &self.walks[..self.tasks];
        let mut products = Products { walks, sum: None };
        burn::module::Module::visit(model, &mut products);
        for lookup in 0..walks[0].leaves.len() {
            products.add::<3>(walks.iter().map(|walk| walk.leaves[lookup].clone()).collect());
            for place in 0..walks[0].sequences[lookup].len() {
                products.add::<2>(walks.iter().map(|walk| walk.sequences[lookup][place].clone()).collect());
            }
        }
        let Some(sum) = products.sum else { return vec![vec![0.0; self.tasks]; self.tasks] };
        let values = traffic::read_from(sum, own_memory);
        values.chunks(self.tasks).map(|row| row.iter().map(|m| f64::from(*m)).collect()).collect()
    }

    /// One gradient of all.
    pub(super) fn mixed(mut self, model: &AnyModel, shares: &Shares) -> Walked {
        let (lookups, sequences): (usize, Vec<usize>) =
            (self.walks[0].leaves.len(), self.walks[0].sequences.iter().map(Vec::len).collect());
        let leaf = |walks: &mut [Walked], at: usize| walks.iter_mut().map(|walk| walk.leaves[at].take()).collect();
        let leaves = (0..lookups).map(|at| shares.sum::<3>(leaf(&mut self.walks, at))).collect();
        let mut of = |lookup: usize, place: usize| {
            let parts = self.walks.iter_mut().map(|walk| walk.sequences[lookup][place].take()).collect();
            shares.sum::<2>(parts)
        };
        let sequences =
            sequences.iter().enumerate().map(|(lookup, count)| (0..*count).map(|p| of(lookup, p)).collect()).collect();
        let mut sums = Sums { walks: &mut self.walks, shares, sum: GradientsParams::new() };
        burn::module::Module::visit(model, &mut sums);
        Walked { dense: sums.sum, leaves, sequences }
    }
}

/// The running statistics of a model, as they were.
#[derive(Default)]
pub struct Statistics(pub(in crate::step) HashMap<ParamId, Box<dyn std::any::Any + Send>>);

impl Statistics {
    /// Those of a model.
    pub(super) fn of(model: &AnyModel) -> Self {
        struct Find(Statistics);
        impl ModuleVisitor for Find {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let value = param.val();
                if !value.is_require_grad() {
                    self.0.0.insert(param.id, Box::new(value));
                }
            }
        }
        let mut found = Find(Self::default());
        burn::module::Module::visit(model, &mut found);
        found.0
    }
}
