//! What is learned, checked: the rule of each task's label, the rows that it is of, the task that it hangs on.

use crate::config::{LabelConfig, TargetConfig};
use crate::error::{FeatureError, bad};
use crate::same::same;
use crate::schema::condition::{Condition, Of};

/// What one task learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The task's name.
    pub name: String,
    /// The label's column.
    pub column: String,
    /// How it is read.
    pub(crate) rule: Rule,
    /// The rows that the task is of; all where it is empty.
    pub(crate) space: Vec<Condition>,
    /// The task, by its place, without whose label 1 this one's is 0.
    pub parent: Option<usize>,
    /// Column of what the task's rows weigh.
    pub weight: Option<String>,
    /// What numbers must lie between, and for whom.
    pub(crate) limits: Option<(f32, f32, &'static str)>,
}

/// How a label is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// 1 on every row: a log of what happened alone.
    Always,
    /// 0 or 1 as they stand.
    Binary,
    /// 1 from here up.
    Threshold(f64),
    /// 1 for these; 0 for the others, or for those listed.
    Values { positive: Vec<String>, negative: Option<Vec<String>> },
    /// The number itself.
    Number,
    /// The place of the value in this list.
    Classes(Vec<String>),
}

impl Target {
    /// Whether labels are 0 and 1.
    pub fn is_binary(&self) -> bool {
        !matches!(self.rule, Rule::Number | Rule::Classes(_))
    }

    /// What stands in its column for a label of 0, as JSON; none where labels are not 0 and 1, or no value is known to be a no.
    pub fn no(&self) -> Option<String> {
        let text = |text: &str| serde_json::to_string(text).ok();
        match &self.rule {
            Rule::Binary => Some("0".into()),
            Rule::Threshold(from) => Some(if *from > 0.0 { "0".into() } else { (from - 1.0).to_string() }),
            Rule::Values { negative: Some(negative), .. } => negative.first().and_then(|no| text(no)),
            Rule::Values { positive, .. } => {
                ["0", "no", "none"].into_iter().find(|no| positive.iter().all(|yes| yes != no)).and_then(text)
            }
            _ => None,
        }
    }

    /// Whether it reads a column.
    pub fn has_column(&self) -> bool {
        self.rule != Rule::Always
    }

    /// The classes of a label of several; none for other labels.
    pub fn classes(&self) -> Option<&[String]> {
        match &self.rule {
            Rule::Classes(classes) => Some(classes),
            _ => None,
        }
    }

    /// The rows that the task is of, as its config has them; none where it is of all.
    pub fn space(&self) -> Option<String> {
        let shown: Vec<String> = self.space.iter().map(ToString::to_string).collect();
        (!shown.is_empty()).then(|| shown.join(" and "))
    }
}

/// Checks what tasks learn.
pub(super) fn targets(configs: &[TargetConfig]) -> Result<Vec<Target>, FeatureError> {
    if configs.is_empty() {
        let problem = "is missing: nothing says what is learned; add [tasks.click] with label = \"clicked\", or another name and column";
        return Err(bad("tasks", problem));
    }
    let place = |name: &String| configs.iter().position(|other| other.name == *name);
    let target = |(own, config): (usize, &TargetConfig)| {
        let key = |key: &str| format!("tasks.{}.{key}", config.name);
        let parent = config.parent.as_ref().map(|name| match place(name) {
            Some(parent) if parent != own => Ok(parent),
            Some(_) => Err(bad(key("parent"), "is the task itself")),
            None => Err(bad(key("parent"), format!("`{name}` is no task; there are {}", names(configs)))),
        });
        let space =
            config.space.as_deref().map(|text| Condition::parse(text, configs).map_err(|e| bad(key("where"), e)));
        let weight = config.weight.clone();
        if configs.iter().any(|c| weight.as_ref() == Some(&c.label.column)) {
            return Err(bad(key("row_weight"), "is the column of a label; rows would weigh by their answer"));
        }
        if weight.as_ref().is_some_and(String::is_empty) {
            return Err(bad(key("row_weight"), "is empty; name the column of the weights"));
        }
        Ok(Target {
            name: config.name.clone(),
            column: config.label.column.clone(),
            rule: rule(&key("label"), &config.label)?,
            space: space.transpose()?.unwrap_or_default(),
            parent: parent.transpose()?,
            weight,
            limits: None,
        })
    };
    let mut targets = configs.iter().enumerate().map(target).collect::<Result<Vec<_>, _>>()?;
    check_parents(&targets)?;
    resolve_spaces(&mut targets)?;
    Ok(targets)
}

