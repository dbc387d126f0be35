//! Every model, once: its name in configs, its settings, its module, its paper.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::{CategoricalSource, Schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::{Architecture, InputShapes, Inputs, Output, Ranker, TaskKind};
use crate::error::ModelError;
use crate::initial::Initial;
use crate::rankers;

/// A line of `burnrec models`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelInfo {
    /// The name in configs.
    pub name: &'static str,
    /// Its paper.
    pub paper: &'static str,
    /// What it predicts.
    pub tasks: &'static [TaskKind],
    /// Its settings as they are without a word in the config.
    #[serde(skip)]
    pub default: ModelConfig,
}

macro_rules! registry {
    ($($name:literal $variant:ident ($config:ty) $paper:literal;)*) => {
        /// The settings of one model: `[model.NAME]`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum ModelConfig {
            $(#[doc = $paper] #[serde(rename = $name)] $variant($config),)*
        }

        /// Any model.
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant, reason = "a run holds one model")]
        pub enum AnyModel {
            $(#[doc = $paper] $variant(rankers::$variant),)*
        }

        /// Every model, in the order of the textbook.
        pub fn registered() -> Vec<ModelInfo> {
            vec![$(ModelInfo {
                name: $name,
                paper: $paper,
                tasks: <$config as Architecture>::TASKS,
                default: ModelConfig::$variant(<$config>::default()),
            },)*]
        }

        impl ModelConfig {
            /// The name in configs.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// Refuses settings that cannot work.
            ///
            /// # Errors
            /// [`ModelError::Setting`] naming the key.
            pub fn check(&self, schema: &Schema) -> Result<(), ModelError> {
                if let Some(place) = schema.sequences().first().filter(|_| !self.reads_sequences()) {
                    let field = schema.categorical[*place].name.clone();
                    return Err(ModelError::Sequence { model: self.name(), field });
                }
                let tasks = match self { $(Self::$variant(_) => <$config as Architecture>::TASKS,)* };
                if !schema.label.is_binary() && !tasks.contains(&TaskKind::Regression) {
                    return Err(ModelError::Task { model: self.name() });
                }
                let name = self.name();
                check_draws(name, schema, self.retrieves(), self.reads_pairs())?;
                match self { $(Self::$variant(c) => c.check(schema),)* }?;
                check_unread(name, schema, &self.slots(schema))
            }

            /// Whether the model reads sequences.
            pub fn reads_sequences(&self) -> bool {
                match self { $(Self::$variant(c) => c.reads_sequences(),)* }
            }

            /// Whether the model gives vectors of items, so that items can be looked for.
            pub fn retrieves(&self) -> bool {
                match self { $(Self::$variant(c) => c.retrieves(),)* }
            }

            /// Whether the model learns from pairs of items and not from rows.
            pub fn reads_pairs(&self) -> bool {
                match self { $(Self::$variant(c) => c.reads_pairs(),)* }
            }

            /// Which vectors the model looks up.
            pub fn slots(&self, schema: &Schema) -> Slots {
                match self { $(Self::$variant(c) => c.slots(schema),)* }
            }

            /// The module, with every weight drawn from `initial`.
            pub fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> AnyModel {
                match self { $(Self::$variant(c) => AnyModel::$variant(c.init(shapes, initial, device)),)* }
            }

            /// The optimisers of its own that the settings name, with their keys.
            pub fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
                match self { $(Self::$variant(c) => c.optimizers(),)* }
            }
        }

        impl Ranker for AnyModel {
            fn forward(&self, inputs: &Inputs) -> Output {
                match self { $(Self::$variant(m) => m.forward(inputs),)* }
            }

            fn wants_following(&self) -> bool {
                match self { $(Self::$variant(m) => m.wants_following(),)* }
            }

            fn user_vectors(&self, inputs: &Inputs) -> Option<Tensor<2>> {
                match self { $(Self::$variant(m) => m.user_vectors(inputs),)* }
            }

            fn item_vectors(&self, inputs: &Inputs, cold: Tensor<2>) -> Option<Tensor<2>> {
                match self { $(Self::$variant(m) => m.item_vectors(inputs, cold),)* }
            }
        }
    };
}

