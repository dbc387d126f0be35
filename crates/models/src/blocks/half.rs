//! A half of a model's inputs: those of the user, those of the item.

use burn::tensor::{Int, Tensor, TensorData};

use crate::contract::{InputShapes, Inputs};

/// Places of slots and numbers that a half reads.
#[derive(Clone, Debug, Default)]
pub struct Half {
    /// Slots of the first lookup.
    pub slots: Vec<usize>,
    /// Numeric inputs.
    pub numbers: Vec<usize>,
}

impl Half {
    /// What is of the fields that `is` names.
    pub fn of(shapes: &InputShapes, is: impl Fn(&String) -> bool) -> Self {
        let places = |names: &[String]| (0..names.len()).filter(|place| is(&names[*place])).collect();
        Self {
            slots: shapes.slots.first().map_or_else(Vec::new, |names| places(names)),
            numbers: places(&shapes.numbers),
        }
    }

    /// Width of what it reads, with vectors of width `dim`.
    pub fn width(&self, dim: usize) -> usize {
        self.slots.len() * dim + self.numbers.len()
    }

    /// # Shapes
    /// - output `[B, slots·k + numbers]`
    pub fn read(&self, inputs: &Inputs) -> Tensor<2> {
        let vectors = &inputs.lookups[0];
        let device = vectors.device();
        let ints = |places: &[usize]| -> Tensor<1, Int> {
            let places: Vec<i32> = places.iter().map(|place| i32::try_from(*place).unwrap_or(i32::MAX)).collect();
            let count = places.len();
            Tensor::from_data(TensorData::new(places, [count]), &device)
        };
        let vectors = (!self.slots.is_empty()).then(|| match self.slots.len() == vectors.dims()[1] {
            true => inputs.flat(0),
            false => vectors.clone().select(1, ints(&self.slots)).flatten(1, 2),
        });
        let numbers = inputs.numeric.as_ref().filter(|_| !self.numbers.is_empty()).map(|all| {
            match self.numbers.len() == all.dims()[1] {
                true => all.clone(),
                false => all.clone().select(1, ints(&self.numbers)),
            }
        });
        Tensor::cat(vectors.into_iter().chain(numbers).collect(), 1)
    }
}
