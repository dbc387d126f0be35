//! The launches of the kernels.

use burn::backend::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::kernel;
use super::op::RowOps;
use super::{Columns, FOLD, Plan, RowStep, Span, rule};
use crate::cubes::{a_thread_each, unwritten};

fn numbers(step: &RowStep) -> kernel::NumbersLaunch {
    kernel::NumbersLaunch::new(
        step.rate,
        step.base_rate,
        step.beta_1,
        step.beta_2,
        step.epsilon,
        step.beta,
        step.l1,
        step.l21,
        step.l2,
        step.mba_l2,
        step.correction,
        step.batch_rows,
        step.step,
    )
}

fn parts(plan: &Plan) -> kernel::PartsLaunch {
    let p = &plan.parts;
    let folds = plan.pieces;
    kernel::PartsLaunch::new(
        p.rows,
        p.starts,
        p.places,
        p.shares,
        p.maxima,
        p.order,
        p.pieces,
        p.row_pieces,
        p.unique,
        folds,
    )
}

fn held(span: &Span) -> kernel::HeldLaunch {
    kernel::HeldLaunch::new(span.from, span.to)
}

fn leaf(c: &Columns, plan: &Plan) -> kernel::LeafLaunch {
    // A table of sequences alone has no slots to divide by.
    kernel::LeafLaunch::new(c.first, c.count.max(1), c.total, c.squares.unwrap_or(0), c.dim, plan.cells)
}

impl RowOps for CubeBackend {
    fn view(packed: CubeTensor, at: usize, shape: Shape) -> CubeTensor {
        let after = packed.meta.num_elements() - at - shape.num_elements();
        let handle = packed.handle.clone().offset_start(at as u64 * 4).offset_end(after as u64 * 4);
        CubeTensor::new_contiguous(packed.client.clone(), packed.device.clone(), shape, handle, DType::F32)
    }

