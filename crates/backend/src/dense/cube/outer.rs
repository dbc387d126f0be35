//! A linear map of outer products: the product of a layer whose left operand is made as it is read, so that no outer product is
//! ever in memory.

use burn_cubecl::tensor::CubeTensor;

use super::kernel::Made;
use super::tile::{Cut, Form};
use super::{Inputs, Operands, launch, sum_parts, width};
use crate::cubes::empty;

/// One product of `a ⊗ b` of rows with `right`, `[m, n]` out of k terms, in as many parts as the cut says.
fn product(form: Form, factors: [&CubeTensor; 2], right: &CubeTensor, shape: [usize; 3]) -> (CubeTensor, usize) {
    let cut = Cut::of(form, shape);
    let made = Made { form, tile: cut.tile, beside: false, relu: false, bias: false, residual: false, outer: true };
    let [a, too] = factors;
    let out = empty(a, [cut.parts * shape[0], shape[1]]);
    if shape[0] * shape[1] > 0 {
        let inputs = Inputs { first: width(too), all: width(a) * width(too), above: 0 };
        launch(made, cut, Operands { a, a_too: Some(too), b: right, b_too: None, bias: None }, shape, inputs, &out);
    }
    (out, cut.parts)
}

/// `out[r] = vec(x[r] ⊗ y[r])·W`.
pub(crate) fn outer_forward(x: &CubeTensor, y: &CubeTensor, w: &CubeTensor) -> CubeTensor {
    let (rows, terms) = (x.meta.shape()[0], w.meta.shape()[0]);
    assert!(
        width(x) * width(y) == terms && y.meta.shape()[0] == rows,
        "the factors do not fit a weight of {terms} rows"
    );
    product(Form::Forward, [x, y], w, [rows, width(w), terms]).0
}

/// Gradients of x, y and W, of those that are wanted.
pub(crate) fn outer_back(
    [x, y, w]: [&CubeTensor; 3],
    gradient: &CubeTensor,
    wanted: [bool; 3],
) -> [Option<CubeTensor>; 3] {
    let (rows, p, q, outputs) = (x.meta.shape()[0], width(x), width(y), width(w));
    let to_x = wanted[0].then(|| product(Form::Inputs, [y, gradient], w, [rows, p, q * outputs]).0);
    let to_y = wanted[1].then(|| product(Form::Across, [x, gradient], w, [rows, q, p * outputs]).0);
    let to_w = wanted[2].then(|| {
        let (parts, count) = product(Form::Weights, [x, y], gradient, [p * q, outputs, rows]);
        sum_parts(parts, count, [p * q, outputs])
    });
    [to_x, to_y, to_w]
}
