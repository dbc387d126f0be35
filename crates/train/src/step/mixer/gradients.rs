//! The gradients of a step: of dense weights, and of what was looked up.

use std::collections::HashMap;

use burn::module::{ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Tensor};
use burnrec_backend::traffic;
use burnrec_models::AnyModel;

use super::super::forward::Cut;
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
    /// How many of the first are of tasks, which may be mixed; the others are added as they are.
    pub(super) tasks: usize,
    /// What each walk left at the cut, where there is one.
    pub(super) at_cut: Vec<AtCut>,
    /// The cut.
    pub(super) cut: Option<Cut>,
}

/// Gradients of what the trunk gave, a tensor each; none of what a walk did not reach.
pub(super) type AtCut = Vec<Option<Tensor<2>>>;

impl Cut {
    /// Takes the gradients of its leaves out of what a walk gave.
    pub(super) fn take_gradients(&self, gradients: &mut Gradients) -> AtCut {
        self.leaves.iter().map(|leaf| leaf.grad_remove(gradients)).collect()
    }

    /// Walks the trunk back from these gradients of what it gave; none where nothing comes back.
    pub(super) fn walk(self, of_cut: AtCut, model: &AnyModel, gathered: &Gathered) -> Option<Walked> {
        // The gradient of `Σ <trunk, g>` is g.
        let product = |(whole, g): (Tensor<2>, Option<Tensor<2>>)| Some((whole * Tensor::from_inner(g?)).sum());
        let sum = self.whole.0.into_iter().zip(of_cut).filter_map(product).reduce(|sum: Tensor<1>, part| sum + part);
        Some(Walked::of(sum?.backward(), model, gathered))
    }
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

impl Products<'_> {
    /// Over all that a pass reached.
    fn add_all(&mut self, model: &AnyModel) {
        burn::module::Module::visit(model, self);
        let walks = self.walks;
        for lookup in 0..walks[0].leaves.len() {
            self.add::<3>(walks.iter().map(|walk| walk.leaves[lookup].clone()).collect());
            for place in 0..walks[0].sequences[lookup].len() {
                self.add::<2>(walks.iter().map(|walk| walk.sequences[lookup][place].clone()).collect());
            }
        }
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
    /// Walks that belong to no task by itself.
    pub(super) fn untold(walks: Vec<Walked>) -> Self {
        Self { walks, tasks: 0, at_cut: Vec::new(), cut: None }
    }

    /// Products of the tasks' gradients with each other over what they share, or over what of it stands at the cut, read from the
    /// device.
    pub(super) fn gram(&self, model: &AnyModel, own_memory: bool) -> Gram {
        let walks = &self.walks[..self.tasks];
        let mut products = Products { walks, sum: None };
        match &self.cut {
            Some(cut) => {
                for part in 0..cut.leaves.len() {
                    products.add::<2>(self.at_cut[..self.tasks].iter().map(|walk| walk[part].clone()).collect());
                }
            }
            None => products.add_all(model),
        }
        let Some(sum) = products.sum else { return vec![vec![0.0; self.tasks]; self.tasks] };
        let values = traffic::read_from(sum, own_memory);
        values.chunks(self.tasks).map(|row| row.iter().map(|m| f64::from(*m)).collect()).collect()
    }

    /// One gradient of all: what is mixed at the cut goes back through the trunk once; what stands behind it takes the tasks' own.
    pub(super) fn mixed(mut self, model: &AnyModel, gathered: &Gathered, shares: &Shares) -> Walked {
        if let Some(cut) = self.cut.take() {
            let mut at_cut = std::mem::take(&mut self.at_cut);
            let of = |part: usize| shares.sum(at_cut.iter_mut().map(|walk| walk[part].take()).collect());
            let of_cut = (0..cut.leaves.len()).map(of).collect();
            self.walks.extend(cut.walk(of_cut, model, gathered));
            // What stands behind the cut was compared by nobody.
            let plain = Shares { shared: shares.own.clone(), own: shares.own.clone() };
            return self.summed(model, &plain);
        }
        self.summed(model, shares)
    }

    /// The sum of all walks, as they are.
    pub(super) fn whole(mut self, model: &AnyModel) -> Walked {
        match self.walks.len() {
            1 => self.walks.swap_remove(0),
            _ => self.summed(model, &Shares { shared: Vec::new(), own: Vec::new() }),
        }
    }

    fn summed(mut self, model: &AnyModel, shares: &Shares) -> Walked {
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
