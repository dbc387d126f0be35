//! How the tasks' losses become one gradient.

use std::fmt::Debug;

use burn::tensor::{Gradients, Tensor};
use burnrec_models::AnyModel;

use super::forward::Passed;
use super::gather::Gathered;

/// A forward pass that has not been walked back.
pub struct Pass<'a> {
    /// The weights.
    pub model: &'a AnyModel,
    /// The batch.
    pub gathered: &'a Gathered,
    /// The losses.
    pub passed: Passed,
}

/// Gradients of all that a pass went through.
pub struct Walked(pub Gradients);

impl Pass<'_> {
    /// Walks `Σ w_k L_k` and the model's own losses back, once.
    pub fn walk(self, weights: &[f64]) -> Walked {
        let weigh = |(loss, weight): (Tensor<1>, &f64)| if *weight == 1.0 { loss } else { loss * *weight };
        let Passed { losses, auxiliary, .. } = self.passed;
        let total = losses.into_iter().zip(weights).map(weigh).chain(auxiliary).reduce(|sum, part| sum + part);
        match total {
            Some(total) => Walked(total.backward()),
            None => unreachable!("a model has a task"),
        }
    }
}

/// Weighs the tasks.
pub trait Mixer: Debug + Send {
    /// Walks a pass back.
    fn gradients(&mut self, pass: Pass<'_>) -> Walked;
}

/// The weights of the config, the same at every step.
#[derive(Clone, Debug)]
pub struct Fixed(pub Vec<f64>);

impl Mixer for Fixed {
    fn gradients(&mut self, pass: Pass<'_>) -> Walked {
        pass.walk(&self.0)
    }
}
