//! The `[tasks.NAME]` tables of an experiment file: what is learned, in the order of the file.

use std::collections::BTreeMap;
use std::fmt;

use burnrec_features::{LabelConfig, TargetConfig};
use burnrec_models::TaskKind;
use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{TrainError, bad};
use crate::experiment::LossKind;

/// What one task learns. `label = "clicked"` is the whole of a simple one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// The label: a column of 0 and 1, or a table that says how a column becomes one. A missing label is not known: it
    /// teaches nothing, and no metric counts it.
    pub label: LabelConfig,
    /// What is predicted; when absent, what the label is: a number (`numeric`), one of several `classes`, else 0 or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<TaskKind>,
    /// The loss. When absent: cross-entropy for classes, squared error for numbers, weighted odds for watch time,
    /// `negative_sampling` with `[features.pairs]`, `sampled_softmax` where a batch shares its negatives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossKind>,
    /// This times the cross-entropy is added to a loss over lists, which by itself gives no probabilities.
    #[serde(default)]
    pub pointwise: f64,
    /// What the task's loss weighs beside the other tasks'; above 0.
    #[serde(default = "one")]
    pub weight: f64,
    /// Where the bias of the output starts; by default at the mean of the training labels. From there Adam at a high rate can kill
    /// narrow ReLU layers; most papers start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<f32>,
    /// Column of what each row weighs for this task, beside `features.weight`; at least 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_weight: Option<String>,
    /// The rows that the task is of, by labels of tasks or by columns: `click == 1`, `region == "EU" and price >= 3`. On
    /// others its label is not known.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The task without whose label 1 this one's is 0, as a conversion follows a click. Rows that say otherwise are an
    /// error; a missing label is 0 where the parent's is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Metrics to report; by default those that suit the label (`auc`, `logloss`, …) and `gauc` where there is a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<String>>,
}

fn one() -> f64 {
    1.0
}

impl TaskConfig {
    /// A task that learns a column of 0 and 1.
    pub fn of(column: &str) -> Self {
        Self {
            label: LabelConfig { column: column.into(), ..LabelConfig::default() },
            kind: None,
            loss: None,
            pointwise: 0.0,
            weight: 1.0,
            start: None,
            row_weight: None,
            space: None,
            parent: None,
            metrics: None,
        }
    }

    /// What is predicted.
    pub(crate) fn kind(&self) -> TaskKind {
        self.kind.unwrap_or(match &self.label {
            label if label.classes.is_some() => TaskKind::MultiClass,
            label if label.numeric => TaskKind::Regression,
            _ => TaskKind::Binary,
        })
    }

    /// What the schema reads of it.
    ///
    /// # Errors
    /// A kind that the label contradicts, settings out of range, a name that is no plain one.
    pub(crate) fn target(&self, name: &str) -> Result<TargetConfig, TrainError> {
        let key = |key: &str| format!("tasks.{name}.{key}");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            let problem = "is no plain name: letters, digits, `_` and `-`, since columns and metrics are called so";
            return Err(bad(format!("tasks.{name}"), problem));
        }
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return Err(bad(key("weight"), "must be above 0; remove the task to leave it out"));
        }
        if self.start.is_some_and(|start| !start.is_finite()) {
            return Err(bad(key("start"), "must be a number"));
        }
        if !(self.pointwise >= 0.0 && self.pointwise.is_finite()) {
            return Err(bad(key("pointwise"), "must be at least 0"));
        }
        let label = &self.label;
        let classes = label.threshold.is_some() || label.positive.is_some();
        let mut label = label.clone();
        match self.kind() {
            TaskKind::MultiClass if label.classes.is_none() => {
                return Err(bad(
                    key("kind"),
                    "is of several classes, and nothing says which; give label.classes = […]",
                ));
            }
            TaskKind::Regression | TaskKind::WatchTime if classes || label.classes.is_some() => {
                return Err(bad(
                    key("kind"),
                    "learns a number, and the label says how to make classes of it; remove one",
                ));
            }
            TaskKind::Binary if label.numeric || label.classes.is_some() => {
                return Err(bad(key("kind"), "is binary, and the label is a number or of several classes; remove one"));
            }
            TaskKind::Regression | TaskKind::WatchTime => label.numeric = true,
            TaskKind::MultiClass | TaskKind::Binary => {}
        }
        Ok(TargetConfig {
            name: name.to_string(),
            label,
            space: self.space.clone(),
            parent: self.parent.clone(),
            weight: self.row_weight.clone(),
        })
    }
}

/// All tasks by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TasksConfig(pub Vec<(String, TaskConfig)>);

impl JsonSchema for TasksConfig {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TasksConfig".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        BTreeMap::<String, TaskConfig>::json_schema(generator)
    }
}

impl Serialize for TasksConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, task)| (name, task)))
    }
}

impl<'de> Deserialize<'de> for TasksConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = TasksConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tables `[tasks.NAME]`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TasksConfig, A::Error> {
                let mut tasks = Vec::new();
                while let Some(task) = map.next_entry()? {
                    tasks.push(task);
                }
                Ok(TasksConfig(tasks))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_keep_the_order_of_the_file_and_come_back_as_they_were() {
        let text = "[view]\nlabel = \"seen\"\n[click]\nlabel = { column = \"clicks\", threshold = 1.0 }\nwhere = \"view == 1\"\n[buy]\nlabel = \"bought\"\nparent = \"click\"\nweight = 0.5\n";
        let tasks: TasksConfig = toml::from_str(text).unwrap();
        let names: Vec<&str> = tasks.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["view", "click", "buy"]);
        assert_eq!(tasks.0[1].1.space.as_deref(), Some("view == 1"));
        assert_eq!(toml::from_str::<TasksConfig>(&toml::to_string(&tasks).unwrap()).unwrap(), tasks);
        assert!(toml::from_str::<TasksConfig>("[click]\nlable = \"x\"").unwrap_err().message().contains("lable"));
    }

    #[test]
    fn kinds_that_contradict_the_label_are_refused() {
        let of = |text: &str| toml::from_str::<TaskConfig>(text).unwrap().target("t").map(|t| t.label.numeric);
        assert!(of("label = \"y\"\nkind = \"watch_time\"").unwrap());
        assert!(of("label = { column = \"y\", numeric = true }").unwrap());
        for text in [
            "label = \"y\"\nkind = \"multi_class\"",
            "label = { column = \"y\", threshold = 3 }\nkind = \"regression\"",
            "label = { column = \"y\", numeric = true }\nkind = \"binary\"",
            "label = \"y\"\nweight = 0.0",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