/// Every field must be of use to the model: looked up, or read by trees whose leaves are.
fn check_unread(model: &'static str, schema: &Schema, slots: &Slots) -> Result<(), ModelError> {
    let reads = |place: usize| slots.0.iter().any(|l| l.features.contains(&place) || l.sequences.contains(&place));
    let grown = schema.trees.as_ref().is_some_and(|t| reads(t.1));
    let unread = |place: &usize| !reads(*place) && (!grown || schema.is_cross(*place));
    let Some(place) = schema.slots().into_iter().chain(schema.sequences()).find(unread) else { return Ok(()) };
    let kind = match schema.categorical[place].source {
        CategoricalSource::Cross { .. } => "crosses, which weights of ids read",
        CategoricalSource::Leaves => "the leaves of trees, which weights of ids read",
        _ => "it",
    };
    Err(ModelError::Ignored { model, field: schema.categorical[place].name.clone(), kind })
}

/// What is drawn must be of use to the model.
fn check_draws(model: &'static str, schema: &Schema, retrieves: bool, reads_pairs: bool) -> Result<(), ModelError> {
    let field = |problem: &str| Err(ModelError::Field { model, problem: problem.into() });
    let items = schema.items.as_ref();
    let pairs = items.is_some_and(|i| i.pairs.is_some());
    match items {
        None if retrieves => {
            field("looks for items, and nothing says what an item is; add [features.items] with its id and its user")
        }
        Some(_) if reads_pairs && !pairs => field("learns from pairs of items; add [features.pairs]"),
        Some(_) if pairs && !reads_pairs => {
            field("learns from rows; remove [features.pairs], or take item2vec or eges")
        }
        Some(items) if !retrieves && items.draws_beside().is_some() => field(
            "scores rows, and items that a batch shares are none; use features.negatives.per_positive with a sampler other than in_batch for all",
        ),
        _ => Ok(()),
    }
}

registry! {
    "lr" Lr (rankers::LrConfig) "logistic regression; online with FTRL: McMahan et al., KDD 2013";
    "fm" Fm (rankers::FmConfig) "Rendle, Factorization Machines, ICDM 2010";
    "mlp" Mlp (rankers::MlpConfig) "embedding + MLP, the base model of Zhou et al., KDD 2018";
    "wide_deep" WideDeep (rankers::WideDeepConfig) "Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016";
    "deepfm" DeepFm (rankers::DeepFmConfig) "Guo et al., DeepFM, IJCAI 2017";
    "xdeepfm" XDeepFm (rankers::XDeepFmConfig) "Lian et al., xDeepFM, KDD 2018";
    "dcn_v2" DcnV2 (rankers::DcnV2Config) "Wang et al., DCN V2, WWW 2021";
    "mlr" Mlr (rankers::MlrConfig) "Gai et al., Learning Piece-wise Linear Models, 2017";
    "gbdt_lr" GbdtLr (rankers::GbdtLrConfig) "He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014";
    "neumf" NeuMf (rankers::NeuMfConfig) "He et al., Neural Collaborative Filtering, WWW 2017";
    "din" Din (rankers::DinConfig) "Zhou et al., Deep Interest Network, KDD 2018";
    "dien" Dien (rankers::DienConfig) "Zhou et al., Deep Interest Evolution Network, AAAI 2019";
    "youtube_dnn" YoutubeDnn (rankers::YoutubeDnnConfig) "Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016";
    "item2vec" Item2Vec (rankers::Item2VecConfig) "Barkan & Koenigstein, Item2Vec, 2016";
    "eges" Eges (rankers::EgesConfig) "Wang et al., Billion-scale Commodity Embedding, KDD 2018";
    "deep_crossing" DeepCrossing (rankers::DeepCrossingConfig) "Shan et al., Deep Crossing, KDD 2016";
}
