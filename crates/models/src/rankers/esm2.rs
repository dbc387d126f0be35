//! ESM²: what comes between a click and a buy takes part in learning it, over all impressions (Wen et al., SIGIR 2020).
//!
//! ```text
//! click ─┬─ action (a cart, a wish list) ─┬─▶ buy        y_1 = p(click), y_2 = p(action | click),
//!        └─ no action ────────────────────┘              y_3 = p(buy | action), y_4 = p(buy | no action)
//! p(click) = y_1   p(action) = y_1·y_2   p(buy) = y_1·(y_2·y_3 + (1 - y_2)·y_4)
//! ```
//! Four towers over shared vectors, three losses; products and sums are of logarithms.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, softplus};
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EsmmConfig;
use crate::blocks::Towers;
use crate::contract::{
    Architecture, Head, Heads, InputShapes, Inputs, Model, Outputs, Reads, TaskKind, Trunk, rate, share,
};
use crate::error::ModelError;
use crate::initial::Initial;

/// Settings of [`Esm2`]: those of ESMM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Esm2Config(pub EsmmConfig);

/// ESM².
#[derive(Module, Debug)]
pub struct Esm2 {
    towers: Towers,
}

impl Architecture for Esm2Config {
    type Model = Esm2;

    const READS: Reads = Reads { heads: Heads::Branches, kinds: &[TaskKind::Binary], ..Reads::TOWER };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        self.0.check_as("esm2", schema)
    }

    fn slots(&self, schema: &Schema) -> Slots {
        self.0.slots(schema)
    }

    /// Both ways to buy start at what is bought of what is clicked.
    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Esm2 {
        let rates: Vec<f64> = shapes.outputs.iter().map(|biases| rate(biases)).collect();
        let of = |task: usize, before: f64| vec![share(rates.get(task).copied().unwrap_or(0.5), before)];
        let click = rates.first().copied().unwrap_or(0.5);
        let outputs = vec![of(0, 1.0), of(1, click), of(2, click), of(2, click)];
        let shapes = InputShapes { outputs, ..shapes.clone() };
        let width = shapes.stacked(0);
        Esm2 { towers: Towers::new(width, &self.0.hidden, self.0.dropout, &shapes, initial, device) }
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.0.optimizers()
    }
}

/// The heads of click, action and buy from the log-odds `[B, 1]` of the four probabilities.
fn heads(logits: &[Tensor<2>]) -> Vec<Head> {
    let [click, action, after, without] = [0, 1, 2, 3].map(|tower| logits[tower].clone());
    let by_action = log_sigmoid(action.clone()) + log_sigmoid(after);
    let by_none = log_sigmoid(-action.clone()) + log_sigmoid(without);
    // ln (e^a + e^b) = a + ln (1 + e^(b - a))
    let given = by_action.clone() + softplus(by_none - by_action, 1.0);
    let buy = log_sigmoid(click.clone()) + given;
    let acts = log_sigmoid(click.clone()) + log_sigmoid(action);
    vec![Head::Logit(click), Head::of_log(acts), Head::of_log(buy)]
}

impl Model for Esm2 {
    /// # Shapes
    /// - lookup 0: vectors `[B, F, k]`, numeric `[B, N]`
    /// - trunk: the vectors `[B, F·k]`, all that the towers share
    fn trunk(&self, inputs: &Inputs) -> Trunk {
        Trunk(vec![inputs.flat(0)])
    }

    fn heads(&self, mut trunk: Trunk, inputs: &Inputs) -> Outputs {
        let shared = trunk.0.swap_remove(0);
        Outputs::of(heads(&self.towers.logits(|_| (shared.clone(), inputs.numeric.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(probabilities: [f64; 4]) -> Vec<f64> {
        let odds = |p: &f64| Tensor::<2>::from_floats([[(p / (1.0 - p)).ln() as f32]], &Device::flex());
        let logits: Vec<Tensor<2>> = probabilities.iter().map(odds).collect();
        let probability = |head: &Head| 1.0 / (1.0 + (-f64::from(head.scores().into_scalar::<f32>())).exp());
        heads(&logits).iter().map(probability).collect()
    }

    #[test]
    fn probabilities_multiply_and_add_as_by_hand() {
        for (own, expected) in [
            ([0.1, 0.2, 0.3, 0.05], [0.1, 0.02, 0.01]),
            // Both ways alike: what is between does not matter, as in ESMM.
            ([0.1, 0.7, 0.25, 0.25], [0.1, 0.07, 0.025]),
            ([0.999, 1e-4, 0.5, 1e-4], [0.999, 0.999e-4, 0.999 * (0.5e-4 + 0.9999e-4)]),
        ] {
            for (found, expected) in found(own).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4 * expected, "{own:?}: {found} {expected}");
            }
        }
    }
}
