//! A gate that takes few of many experts, and keeps them in use (Shazeer et al., ICLR 2017).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{softmax, softplus};
use burn::tensor::{Device, Distribution, Tensor};
use burnrec_backend::Activation;

use crate::blocks::layer;
use crate::initial::Initial;

/// `softmax(KeepTopK(xW_g + ε ⊙ softplus(xW_n), k))`, ε drawn from N(0, 1) in training alone. Both matrices start at 0, so that
/// chance divides the rows evenly in the beginning.
#[derive(Module, Debug)]
pub struct SparseGate {
    /// `[i, E]`.
    clean: Linear,
    /// `[i, E]`; none where there is no noise.
    noise: Option<Linear>,
    /// Experts that a row takes.
    active: usize,
}

/// What a gate gives.
pub struct Taken {
    /// `[B, E]`, rows of sum 1 with k entries above 0.
    pub shares: Tensor<2>,
    /// The squared coefficient of variation `[1]` of how much the experts are taken, in training.
    pub importance: Option<Tensor<1>>,
    /// That of how often, in training with noise, where a row takes fewer than all.
    pub load: Option<Tensor<1>>,
}

/// `Var / Mean²` over the experts, of the population.
fn uneven(load: Tensor<1>) -> Tensor<1> {
    let mean = load.clone().mean();
    let off = load - mean.clone();
    (off.clone() * off).mean() / (mean.clone() * mean + 1e-10)
}

impl SparseGate {
    /// A gate over `inputs` numbers that takes `active` of `count` experts.
    pub fn new(
        inputs: usize,
        count: usize,
        active: usize,
        noise: bool,
        initial: &mut Initial,
        device: &Device,
    ) -> Self {
        let mut zeros = || Linear { weight: initial.zeros([inputs, count], device), bias: None::<Param<Tensor<1>>> };
        Self { clean: zeros(), noise: noise.then(zeros), active: active.min(count) }
    }

    /// # Shapes
    /// - `x`: `[B, i]`; `beside`: `[B, j]`, more inputs
    pub fn forward(&self, x: Tensor<2>, beside: Option<Tensor<2>>) -> Taken {
        let map = |linear: &Linear| layer(linear, x.clone(), beside.clone(), Activation::Identity);
        let clean = map(&self.clean); // [B, E]
        let (device, count) = (clean.device(), clean.dims()[1]);
        let over_rows = |of: Tensor<2>| uneven(of.sum_dim(0).flatten(0, 1));
        let learns = device.is_autodiff();
        let Some(noise) = self.noise.as_ref().filter(|_| learns) else {
            let shares = softmax(self.keep(clean).0, 1);
            let importance = learns.then(|| over_rows(shares.clone()));
            return Taken { shares, importance, load: None };
        };
        let deviation = softplus(map(noise), 1.0);
        let drawn = Tensor::random(clean.dims(), Distribution::Normal(0.0, 1.0), &device);
        let noisy = clean.clone() + drawn * deviation.clone();
        let (kept, threshold) = self.keep(noisy);
        let shares = softmax(kept, 1);
        let load = (self.active < count).then(|| {
            // The probability that another draw of its own noise would have the row take the expert; the threshold is held.
            let z = (clean - threshold) / deviation;
            over_rows(((z * std::f32::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5)
        });
        Taken { importance: Some(over_rows(shares.clone())), shares, load }
    }

    /// The k largest scores of each row, the others far below; and for each expert the k-th largest score without it, off the
    /// graph. Of equal scores the earlier expert's counts as the larger.
    fn keep(&self, scores: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let [rows, count] = scores.dims();
        if self.active == count {
            return (scores.clone(), scores.zeros_like());
        }
        let values = scores.clone().detach();
        let own = values.clone().unsqueeze_dim::<3>(2); // [B, E, 1]
        let others = values.clone().unsqueeze_dim::<3>(1); // [B, 1, E]
        let earlier = Tensor::<2>::ones([count, count], &values.device()).tril(-1).unsqueeze_dim::<3>(0);
        let ahead = others.clone().greater(own.clone()).float() + others.equal(own).float() * earlier;
        let rank: Tensor<2> = ahead.sum_dim(2).reshape([rows, count]); // how many are ahead
        let at = |place: usize| {
            let there = rank.clone().equal_elem(place as f32).float();
            (values.clone() * there).sum_dim(1) // [B, 1]
        };
        let is_out = rank.clone().greater_equal_elem(self.active as f32);
        let threshold =
            at(self.active).repeat_dim(1, count).mask_where(is_out.clone(), at(self.active - 1).repeat_dim(1, count));
        (scores.mask_fill(is_out, -1e9), threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn variation_of_loads_is_as_by_hand() {
        let device = Device::flex();
        let found = uneven(Tensor::from_floats([2.0, 1.0, 1.0, 0.0], &device));
        assert!((found.into_scalar::<f32>() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn all_experts_without_noise_are_a_dense_gate_and_few_are_the_largest() {
        let device = Device::flex();
        let mut initial = Initial::new(3);
        let x = initial.normal(1.0, [6, 4], &device).val();
        let weight = initial.normal(1.0, [4, 5], &device);
        let gate = |active: usize, initial: &mut Initial| {
            let gate = SparseGate::new(4, 5, active, false, initial, &device);
            SparseGate { clean: Linear { weight: weight.clone(), bias: None }, ..gate }
        };
        let dense = read(softmax(x.clone().matmul(weight.val()), 1));
        assert_eq!(read(gate(5, &mut initial).forward(x.clone(), None).shares), dense);
        let few = read(gate(2, &mut initial).forward(x, None).shares);
        for (few, dense) in few.chunks(5).zip(dense.chunks(5)) {
            let mut sorted = dense.to_vec();
            sorted.sort_by(|a, b| b.total_cmp(a));
            assert!((few.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            for (few, dense) in few.iter().zip(dense) {
                assert_eq!(*few > 0.0, *dense >= sorted[1], "{few} {dense}");
                assert!(*few == 0.0 || (few - dense / (sorted[0] + sorted[1])).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn chance_divides_rows_evenly_at_first_and_what_is_rare_is_told() {
        let device = Device::flex().autodiff();
        device.seed(3);
        let mut initial = Initial::new(3);
        let x = initial.normal(1.0, [4000, 4], &device).val();
        let mut gate = SparseGate::new(4, 5, 2, true, &mut initial, &device);
        let even = gate.forward(x.clone(), None);
        let (importance, load) = (even.importance.unwrap(), even.load.unwrap());
        assert!(importance.into_scalar::<f32>() < 1e-2 && load.into_scalar::<f32>() < 1e-2);
        // An expert far above the others is taken by all rows: of 5 loads of mean 0.4, one is 1.
        gate.clean.bias = Some(initial.param(vec![50.0, 0.0, 0.0, 0.0, 0.0], [5], &device));
        let load = gate.forward(x, None).load.unwrap();
        let load = load.into_scalar::<f32>();
        assert!((load - 0.5625).abs() < 0.02, "{load}");
    }
}
