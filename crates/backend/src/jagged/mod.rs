//! Operations on sequences laid end to end: nothing is padded, so that padding costs nothing.
//!
//! `spread` brings a row of the batch to each of its positions, `segment_sum` adds the positions of each row up; each is
//! the other's gradient. The pairs that attention is made of are operations of their own on flex and on devices with kernels;
//! elsewhere they are composed of these two.

#[cfg(feature = "cube")]
mod attend_kernel;
#[cfg(feature = "cube")]
mod cube;
mod flex;
mod fused;
mod kernel;
mod op;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::backend::{Dispatch, DispatchTensor};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::dense::Activation;
use crate::kind::has_kernels;
use fused::FusedOps;
use op::JaggedOps;

/// Which positions belong to which row of a batch.
#[derive(Clone, Debug)]
pub struct Segments {
    /// Where each row starts, and the end.
    host: Arc<[u32]>,
    /// The same, `[rows + 1]`.
    offsets: Tensor<1, Int>,
    /// The row of each position, `[positions]`.
    owners: Tensor<1, Int>,
}

impl Segments {
    /// Segments on a device; `offsets` rises, from 0.
    pub fn new(offsets: &[u32], device: &Device) -> Self {
        let device = device.clone().inner();
        let owners: Vec<i32> = offsets
            .windows(2)
            .enumerate()
            .flat_map(|(row, span)| std::iter::repeat_n(row as i32, (span[1] - span[0]) as usize))
            .collect();
        let starts: Vec<i32> = offsets.iter().map(|o| o.cast_signed()).collect();
        let ints = |values: Vec<i32>| {
            let length = values.len();
            crate::traffic::up_to(&device, length * 4);
            Tensor::from_data(TensorData::new(values, [length]), &device)
        };
        Self { host: offsets.into(), offsets: ints(starts), owners: ints(owners) }
    }

    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.host.len().saturating_sub(1)
    }

    /// Positions of all rows.
    pub fn positions(&self) -> usize {
        self.host.last().map_or(0, |n| *n as usize)
    }

    /// Offsets and owners on the device, offsets on the host.
    fn places(&self) -> (DispatchTensor, DispatchTensor, Arc<[u32]>) {
        (self.offsets.clone().into_dispatch(), self.owners.clone().into_dispatch(), self.host.clone())
    }

    /// The offsets on the device.
    pub(crate) fn on_device(&self) -> DispatchTensor {
        self.offsets.clone().into_dispatch()
    }

    /// The offsets, shared.
    pub(crate) fn host(&self) -> Arc<[u32]> {
        self.host.clone()
    }

    /// 1 at the last position of each row, 0 elsewhere, `[positions, 1]`: weights that pick the last states.
    pub fn last(&self, device: &Device) -> Tensor<2> {
        let mut values = vec![0.0f32; self.positions()];
        self.host.windows(2).filter(|w| w[0] < w[1]).for_each(|w| values[w[1] as usize - 1] = 1.0);
        Tensor::from_data(TensorData::new(values, [self.positions(), 1]), device)
    }

    /// The positions of each step of time: the first ones of all rows that have one, then the second ones, the longest rows first;
    /// so the rows of a step are the first ones of the step before.
    pub fn steps(&self) -> Steps {
        let length = |row: usize| (self.host[row + 1] - self.host[row]) as usize;
        let mut rows: Vec<usize> = (0..self.rows()).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(length(*row)));
        let longest = rows.first().map_or(0, |row| length(*row));
        let step = |step: usize| {
            let active = rows.partition_point(|row| length(*row) > step);
            rows[..active].iter().map(|row| self.host[*row] as i32 + step as i32).collect()
        };
        Steps((0..longest).map(step).collect())
    }

    /// Where each row starts, and the end.
    pub fn offsets(&self) -> &[u32] {
        &self.host
    }
}

/// Positions of each step of time, see [`Segments::steps`].
pub struct Steps(pub Vec<Vec<i32>>);

impl Steps {
    /// The positions of a step as indices.
    pub fn at(&self, step: usize, device: &Device) -> Tensor<1, Int> {
        indices(self.0[step].clone(), device)
    }

    /// What was made step after step, in the order of the positions.
    ///
    /// # Shapes
    /// - `made`: `[rows of the step, d]` each
    /// - output: `[positions, d]`
    pub fn in_order(&self, made: Vec<Tensor<2>>) -> Tensor<2> {
        let mut back = vec![0; self.0.iter().map(Vec::len).sum()];
        self.0.iter().flatten().zip(0..).for_each(|(place, at)| back[*place as usize] = at);
        let all = Tensor::cat(made, 0);
        let device = all.device();
        all.select(0, indices(back, &device))
    }
}

