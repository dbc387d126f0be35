//! NeuralCF (He et al., WWW 2017): GMF, an MLP over user and item, and NeuMF, which is both.
//!
//! ```text
//! GMF: p_u ⊙ q_i ────────────────┐
//! MLP: [p'_u; q'_i] ─ tower ─────┴ concat ─ linear ─▶ logit [B, 1]
//! ```
//! The two parts have vectors of their own. `predictive factors` are the width of GMF's vectors and of the tower's last
//! layer. A tuned plain product of vectors can be as good (Rendle et al., 2020): `part = "gmf"` is near to one.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use burnrec_backend::Activation;
use burnrec_embedding::{Init, Lookup, Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocks::{Layers, LayersConfig, layer};
use crate::contract::{Architecture, Fields, Heads, InputShapes, Inputs, Model, Outputs, Reads, StartRule, Trunk};
use crate::error::{ModelError, setting};
use crate::initial::Initial;

/// The lookup of the product's vectors.
const GMF: &str = "gmf";
/// The lookup of the tower's vectors.
const MLP: &str = "mlp";

/// Which halves there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Both.
    #[default]
    Neumf,
    /// The product alone.
    Gmf,
    /// The tower alone.
    Mlp,
    /// The plain product: GMF with weights of 1 that are not learned, matrix factorisation.
    Mf,
}

/// Runs that training starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pretrained {
    /// The run folder of a GMF of the same width on the same rows.
    pub gmf: String,
    /// The run folder of an MLP of the same widths on the same rows.
    pub mlp: String,
    /// What GMF's output weights are multiplied by; those of the MLP by the rest to 1.
    #[serde(default = "half")]
    pub alpha: f64,
}

fn half() -> f64 {
    0.5
}

/// Settings of [`NeuMf`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NeuMfConfig {
    /// The field of users, of one id a row.
    pub user: String,
    /// The field of items, of one id a row.
    pub item: String,
    /// Which halves there are.
    pub part: Part,
    /// Width of GMF's vectors.
    pub factors: usize,
    /// Width of the tower's vectors, of users and of items each.
    pub embedding_dim: usize,
    /// Width of each layer of the tower; the paper's for 8 factors are 32, 16, 8.
    pub hidden: Vec<usize>,
    /// Standard deviation of new vectors.
    pub embedding_std: f32,
    /// Part neumf: the runs whose weights it starts from; the paper goes on with plain SGD then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<Pretrained>,
    /// Probability that an activation of the tower is dropped in training, 0..1.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// Optimiser of the vectors; `train.sparse` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<SparseOptimizer>,
}

impl Default for NeuMfConfig {
    fn default() -> Self {
        Self {
            user: "user_id".into(),
            item: "item_id".into(),
            part: Part::default(),
            factors: 8,
            embedding_dim: 16,
            hidden: vec![32, 16, 8],
            embedding_std: 0.01,
            pretrained: None,
            dropout: 0.0,
            optimizer: None,
        }
    }
}

/// The field of one id a row that is called so.
pub(super) fn place(schema: &Schema, name: &str) -> Option<usize> {
    let one = |&i: &usize| schema.categorical[i].name == *name && schema.categorical[i].pooling.is_none();
    schema.columns_only().into_iter().find(one)
}

/// Refuses fields other than those of users and items.
pub(super) fn check_user_and_item(
    model: &'static str,
    schema: &Schema,
    user: &String,
    item: &String,
) -> Result<(), ModelError> {
    for (key, name) in [("user", user), ("item", item)] {
        if place(schema, name).is_none() {
            let problem = format!(
                "needs a {key}, and no field of one id a row is called `{name}`; declare it, or name the one that it is with model.{model}.{key}"
            );
            return Err(ModelError::Field { model, problem });
        }
    }
    let own = [user, item];
    let others = schema.categorical.iter().map(|c| &c.name).chain(schema.numeric.iter().map(|n| &n.name));
    if let Some(name) = others.filter(|n| !own.contains(n)).min() {
        let problem = format!("reads the user and the item alone, so that field `{name}` would be ignored; remove it");
        return Err(ModelError::Field { model, problem });
    }
    match user == item {
        true => setting(model, "item", "is the field of users as well"),
        false => Ok(()),
    }
}

impl NeuMfConfig {
    fn has_product(&self) -> bool {
        self.part != Part::Mlp
    }

    fn has_tower(&self) -> bool {
        matches!(self.part, Part::Neumf | Part::Mlp)
    }

    fn layers(&self) -> LayersConfig {
        LayersConfig { hidden: self.hidden.clone(), dropout: self.dropout, batch_norm: false }
    }
}

/// A neural collaborative filter.
#[derive(Module, Debug)]
pub struct NeuMf {
    tower: Option<Layers>,
    /// None for the plain product.
    score: Option<Linear>,
    product: bool,
    /// α of pre-training.
    alpha: f64,
}

