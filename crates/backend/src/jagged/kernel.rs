//! Loops over rows and their positions in host memory, on all cores.
#![allow(unsafe_code, reason = "output buffers that are not zeroed first")]

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::fresh::{Fresh, floats};
use crate::vectorized;

/// Rows that one task takes.
const ROWS: usize = 32;

/// Where rows start and end, and how wide they are.
#[derive(Clone, Copy)]
pub(super) struct Jagged<'a> {
    pub(super) offsets: &'a [u32],
    pub(super) width: usize,
}

/// One task: its rows, and where its positions start.
pub(super) struct Span {
    pub(super) rows: std::ops::Range<usize>,
    pub(super) positions: std::ops::Range<usize>,
}

impl<'a> Jagged<'a> {
    pub(super) fn rows(self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub(super) fn positions(self) -> usize {
        self.offsets.last().map_or(0, |n| *n as usize)
    }

    fn spans(self) -> impl Iterator<Item = Span> + 'a {
        let rows = self.rows();
        (0..rows).step_by(ROWS).map(move |first| {
            let last = (first + ROWS).min(rows);
            let at = |row: usize| self.offsets[row] as usize;
            Span { rows: first..last, positions: at(first)..at(last) }
        })
    }

    /// The positions of a row, counted from the start of its task.
    #[inline(always)]
    fn of(self, span: &Span, row: usize) -> std::ops::Range<usize> {
        let at = |row: usize| self.offsets[row] as usize - span.positions.start;
        at(row)..at(row + 1)
    }

    /// Runs tasks that write the positions `[positions, width]`.
    pub(super) fn by_positions(self, work: impl Fn(&Span, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
        let mut out = Fresh::new(self.positions() * self.width);
        let mut rest = out.0.as_mut_slice();
        let tasks: Vec<_> = self
            .spans()
            .map(|span| {
                let (own, others) = std::mem::take(&mut rest).split_at_mut(span.positions.len() * self.width);
                rest = others;
                (span, own)
            })
            .collect();
        tasks.into_par_iter().for_each(|(span, own)| work(&span, own));
        // SAFETY: the spans cover all positions, and every work below writes all of its own.
        unsafe { out.written() }
    }

    /// Runs tasks that write the rows `[B, width]`, zeroed first.
    pub(super) fn by_rows(self, work: impl Fn(&Span, &mut [f32]) + Sync) -> Vec<f32> {
        let mut out = Fresh::new(self.rows() * self.width);
        let spans: Vec<Span> = self.spans().collect();
        out.0.par_chunks_mut((ROWS * self.width).max(1)).zip(spans).for_each(|(own, span)| {
            own.fill(MaybeUninit::new(0.0));
            // SAFETY: filled above.
            work(&span, unsafe { floats(own) });
        });
        // SAFETY: the chunks cover all rows.
        unsafe { out.written() }
    }

    fn check(self, rows: &[f32], positions: &[f32]) {
        assert!(rows.len() == self.rows() * self.width, "rows are not [{}, {}]", self.rows(), self.width);
        assert!(
            positions.len() == self.positions() * self.width,
            "positions are not [{}, {}]",
            self.positions(),
            self.width
        );
    }

    /// `[B, width]` to `[positions, width]`.
    pub(super) fn spread(self, x: &[f32]) -> Vec<f32> {
        assert!(x.len() == self.rows() * self.width, "rows are not [{}, {}]", self.rows(), self.width);
        self.by_positions(|span, out| vectorized!(spread(self, span, x, out)))
    }

    /// `[positions, width]` to `[B, width]`.
    pub(super) fn sum(self, x: &[f32]) -> Vec<f32> {
        assert!(x.len() == self.positions() * self.width, "positions are not [{}, {}]", self.positions(), self.width);
        self.by_rows(|span, out| vectorized!(sum(self, span, x, out)))
    }

    /// `keys ⊙ spread(query)`.
    pub(super) fn mul(self, keys: &[f32], query: &[f32]) -> Vec<f32> {
        self.check(query, keys);
        self.by_positions(|span, out| vectorized!(mul(self, span, keys, query, out)))
    }

    /// `Σ a ⊙ b` over positions.
    pub(super) fn sum_of_products(self, a: &[f32], b: &[f32]) -> Vec<f32> {
        assert!(a.len() == b.len() && a.len() == self.positions() * self.width, "positions are of other shapes");
        self.by_rows(|span, out| vectorized!(sum_of_products(self, span, a, b, out)))
    }

    /// `act(z + spread(u))`.
    pub(super) fn add(self, z: &[f32], u: &[f32], rectify: bool) -> Vec<f32> {
        self.check(u, z);
        self.by_positions(|span, out| vectorized!(add(self, span, z, u, rectify, out)))
    }

    /// `Σ weights · keys` over positions.
    pub(super) fn weigh(self, keys: &[f32], weights: &[f32]) -> Vec<f32> {
        assert!(
            keys.len() == self.positions() * self.width && weights.len() == self.positions(),
            "keys or weights are of another shape"
        );
        self.by_rows(|span, out| vectorized!(weigh(self, span, keys, weights, out)))
    }

    /// `weights · spread(gradient)`.
    pub(super) fn weigh_back(self, weights: &[f32], gradient: &[f32]) -> Vec<f32> {
        self.by_positions(|span, out| vectorized!(weigh_back(self, span, weights, gradient, out)))
    }

    /// `<keys, spread(gradient)>`, `[positions, 1]`.
    pub(super) fn dots(self, keys: &[f32], gradient: &[f32]) -> Vec<f32> {
        self.check(gradient, keys);
        let one = Jagged { width: 1, ..self };
        one.by_positions(|span, out| vectorized!(dots(self, span, keys, gradient, out)))
    }

    /// The largest of each row at its positions.
    pub(super) fn max(self, x: &[f32]) -> Vec<f32> {
        assert!(x.len() == self.positions() * self.width, "positions are not [{}, {}]", self.positions(), self.width);
        let most = self.by_rows(|span, out| {
            out.fill(f32::NEG_INFINITY);
            rows(self, span, out).for_each(|(range, out)| {
                for x in position_rows(self, span, x, range) {
                    out.iter_mut().zip(x).for_each(|(o, x)| *o = o.max(*x));
                }
            });
        });
        self.spread(&most)
    }
}

/// The rows of a task's output, each with its positions.
#[inline(always)]
fn rows<'a, T>(
    jagged: Jagged<'a>,
    span: &'a Span,
    out: &'a mut [T],
) -> impl Iterator<Item = (std::ops::Range<usize>, &'a mut [T])> {
    span.rows.clone().map(move |row| jagged.of(span, row)).zip(out.chunks_exact_mut(jagged.width.max(1)))
}

