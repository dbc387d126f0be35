//! The label: a column turned into 0/1, or into a number.

use serde_json::json;

use crate::column::{Reader, Values};
use crate::config::{LabelConfig, LabelValue};
use crate::error::FeatureError;

/// How the label is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The column.
    pub column: String,
    rule: Rule,
    /// What numbers must lie between, and for whom.
    limits: Option<(f32, f32, &'static str)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// 0 or 1 as they stand.
    Binary,
    /// 1 from here up.
    Threshold(f64),
    /// 1 for these; 0 for the others, or for those listed.
    Values { positive: Vec<String>, negative: Option<Vec<String>> },
    /// The number itself.
    Number,
}

fn text(value: &LabelValue) -> String {
    match value {
        LabelValue::Int(i) => i.to_string(),
        LabelValue::Float(f) => json!(f).to_string(),
        LabelValue::Bool(b) => b.to_string(),
        LabelValue::Text(t) => t.clone(),
    }
}

impl Label {
    /// Checks `features.label`.
    pub(crate) fn new(config: &LabelConfig) -> Result<Self, FeatureError> {
        let bad = |key: &str, problem: &str| FeatureError::Setting {
            key: format!("features.label{}{key}", if key.is_empty() { "" } else { "." }),
            problem: problem.to_string(),
        };
        let rule = match (config.threshold, &config.positive, config.numeric) {
            (None, None, true) => Rule::Number,
            (None, None, false) => Rule::Binary,
            (Some(t), None, false) if t.is_finite() => Rule::Threshold(t),
            (Some(_), None, false) => return Err(bad("threshold", "must be a finite number")),
            (None, Some(p), false) if p.is_empty() => {
                return Err(bad("positive", "is empty; list the values that mean 1"));
            }
            (None, Some(p), false) => Rule::Values {
                positive: p.iter().map(text).collect(),
                negative: config.negative.as_ref().map(|n| n.iter().map(text).collect()),
            },
            _ => return Err(bad("", "give one of threshold, positive or numeric")),
        };
        match (&config.negative, &rule) {
            (Some(_), Rule::Values { .. }) | (None, _) => {
                Ok(Self { column: config.column.clone(), rule, limits: None })
            }
            _ => Err(bad("negative", "goes with positive = […] only")),
        }
    }

    /// Refuses numbers that are not between these, which someone needs.
    pub fn limit(&mut self, low: f32, high: f32, needed_by: &'static str) {
        self.limits = Some((low, high, needed_by));
    }

    /// Whether labels are classes 0 and 1.
    pub fn is_binary(&self) -> bool {
        self.rule != Rule::Number
    }

    /// The labels of a batch.
    pub(crate) fn read(&self, reader: &Reader<'_>) -> Result<Vec<f32>, FeatureError> {
        if let Rule::Values { positive, negative } = &self.rule {
            return values(reader, positive, negative.as_deref());
        }
        if let (Rule::Binary, Values::Text(a)) = (&self.rule, reader.values()?)
            && a.iter().flatten().any(|t| t.trim().parse::<f64>().is_err())
        {
            return values(
                reader,
                &["1".into(), "true".into(), "True".into()],
                Some(&["0".into(), "false".into(), "False".into()]),
            );
        }
        let missing = |row| reader.error(row, "the label is missing; every training row needs one");
        let numbers = reader.numbers()?.into_iter().enumerate();
        let label = |(row, x): (usize, Option<f64>)| match (&self.rule, x) {
            (_, None) => Err(missing(row)),
            (Rule::Threshold(t), Some(x)) => Ok(f32::from(u8::from(x >= *t))),
            (Rule::Number, Some(x)) => match self.limits {
                Some((low, high, by)) if !(f64::from(low)..=f64::from(high)).contains(&x) => {
                    let most = if high == f32::MAX { "at least 0".to_string() } else { format!("in {low}..={high}") };
                    Err(reader.error(row, format!("label {x} must be {most} for {by}; shift or scale the labels")))
                }
                _ => Ok(x as f32),
            },
            (_, Some(x)) if x == 0.0 || x == 1.0 => Ok(x as f32),
            (_, Some(x)) => Err(reader.error(
                row,
                format!("label {x} is neither 0 nor 1; set features.label.threshold or features.label.positive"),
            )),
        };
        numbers.map(label).collect()
    }
}

/// Whether two values are one: as numbers where both are, `true` and `false` in any case.
fn same(a: &str, b: &str) -> bool {
    let number = |t: &str| t.parse::<f64>().ok();
    let truth = |t: &str| ["true", "false"].into_iter().find(|w| t.eq_ignore_ascii_case(w));
    match (number(a), number(b), truth(a), truth(b)) {
        (Some(a), Some(b), ..) => a == b,
        (_, _, Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn values(reader: &Reader<'_>, positive: &[String], negative: Option<&[String]>) -> Result<Vec<f32>, FeatureError> {
    let class = |row: usize, text: Option<String>| match text {
        None => Err(reader.error(row, "the label is missing; every training row needs one")),
        Some(t) if positive.iter().any(|p| same(p, &t)) => Ok(1.0),
        Some(t) => match negative {
            Some(n) if !n.iter().any(|n| same(n, &t)) => Err(reader.error(
                row,
                format!(
                    "label `{t}` is in neither list of values; allowed are {} and {}",
                    positive.join(", "),
                    n.join(", ")
                ),
            )),
            _ => Ok(0.0),
        },
    };
    match reader.values()? {
        Values::Text(a) => a.iter().enumerate().map(|(r, t)| class(r, t.map(|t| t.trim().to_string()))).collect(),
        Values::Int(a) => a.iter().enumerate().map(|(r, x)| class(r, x.map(|x| x.to_string()))).collect(),
        Values::Float(a) => a.iter().enumerate().map(|(r, x)| class(r, x.map(|x| json!(x).to_string()))).collect(),
    }
}
