//! Activations with weights of their own: PReLU, and the Dice of DIN (Zhou et al., KDD 2018).

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor, activation};
use burnrec_backend::{dice, moments};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::initial::Initial;

/// What follows a layer of a sequence model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivationKind {
    /// `p(s)·s + (1 - p(s))·α·s` with `p = σ((s - mean) / √(variance + ε))`, statistics of the batch, α a channel.
    #[default]
    Dice,
    /// `s` above 0, `α·s` below, α a channel.
    Prelu,
    /// `max(s, 0)`.
    Relu,
    /// The sigmoid.
    Sigmoid,
}

/// What running statistics keep of themselves a batch.
const MOMENTUM: f64 = 0.9;

/// Dice: batch norm without scale and shift, inside a gate. Sequences come laid end to end, so that its statistics are of
/// real positions alone.
#[derive(Module, Debug)]
pub struct Dice {
    /// `[h]`, from 0.
    alpha: Param<Tensor<1>>,
    mean: RunningState<Tensor<1>>,
    variance: RunningState<Tensor<1>>,
}

impl Dice {
    /// Over h channels.
    pub fn new(width: usize, initial: &mut Initial, device: &Device) -> Self {
        let mean = initial.running(Tensor::zeros([width], device));
        let variance = initial.running(Tensor::ones([width], device));
        Self { alpha: initial.zeros([width], device), mean, variance }
    }

    /// # Shapes
    /// - `s`: `[n, h]`
    /// - output `[n, h]`
    pub fn forward(&self, s: Tensor<2>) -> Tensor<2> {
        // One row has no spread: what earlier batches had stands in.
        if !s.device().is_autodiff() || s.dims()[0] < 2 {
            return dice(s, self.alpha.val(), self.mean.value(), self.variance.value(), false);
        }
        let (mean, variance) = moments(&s);
        keep(&self.mean, &mean);
        keep(&self.variance, &variance);
        dice(s, self.alpha.val(), mean, variance, true)
    }
}

/// Settled at once: Burn keeps an update for the thread that made it, and steps run on whichever worker is free.
fn keep(state: &RunningState<Tensor<1>>, now: &Tensor<1>) {
    let before = state.value_sync().detach();
    state.update(before * MOMENTUM + now.clone() * (1.0 - MOMENTUM));
    drop(state.value_sync());
}

/// PReLU: `s` above 0, `α·s` below.
#[derive(Module, Debug)]
pub struct Prelu {
    /// `[h]`, from 0.25.
    alpha: Param<Tensor<1>>,
}

impl Prelu {
    /// Over h channels.
    pub fn new(width: usize, initial: &mut Initial, device: &Device) -> Self {
        Self { alpha: initial.param(vec![0.25; width], [width], device) }
    }

    /// # Shapes
    /// - `s`: `[n, h]`
    /// - output `[n, h]`
    pub fn forward(&self, s: Tensor<2>) -> Tensor<2> {
        let above = activation::relu(s.clone());
        let below = s - above.clone();
        above + below * self.alpha.val().unsqueeze::<2>()
    }
}

/// One of [`ActivationKind`].
#[derive(Module, Debug)]
pub enum AnyActivation {
    /// Dice.
    Dice(Dice),
    /// PReLU.
    Prelu(Prelu),
    /// ReLU.
    Relu(burn::nn::Relu),
    /// The sigmoid.
    Sigmoid(burn::nn::Sigmoid),
}

impl ActivationKind {
    /// Over h channels.
    pub fn init(self, width: usize, initial: &mut Initial, device: &Device) -> AnyActivation {
        match self {
            Self::Dice => AnyActivation::Dice(Dice::new(width, initial, device)),
            Self::Prelu => AnyActivation::Prelu(Prelu::new(width, initial, device)),
            Self::Relu => AnyActivation::Relu(burn::nn::Relu::new()),
            Self::Sigmoid => AnyActivation::Sigmoid(burn::nn::Sigmoid::new()),
        }
    }
}

impl AnyActivation {
    /// # Shapes
    /// - `s`: `[n, h]`
    /// - output `[n, h]`
    pub fn forward(&self, s: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Dice(dice) => dice.forward(s),
            Self::Prelu(prelu) => prelu.forward(s),
            Self::Relu(_) => activation::relu(s),
            Self::Sigmoid(_) => activation::sigmoid(s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_matches_the_hand_computed_numbers() {
        let device = Device::flex().autodiff();
        let dice = Dice::new(1, &mut Initial::new(1), &device);
        let s = Tensor::<1>::from_floats([-1.0, 0.0, 1.0, 2.0], &device).unsqueeze_dim(1);
        let found: Vec<f32> = dice.forward(s).into_data().try_to_vec().unwrap();
        for (f, e) in found.iter().zip([-0.20724, 0.0, 0.60998, 1.58552]) {
            assert!((f - e).abs() < 1e-5, "{found:?}");
        }
        // The batch's mean .5 and variance 1.25, a tenth of each.
        let running: f32 = dice.mean.value_sync().into_scalar();
        let variance: f32 = dice.variance.value_sync().into_scalar();
        assert!((running - 0.05).abs() < 1e-6 && (variance - 1.025).abs() < 1e-6, "{running} {variance}");
    }

    #[test]
    fn off_the_graph_dice_takes_the_running_statistics() {
        let device = Device::flex();
        let dice = Dice::new(1, &mut Initial::new(1), &device);
        let one = |x: f32| -> f32 { dice.forward(Tensor::<2>::from_floats([[x]], &device)).into_scalar() };
        assert!((one(2.0) - 2.0 / (1.0 + (-2f32).exp())).abs() < 1e-5);
    }

    #[test]
    fn prelu_scales_what_is_below_zero() {
        let device = Device::flex();
        let prelu = Prelu::new(2, &mut Initial::new(1), &device);
        let s = Tensor::<2>::from_floats([[-2.0, 3.0]], &device);
        assert_eq!(prelu.forward(s).into_data().try_to_vec::<f32>().unwrap(), [-0.5, 3.0]);
    }
}