impl NeuMf {
    /// Takes over the weights of a GMF and of an MLP: `h = [α·h_GMF; (1-α)·h_MLP]`. False where they are of other widths.
    fn mix(&mut self, gmf: &Self, mlp: &Self, alpha: f64) -> bool {
        let tower_of_both = match (&self.tower, &mlp.tower) {
            (Some(own), Some(other)) => own.with_weights_of(other),
            _ => None,
        };
        let (Some(own), Some(product), Some(tower)) = (&mut self.score, &gmf.score, &mlp.score) else { return false };
        let weights = |of: &Linear, by: f64| of.weight.val() * by; // [f, 1], [h, 1]
        let joined = Tensor::cat(vec![weights(product, alpha), weights(tower, 1.0 - alpha)], 0);
        let Some(both) = tower_of_both.filter(|_| joined.dims() == own.weight.dims()) else { return false };
        let fixed = |tensor: Tensor<2>| tensor.detach().require_grad();
        own.weight = Param::initialized(own.weight.id, fixed(joined));
        if let (Some(bias), Some(a), Some(b)) = (&mut own.bias, &product.bias, &tower.bias) {
            let sum = (a.val() * alpha + b.val() * (1.0 - alpha)).detach().require_grad();
            *bias = Param::initialized(bias.id, sum);
        }
        self.tower = Some(both);
        true
    }
}

impl Architecture for NeuMfConfig {
    type Model = NeuMf;

    const READS: Reads = Reads {
        fields: Fields::UserAndItem,
        heads: Heads::One,
        cut: false,
        kinds: Reads::LINEAR.kinds,
        ..Reads::TOWER
    };

    fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        let model = "neumf";
        check_user_and_item(model, schema, &self.user, &self.item)?;
        let bad =
            |key: &str, problem: &str| Err(ModelError::Setting { model, key: key.into(), problem: problem.into() });
        match () {
            () if !(1..=1024).contains(&self.factors) => bad("factors", "must lie in 1..=1024"),
            () if !(1..=1024).contains(&self.embedding_dim) => bad("embedding_dim", "must lie in 1..=1024"),
            () if !(self.embedding_std > 0.0 && self.embedding_std.is_finite()) => {
                bad("embedding_std", "must be above 0: equal vectors never part")
            }
            () if !self.has_tower() && self.dropout > 0.0 => bad("dropout", "is of the tower, which this part has not"),
            () if self.pretrained.is_some() && self.part != Part::Neumf => {
                bad("pretrained", "goes with part = \"neumf\", which both runs become; remove it")
            }
            () if self.pretrained.as_ref().is_some_and(|p| !(0.0..=1.0).contains(&p.alpha)) => {
                bad("pretrained.alpha", "must lie in 0..=1")
            }
            () => self.layers().check(model),
        }
    }

    fn slots(&self, schema: &Schema) -> Slots {
        let features: Vec<usize> =
            [&self.user, &self.item].into_iter().filter_map(|name| place(schema, name)).collect();
        let lookup = |name: &'static str, dim: usize| Lookup {
            name,
            features: features.clone(),
            sequences: Vec::new(),
            squares: Vec::new(),
            dim,
            optimizer: self.optimizer.clone(),
            init: Init::Normal(self.embedding_std),
        };
        let product = self.has_product().then(|| lookup(GMF, self.factors));
        let tower = self.has_tower().then(|| lookup(MLP, self.embedding_dim));
        Slots(product.into_iter().chain(tower).collect())
    }

    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> NeuMf {
        let width = 2 * self.embedding_dim;
        let tower = self.has_tower().then(|| self.layers().init(width, initial, device));
        let product = if self.has_product() { self.factors } else { 0 };
        let inputs = product + tower.as_ref().map_or(0, |_| self.layers().output(width));
        let score = (self.part != Part::Mf).then(|| initial.linear_logit(inputs, &[shapes.bias()], device));
        NeuMf { tower, score, product: self.has_product(), alpha: self.pretrained.as_ref().map_or(0.5, |p| p.alpha) }
    }

    fn starts(&self) -> Vec<StartRule> {
        let Some(Pretrained { gmf, mlp, .. }) = &self.pretrained else { return Vec::new() };
        let of = |key, run: &String, lookup, from, trained_with| StartRule {
            key,
            run: run.clone(),
            lookup,
            from,
            trained_with,
        };
        vec![of("pretrained.gmf", gmf, 0, GMF, "part = \"gmf\""), of("pretrained.mlp", mlp, 1, MLP, "part = \"mlp\"")]
    }

    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        self.optimizer.iter().map(|o| ("optimizer", o)).collect()
    }
}

