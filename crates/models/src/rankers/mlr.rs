//! MLR, also LS-PLM (Gai et al., 2017): a mixture of linear models, each region of the input with its own.
//!
//! ```text
//! p = Σ_i softmax_i(u_1·x, …, u_m·x) · σ(w_i·x)
//! ```
//! An id has 2m weights, `u_1…u_m w_1…w_m`. The logit given is `ln p - ln(1 - p)`, both sums taken in logarithms.
//! The paper's penalties, ℓ2,1 over an id's weights and ℓ1, are `l21` and `l1` of `optimizer` with kind `fobos`: after
//! each step every weight is drawn to zero by the second, then the whole row by the first.

use burn::module::{Module, Param};
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Tensor};
use burnrec_backend::{product, sum_fields};
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::{Architecture, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Mlr`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlrConfig {
    /// Regions m; 1 is logistic regression.
    pub regions: usize,
    /// Standard deviation of new weights; above 0, since equal regions never part.
    pub std: f32,
    /// Optimiser of the weights of ids; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for MlrConfig {
    fn default() -> Self {
        Self { regions: 12, std: 0.1, optimizer: None }
    }
}

/// A mixture of linear models.
#[derive(Module, Debug)]
pub struct Mlr {
    /// Weights of the numbers `[N, 2m]`; none where N is 0.
    numeric: Option<Param<Tensor<2>>>,
    /// `[2m]`, the second half starting at the output's bias.
    bias: Param<Tensor<1>>,
}

impl Architecture for MlrConfig {
    type Model = Mlr;

    /// The logit is of a mixture of probabilities.
    const READS: Reads = Reads { kinds: &[TaskKind::Binary], ..Reads::LINEAR };

    fn check(&self, _schema: &Schema) -> Result<(), ModelError> {
        let bad = |key: &str, problem: &str| {
            Err(ModelError::Setting { model: "mlr", key: key.into(), problem: problem.into() })
        };
        match () {
            () if !(1..=512).contains(&self.regions) => bad("regions", "must lie in 1..=512"),
            () if !(self.std > 0.0 && self.std.is_finite()) => bad("std", "must be above 0: equal regions never part"),
            () => Ok(()),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        Slots(vec![Lookup {
            name: "regions",
            features: schema.slots(),
            sequences: Vec::new(),
            squares: Vec::new(),
            dim: 2 * self.regions,
            optimizer: self.optimizer.clone(),
            init: Init::Normal(self.std),
        }])
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Mlr {
        let m = self.regions;
        let bias = [vec![0.0; m], vec![shapes.bias(); m]].concat();
        Mlr {
            numeric: (shapes.numeric > 0).then(|| initial.normal(self.std, [shapes.numeric, 2 * m], device)),
            bias: initial.param(bias, [2 * m], device),
        }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for Mlr {
    /// # Shapes
    /// - lookup 0: weights `[B, F + crosses, 2m]`, numeric `[B, N]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let ids = sum_fields(inputs.lookups[0].clone()); // [B, 2m]
        let mut scores = ids + self.bias.val().unsqueeze::<2>();
        if let (Some(weights), Some(numbers)) = (&self.numeric, &inputs.numeric) {
            scores = scores + product(numbers.clone(), weights.val());
        }
        let [rows, both] = scores.dims();
        let regions = log_softmax(scores.clone().slice([0..rows, 0..both / 2]), 1); // [B, m]
        let linear = scores.slice([0..rows, both / 2..both]); // [B, m]
        let one = log_sum_exp(regions.clone() + log_sigmoid(linear.clone())); // [B, 1]
        let zero = log_sum_exp(regions + log_sigmoid(-linear)); // [B, 1]
        Outputs::one(one - zero)
    }
}

/// `ln Σ_i e^{z_i}`, `[B, 1]`.
fn log_sum_exp(z: Tensor<2>) -> Tensor<2> {
    let most = z.clone().max_dim(1).detach(); // [B, 1]
    (z - most.clone()).exp().sum_dim(1).log() + most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rankers::LrConfig;
    use burn::tensor::activation::{sigmoid, softmax};
    use burn::tensor::{Distribution, Tolerance};

    fn model(regions: usize, device: &Device) -> Mlr {
        let shapes = InputShapes {
            lookups: vec![(3, 2 * regions)],
            numeric: 0,
            outputs: vec![vec![-0.4]],
            ..InputShapes::default()
        };
        MlrConfig { regions, ..MlrConfig::default() }.init(&shapes, &mut Initial::new(1), device)
    }

    #[test]
    fn one_region_is_logistic_regression() {
        let device = Device::flex();
        let weights = Tensor::<3>::random([5, 3, 1], Distribution::Normal(0.0, 3.0), &device);
        let unused = Tensor::<3>::random([5, 3, 1], Distribution::Normal(0.0, 3.0), &device);
        let both = Tensor::cat(vec![unused, weights.clone()], 2);
        let shapes =
            InputShapes { lookups: vec![(3, 1)], numeric: 0, outputs: vec![vec![-0.4]], ..InputShapes::default() };
        let lr = LrConfig::default().init(&shapes, &mut Initial::new(1), &device);
        let found = model(1, &device).forward(&Inputs::slots(vec![both], None)).scores();
        let expected = lr.forward(&Inputs::slots(vec![weights], None)).scores();
        found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::rel_abs(1e-5, 1e-5));
    }

    #[test]
    fn the_prediction_is_the_mixture_s_and_its_plain_mean_without_regions() {
        let device = Device::flex();
        let model = model(4, &device);
        for flat in [false, true] {
            let mut u = Tensor::<3>::random([6, 1, 4], Distribution::Normal(0.0, 2.0), &device);
            if flat {
                u = u.zeros_like();
            }
            let w = Tensor::<3>::random([6, 1, 4], Distribution::Normal(0.0, 2.0), &device);
            let inputs = Inputs::slots(vec![Tensor::cat(vec![u.clone(), w.clone()], 2)], None);
            let found = sigmoid(model.forward(&inputs).scores());
            let each: Tensor<2> = sigmoid(w - 0.4).flatten(1, 2);
            let expected = match flat {
                true => each.mean_dim(1),
                false => (softmax(u.flatten(1, 2), 1) * each).sum_dim(1),
            };
            found.into_data().assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
        }
    }

    #[test]
    fn scores_far_apart_stay_finite() {
        let device = Device::flex();
        let scores = Tensor::<3>::from_floats([[[300.0, -300.0, 200.0, -200.0]]], &device);
        let inputs = Inputs::slots(vec![scores], None);
        let logit: f32 = model(2, &device).forward(&inputs).scores().into_scalar();
        assert!((logit - 199.6).abs() < 0.01, "{logit}");
    }
}
