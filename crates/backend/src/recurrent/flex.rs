//! Gated units on flex. Memories have no kernel there: [`super::has_lstm`] says so, and models compose their steps.

use burn::backend::{Flex, TensorMetadata};

use super::gru_flex::Gru;
use super::op::{Operands, Recurs};
use super::unit::Unit;
use crate::dense::{Flat, contiguous, tensor, values};

fn gru(operands: &Operands<Flex>) -> Gru<'_> {
    let ([xw, attention, weight], Unit::Gru(update)) = (&operands.of, operands.unit) else {
        unreachable!("flex runs gated units alone")
    };
    Gru {
        offsets: &operands.host,
        xw: values(xw),
        attention: values(attention),
        weight: values(weight),
        width: weight.shape()[0],
        update,
    }
}

impl Recurs for Flex {
    fn plain(tensor: Flat) -> Flat {
        contiguous(tensor)
    }

    fn forward(operands: &Operands<Self>) -> (Flat, Flat) {
        let unit = gru(operands);
        let (width, found) = (unit.width, unit.forward());
        let positions = found.states.len() / width.max(1);
        (tensor(found.states, [positions, width]), tensor(found.gates, [positions, 4 * width]))
    }

    fn backward(operands: &Operands<Self>, states: &Flat, kept: &Flat, gradient: Flat) -> [Flat; 3] {
        let unit = gru(operands);
        let (h, found) = (unit.width, unit.backward(values(states), values(kept), values(&gradient)));
        let positions = states.shape()[0];
        [
            tensor(found.xw, [positions, 3 * h]),
            tensor(found.attention, [positions, 1]),
            tensor(found.weight, [h, 3 * h]),
        ]
    }
}