/// The values of positions of a task.
#[inline(always)]
fn position_rows<'a>(
    jagged: Jagged<'_>,
    span: &Span,
    values: &'a [f32],
    range: std::ops::Range<usize>,
) -> impl Iterator<Item = &'a [f32]> {
    let (width, start) = (jagged.width, span.positions.start);
    values[(start + range.start) * width..(start + range.end) * width].chunks_exact(width.max(1))
}

#[inline(always)]
fn row<'a>(jagged: Jagged<'_>, values: &'a [f32], row: usize) -> &'a [f32] {
    &values[row * jagged.width..(row + 1) * jagged.width]
}

/// The outputs of a row's positions.
#[inline(always)]
fn outputs<'a, T>(
    jagged: Jagged<'_>,
    out: &'a mut [T],
    range: std::ops::Range<usize>,
) -> std::slice::ChunksExactMut<'a, T> {
    let width = jagged.width;
    out[range.start * width..range.end * width].chunks_exact_mut(width.max(1))
}

#[inline(always)]
fn spread(jagged: Jagged<'_>, span: &Span, x: &[f32], out: &mut [MaybeUninit<f32>]) {
    for number in span.rows.clone() {
        let x = row(jagged, x, number);
        for out in outputs(jagged, out, jagged.of(span, number)) {
            out.iter_mut().zip(x).for_each(|(o, x)| _ = o.write(*x));
        }
    }
}

#[inline(always)]
fn sum(jagged: Jagged<'_>, span: &Span, x: &[f32], out: &mut [f32]) {
    for (range, out) in rows(jagged, span, out) {
        for x in position_rows(jagged, span, x, range) {
            out.iter_mut().zip(x).for_each(|(o, x)| *o += x);
        }
    }
}

