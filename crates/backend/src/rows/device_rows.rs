//! A table's rows as tensors of a device.

use burn::backend::{Dispatch, DispatchTensor, Shape};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::op::RowOps;
use super::{Columns, Gather, Plan, RowStep, Span};
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

/// Weights `[rows, dim]` and optimiser state `[rows, s]` of some rows of a table, as many as a device binds at once.
#[derive(Debug)]
struct Buffers {
    /// None while a kernel holds it.
    weights: Option<Tensor<2>>,
    state: Option<Tensor<2>>,
    rows: usize,
}

/// Rows of a table: buffers of `most` rows each, the last one of fewer, and counters `[rows, 2]` of all rows.
#[derive(Debug)]
pub struct DeviceRows {
    buffers: Vec<Buffers>,
    counters: Option<Tensor<2, Int>>,
    frequency: Tensor<1, Int>,
    one: Tensor<1>,
    dim: usize,
    state_width: usize,
    rows: usize,
    capacity: usize,
    most: usize,
    device: Device,
}

impl DeviceRows {
    /// Room for no rows yet; `frequency` has how often each row's id occurs, or nothing. No buffer gets more than `most` rows.
    pub fn new(dim: usize, state_width: usize, frequency: &[u32], most: usize, device: &Device) -> Self {
        let device = device.clone().inner();
        let counts: Vec<i32> = frequency.iter().map(|f| i32::try_from(*f).unwrap_or(i32::MAX)).collect();
        let counts = if counts.is_empty() { vec![1] } else { counts };
        traffic::up(counts.len() * 4);
        let length = counts.len();
        Self {
            buffers: Vec::new(),
            counters: None,
            frequency: Tensor::from_data(TensorData::new(counts, [length]), &device),
            one: Tensor::ones([1], &device),
            dim,
            state_width,
            rows: 0,
            capacity: 0,
            most: most.max(1),
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

    /// The rows that each buffer holds.
    fn spans(&self) -> impl Iterator<Item = Span> + use<> {
        let (most, all) = (self.most, self.buffers.len());
        let ends: Vec<usize> = self.buffers.iter().enumerate().map(|(n, own)| n * most + own.rows).collect();
        let of = move |(n, to): (usize, usize)| Span { from: n * most, to, further: n > 0, last: n + 1 == all };
        ends.into_iter().enumerate().map(of)
    }

    /// Makes room for `capacity` rows, copying those in use inside the device.
    pub fn reserve(&mut self, capacity: usize) {
        if capacity <= self.capacity {
            return;
        }
        let device = self.device.clone();
        let floats = |rows: usize, width: usize, old: Option<Tensor<2>>| {
            let new = Tensor::<2>::zeros([rows, width], &device);
            Some(match old {
                Some(old) => put(old, new, 0),
                None => new,
            })
        };
        let width = self.state_width.max(1);
        for number in 0..capacity.div_ceil(self.most) {
            let rows = (capacity - number * self.most).min(self.most);
            let old = match self.buffers.get_mut(number) {
                Some(own) if own.rows >= rows => continue,
                Some(own) => (own.weights.take(), own.state.take()),
                None => (None, None),
            };
            let own = Buffers { weights: floats(rows, self.dim, old.0), state: floats(rows, width, old.1), rows };
            match self.buffers.get_mut(number) {
                Some(place) => *place = own,
                None => self.buffers.push(own),
            }
        }
        let new = Tensor::<2, Int>::zeros([capacity, 2], &self.device);
        self.counters = Some(match self.counters.take() {
            Some(old) => put_ints(old, new, 0),
            None => new,
        });
        self.capacity = capacity;
    }

    /// The part of each buffer among rows `from..to`: its number, and its rows from its first one on.
    fn parts(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + use<> {
        let own = move |(number, span): (usize, Span)| {
            let (first, last) = (from.max(span.from), to.min(span.to));
            (first < last).then(|| (number, first - span.from..last - span.from))
        };
        self.spans().enumerate().filter_map(own).collect::<Vec<_>>().into_iter()
    }

    /// Sets rows from `at` on; room must have been made. `counters` has touches and last step of each row.
    pub fn write(&mut self, at: usize, weights: Vec<f32>, state: Vec<f32>, counters: Vec<i32>) {
        let rows = weights.len() / self.dim.max(1);
        let width = self.state_width.max(1);
        let state = if self.state_width == 0 { vec![0.0; rows] } else { state };
        traffic::up(4 * (weights.len() + state.len() + counters.len()));
        let device = self.device.clone();
        let floats = |values: &[f32], width: usize| {
            let rows = values.len() / width;
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [rows, width]), &device)
        };
        let mut done = 0;
        for (number, part) in self.parts(at, at + rows) {
            let of = |values: &[f32], width: usize| floats(&values[done * width..(done + part.len()) * width], width);
            let (weights, state) = (of(&weights, self.dim), of(&state, width));
            let own = &mut self.buffers[number];
            own.weights = own.weights.take().map(|to| put(weights, to, part.start * self.dim));
            own.state = own.state.take().map(|to| put(state, to, part.start * width));
            done += part.len();
        }
        let counters = Tensor::<2, Int>::from_data(TensorData::new(counters, [rows, 2]), &self.device);
        self.counters = self.counters.take().map(|to| put_ints(counters, to, at * 2));
        self.rows = self.rows.max(at + rows);
    }

    /// Weights, state and counters of rows `from..to`; waits for the device.
    pub fn read(&self, from: usize, to: usize) -> (Vec<f32>, Vec<f32>, Vec<i32>) {
        let (mut weights, mut state) = (Vec::new(), Vec::new());
        for (number, part) in self.parts(from, to) {
            let own = &self.buffers[number];
            let floats = |tensor: &Option<Tensor<2>>| {
                let part = |t: &Tensor<2>| traffic::read(t.clone().narrow(0, part.start, part.len()));
                tensor.as_ref().map_or_else(Vec::new, part)
            };
            weights.extend(floats(&own.weights));
            if self.state_width > 0 {
                state.extend(floats(&own.state));
            }
        }
        let counters =
            self.counters.as_ref().map_or_else(Vec::new, |t| traffic::read_ints(t.clone().narrow(0, from, to - from)));
        (weights, state, counters)
    }

    /// The weights of each buffer, with the rows that it holds.
    fn weights(&self) -> impl Iterator<Item = (DispatchTensor, Span)> + '_ {
        let of = |own: &Buffers| own.weights.clone().map(Tensor::into_dispatch);
        self.buffers.iter().zip(self.spans()).filter_map(move |(own, span)| Some((of(own)?, span)))
    }

