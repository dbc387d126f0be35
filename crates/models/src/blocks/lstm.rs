//! A long short-term memory over sequences laid end to end, its gates open to properties of each step (Gers & Schmidhuber
//! 2000; Ni et al., KDD 2018).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Activation, Segments, has_lstm, lstm};

use crate::blocks::layer;
use crate::initial::Initial;

/// What a step's gates read beside its input: its properties `[positions, p]`.
pub type GatedBy = Option<Tensor<2>>;

/// ```text
/// i, f = σ(W x + P p + U h + C ⊙ c + b);  c' = f ⊙ c + i ⊙ tanh(W x + U h + b);  o = σ(W x + P p + U h + C ⊙ c' + b);  h' = o ⊙ tanh(c')
/// ```
/// Properties open gates and are no part of what is remembered. Maps of all steps' inputs are one product; a step multiplies
/// the states of the rows alone that still have one.
#[derive(Module, Debug)]
pub struct LstmUnit {
    /// Of inputs and properties, for i, f and o: `[x + p, 3h]`, `[3h]`.
    gates: Linear,
    /// Of inputs, for what may be remembered: `[x, h]`, `[h]`.
    candidate: Linear,
    /// U of i, f, o and the candidate, `[h, 4h]`.
    recurrent: Param<Tensor<2>>,
    /// C of i, f and o, `[3, h]`.
    peepholes: Param<Tensor<2>>,
}

impl LstmUnit {
    /// A unit over inputs of `width` numbers and `properties` numbers beside them, with states of `hidden` numbers. Gates to
    /// forget start open.
    pub fn new(width: usize, properties: usize, hidden: usize, initial: &mut Initial, device: &Device) -> Self {
        let deviation = |inputs: usize| (1.0 / inputs.max(1) as f32).sqrt();
        let all = width + properties;
        let open = [0.0, 1.0, 0.0].iter().flat_map(|bias| std::iter::repeat_n(*bias, hidden)).collect();
        Self {
            gates: Linear {
                weight: initial.normal(deviation(all), [all, 3 * hidden], device),
                bias: Some(initial.param(open, [3 * hidden], device)),
            },
            candidate: Linear {
                weight: initial.normal(deviation(width), [width, hidden], device),
                bias: Some(initial.zeros([hidden], device)),
            },
            recurrent: initial.normal(deviation(hidden), [hidden, 4 * hidden], device),
            peepholes: initial.zeros([3, hidden], device),
        }
    }

    /// States at all positions, from zeros at the start of each row.
    ///
    /// # Shapes
    /// - `x`: `[positions, d]`
    /// - output: `[positions, h]`
    pub fn forward(&self, x: Tensor<2>, properties: GatedBy, segments: &Segments) -> Tensor<2> {
        let (device, h, steps) = (x.device(), self.recurrent.dims()[0], segments.steps());
        if steps.0.is_empty() {
            return Tensor::zeros([0, h], &device);
        }
        let gates = layer(&self.gates, x.clone(), properties, Activation::Identity); // [positions, 3h]
        let candidates = layer(&self.candidate, x, None, Activation::Identity); // [positions, h]
        if has_lstm(&device, h) {
            let xw = Tensor::cat(vec![gates, candidates], 1); // [positions, 4h]
            return lstm(xw, self.recurrent.val(), self.peepholes.val(), segments);
        }
        let mut state: Option<(Tensor<2>, Tensor<2>)> = None;
        let mut outputs = Vec::with_capacity(steps.0.len());
        for (step, places) in steps.0.iter().enumerate() {
            let (active, at) = (places.len(), steps.at(step, &device));
            let before = state.map(|(h_0, c_0)| (h_0.narrow(0, 0, active), c_0.narrow(0, 0, active)));
            let next = self.step(gates.clone().select(0, at.clone()), candidates.clone().select(0, at), before);
            outputs.push(next.0.clone());
            state = Some(next);
        }
        steps.in_order(outputs)
    }

