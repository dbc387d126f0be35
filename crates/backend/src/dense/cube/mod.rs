//! A layer on devices with kernels: one launch forward, three back.

mod kernel;
mod outer;
mod tile;

pub(crate) use outer::{outer_back, outer_forward};

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::op::{Fourth, Layer, State, ops_of};
use crate::cubes::{a_thread_each, empty};
use kernel::{MOST_GROUPS, Made, SizesLaunch, join_parts, layer_product, sums_of_parts};
use tile::{Cut, Form};

/// What a product reads: the left operand, the right one, what stands beside each, the bias.
struct Operands<'a> {
    a: &'a CubeTensor,
    a_too: Option<&'a CubeTensor>,
    b: &'a CubeTensor,
    b_too: Option<&'a CubeTensor>,
    bias: Option<&'a CubeTensor>,
}

/// Inputs of a layer: those of the first tensor, all, and the row of the weight where the result's begin.
#[derive(Clone, Copy)]
struct Inputs {
    first: usize,
    all: usize,
    above: usize,
}

/// Launches a product into `out`, which has a part for each of the cut's.
fn launch(made: Made, cut: Cut, operands: Operands<'_>, [m, n, k]: [usize; 3], inputs: Inputs, out: &CubeTensor) {
    let [mut rows, columns] = cut.tile.groups(m, n);
    let mut third = cut.parts;
    if rows > MOST_GROUPS {
        // Only products over the rows of a batch are so tall, and those have one part.
        (rows, third) = (MOST_GROUPS, rows.div_ceil(MOST_GROUPS));
    }
    let count = |x: usize| u32::try_from(x).unwrap_or(u32::MAX);
    // A tensor that is not read stands in for one that is not there.
    let arg = |of: Option<&CubeTensor>| of.unwrap_or(operands.a).clone().into_tensor_arg();
    layer_product::launch(
        &out.client.clone(),
        CubeCount::Static(count(rows), count(columns), count(third)),
        CubeDim::new_1d(count(cut.tile.threads())),
        arg(Some(operands.a)),
        arg(operands.a_too),
        arg(Some(operands.b)),
        arg(operands.b_too),
        arg(operands.bias),
        out.clone().into_tensor_arg(),
        SizesLaunch::new(m, n, k, inputs.first, inputs.all, inputs.above, cut.span),
        made,
    );
}

/// Width of a matrix.
fn width(tensor: &CubeTensor) -> usize {
    tensor.meta.shape()[1]
}

/// The tensor of more inputs, if there is one.
fn more(fourth: &Fourth<CubeBackend>) -> Option<&CubeTensor> {
    match fourth {
        Fourth::More(more) => Some(more),
        _ => None,
    }
}

ops_of!(CubeBackend, CubeTensor);

impl Layer for CubeBackend {
    fn plain(tensor: CubeTensor) -> CubeTensor {
        into_contiguous(tensor)
    }

    fn forward(
        x: &CubeTensor,
        fourth: &Fourth<Self>,
        w: &CubeTensor,
        b: Option<&CubeTensor>,
        relu: bool,
    ) -> CubeTensor {
        let (rows, inputs, outputs) = (x.meta.shape()[0], w.meta.shape()[0], width(w));
        let residual = match fourth {
            Fourth::Residual(residual) => Some(residual),
            _ => None,
        };
        let (shape, beside) = ([rows, outputs, inputs], more(fourth));
        let reads = width(x) + beside.map_or(0, width);
        assert!(reads == inputs, "a layer of {inputs} inputs was given {reads}");
        assert!(beside.is_none_or(|t| t.meta.shape()[0] == rows), "inputs side by side have different rows");
        assert!(b.is_none_or(|b| b.meta.num_elements() == outputs), "the bias is not [{outputs}]");
        assert!(residual.is_none_or(|r| r.meta.num_elements() == rows * outputs), "the sum is not [{rows}, {outputs}]");
        let out = empty(x, [rows, outputs]);
        if rows * outputs > 0 {
            let cut = Cut::of(Form::Forward, shape);
            let made = Made {
                form: Form::Forward,
                tile: cut.tile,
                beside: beside.is_some(),
                relu,
                bias: b.is_some(),
                residual: residual.is_some(),
                outer: false,
            };
            let operands = Operands { a: x, a_too: beside, b: w, b_too: residual, bias: b };
            launch(made, cut, operands, shape, Inputs { first: width(x), all: inputs, above: 0 }, &out);
        }
        out
    }

