//! What a device does with rows of tables, behind Burn's run-time dispatch.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Shape, backend_extension};

use super::{Columns, Plan, RowStep, Span};

/// Rows of tables on a device.
#[backend_extension(Cube)]
pub(crate) trait RowOps: Backend {
    /// `shape` numbers of a packed batch from an aligned place, without a copy.
    fn view(packed: IntTensor<Self>, at: usize, shape: Shape) -> FloatTensor<Self>;

    /// The vectors of the cells `[rows, count, dim]`, one id a cell; of a further buffer into `out`, which is not looked at else.
    fn gather_one(
        weights: FloatTensor<Self>,
        packed: IntTensor<Self>,
        out: FloatTensor<Self>,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> FloatTensor<Self>;

    /// The pooled vectors, and who won each maximum; of a further buffer into `out` and `winners`.
    fn gather_pooled(
        weights: FloatTensor<Self>,
        packed: IntTensor<Self>,
        out: FloatTensor<Self>,
        winners: IntTensor<Self>,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> (FloatTensor<Self>, IntTensor<Self>);

    /// Sums of squares of the cells `[rows, count, dim]`, beside their vectors; of a further buffer into `out`.
    fn gather_squares(
        weights: FloatTensor<Self>,
        packed: IntTensor<Self>,
        vectors: FloatTensor<Self>,
        out: FloatTensor<Self>,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> FloatTensor<Self>;

    /// Sums `[pieces, dim]`, and behind them those of folds where a row has very many, of the leaf's gradient and of that of the positions behind it, of those that `there` says are given; of a further buffer into `sums`.
    #[allow(clippy::too_many_arguments, reason = "what a sum over occurrences reads")]
    fn sum_pieces(
        gradient: FloatTensor<Self>,
        tail: FloatTensor<Self>,
        there: [bool; 2],
        weights: FloatTensor<Self>,
        packed: IntTensor<Self>,
        winners: IntTensor<Self>,
        sums: FloatTensor<Self>,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> FloatTensor<Self>;

    /// Squares `[unique, dim]` of the touched rows' gradients.
    fn square(sums: FloatTensor<Self>, packed: IntTensor<Self>, plan: Plan, columns: Columns) -> FloatTensor<Self>;

    /// One optimiser step in place; returns weights, state and counters.
    #[allow(clippy::too_many_arguments, reason = "the operands of one fused update")]
    fn step(
        weights: FloatTensor<Self>,
        state: FloatTensor<Self>,
        counters: IntTensor<Self>,
        sums: FloatTensor<Self>,
        packed: IntTensor<Self>,
        frequency: IntTensor<Self>,
        scale: FloatTensor<Self>,
        plan: Plan,
        step: RowStep,
        span: Span,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, IntTensor<Self>);

    /// Writes into `to` from element `at`, in place.
    fn put_floats(from: FloatTensor<Self>, to: FloatTensor<Self>, at: usize) -> FloatTensor<Self>;

    /// Writes into `to` from element `at`, in place.
    fn put_ints(from: IntTensor<Self>, to: IntTensor<Self>, at: usize) -> IntTensor<Self>;
}