fn indices(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), &device.clone().inner())
}

/// A row of the batch at each of its positions.
///
/// # Shapes
/// - `x`: `[B, d]`
/// - output: `[positions, d]`
pub fn spread(x: Tensor<2>, segments: &Segments) -> Tensor<2> {
    let (offsets, owners) = (segments.offsets.clone(), segments.owners.clone());
    Tensor::from_dispatch(<Dispatch as JaggedOps>::spread(
        x.into_dispatch(),
        offsets.into_dispatch(),
        owners.into_dispatch(),
        segments.host.clone(),
    ))
}

/// The sum over each row's positions; zeros where it has none.
///
/// # Shapes
/// - `x`: `[positions, d]`
/// - output: `[B, d]`
pub fn segment_sum(x: Tensor<2>, segments: &Segments) -> Tensor<2> {
    let (offsets, owners) = (segments.offsets.clone(), segments.owners.clone());
    Tensor::from_dispatch(<Dispatch as JaggedOps>::segment_sum(
        x.into_dispatch(),
        offsets.into_dispatch(),
        owners.into_dispatch(),
        segments.host.clone(),
    ))
}

/// `keys ⊙ spread(query)`.
///
/// # Shapes
/// - `keys`: `[positions, d]`, `query`: `[B, d]`
/// - output: `[positions, d]`
pub fn spread_mul(keys: Tensor<2>, query: Tensor<2>, segments: &Segments) -> Tensor<2> {
    if !has_kernels(&keys.device()) {
        return keys * spread(query, segments);
    }
    let (keys, query) = (keys.into_dispatch(), query.into_dispatch());
    let (offsets, owners, host) = segments.places();
    Tensor::from_dispatch(<Dispatch as FusedOps>::spread_mul(keys, query, offsets, owners, host))
}

/// `act(z + spread(u))`.
///
/// # Shapes
/// - `z`: `[positions, d]`, `u`: `[B, d]`
/// - output: `[positions, d]`
pub fn spread_add(z: Tensor<2>, u: Tensor<2>, segments: &Segments, activation: Activation) -> Tensor<2> {
    let rectify = activation == Activation::Relu;
    if !has_kernels(&z.device()) {
        let sum = z + spread(u, segments);
        return if rectify { relu(sum) } else { sum };
    }
    let (z, u) = (z.into_dispatch(), u.into_dispatch());
    let (offsets, owners, host) = segments.places();
    Tensor::from_dispatch(<Dispatch as FusedOps>::spread_add(z, u, offsets, owners, host, rectify))
}

/// The sum over each row's positions of `weights · keys`.
///
/// # Shapes
/// - `keys`: `[positions, d]`, `weights`: `[positions, 1]`
/// - output: `[B, d]`
pub fn weighted_sum(keys: Tensor<2>, weights: Tensor<2>, segments: &Segments) -> Tensor<2> {
    if !has_kernels(&keys.device()) {
        return segment_sum(keys * weights, segments);
    }
    let (keys, weights) = (keys.into_dispatch(), weights.into_dispatch());
    let (offsets, owners, host) = segments.places();
    Tensor::from_dispatch(<Dispatch as FusedOps>::weighted_sum(keys, weights, offsets, owners, host))
}

/// The softmax over each row's positions.
///
/// # Shapes
/// - `scores`: `[positions, 1]`
/// - output: `[positions, 1]`
pub fn segment_softmax(scores: Tensor<2>, segments: &Segments) -> Tensor<2> {
    if segments.positions() == 0 {
        return scores;
    }
    if has_kernels(&scores.device()) {
        let (offsets, owners, host) = segments.places();
        return Tensor::from_dispatch(<Dispatch as FusedOps>::softmax(scores.into_dispatch(), offsets, owners, host));
    }
    // One constant for all rows changes no softmax; a row far below it is saved by the floor of its own sum.
    let most: Tensor<2> = segment_max(&scores, segments);
    let powers = (scores - most).exp(); // [positions, 1]
    let sums = segment_sum(powers.clone(), segments); // [B, 1]
    powers / spread(sums.clamp_min(1e-30), segments)
}

/// The largest score of each position's row, off the graph.
fn segment_max(scores: &Tensor<2>, segments: &Segments) -> Tensor<2> {
    let values = Tensor::<2>::from_dispatch(<Dispatch as JaggedOps>::segment_max(
        scores.clone().detach().inner().into_dispatch(),
        segments.offsets.clone().into_dispatch(),
        segments.owners.clone().into_dispatch(),
        segments.host.clone(),
    ));
    match scores.device().is_autodiff() {
        true => Tensor::from_inner(values),
        false => values,
    }
}
