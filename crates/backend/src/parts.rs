//! Reductions over a batch, in parts: products whose way back sums over the batch, sums over it, and rows that stand beside
//! each of its rows.
//!
//! A reduction over the batch has a handful of outputs, so that a device would give it to a handful of groups, each of which
//! walks the whole batch. Here the batch is cut into parts that are reduced beside each other, and their results are added in their
//! order: no atomics, the same bits twice. Nothing of it is a kernel of our own: a batch of parts `[P, R, …]` against weights
//! `[1, …]` makes the library reduce part by part on the way back. On flex, whose own kernels split by themselves, everything is as
//! it was.

use burn::tensor::Tensor;

use crate::kind::is_flex;

/// A batch as a cube of rows with this side times some layers, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    side: usize,
    /// Layers of `side` rows in each of the `side` parts.
    layers: usize,
}

impl Cut {
    /// None for batches that are too small to be cut.
    fn of(rows: usize) -> Option<Self> {
        let side = match rows {
            0..512 => return None,
            512..4096 => 16,
            _ => 32,
        };
        Some(Self { side, layers: rows / (side * side) })
    }

    /// Rows of a part.
    fn part(self) -> usize {
        self.layers * self.side
    }

    /// Rows of all parts.
    fn rows(self) -> usize {
        self.side * self.part()
    }
}

/// Does something with the rows that parts hold, and something else with those that are left; puts both together.
fn by_parts(
    x: &Tensor<2>,
    parts: impl FnOnce(Tensor<2>, Cut) -> Tensor<2>,
    rest: impl FnOnce(Tensor<2>) -> Tensor<2>,
    join: impl FnOnce(Tensor<2>, Tensor<2>) -> Tensor<2>,
) -> Tensor<2> {
    let [rows, width] = x.dims();
    let Some(cut) = Cut::of(rows).filter(|_| width > 0) else { return rest(x.clone()) };
    let whole = cut.rows();
    if whole == rows {
        return parts(x.clone(), cut);
    }
    let done = parts(x.clone().slice([0..whole, 0..width]), cut);
    join(done, rest(x.clone().slice([whole..rows, 0..width])))
}

fn below(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    Tensor::cat(vec![a, b], 0)
}

/// `x·W`, whose way back to W is in parts of the batch, composed: for devices without a product of our own.
///
/// # Shapes
/// - `x`: `[B, in]`, `weight`: `[in, out]`
/// - output: `[B, out]`
pub(crate) fn product_in_parts(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    let [inputs, outputs] = weight.dims();
    let parts = |x: Tensor<2>, cut: Cut| {
        let each: Tensor<3> = x.reshape([cut.side, cut.part(), inputs]);
        each.matmul(weight.clone().unsqueeze::<3>()).reshape([cut.rows(), outputs])
    };
    by_parts(&x, parts, |x| x.matmul(weight.clone()), below)
}

/// `x_e·W_e + b_e` of every expert, whose way back to the weights is in parts of the batch.
///
/// # Shapes
/// - `x`: `[E, B, in]`, `weight`: `[E, in, out]`, `bias`: `[E, 1, out]`
/// - output: `[E, B, out]`
pub(crate) fn linear_each(x: Tensor<3>, weight: Tensor<3>, bias: Tensor<3>) -> Tensor<3> {
    let [experts, rows, inputs] = x.dims();
    let outputs = weight.dims()[2];
    match Cut::of(rows).filter(|cut| cut.rows() == rows && !is_flex(&x.device())) {
        Some(cut) => {
            let each: Tensor<4> = x.reshape([experts, cut.side, cut.part(), inputs]);
            let each = each.matmul(weight.unsqueeze_dim::<4>(1));
            let each: Tensor<5> = each.reshape([experts, cut.side, cut.layers, cut.side, outputs]);
            (each + bias.reshape([experts, 1, 1, 1, outputs])).reshape([experts, rows, outputs])
        }
        None => x.matmul(weight) + bias,
    }
}

/// `x + row` for every row of x; the way back to `row` is in parts of the batch.
///
/// # Shapes
/// - `x`: `[B, n]`, `row`: `[1, n]`
/// - output: `[B, n]`
pub fn add_row(x: Tensor<2>, row: Tensor<2>) -> Tensor<2> {
    if is_flex(&x.device()) {
        return x + row;
    }
    let width = x.dims()[1];
    let parts = |x: Tensor<2>, cut: Cut| {
        let each: Tensor<4> = x.reshape([cut.side, cut.layers, cut.side, width]);
        (each + row.clone().reshape([1, 1, 1, width])).reshape([cut.rows(), width])
    };
    by_parts(&x, parts, |x| x + row.clone(), below)
}