    /// The vectors of a batch.
    pub fn gather(&self, batch: &PackedBatch, plan: Plan, columns: Columns) -> Option<Gather> {
        let numbers = || batch.numbers.clone().into_dispatch();
        if plan.pooled {
            let mut found: Option<(DispatchTensor, DispatchTensor)> = None;
            for (weights, span) in self.weights() {
                let (out, winners) = found.take().unwrap_or_else(|| (weights.clone(), numbers()));
                found =
                    Some(<Dispatch as RowOps>::gather_pooled(weights, numbers(), out, winners, plan, columns, span));
            }
            let (vectors, winners) = found?;
            let mut squares: Option<DispatchTensor> = None;
            for (weights, span) in self.weights().filter(|_| columns.squares.is_some()) {
                let out = squares.take().unwrap_or_else(|| weights.clone());
                let (numbers, vectors) = (numbers(), vectors.clone());
                let found = <Dispatch as RowOps>::gather_squares(weights, numbers, vectors, out, plan, columns, span);
                squares = Some(found);
            }
            let squares = squares.map(Tensor::from_dispatch);
            return Some(Gather {
                vectors: Tensor::from_dispatch(vectors),
                winners: Tensor::from_dispatch(winners),
                squares,
            });
        }
        let vectors = self.gather_one(batch, plan, columns)?;
        // Nobody reads it: any whole numbers do.
        Some(Gather { vectors, winners: batch.numbers.clone().unsqueeze::<3>(), squares: None })
    }

