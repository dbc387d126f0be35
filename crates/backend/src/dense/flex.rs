//! Layers on flex: what tensors hold, and the loops over it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;

use super::kernel::{self, Part, Wanted};
use super::op::{Fourth, Layer, State, ops_of};

/// A tensor of the flex backend.
pub(crate) type Flat = FloatTensor<Flex>;

/// Row-major values of a tensor; copied only if it is a view.
pub(crate) fn contiguous(tensor: Flat) -> Flat {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// A tensor whose storage is its values, row-major from the start.
pub(crate) fn own(tensor: Flat) -> Flat {
    if tensor.is_contiguous() && tensor.layout().start_offset() == 0 { tensor } else { tensor.to_contiguous() }
}

/// The values of a tensor that [`contiguous`] gave.
pub(crate) fn values(tensor: &Flat) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Flat {
    Flat::from_data(TensorData::new(values, shape))
}

fn part(tensor: &Flat) -> Part<'_> {
    Part { values: values(tensor), width: tensor.shape()[1] }
}

ops_of!(Flex, Flat);

impl Layer for Flex {
    fn plain(tensor: Flat) -> Flat {
        contiguous(tensor)
    }

    fn forward(x: &Flat, fourth: &Fourth<Self>, w: &Flat, b: Option<&Flat>, relu: bool) -> Flat {
        let (rows, outputs) = (x.shape()[0], w.shape()[1]);
        let parts = match fourth {
            Fourth::More(more) => vec![part(x), part(more)],
            _ => vec![part(x)],
        };
        let residual = match fourth {
            Fourth::Residual(residual) => Some(values(residual)),
            _ => None,
        };
        let none = vec![0.0; if b.is_some() { 0 } else { outputs }];
        let bias = b.map_or(none.as_slice(), values);
        tensor(kernel::forward(rows, &parts, values(w), bias, residual, relu), [rows, outputs])
    }

    fn backward(state: State<Self>, gradient: Flat, wanted: [bool; 4]) -> [Option<Flat>; 4] {
        let State { x, fourth, w, cut } = state;
        let [rows, inputs] = [x.shape()[0], x.shape()[1]];
        let outputs = w.shape()[1];
        // Written in place where nobody else holds it, copied first where somebody does.
        let mut gradient = own(gradient);
        let mut parts = vec![(part(&x), wanted[0])];
        if let Fourth::More(more) = &fourth {
            parts.push((part(more), wanted[3]));
        }
        let which = Wanted { weight: wanted[1], bias: wanted[2] };
        let cut = cut.as_ref().map(values);
        let length = rows * outputs;
        let values_of = &mut gradient.storage_mut::<f32>()[..length];
        let mut found = kernel::backward(rows, &parts, values(&w), cut, values_of, which);
        let more = match &fourth {
            Fourth::More(more) if found.parts.len() > 1 => {
                let width = more.shape()[1];
                found.parts.pop().flatten().map(|v| tensor(v, [rows, width]))
            }
            Fourth::Added => wanted[3].then_some(gradient),
            _ => None,
        };
        let x = found.parts.pop().flatten().map(|v| tensor(v, [rows, inputs]));
        let height = w.shape()[0];
        let weight = found.weight.map(|v| tensor(v, [height, outputs]));
        [x, weight, found.bias.map(|v| tensor(v, [outputs])), more]
    }
}
