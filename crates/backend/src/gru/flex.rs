//! The operation on flex.

use burn::backend::{Flex, TensorMetadata};

use super::kernel::Unit;
use super::op::{Operands, Recurs};
use crate::dense::{Flat, contiguous, tensor, values};

fn unit(operands: &Operands<Flex>) -> Unit<'_> {
    let Operands { xw, attention, weight, host, update, .. } = operands;
    Unit {
        offsets: host,
        xw: values(xw),
        attention: values(attention),
        weight: values(weight),
        width: weight.shape()[0],
        update: *update,
    }
}

impl Recurs for Flex {
    fn plain(tensor: Flat) -> Flat {
        contiguous(tensor)
    }

    fn forward(operands: &Operands<Self>) -> (Flat, Flat) {
        let unit = unit(operands);
        let (width, found) = (unit.width, unit.forward());
        let positions = found.states.len() / width.max(1);
        (tensor(found.states, [positions, width]), tensor(found.gates, [positions, 4 * width]))
    }

    fn backward(operands: &Operands<Self>, states: &Flat, gates: &Flat, gradient: Flat) -> [Flat; 3] {
        let unit = unit(operands);
        let (h, found) = (unit.width, unit.backward(values(states), values(gates), values(&gradient)));
        let positions = states.shape()[0];
        [
            tensor(found.xw, [positions, 3 * h]),
            tensor(found.attention, [positions, 1]),
            tensor(found.weight, [h, 3 * h]),
        ]
    }
}
