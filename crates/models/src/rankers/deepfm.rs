//! DeepFM (Guo et al., IJCAI 2017): a factorization machine and an MLP over the same vectors.
//!
//! ```text
//! ids and numbers ─ one weight each ──────────────┐
//! embedded [B, F, k] ─┬─ pair term ───────────────┼ + ─▶ logit [B, 1]
//! numeric  [B, N] ────┴─ concat ─ MLP ─ linear ───┘
//! ```
//! The vectors are shared: separate ones for the two parts are another, weaker model. With `numeric_pairs` every
//! number has a vector too, scaled by its value, in the pair term; without, numbers are left out of that term.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burnrec_backend::pair_term;
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check_vectors, linear_lookup, pair_lookup};
use crate::blocks::{Layers, LayersConfig, LinearTerms, layer_onto};
use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`DeepFm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeepFmConfig {
    /// Width k of the vectors.
    #[schemars(range(min = 1, max = 1024))]
    pub embedding_dim: usize,
    /// Standard deviation of new vectors.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub embedding_std: f32,
    /// Width of each hidden layer.
    pub hidden: Vec<usize>,
    /// Probability that an activation is dropped in training, 0..1. The paper's "dropout 0.5" is one that is kept.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Whether activations are normalised over the batch.
    pub batch_norm: bool,
    /// Whether numbers enter the pair term, each with a vector of its own.
    pub numeric_pairs: bool,
    /// Optimiser of the first-order weights of ids; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linear_optimizer: Option<SparseOptimizer>,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for DeepFmConfig {
    fn default() -> Self {
        let LayersConfig { hidden, dropout, batch_norm } = LayersConfig::default();
        Self {
            embedding_dim: 16,
            embedding_std: 0.01,
            hidden,
            dropout,
            batch_norm,
            numeric_pairs: false,
            linear_optimizer: None,
            optimizer: None,
        }
    }
}

impl DeepFmConfig {
    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: self.batch_norm }
    }
}

/// DeepFM.
#[derive(Module, Debug)]
pub struct DeepFm {
    terms: LinearTerms,
    /// Vectors of the numbers `[N, k]`, where they enter the pair term.
    numeric: Option<Param<Tensor<2>>>,
    layers: Layers,
    score: Linear,
}

impl Architecture for DeepFmConfig {
    type Model = DeepFm;

    const READS: Reads = Reads::LINEAR;

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        check_vectors("deepfm", schema, self.embedding_dim, self.embedding_std)?;
        self.layers().check("deepfm")
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let vectors = pair_lookup("vectors", schema, self.embedding_dim, self.embedding_std, self.optimizer.clone());
        Slots(vec![linear_lookup("linear", schema, self.linear_optimizer.clone()), vectors])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> DeepFm {
        let (layers, width) = (self.layers(), shapes.stacked(1));
        let own = [shapes.numeric, self.embedding_dim];
        DeepFm {
            terms: LinearTerms::new(shapes, initial, device),
            numeric: (self.numeric_pairs && shapes.numeric > 0)
                .then(|| initial.normal(self.embedding_std, own, device)),
            layers: layers.init(width, initial, device),
            // The first-order terms have the bias.
            score: Linear { bias: None, ..initial.linear_logit(layers.output(width), &[0.0], device) },
        }
    }

    fn normalises(&self) -> bool {
        self.batch_norm
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        let linear = self.linear_optimizer.iter().map(|o| ("linear_optimizer", o));
        linear.chain(self.optimizer.iter().map(|o| ("optimizer", o))).collect()
    }
}

impl Model for DeepFm {
    /// # Shapes
    /// - lookup 0: weights `[B, F + crosses, 1]`; lookup 1: vectors `[B, F, k]`; numeric `[B, N]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let mut vectors = inputs.lookups[1].clone(); // [B, F, k]
        if let (Some(own), Some(numbers)) = (&self.numeric, &inputs.numeric) {
            let scaled = numbers.clone().unsqueeze_dim::<3>(2) * own.val().unsqueeze::<3>(); // [B, N, k]
            vectors = Tensor::cat(vec![vectors, scaled], 1); // [B, F + N, k]
        }
        let machine = self.terms.forward(inputs, 0) + pair_term(vectors); // [B, 1]
        let machine = inputs.pairs_within(1).map_or(machine.clone(), |within| machine + within);
        let hidden = self.layers.forward(inputs.flat(1), inputs.numeric.clone()); // [B, h]
        Outputs::one(layer_onto(&self.score, hidden, machine)) // [B, 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rankers::FmConfig;
    use burn::tensor::Distribution;

    #[test]
    fn with_a_silent_mlp_it_is_the_factorization_machine() {
        let device = Device::flex();
        let shapes = InputShapes {
            lookups: vec![(3, 1), (3, 4)],
            numeric: 2,
            outputs: vec![vec![0.3]],
            ..InputShapes::default()
        };
        let config = DeepFmConfig { embedding_dim: 4, numeric_pairs: true, ..DeepFmConfig::default() };
        let mut deepfm = config.init(&shapes, &mut Initial::new(1), &device);
        deepfm.score = Linear { weight: Initial::new(1).zeros([64, 1], &device), bias: None };
        let mut fm = FmConfig { embedding_dim: 4, ..FmConfig::default() }.init(&shapes, &mut Initial::new(1), &device);
        let random = |shape| Tensor::<3>::random(shape, Distribution::Default, &device);
        let numbers = Tensor::random([5, 2], Distribution::Default, &device);
        let inputs = Inputs::slots(vec![random([5, 3, 1]), random([5, 3, 4])], Some(numbers));
        fm = fm.with_numbers(deepfm.numeric.clone());
        let of = |output: Outputs| output.scores().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(of(deepfm.forward(&inputs)), of(fm.forward(&inputs)));
    }
}