#[inline(always)]
fn mul(jagged: Jagged<'_>, span: &Span, keys: &[f32], query: &[f32], out: &mut [MaybeUninit<f32>]) {
    for number in span.rows.clone() {
        let (q, range) = (row(jagged, query, number), jagged.of(span, number));
        let keys = position_rows(jagged, span, keys, range.clone());
        for (out, k) in outputs(jagged, out, range).zip(keys) {
            out.iter_mut().zip(k).zip(q).for_each(|((o, k), q)| _ = o.write(k * q));
        }
    }
}

#[inline(always)]
fn sum_of_products(jagged: Jagged<'_>, span: &Span, a: &[f32], b: &[f32], out: &mut [f32]) {
    for (range, out) in rows(jagged, span, out) {
        let pairs = position_rows(jagged, span, a, range.clone()).zip(position_rows(jagged, span, b, range));
        for (a, b) in pairs {
            out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o += a * b);
        }
    }
}

#[inline(always)]
fn add(jagged: Jagged<'_>, span: &Span, z: &[f32], u: &[f32], rectify: bool, out: &mut [MaybeUninit<f32>]) {
    let floor = if rectify { 0.0 } else { f32::NEG_INFINITY };
    for number in span.rows.clone() {
        let (u, range) = (row(jagged, u, number), jagged.of(span, number));
        let z = position_rows(jagged, span, z, range.clone());
        for (out, z) in outputs(jagged, out, range).zip(z) {
            for ((o, z), u) in out.iter_mut().zip(z).zip(u) {
                let sum = z + u;
                o.write(if sum < floor { floor } else { sum });
            }
        }
    }
}

#[inline(always)]
fn weigh(jagged: Jagged<'_>, span: &Span, keys: &[f32], weights: &[f32], out: &mut [f32]) {
    let weights = &weights[span.positions.clone()];
    for (range, out) in rows(jagged, span, out) {
        let weights = &weights[range.clone()];
        for (k, w) in position_rows(jagged, span, keys, range).zip(weights) {
            out.iter_mut().zip(k).for_each(|(o, k)| *o += w * k);
        }
    }
}

#[inline(always)]
fn weigh_back(jagged: Jagged<'_>, span: &Span, weights: &[f32], gradient: &[f32], out: &mut [MaybeUninit<f32>]) {
    let weights = &weights[span.positions.clone()];
    for number in span.rows.clone() {
        let (g, range) = (row(jagged, gradient, number), jagged.of(span, number));
        let weights = &weights[range.clone()];
        for (out, w) in outputs(jagged, out, range).zip(weights) {
            out.iter_mut().zip(g).for_each(|(o, g)| _ = o.write(w * g));
        }
    }
}

#[inline(always)]
fn dots(jagged: Jagged<'_>, span: &Span, keys: &[f32], gradient: &[f32], out: &mut [MaybeUninit<f32>]) {
    for number in span.rows.clone() {
        let (g, range) = (row(jagged, gradient, number), jagged.of(span, number));
        let keys = position_rows(jagged, span, keys, range.clone());
        for (out, k) in out[range].iter_mut().zip(keys) {
            out.write(crate::outer::dot(k, g));
        }
    }
}

impl Jagged<'_> {
    /// The softmax of scores, one a position, over each row's positions.
    pub(super) fn shares(self, scores: &[f32]) -> Vec<f32> {
        self.by_positions(|span, out| {
            let own = &scores[span.positions.clone()];
            for row in span.rows.clone() {
                let at = self.of(span, row);
                let most = own[at.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = own[at.clone()].iter().map(|score| (score - most).exp()).sum();
                for place in at {
                    out[place].write((own[place] - most).exp() / sum);
                }
            }
        })
    }

    /// The way back to the scores: `p ⊙ (g - <p, g>)` of each row.
    pub(super) fn shares_back(self, shares: &[f32], gradient: &[f32]) -> Vec<f32> {
        self.by_positions(|span, out| {
            let (p, g) = (&shares[span.positions.clone()], &gradient[span.positions.clone()]);
            for row in span.rows.clone() {
                let at = self.of(span, row);
                let mean: f32 = at.clone().map(|place| p[place] * g[place]).sum();
                for place in at {
                    out[place].write(p[place] * (g[place] - mean));
                }
            }
        })
    }
}