/// Finds the values that spaces compare labels with, and refuses spaces that hang on each other.
fn resolve_spaces(targets: &mut [Target]) -> Result<(), FeatureError> {
    let all: Vec<(String, Option<Vec<String>>)> =
        targets.iter().map(|t| (t.name.clone(), t.classes().map(<[String]>::to_vec))).collect();
    for target in targets.iter_mut() {
        let key = format!("tasks.{}.where", target.name);
        for condition in &mut target.space {
            if let Of::Task(task) = condition.of {
                let (name, classes) = &all[task];
                condition.resolve(name, classes.as_deref()).map_err(|e| bad(&key, e))?;
            }
        }
    }
    match (0..targets.len()).find(|task| !in_order(targets).contains(task)) {
        Some(task) => Err(bad(format!("tasks.{}.where", targets[task].name), "hangs on itself by way of other tasks")),
        None => Ok(()),
    }
}

/// The tasks, each behind those whose labels its space compares; without those that hang on themselves.
pub(crate) fn in_order(targets: &[Target]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(targets.len());
    loop {
        let ready = |task: &usize| {
            let named = targets[*task].space.iter().filter_map(|condition| match condition.of {
                Of::Task(other) => Some(other),
                Of::Column(_) => None,
            });
            !order.contains(task) && named.into_iter().all(|other| order.contains(&other))
        };
        match (0..targets.len()).find(ready) {
            Some(task) => order.push(task),
            None => return order,
        }
    }
}

fn names(configs: &[TargetConfig]) -> String {
    configs.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A task and the one it hangs on are of 0 and 1, and none hangs on itself by way of others.
fn check_parents(targets: &[Target]) -> Result<(), FeatureError> {
    for target in targets {
        let key = format!("tasks.{}.parent", target.name);
        let Some(parent) = target.parent else { continue };
        if !target.is_binary() || !targets[parent].is_binary() {
            return Err(bad(key, "goes with labels of 0 and 1 in both tasks"));
        }
        let mut at = Some(parent);
        for _ in 0..targets.len() {
            at = at.and_then(|task| targets[task].parent);
        }
        if at.is_some() {
            return Err(bad(key, "hangs on itself by way of its parents"));
        }
    }
    Ok(())
}

fn rule(key: &str, config: &LabelConfig) -> Result<Rule, FeatureError> {
    let below = |name: &str, problem: &str| {
        bad(if name.is_empty() { key.to_string() } else { format!("{key}.{name}") }, problem)
    };
    let texts = |values: &[crate::config::LabelValue]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    if config.column.is_empty() {
        return Err(below("column", "is empty; name the column of the label"));
    }
    let rule = match (config.threshold, &config.positive, config.numeric, &config.classes) {
        (None, None, true, None) => Rule::Number,
        (None, None, false, None) if config.always => Rule::Always,
        (None, None, false, None) => Rule::Binary,
        (Some(t), None, false, None) if t.is_finite() => Rule::Threshold(t),
        (Some(_), None, false, None) => return Err(below("threshold", "must be a finite number")),
        (None, Some(p), false, None) if p.is_empty() => {
            return Err(below("positive", "is empty; list the values that mean 1"));
        }
        (None, Some(p), false, None) => {
            let (positive, negative) = (texts(p), config.negative.as_deref().map(texts));
            let both = negative.iter().flatten().find(|n| positive.iter().any(|p| same(p, n)));
            if let Some(both) = both {
                return Err(below("negative", &format!("lists `{both}`, which positive lists too")));
            }
            Rule::Values { positive, negative }
        }
        (None, None, false, Some(classes)) => {
            Rule::Classes(distinct(texts(classes)).map_err(|e| below("classes", &e))?)
        }
        _ => return Err(below("", "give one of threshold, positive, numeric or classes")),
    };
    match (&config.negative, &rule) {
        (Some(_), Rule::Values { .. }) | (None, _) => Ok(rule),
        _ => Err(below("negative", "goes with positive = […] only")),
    }
}

/// Classes, each once.
fn distinct(classes: Vec<String>) -> Result<Vec<String>, String> {
    match (2..=10_000).contains(&classes.len()) {
        false => Err("must list 2 to 10000 values".into()),
        true if classes.iter().any(|c| c.trim().is_empty()) => {
            Err("lists a blank; a missing label is not known, and no class".into())
        }
        true => match (1..classes.len()).find(|&i| classes[..i].iter().any(|c| same(c.trim(), classes[i].trim()))) {
            Some(twice) => Err(format!("lists `{}` twice", classes[twice])),
            None => Ok(classes),
        },
    }
}