    fn backward(state: State<Self>, gradient: CubeTensor, wanted: [bool; 4]) -> [Option<CubeTensor>; 4] {
        let State { x, fourth, w, cut: output } = state;
        let gradient = into_contiguous(gradient);
        let (rows, inputs, outputs) = (x.meta.shape()[0], w.meta.shape()[0], width(&w));
        let (first, output) = (width(&x), output.as_ref());
        let of = |form: Form, tile| Made {
            form,
            tile,
            beside: form == Form::Weights && more(&fourth).is_some(),
            relu: output.is_some(),
            bias: form == Form::Weights && wanted[2],
            residual: false,
            outer: false,
        };
        let to_inputs = |above: usize, columns: usize| {
            let (out, shape) = (empty(&x, [rows, columns]), [rows, columns, outputs]);
            if rows * columns > 0 {
                let cut = Cut::of(Form::Inputs, shape);
                let operands = Operands { a: &gradient, a_too: output, b: &w, b_too: None, bias: None };
                launch(of(Form::Inputs, cut.tile), cut, operands, shape, Inputs { first, all: inputs, above }, &out);
            }
            out
        };
        let to_x = wanted[0].then(|| to_inputs(0, first));
        let (mut to_w, mut to_b) = (None, None);
        if wanted[1] || wanted[2] {
            let shape = [inputs, outputs, rows];
            let cut = Cut::of(Form::Weights, shape);
            let parts = empty(&x, [cut.parts, inputs + usize::from(wanted[2]), outputs]);
            let operands = Operands { a: &x, a_too: more(&fourth), b: &gradient, b_too: output, bias: None };
            launch(of(Form::Weights, cut.tile), cut, operands, shape, Inputs { first, all: inputs, above: 0 }, &parts);
            if wanted[2] {
                let (weight, bias) = join(parts, cut.parts, inputs, outputs);
                (to_w, to_b) = (wanted[1].then_some(weight), Some(bias));
            } else {
                to_w = Some(sum_parts(parts, cut.parts, [inputs, outputs]));
            }
        }
        let to_fourth = match &fourth {
            _ if !wanted[3] => None,
            Fourth::More(more) => Some(to_inputs(first, width(more))),
            Fourth::Added => Some(match output {
                Some(output) => before_relu(gradient.clone(), output.clone()),
                None => gradient.clone(),
            }),
            Fourth::Nothing | Fourth::Residual(_) => None,
        };
        [to_x, to_w, to_b, to_fourth]
    }
}

/// `xᵀ g`, the gradient of a weight `[in, out]` between inputs `[B, in]` and outputs of gradient `[B, out]`.
pub(crate) fn weight_gradient(x: CubeTensor, gradient: CubeTensor, weight: CubeTensor) -> CubeTensor {
    let shape = weight.meta.shape().clone();
    let state = State { x, fourth: Fourth::Nothing, w: weight, cut: None };
    let [_, found, _, _] = <CubeBackend as Layer>::backward(state, gradient.clone(), [false, true, false, false]);
    found.unwrap_or_else(|| empty(&gradient, [shape[0], shape[1]]))
}

/// Adds parts up: those of the weights, and those of the bias behind them.
fn join(parts: CubeTensor, count: usize, inputs: usize, outputs: usize) -> (CubeTensor, CubeTensor) {
    let (weight, bias) = (empty(&parts, [inputs, outputs]), empty(&parts, [outputs]));
    let length = (inputs + 1) * outputs;
    let (groups, threads) = a_thread_each(&parts, length);
    join_parts::launch(
        &parts.client.clone(),
        groups,
        threads,
        parts.into_tensor_arg(),
        weight.clone().into_tensor_arg(),
        bias.clone().into_tensor_arg(),
        count,
        inputs * outputs,
        length,
    );
    (weight, bias)
}

/// Adds parts `[P, m, n]` up.
fn sum_parts(parts: CubeTensor, count: usize, [m, n]: [usize; 2]) -> CubeTensor {
    let out = empty(&parts, [m, n]);
    if m * n > 0 {
        let (groups, threads) = a_thread_each(&parts, m * n);
        let (client, to) = (parts.client.clone(), out.clone().into_tensor_arg());
        sums_of_parts::launch(&client, groups, threads, parts.into_tensor_arg(), to, count, m * n);
    }
    out
}

/// The gradient where the output is above zero.
pub(crate) fn before_relu(gradient: CubeTensor, output: CubeTensor) -> CubeTensor {
    let out = empty(&gradient, [output.meta.shape()[0], width(&output)]);
    let length = output.meta.num_elements();
    if length > 0 {
        let (groups, threads) = a_thread_each(&out, length);
        kernel::before_relu::launch(
            &out.client.clone(),
            groups,
            threads,
            gradient.into_tensor_arg(),
            output.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            length,
        );
    }
    out
}