    /// The vectors of cells of one id each.
    fn gather_one(&self, batch: &PackedBatch, plan: Plan, columns: Columns) -> Option<Tensor<3>> {
        let mut found: Option<DispatchTensor> = None;
        for (weights, span) in self.weights() {
            let out = found.take().unwrap_or_else(|| weights.clone());
            let numbers = batch.numbers.clone().into_dispatch();
            found = Some(<Dispatch as RowOps>::gather_one(weights, numbers, out, plan, columns, span));
        }
        found.map(Tensor::from_dispatch)
    }

    /// The vectors of positions of a sequence, whose rows stand in the packed batch from `at` on: `[positions, dim]`.
    pub fn gather_positions(&self, batch: &PackedBatch, at: usize, positions: usize) -> Option<Tensor<2>> {
        let parts = super::Parts { rows: at, ..super::Parts::default() };
        let plan = Plan { parts, cells: positions, ..Plan::default() };
        let columns = Columns { first: 0, count: 1, total: 1, squares: None, dim: self.dim };
        Some(self.gather_one(batch, plan, columns)?.reshape([positions, self.dim]))
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
        let of_leaf = leaf.map(|leaf| leaf.clone().into_dispatch());
        let of_positions = positions.map(|positions| positions.clone().into_dispatch());
        let there = [of_leaf.is_some(), of_positions.is_some()];
        let gradient = of_leaf.clone().or(of_positions.clone())?;
        let tail = of_positions.or(of_leaf)?;
        let mut found: Option<DispatchTensor> = None;
        // Weights are read for squares alone: without those one pass does.
        let once = columns.squares.is_none();
        for (weights, span) in self.weights() {
            let sums = found.take().unwrap_or_else(|| weights.clone());
            found = Some(<Dispatch as RowOps>::sum_pieces(
                gradient.clone(),
                tail.clone(),
                there,
                weights,
                batch.numbers.clone().into_dispatch(),
                winners.clone().into_dispatch(),
                sums,
                plan,
                columns,
                Span { last: span.last || once, ..span },
            ));
            if once {
                break;
            }
        }
        found.map(Tensor::from_dispatch)
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
        let spans: Vec<Span> = self.spans().collect();
        for (own, span) in self.buffers.iter_mut().zip(spans) {
            let (Some(weights), Some(state), Some(counters)) =
                (own.weights.take(), own.state.take(), self.counters.take())
            else {
                return;
            };
            let (weights, state, counters) = <Dispatch as RowOps>::step(
                weights.into_dispatch(),
                state.into_dispatch(),
                counters.into_dispatch(),
                sums.clone().into_dispatch(),
                batch.numbers.clone().into_dispatch(),
                self.frequency.clone().into_dispatch(),
                scale.unwrap_or(&self.one).clone().into_dispatch(),
                plan,
                step,
                span,
            );
            (own.weights, own.state) = (Some(Tensor::from_dispatch(weights)), Some(Tensor::from_dispatch(state)));
            self.counters = Some(Tensor::from_dispatch(counters));
        }
    }
}

fn put(from: Tensor<2>, to: Tensor<2>, at: usize) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as RowOps>::put_floats(from.into_dispatch(), to.into_dispatch(), at))
}

fn put_ints(from: Tensor<2, Int>, to: Tensor<2, Int>, at: usize) -> Tensor<2, Int> {
    Tensor::from_dispatch(<Dispatch as RowOps>::put_ints(from.into_dispatch(), to.into_dispatch(), at))
}
