//! The `[features]` table of an experiment file.

mod field;
mod items;
mod label;
mod pattern;
mod trees;
mod wildcard;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use field::{FieldConfig, FieldKind, IdKind, IndexPolicy, Pooling, TimePart, Transform};
pub use items::{ItemsConfig, NegativesConfig, PairsConfig, SamplerKind};
pub use label::{LabelConfig, LabelValue, TargetConfig};
pub use trees::TreesConfig;

/// What the columns mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// Column of sample weights, at least 0; all 1 when absent. They weigh the loss and the metrics over all rows; GAUC and
    /// the ranking metrics (NDCG, HR, MRR, Recall) count every row of a group once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Column that groups rows for GAUC, NDCG, HR, MRR and Recall, usually the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Training rows that a value must appear in to get a row of its own; rarer values share the unseen row.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub min_count: u32,
    /// How keys get rows, unless a field says otherwise: `"vocabulary"` by default, `"growing"` where there is a `[schedule]`,
    /// since its windows bring ids that the first one did not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexPolicy>,
    /// The input fields by name: `user_id = "categorical"`, or a table with more settings. A name with a range stands for many,
    /// `"C[1-26]" = "categorical"`, `"x[000-099]" = "numeric"`, and one with a `*` for all columns of the data that match
    /// it, `"C*" = "categorical"`, except labels, weights and the time of the split; a field with a line of its own keeps that line.
    #[serde(deserialize_with = "pattern::fields")]
    pub fields: BTreeMap<String, FieldConfig>,
    /// Which fields are of the item, and who the user is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsConfig>,
    /// Negatives of the training rows; needs `[features.items]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negatives: Option<NegativesConfig>,
    /// Pairs of items to learn from, instead of rows, for models of pairs; needs `[features.items]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsConfig>,
    /// Trees over the fields, whose leaves are an input of their own; for models with weights of ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trees: Option<TreesConfig>,
}

fn one() -> u32 {
    1
}

impl FeaturesConfig {
    /// With what every field means where nothing is said: pooling, scaling.
    pub fn spelled_out(&self) -> Self {
        let fields = self.fields.iter().map(|(name, field)| (name.clone(), field.spelled_out())).collect();
        Self { fields, ..self.clone() }
    }

    /// Fields alone.
    pub fn of(fields: BTreeMap<String, FieldConfig>) -> Self {
        Self {
            weight: None,
            group: None,
            min_count: one(),
            index: None,
            fields,
            items: None,
            negatives: None,
            pairs: None,
            trees: None,
        }
    }
}
