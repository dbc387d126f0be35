//! A gated recurrent unit over sequences laid end to end (Cho et al., EMNLP 2014), with attention's ways into its update
//! gate (Zhou et al., AAAI 2019).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Activation, Segments, Update, gru};

use crate::blocks::layer;
use crate::initial::Initial;

/// `h_t = (1 - u_t) ⊙ h_{t-1} + u_t ⊙ h̃_t` over each row's positions, from zeros. The inputs of all positions are mapped
/// by one product; rows that end early cost nothing afterwards.
#[derive(Module, Debug)]
pub struct GruUnit {
    /// `[d, 3d]` and `[3d]`.
    pub(crate) input: Linear,
    /// `[d, 3d]`.
    pub(crate) recurrent: Param<Tensor<2>>,
}

impl GruUnit {
    /// A unit whose inputs and states have the same width.
    pub fn new(width: usize, initial: &mut Initial, device: &Device) -> Self {
        let deviation = (1.0 / width.max(1) as f32).sqrt();
        let input = Linear {
            weight: initial.normal(deviation, [width, 3 * width], device),
            bias: Some(initial.zeros([3 * width], device)),
        };
        Self { input, recurrent: initial.normal(deviation, [width, 3 * width], device) }
    }

    /// States at all positions.
    ///
    /// # Shapes
    /// - `x`: `[positions, d]`, `attention`: `[positions, 1]`, read by every `update` but [`Update::Plain`]
    /// - output: `[positions, d]`
    pub fn forward(&self, x: Tensor<2>, attention: Tensor<2>, segments: &Segments, update: Update) -> Tensor<2> {
        let xw = layer(&self.input, x, None, Activation::Identity); // [positions, 3d]
        gru(xw, attention, self.recurrent.val(), segments, update)
    }
}
