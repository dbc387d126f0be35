//! A table's rows as tensors of a device.

use burn::backend::{Dispatch, Shape};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::op::RowOps;
use super::{Columns, Gather, Plan, RowStep};
use crate::traffic;

/// A batch in the device's memory.
#[derive(Clone, Debug)]
pub struct PackedBatch {
    numbers: Tensor<1, Int>,
}

impl PackedBatch {
    /// Sends a batch up, in one piece.
    pub fn upload(numbers: Vec<i32>, device: &Device) -> Self {
        traffic::up(numbers.len() * 4);
        let length = numbers.len();
        Self { numbers: Tensor::from_data(TensorData::new(numbers, [length]), &device.clone().inner()) }
    }

    /// Zeros beside the batch.
    pub fn zeros<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        Tensor::zeros(shape, &self.numbers.device())
    }

    /// Floats that were packed as their bits, at a multiple of [`super::ALIGN`], without a copy.
    pub fn floats<const D: usize>(&self, at: usize, shape: [usize; D]) -> Tensor<D> {
        let numbers = self.numbers.clone().into_dispatch();
        Tensor::from_dispatch(<Dispatch as RowOps>::view(numbers, at, Shape::from(shape.to_vec())))
    }
}

/// Weights `[rows, dim]`, optimiser state `[rows, s]` and counters `[rows, 2]` of a table.
#[derive(Debug)]
pub struct DeviceRows {
    weights: Option<Tensor<2>>,
    state: Option<Tensor<2>>,
    counters: Option<Tensor<2, Int>>,
    frequency: Tensor<1, Int>,
    one: Tensor<1>,
    dim: usize,
    state_width: usize,
    rows: usize,
    capacity: usize,
    device: Device,
}

impl DeviceRows {
    /// Room for no rows yet; `frequency` has how often each row's id occurs, or nothing.
    pub fn new(dim: usize, state_width: usize, frequency: &[u32], device: &Device) -> Self {
        let device = device.clone().inner();
        let counts: Vec<i32> = frequency.iter().map(|f| i32::try_from(*f).unwrap_or(i32::MAX)).collect();
        let counts = if counts.is_empty() { vec![1] } else { counts };
        traffic::up(counts.len() * 4);
        let length = counts.len();
        Self {
            weights: None,
            state: None,
            counters: None,
            frequency: Tensor::from_data(TensorData::new(counts, [length]), &device),
            one: Tensor::ones([1], &device),
            dim,
            state_width,
            rows: 0,
            capacity: 0,
            device,
        }
    }

    /// Bytes of the largest buffer that this many rows need.
    pub fn largest_buffer(dim: usize, state_width: usize, rows: usize) -> u64 {
        rows as u64 * 4 * dim.max(state_width).max(2) as u64
    }

    /// Rows in use.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that fit before the buffers must grow.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes room for `capacity` rows, copying those in use inside the device.
    pub fn reserve(&mut self, capacity: usize) {
        if capacity <= self.capacity {
            return;
        }
        let floats = |width: usize, old: Option<Tensor<2>>| {
            let new = Tensor::<2>::zeros([capacity, width], &self.device);
            match old {
                Some(old) => put(old, new, 0),
                None => new,
            }
        };
        self.weights = Some(floats(self.dim, self.weights.take()));
        self.state = Some(floats(self.state_width.max(1), self.state.take()));
        let new = Tensor::<2, Int>::zeros([capacity, 2], &self.device);
        self.counters = Some(match self.counters.take() {
            Some(old) => put_ints(old, new, 0),
            None => new,
        });
        self.capacity = capacity;
    }

