//! Every model, once: its name in configs, its settings, its module, its paper.

mod check;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contract::{Architecture, InputShapes, Inputs, Model, Near, Outputs, Reads, StartRule, TaskKind, Trunk};
use crate::error::ModelError;
use crate::initial::Initial;
use crate::rankers::{self, every_model};

/// A line of `burnrec models`.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The name in configs.
    pub name: &'static str,
    /// Its paper.
    pub paper: &'static str,
    /// What it reads and predicts.
    pub reads: Reads,
    /// Its settings as they are without a word in the config.
    pub default: ModelConfig,
}

impl Serialize for ModelInfo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line {
            name: &'static str,
            paper: &'static str,
            tasks: &'static [TaskKind],
        }
        Line { name: self.name, paper: self.paper, tasks: self.reads.kinds }.serialize(serializer)
    }
}

/// The names of the models that read so.
pub fn named(wanted: impl Fn(&Reads) -> bool) -> String {
    let names = registered().into_iter().filter(|info| wanted(&info.reads)).map(|info| info.name);
    names.collect::<Vec<_>>().join(", ")
}

macro_rules! registry {
    ($($name:literal $file:ident $variant:ident ($config:ident) $paper:literal;)*) => {
        /// The settings of one model: `[model.NAME]`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum ModelConfig {
            $(#[doc = $paper] #[serde(rename = $name)] $variant(rankers::$config),)*
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
                reads: <rankers::$config as Architecture>::READS,
                default: ModelConfig::$variant(rankers::$config::default()),
            },)*]
        }

        impl ModelConfig {
            /// The name in configs.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// Refuses settings that cannot work, and fields and tasks that the model cannot read.
            ///
            /// # Errors
            /// [`ModelError`] naming the key.
            pub fn check(&self, schema: &Schema) -> Result<(), ModelError> {
                let (name, reads) = (self.name(), self.reads());
                check::check_reads(name, &reads, schema)?;
                match self { $(Self::$variant(c) => c.check(schema),)* }?;
                check::check_unread(name, &reads, schema, &self.slots(schema))
            }

            /// What the model reads and predicts.
            pub fn reads(&self) -> Reads {
                match self { $(Self::$variant(_) => <rankers::$config as Architecture>::READS,)* }
            }

            /// The runs that training starts from.
            pub fn starts(&self) -> Vec<StartRule> {
                match self { $(Self::$variant(c) => c.starts(),)* }
            }

            /// Which vectors the model looks up.
            pub fn slots(&self, schema: &Schema) -> Slots {
                match self { $(Self::$variant(c) => c.slots(schema),)* }
            }

            /// The module, with every weight drawn from `initial`.
            pub fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> AnyModel {
                match self { $(Self::$variant(c) => AnyModel::$variant(c.init(shapes, initial, device)),)* }
            }

            /// Whether activations are normalised over the batch.
            pub fn normalises(&self) -> bool {
                match self { $(Self::$variant(c) => c.normalises(),)* }
            }

            /// Whether what the model gives while it learns is what it predicts.
            pub fn learns_as_it_predicts(&self) -> bool {
                match self { $(Self::$variant(c) => c.learns_as_it_predicts(),)* }
            }

            /// Fields that are read in training alone.
            pub fn unasked(&self) -> Vec<String> {
                match self { $(Self::$variant(c) => c.unasked(),)* }
            }

            /// The optimisers of its own that the settings name, with their keys.
            pub fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
                match self { $(Self::$variant(c) => c.optimizers(),)* }
            }
        }

        impl Model for AnyModel {
            fn trunk(&self, inputs: &Inputs) -> Trunk {
                match self { $(Self::$variant(m) => m.trunk(inputs),)* }
            }

            fn heads(&self, trunk: Trunk, inputs: &Inputs) -> Outputs {
                match self { $(Self::$variant(m) => m.heads(trunk, inputs),)* }
            }

            fn trunk_is_of_state(&self) -> bool {
                match self { $(Self::$variant(m) => m.trunk_is_of_state(),)* }
            }

            fn last_hidden(&self, trunk: Trunk, inputs: &Inputs) -> Option<Tensor<2>> {
                match self { $(Self::$variant(m) => m.last_hidden(trunk, inputs),)* }
            }

            fn wants_following(&self) -> Option<Near> {
                match self { $(Self::$variant(m) => m.wants_following(),)* }
            }

            fn takes_one_history(&self) -> bool {
                match self { $(Self::$variant(m) => m.takes_one_history(),)* }
            }

            fn attention(&self, inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
                match self { $(Self::$variant(m) => m.attention(inputs),)* }
            }

            fn behaviour_scores(&self, inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
                match self { $(Self::$variant(m) => m.behaviour_scores(inputs),)* }
            }

            fn user_vectors(&self, inputs: &Inputs) -> Option<Tensor<2>> {
                match self { $(Self::$variant(m) => m.user_vectors(inputs),)* }
            }

            fn item_vectors(&self, inputs: &Inputs, cold: Tensor<2>) -> Option<Tensor<2>> {
                match self { $(Self::$variant(m) => m.item_vectors(inputs, cold),)* }
            }

            fn start_from(&mut self, others: &[&Self]) -> bool {
                match self { $(Self::$variant(m) => {
                    let same = others.iter().map(|other| match other {
                        Self::$variant(other) => Some(other),
                        _ => None,
                    });
                    same.collect::<Option<Vec<_>>>().is_some_and(|others| m.start_from(&others))
                })* }
            }

            fn products(&self, positions: f64) -> f64 {
                match self { $(Self::$variant(m) => m.products(positions),)* }
            }
        }
    };
}

every_model!(registry);