/// `x ⊙ row` for every row of x; the way back to `row` is in parts of the batch.
///
/// # Shapes
/// - `x`: `[B, n]`, `row`: `[1, n]`
/// - output: `[B, n]`
pub fn mul_row(x: Tensor<2>, row: Tensor<2>) -> Tensor<2> {
    if is_flex(&x.device()) {
        return x * row;
    }
    let width = x.dims()[1];
    let parts = |x: Tensor<2>, cut: Cut| {
        let each: Tensor<4> = x.reshape([cut.side, cut.layers, cut.side, width]);
        (each * row.clone().reshape([1, 1, 1, width])).reshape([cut.rows(), width])
    };
    by_parts(&x, parts, |x| x * row.clone(), below)
}

/// The sums of columns, in parts of the batch.
///
/// # Shapes
/// - `x`: `[B, n]`
/// - output: `[1, n]`
pub fn sum_rows(x: Tensor<2>) -> Tensor<2> {
    if is_flex(&x.device()) {
        return x.sum_dim(0);
    }
    let width = x.dims()[1];
    let parts = |x: Tensor<2>, cut: Cut| {
        let each: Tensor<4> = x.reshape([cut.side, cut.layers, cut.side, width]);
        each.sum_dim(0).sum_dim(1).sum_dim(2).reshape([1, width])
    };
    by_parts(&x, parts, |x| x.sum_dim(0), |a, b| a + b)
}

/// The sum of all numbers `[1]`, in parts of the batch.
///
/// # Shapes
/// - `x`: `[B, n]`
pub fn total(x: Tensor<2>) -> Tensor<1> {
    match is_flex(&x.device()) {
        true => x.sum(),
        false => sum_rows(x).sum(),
    }
}

/// The mean of all numbers `[1]`, in parts of the batch.
///
/// # Shapes
/// - `x`: `[B, n]`, B and n above 0
pub fn average(x: Tensor<2>) -> Tensor<1> {
    let [rows, width] = x.dims();
    match is_flex(&x.device()) {
        true => x.mean(),
        false => sum_rows(x).sum() / (rows * width) as f64,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn parts_and_what_is_left_are_all_rows_and_no_part_is_long() {
        for rows in [512, 513, 1000, 4095, 4096, 4097, 65_536, 65_537, 100_000] {
            let cut = Cut::of(rows).unwrap();
            assert!(cut.rows() <= rows && rows - cut.rows() < cut.side * cut.side, "{rows} {cut:?}");
        }
        assert_eq!((Cut::of(1), Cut::of(7), Cut::of(511)), (None, None, None));
        assert_eq!(Cut::of(65_536), Some(Cut { side: 32, layers: 64 }));
    }

    /// Values and gradients of everything here, beside the plain way on the CPU.
    fn agrees(rows: usize, inputs: usize, outputs: usize, device: &Device) {
        let flex = Device::flex();
        let seed = Tensor::<2>::random([rows, inputs], Distribution::Uniform(-1.0, 1.0), &flex).into_data();
        let weights = Tensor::<2>::random([inputs, outputs], Distribution::Uniform(-1.0, 1.0), &flex).into_data();
        let row = Tensor::<2>::random([1, outputs], Distribution::Uniform(-1.0, 1.0), &flex).into_data();
        let run = |device: &Device| {
            let device = device.clone().autodiff();
            let x = Tensor::<2>::from_data(seed.clone(), &device).require_grad();
            let w = Tensor::<2>::from_data(weights.clone(), &device).require_grad();
            let b = Tensor::<2>::from_data(row.clone(), &device).require_grad();
            let y = mul_row(add_row(product_in_parts(x.clone(), w.clone()), b.clone()), b.clone());
            let sums = sum_rows(y.clone());
            let value = average(y.clone() * y.clone()) + total(y) / rows as f64;
            let gradients = value.backward();
            let read = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
            let of = |t: &Tensor<2>| read(t.grad(&gradients).unwrap());
            (read(sums), of(&x), of(&w), of(&b))
        };
        let (plain, parts) = (run(&flex), run(device));
        let close = |a: &[f32], b: &[f32], scale: f32| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-4 * scale.max(a.abs()))
        };
        assert!(close(&plain.0, &parts.0, (rows as f32).sqrt()), "sums of {rows}");
        assert!(
            close(&plain.1, &parts.1, 0.1) && close(&plain.2, &parts.2, 1.0) && close(&plain.3, &parts.3, 1.0),
            "{rows}"
        );
        let again = run(device);
        assert!(parts.2 == again.2 && parts.3 == again.3, "two runs of {rows} rows differ");
    }

    #[test]
    fn in_parts_everything_is_what_it_is_whole() {
        agrees(700, 3, 5, &Device::flex());
        let Ok(opened) = crate::open(crate::DeviceName::Wgpu) else { return crate::testing::skipped() };
        for (rows, inputs, outputs) in
            [(1, 3, 5), (7, 3, 5), (513, 5, 1), (4095, 13, 7), (4096, 29, 17), (65_536, 3, 2), (65_537, 3, 2)]
        {
            agrees(rows, inputs, outputs, &opened.device);
        }
    }
}