    /// Sets rows from `at` on; room must have been made. `counters` has touches and last step of each row.
    pub fn write(&mut self, at: usize, weights: Vec<f32>, state: Vec<f32>, counters: Vec<i32>) {
        let rows = weights.len() / self.dim.max(1);
        let width = self.state_width.max(1);
        let state = if self.state_width == 0 { vec![0.0; rows] } else { state };
        traffic::up(4 * (weights.len() + state.len() + counters.len()));
        let floats = |values: Vec<f32>, width: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [rows, width]), &self.device)
        };
        let (weights, state) = (floats(weights, self.dim), floats(state, width));
        let counters = Tensor::<2, Int>::from_data(TensorData::new(counters, [rows, 2]), &self.device);
        self.weights = self.weights.take().map(|to| put(weights, to, at * self.dim));
        self.state = self.state.take().map(|to| put(state, to, at * width));
        self.counters = self.counters.take().map(|to| put_ints(counters, to, at * 2));
        self.rows = self.rows.max(at + rows);
    }

    /// Weights, state and counters of rows `from..to`; waits for the device.
    pub fn read(&self, from: usize, to: usize) -> (Vec<f32>, Vec<f32>, Vec<i32>) {
        let floats = |tensor: &Option<Tensor<2>>| {
            tensor.as_ref().map_or_else(Vec::new, |t| traffic::read(t.clone().narrow(0, from, to - from)))
        };
        let state = if self.state_width == 0 { Vec::new() } else { floats(&self.state) };
        let counters =
            self.counters.as_ref().map_or_else(Vec::new, |t| traffic::read_ints(t.clone().narrow(0, from, to - from)));
        (floats(&self.weights), state, counters)
    }

    /// The vectors of a batch.
    pub fn gather(&self, batch: &PackedBatch, plan: Plan, columns: Columns) -> Option<Gather> {
        let weights = self.weights.clone()?.into_dispatch();
        let numbers = batch.numbers.clone();
        if plan.pooled {
            let numbers = numbers.into_dispatch();
            let squares = columns.squares.map(|_| {
                let squares = <Dispatch as RowOps>::gather_squares(weights.clone(), numbers.clone(), plan, columns);
                Tensor::from_dispatch(squares)
            });
            let (out, winners) = <Dispatch as RowOps>::gather_pooled(weights, numbers, plan, columns);
            let (vectors, winners) = (Tensor::from_dispatch(out), Tensor::from_dispatch(winners));
            return Some(Gather { vectors, winners, squares });
        }
        let out = <Dispatch as RowOps>::gather_one(weights, numbers.clone().into_dispatch(), plan, columns);
        // Nobody reads it: any whole numbers do.
        Some(Gather { vectors: Tensor::from_dispatch(out), winners: numbers.unsqueeze::<3>(), squares: None })
    }

    /// The vectors of positions of a sequence, whose rows stand in the packed batch from `at` on: `[positions, dim]`.
    pub fn gather_positions(&self, batch: &PackedBatch, at: usize, positions: usize) -> Option<Tensor<2>> {
        let weights = self.weights.clone()?.into_dispatch();
        let parts = super::Parts { rows: at, ..super::Parts::default() };
        let plan = Plan { parts, cells: positions, ..Plan::default() };
        let columns = Columns { first: 0, count: 1, total: 1, squares: None, dim: self.dim };
        let out = <Dispatch as RowOps>::gather_one(weights, batch.numbers.clone().into_dispatch(), plan, columns);
        Some(Tensor::<3>::from_dispatch(out).reshape([positions, self.dim]))
    }

    /// The gradients of the leaf, and of the positions `[all, dim]` of all sequences behind it, summed over pieces of each row's
    /// occurrences, `[pieces, dim]`; none where neither is given.
    pub fn sums(
        &self,
        batch: &PackedBatch,
        (leaf, positions): (Option<&Tensor<3>>, Option<&Tensor<2>>),
        winners: &Tensor<3, Int>,
        plan: Plan,
        columns: Columns,
    ) -> Option<Tensor<2>> {
        let weights = self.weights.clone()?.into_dispatch();
        let of_leaf = leaf.map(|leaf| leaf.clone().into_dispatch());
        let of_positions = positions.map(|positions| positions.clone().into_dispatch());
        let there = [of_leaf.is_some(), of_positions.is_some()];
        let gradient = of_leaf.clone().or(of_positions.clone())?;
        let tail = of_positions.or(of_leaf)?;
        Some(Tensor::from_dispatch(<Dispatch as RowOps>::sum_pieces(
            gradient,
            tail,
            there,
            weights,
            batch.numbers.clone().into_dispatch(),
            winners.clone().into_dispatch(),
            plan,
            columns,
        )))
    }

    /// Sum of squares of the touched rows' gradients `[1]`.
    pub fn squared_norm(&self, batch: &PackedBatch, sums: &Tensor<2>, plan: Plan, columns: Columns) -> Tensor<1> {
        let squares = <Dispatch as RowOps>::square(
            sums.clone().into_dispatch(),
            batch.numbers.clone().into_dispatch(),
            plan,
            columns,
        );
        Tensor::<2>::from_dispatch(squares).sum()
    }

    /// One optimiser step on every touched row, in place; gradients are multiplied by `scale` `[1]` first.
    pub fn step(&mut self, batch: &PackedBatch, sums: Tensor<2>, scale: Option<&Tensor<1>>, plan: Plan, step: RowStep) {
        let (Some(weights), Some(state), Some(counters)) =
            (self.weights.take(), self.state.take(), self.counters.take())
        else {
            return;
        };
        let (weights, state, counters) = <Dispatch as RowOps>::step(
            weights.into_dispatch(),
            state.into_dispatch(),
            counters.into_dispatch(),
            sums.into_dispatch(),
            batch.numbers.clone().into_dispatch(),
            self.frequency.clone().into_dispatch(),
            scale.unwrap_or(&self.one).clone().into_dispatch(),
            plan,
            step,
        );
        self.weights = Some(Tensor::from_dispatch(weights));
        self.state = Some(Tensor::from_dispatch(state));
        self.counters = Some(Tensor::from_dispatch(counters));
    }
}

fn put(from: Tensor<2>, to: Tensor<2>, at: usize) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as RowOps>::put_floats(from.into_dispatch(), to.into_dispatch(), at))
}

fn put_ints(from: Tensor<2, Int>, to: Tensor<2, Int>, at: usize) -> Tensor<2, Int> {
    Tensor::from_dispatch(<Dispatch as RowOps>::put_ints(from.into_dispatch(), to.into_dispatch(), at))
}