impl Model for NeuMf {
    /// # Shapes
    /// - lookup of GMF: vectors `[B, 2, f]`; lookup of the tower behind it: `[B, 2, k]`
    /// - output: logits `[B, 1]`
    fn heads(&self, _trunk: Trunk, inputs: &Inputs) -> Outputs {
        let product = self.product.then(|| inputs.slot(0, 0) * inputs.slot(0, 1)); // [B, f]
        let tower = self.tower.as_ref().map(|t| t.forward(inputs.flat(usize::from(self.product)), None)); // [B, h]
        let logits = match (product, tower, &self.score) {
            (Some(product), tower, Some(score)) => layer(score, product, tower, Activation::Identity),
            (None, Some(tower), Some(score)) => layer(score, tower, None, Activation::Identity),
            (Some(product), ..) => product.sum_dim(1),
            (None, ..) => unreachable!("a part has a product or a tower"),
        }; // [B, 1]
        Outputs::one(logits)
    }

    fn start_from(&mut self, others: &[&Self]) -> bool {
        match others {
            [gmf, mlp] => self.mix(gmf, mlp, self.alpha),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_weights_of_one_gmf_is_the_product_of_the_vectors() {
        let device = Device::flex();
        let mut initial = Initial::new(1);
        let config = NeuMfConfig { part: Part::Gmf, factors: 2, ..NeuMfConfig::default() };
        let shapes = InputShapes { lookups: vec![(2, 2)], outputs: vec![vec![0.5]], ..InputShapes::default() };
        let mut model = config.init(&shapes, &mut initial, &device);
        model.score.as_mut().unwrap().weight = initial.param(vec![1.0, 1.0], [2, 1], &device);
        let vectors = Tensor::<3>::from_floats([[[1.0, 2.0], [3.0, -4.0]]], &device);
        let inputs = Inputs::slots(vec![vectors], None);
        let logit: f32 = model.forward(&inputs).scores().into_scalar();
        assert_eq!(logit, -4.5);
        // The same without the bias, and nothing to learn but vectors.
        let plain = NeuMfConfig { part: Part::Mf, ..config }.init(&shapes, &mut initial, &device);
        assert_eq!((plain.forward(&inputs).scores().into_scalar::<f32>(), plain.num_params()), (-5.0, 0));
    }

    #[test]
    fn pretraining_mixes_the_scores_of_both_parts() {
        let device = Device::flex().autodiff();
        let shapes = |lookups| InputShapes { lookups, outputs: vec![vec![0.5]], ..InputShapes::default() };
        let config =
            |part| NeuMfConfig { part, factors: 2, embedding_dim: 2, hidden: vec![3], ..NeuMfConfig::default() };
        let make = |part, lookups, seed| config(part).init(&shapes(lookups), &mut Initial::new(seed), &device);
        let gmf = make(Part::Gmf, vec![(2, 2)], 1);
        let mlp = make(Part::Mlp, vec![(2, 2)], 2);
        let mut both = make(Part::Neumf, vec![(2, 2), (2, 2)], 3);
        assert!(both.mix(&gmf, &mlp, 0.25));
        let vectors = Tensor::<3>::from_floats([[[1.0, 2.0], [3.0, -4.0]]], &device);
        let score = |model: &NeuMf, times| -> f32 {
            model.forward(&Inputs::slots(vec![vectors.clone(); times], None)).scores().into_scalar()
        };
        let expected = 0.25 * score(&gmf, 1) + 0.75 * score(&mlp, 1);
        assert!((score(&both, 2) - expected).abs() < 1e-5);
        let wide =
            NeuMfConfig { factors: 5, ..config(Part::Gmf) }.init(&shapes(vec![(2, 5)]), &mut Initial::new(1), &device);
        assert!(!both.mix(&wide, &mlp, 0.5));
    }

    #[test]
    fn without_a_hidden_layer_the_tower_ranks_items_alike_for_all_users() {
        let device = Device::flex();
        let config = NeuMfConfig { part: Part::Mlp, embedding_dim: 2, hidden: vec![], ..NeuMfConfig::default() };
        let shapes = InputShapes { lookups: vec![(2, 2)], ..InputShapes::default() };
        let model = config.init(&shapes, &mut Initial::new(1), &device);
        let score = |user: [f32; 2], item: [f32; 2]| -> f32 {
            let vectors = Tensor::<3>::from_floats([[user, item]], &device);
            model.forward(&Inputs::slots(vec![vectors], None)).scores().into_scalar()
        };
        let (a, b) = ([1.0, -2.0], [0.3, 5.0]);
        let gap = |user: [f32; 2]| score(user, a) - score(user, b);
        assert!((gap([2.0, 1.0]) - gap([-7.0, 0.5])).abs() < 1e-5);
    }
}
