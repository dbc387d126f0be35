//! What an objective is: which labels it takes, what its scores mean, where they start, how far a batch is off.

use std::fmt::Debug;

use burn::tensor::Tensor;
use burnrec_features::{Batch, TargetFit};
use burnrec_models::Head;

use crate::objective::target::{HostTarget, Target};

/// What the number behind a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Log-odds of a probability.
    Sigmoid,
    /// The logarithm of the number.
    Exp,
    /// The number itself.
    Identity,
    /// One score a class: their softmax is its probability.
    Softmax,
    /// An order, and no more.
    Order,
}

/// What an objective compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compares {
    /// Each row with its label.
    Rows,
    /// The rows of a list with each other.
    Lists,
    /// Each row's item with what was drawn for the batch.
    Drawn,
    /// Pairs of items with what was drawn beside them.
    Pairs,
}

/// Which labels an objective takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labels {
    /// 0 and 1.
    pub binary: bool,
    /// Numbers between these, the reason in words.
    pub numbers: Option<(f32, f32, &'static str)>,
    /// One of several classes.
    pub classes: bool,
}

impl Labels {
    /// 0 and 1 alone.
    pub const BINARY: Self = Self { binary: true, numbers: None, classes: false };

    /// 0 and 1, and numbers between these.
    pub const fn graded(low: f32, high: f32, why: &'static str) -> Self {
        Self { binary: true, numbers: Some((low, high, why)), classes: false }
    }

    /// Numbers between these alone.
    pub const fn numbers(low: f32, high: f32, why: &'static str) -> Self {
        Self { binary: false, numbers: Some((low, high, why)), classes: false }
    }
}

/// What an objective takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Takes {
    /// Which labels.
    pub labels: Labels,
    /// What it compares.
    pub compares: Compares,
}

/// The objective of one task.
pub trait Objective: Debug + Send + Sync {
    /// What it takes.
    fn takes(&self) -> Takes;

    /// What its scores mean.
    fn link(&self) -> Link;

    /// Where the outputs' biases start, one an output. What compares has no use for any.
    fn bias(&self, _fit: &TargetFit) -> Vec<f32> {
        vec![0.0]
    }

    /// What it needs of a batch, made on the loader's thread.
    fn prepare(&self, batch: &Batch, task: usize) -> HostTarget {
        HostTarget::of_rows(batch, task)
    }

    /// How far a batch is off `[1]`: a mean over the rows or lists whose label is known, 0 where there are none.
    fn loss(&self, head: &Head, sampled: Option<&Tensor<2>>, target: &Target) -> Tensor<1>;
}