    fn gather_one(
        weights: CubeTensor,
        packed: CubeTensor,
        out: CubeTensor,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> CubeTensor {
        let shape = Shape::from(vec![plan.cells / columns.count.max(1), columns.count, columns.dim]);
        let out = if span.further { out } else { unwritten(&weights, shape, DType::F32) };
        let length = plan.cells * columns.dim;
        if length > 0 {
            let (count, dim) = a_thread_each(&weights, length);
            kernel::gather_one::launch(
                &weights.client.clone(),
                count,
                dim,
                weights.into_tensor_arg(),
                packed.into_tensor_arg(),
                out.clone().into_tensor_arg(),
                parts(&plan),
                held(&span),
                columns.dim,
                length,
            );
        }
        out
    }

    fn gather_pooled(
        weights: CubeTensor,
        packed: CubeTensor,
        out: CubeTensor,
        winners: CubeTensor,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> (CubeTensor, CubeTensor) {
        let shape = Shape::from(vec![plan.cells / columns.count.max(1), columns.count, columns.dim]);
        let (out, winners) = match span.further {
            true => (out, winners),
            false => (unwritten(&weights, shape.clone(), DType::F32), unwritten(&weights, shape, DType::I32)),
        };
        let length = plan.cells * columns.dim;
        if length > 0 {
            let (count, dim) = a_thread_each(&weights, length);
            kernel::gather_pooled::launch(
                &weights.client.clone(),
                count,
                dim,
                weights.into_tensor_arg(),
                packed.into_tensor_arg(),
                out.clone().into_tensor_arg(),
                winners.clone().into_tensor_arg(),
                parts(&plan),
                leaf(&columns, &plan),
                held(&span),
                length,
                span.further,
            );
        }
        (out, winners)
    }

    fn gather_squares(
        weights: CubeTensor,
        packed: CubeTensor,
        vectors: CubeTensor,
        out: CubeTensor,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> CubeTensor {
        let shape = Shape::from(vec![plan.cells / columns.count.max(1), columns.count, columns.dim]);
        let out = if span.further { out } else { unwritten(&weights, shape, DType::F32) };
        let length = plan.cells * columns.dim;
        if length > 0 {
            let (count, dim) = a_thread_each(&weights, length);
            kernel::gather_squares::launch(
                &weights.client.clone(),
                count,
                dim,
                weights.into_tensor_arg(),
                packed.into_tensor_arg(),
                vectors.into_tensor_arg(),
                out.clone().into_tensor_arg(),
                parts(&plan),
                held(&span),
                columns.count,
                columns.dim,
                length,
                span.further,
            );
        }
        out
    }

    fn sum_pieces(
        gradient: CubeTensor,
        tail: CubeTensor,
        there: [bool; 2],
        weights: CubeTensor,
        packed: CubeTensor,
        winners: CubeTensor,
        sums: CubeTensor,
        plan: Plan,
        columns: Columns,
        span: Span,
    ) -> CubeTensor {
        let plain = burn_cubecl::kernel::into_contiguous;
        let (gradient, tail) = (plain(gradient), plain(tail));
        let folds = if plan.folds() { plan.pieces.div_ceil(FOLD) } else { 0 };
        let shape = Shape::from(vec![plan.pieces + folds, columns.dim]);
        let sums = if span.further { sums } else { unwritten(&gradient, shape, DType::F32) };
        let length = plan.pieces * columns.dim;
        if length > 0 {
            let (count, dim) = a_thread_each(&gradient, length);
            kernel::sum_pieces::launch(
                &gradient.client.clone(),
                count,
                dim,
                gradient.into_tensor_arg(),
                tail.into_tensor_arg(),
                weights.into_tensor_arg(),
                packed.into_tensor_arg(),
                winners.into_tensor_arg(),
                sums.clone().into_tensor_arg(),
                parts(&plan),
                leaf(&columns, &plan),
                held(&span),
                length,
                plan.pooled,
                columns.squares.is_some(),
                there[0],
                there[1],
            );
        }
        if folds > 0 && span.last {
            let length = folds * columns.dim;
            let (count, dim) = a_thread_each(&sums, length);
            kernel::fold_pieces::launch(
                &sums.client.clone(),
                count,
                dim,
                sums.clone().into_tensor_arg(),
                plan.pieces,
                columns.dim,
                length,
            );
        }
        sums
    }

    fn square(sums: CubeTensor, packed: CubeTensor, plan: Plan, columns: Columns) -> CubeTensor {
        let squares = unwritten(&sums, Shape::from(vec![plan.unique, columns.dim]), DType::F32);
        let length = plan.unique * columns.dim;
        if length > 0 {
            let (count, dim) = a_thread_each(&sums, length);
            kernel::square::launch(
                &sums.client.clone(),
                count,
                dim,
                sums.into_tensor_arg(),
                packed.into_tensor_arg(),
                squares.clone().into_tensor_arg(),
                parts(&plan),
                columns.dim,
                length,
                plan.folds(),
            );
        }
        squares
    }

    fn step(
        weights: CubeTensor,
        state: CubeTensor,
        counters: CubeTensor,
        sums: CubeTensor,
        packed: CubeTensor,
        frequency: CubeTensor,
        scale: CubeTensor,
        plan: Plan,
        step: RowStep,
        span: Span,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        if plan.unique == 0 {
            return (weights, state, counters);
        }
        let client = weights.client.clone();
        let width = weights.meta.shape()[1];
        let visits = unwritten(&weights, Shape::from(vec![plan.unique, 2]), DType::F32);
        let (count, dim) = a_thread_each(&weights, plan.unique);
        kernel::visit::launch(
            &client,
            count,
            dim,
            weights.clone().into_tensor_arg(),
            state.clone().into_tensor_arg(),
            counters.clone().into_tensor_arg(),
            sums.clone().into_tensor_arg(),
            packed.clone().into_tensor_arg(),
            frequency.into_tensor_arg(),
            scale.clone().into_tensor_arg(),
            visits.clone().into_tensor_arg(),
            numbers(&step),
            parts(&plan),
            held(&span),
            width,
            plan.unique,
            step.counted,
            step.rule == rule::ROW_WISE,
            plan.folds(),
        );
        let group = |before: bool| {
            if step.rule == rule::FOBOS && step.l21 > 0.0 {
                let (count, dim) = a_thread_each(&weights, plan.unique);
                kernel::group_rows::launch(
                    &client,
                    count,
                    dim,
                    weights.clone().into_tensor_arg(),
                    state.clone().into_tensor_arg(),
                    packed.clone().into_tensor_arg(),
                    visits.clone().into_tensor_arg(),
                    numbers(&step),
                    parts(&plan),
                    held(&span),
                    width,
                    plan.unique,
                    before,
                );
            }
        };
        group(true);
        let length = plan.unique * width;
        let (count, dim) = a_thread_each(&weights, length);
        kernel::step_rows::launch(
            &client,
            count,
            dim,
            weights.clone().into_tensor_arg(),
            state.clone().into_tensor_arg(),
            sums.into_tensor_arg(),
            packed.clone().into_tensor_arg(),
            scale.into_tensor_arg(),
            visits.clone().into_tensor_arg(),
            numbers(&step),
            parts(&plan),
            held(&span),
            width,
            length,
            step.rule,
            plan.folds(),
        );
        group(false);
        (weights, state, counters)
    }

    fn put_floats(from: CubeTensor, to: CubeTensor, at: usize) -> CubeTensor {
        let length = from.meta.num_elements();
        if length > 0 {
            let (count, dim) = a_thread_each(&to, length);
            let client = to.client.clone();
            kernel::copy_floats::launch(
                &client,
                count,
                dim,
                from.into_tensor_arg(),
                to.clone().into_tensor_arg(),
                at,
                length,
            );
        }
        to
    }

    fn put_ints(from: CubeTensor, to: CubeTensor, at: usize) -> CubeTensor {
        let length = from.meta.num_elements();
        if length > 0 {
            let (count, dim) = a_thread_each(&to, length);
            let client = to.client.clone();
            kernel::copy_ints::launch(
                &client,
                count,
                dim,
                from.into_tensor_arg(),
                to.clone().into_tensor_arg(),
                at,
                length,
            );
        }
        to
    }
}
