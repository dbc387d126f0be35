//! What stands for rows on a device in a build without any GPU runtime: it cannot be made.

use burn::tensor::{Device, Int, Tensor};

use super::{Columns, Gather, Plan, RowStep};

/// Cannot exist in this build.
#[derive(Clone, Debug)]
pub enum PackedBatch {}

impl PackedBatch {
    /// # Panics
    /// Always; no device of this build has memory of its own, so that nothing calls it.
    pub fn upload(_numbers: Vec<i32>, _device: &Device) -> Self {
        unreachable!("no device of this build has memory of its own")
    }

    /// See the build with a GPU runtime.
    pub fn zeros<const D: usize>(&self, _shape: [usize; D]) -> Tensor<D> {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn floats<const D: usize>(&self, _at: usize, _shape: [usize; D]) -> Tensor<D> {
        match *self {}
    }
}

/// Cannot exist in this build.
#[derive(Debug)]
pub enum DeviceRows {}

impl DeviceRows {
    /// # Panics
    /// Always; no device of this build has memory of its own, so that nothing calls it.
    pub fn new(_dim: usize, _state_width: usize, _frequency: &[u32], _most: usize, _device: &Device) -> Self {
        unreachable!("no device of this build has memory of its own")
    }

    /// Bytes of the largest buffer that this many rows need.
    pub fn largest_buffer(dim: usize, state_width: usize, rows: usize) -> u64 {
        rows as u64 * 4 * dim.max(state_width).max(2) as u64
    }

    /// See the build with a GPU runtime.
    pub fn rows(&self) -> usize {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn capacity(&self) -> usize {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn reserve(&mut self, _capacity: usize) {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn write(&mut self, _at: usize, _weights: Vec<f32>, _state: Vec<f32>, _counters: Vec<i32>) {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn read(&self, _from: usize, _to: usize) -> (Vec<f32>, Vec<f32>, Vec<i32>) {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn gather(&self, _batch: &PackedBatch, _plan: Plan, _columns: Columns) -> Option<Gather> {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn gather_positions(&self, _batch: &PackedBatch, _at: usize, _positions: usize) -> Option<Tensor<2>> {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn sums(
        &self,
        _batch: &PackedBatch,
        _gradients: (Option<&Tensor<3>>, Option<&Tensor<2>>),
        _winners: &Tensor<3, Int>,
        _plan: Plan,
        _columns: Columns,
    ) -> Option<Tensor<2>> {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn squared_norm(&self, _batch: &PackedBatch, _sums: &Tensor<2>, _plan: Plan, _columns: Columns) -> Tensor<1> {
        match *self {}
    }

    /// See the build with a GPU runtime.
    pub fn step(
        &mut self,
        _batch: &PackedBatch,
        _sums: Tensor<2>,
        _scale: Option<&Tensor<1>>,
        _plan: Plan,
        _step: RowStep,
    ) {
        match *self {}
    }
}
