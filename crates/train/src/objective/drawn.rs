//! What the softmax over drawn items takes off the logits.

use burn::tensor::{Device, Tensor, TensorData};
use burnrec_backend::traffic;
use burnrec_features::Drawn as Draw;

/// A logit that never wins.
const NEVER: f32 = -1e9;

/// On the host.
#[derive(Clone, Debug)]
pub struct HostDrawn {
    /// `[B]`
    own: Vec<f32>,
    /// `[S]`
    drawn: Vec<f32>,
    /// `[B, S]`: 0, or [`NEVER`] where the drawn item is the row's own; none where none is.
    hits: Option<Vec<f32>>,
}

/// On the device that computes.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// `[B, 1]`
    own: Tensor<2>,
    /// `[1, S]`
    drawn: Tensor<2>,
    /// `[B, S]`
    hits: Option<Tensor<2>>,
}

impl HostDrawn {
    pub(super) fn new(draw: &Draw, rows: usize) -> Self {
        let count = draw.log_expected.len();
        let hits = (!draw.hits.is_empty()).then(|| {
            let mut mask = vec![0.0; rows * count];
            draw.hits.iter().for_each(|(row, drawn)| mask[*row as usize * count + *drawn as usize] = NEVER);
            mask
        });
        Self { own: draw.log_expected_own.clone(), drawn: draw.log_expected.clone(), hits }
    }

    pub(super) fn upload(&self, device: &Device) -> Drawn {
        let matrix = |values: &[f32], shape: [usize; 2]| {
            traffic::up_to(device, values.len() * 4);
            Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
        };
        let (rows, count) = (self.own.len(), self.drawn.len());
        Drawn {
            own: matrix(&self.own, [rows, 1]),
            drawn: matrix(&self.drawn, [1, count]),
            hits: self.hits.as_ref().map(|hits| matrix(hits, [rows, count])),
        }
    }
}

impl Drawn {
    /// The logits of each row's own item and of what was drawn, frequencies taken off.
    ///
    /// # Shapes
    /// - logits `[B, 1]`, sampled `[B, S]`
    /// - output `[B, S + 1]`, the own item first
    pub(super) fn against(&self, logits: Tensor<2>, sampled: Tensor<2>) -> Tensor<2> {
        let mut others = sampled - self.drawn.clone();
        if let Some(hits) = &self.hits {
            others = others + hits.clone();
        }
        Tensor::cat(vec![logits - self.own.clone(), others], 1)
    }
}