    /// One step of the rows that still run: `(h', c')`.
    fn step(
        &self,
        gates: Tensor<2>,
        candidate: Tensor<2>,
        before: Option<(Tensor<2>, Tensor<2>)>,
    ) -> (Tensor<2>, Tensor<2>) {
        let h = candidate.dims()[1];
        let peephole = |gate: usize| self.peepholes.val().narrow(0, gate, 1); // [1, h]
        let part = |of: &Tensor<2>, gate: usize| of.clone().narrow(1, gate * h, h);
        let Some((h_0, c_0)) = before else {
            let c = sigmoid(part(&gates, 0)) * candidate.tanh();
            let o = sigmoid(part(&gates, 2) + c.clone() * peephole(2));
            return (o * c.clone().tanh(), c);
        };
        let recurrent = h_0.matmul(self.recurrent.val()); // [active, 4h]
        let gate = |number: usize, cell: &Tensor<2>| {
            sigmoid(part(&gates, number) + part(&recurrent, number) + cell.clone() * peephole(number))
        };
        let (i, f) = (gate(0, &c_0), gate(1, &c_0));
        let c = f * c_0 + i * (candidate + part(&recurrent, 3)).tanh();
        (gate(2, &c) * c.clone().tanh(), c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    #[test]
    fn rows_end_to_end_are_each_row_by_itself_and_properties_open_gates_alone() {
        let device = Device::flex();
        let mut initial = Initial::new(4);
        let mut unit = LstmUnit::new(3, 2, 4, &mut initial, &device);
        unit.peepholes = initial.normal(0.5, [3, 4], &device);
        let x = initial.normal(1.0, [6, 3], &device).val();
        let p = initial.normal(1.0, [6, 2], &device).val();
        let all = unit.forward(x.clone(), Some(p.clone()), &Segments::new(&[0, 2, 2, 6], &device));
        // One row by itself, gate by gate.
        let read = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let (mut h, mut c) = (Tensor::<2>::zeros([1, 4], &device), Tensor::<2>::zeros([1, 4], &device));
        for at in 2..6 {
            let (x, p) = (x.clone().narrow(0, at, 1), p.clone().narrow(0, at, 1));
            let both = Tensor::cat(vec![x.clone(), p], 1);
            let gate = |g: usize, cell: &Tensor<2>| {
                let own = both.clone().matmul(unit.gates.weight.val().narrow(1, 4 * g, 4))
                    + unit.gates.bias.as_ref().unwrap().val().narrow(0, 4 * g, 4).unsqueeze::<2>();
                let back = h.clone().matmul(unit.recurrent.val().narrow(1, 4 * g, 4));
                sigmoid(own + back + cell.clone() * unit.peepholes.val().narrow(0, g, 1))
            };
            let new = x.matmul(unit.candidate.weight.val()) + h.clone().matmul(unit.recurrent.val().narrow(1, 12, 4));
            let next = gate(1, &c) * c.clone() + gate(0, &c) * new.tanh();
            h = gate(2, &next) * next.clone().tanh();
            c = next;
            let found = all.clone().narrow(0, at, 1).into_data();
            found.assert_approx_eq::<f32>(&h.clone().into_data(), Tolerance::absolute(1e-5));
        }
        // With all gates shut to inputs nothing but gates sees properties: a step from nothing scales tanh alone.
        let other = unit.forward(x.clone(), Some(p * -3.0), &Segments::new(&[0, 1, 2, 3, 4, 5, 6], &device));
        let same = unit.forward(
            x,
            None.or(Some(Tensor::zeros([6, 2], &device))),
            &Segments::new(&[0, 1, 2, 3, 4, 5, 6], &device),
        );
        for (a, b) in read(other).iter().zip(read(same)) {
            assert!(a.signum() == b.signum() && (a - b).abs() > 0.0, "{a} {b}");
        }
    }
}
