//! The rows that a task is of: `click == 1`, `region == "EU" and price >= 3`.

use std::fmt;

use crate::config::TargetConfig;
use crate::same::{number, same};

/// One comparison of a row's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) of: Of,
    pub(crate) how: Compare,
    pub(crate) value: String,
    /// The value, where it is a number.
    pub(crate) number: Option<f64>,
    /// What stands on the left.
    name: String,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Of {
    /// The label of a task, by its place; a label that is not known fulfils nothing.
    Task(usize),
    /// A column; a missing value fulfils nothing.
    Column(String),
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// Longer signs first: the first that is found is the one meant.
const SIGNS: [(&str, Compare); 6] = [
    ("==", Compare::Equal),
    ("!=", Compare::NotEqual),
    (">=", Compare::AtLeast),
    ("<=", Compare::AtMost),
    (">", Compare::Above),
    ("<", Compare::Below),
];

impl Condition {
    /// The conditions of a text, joined by `and`.
    pub(super) fn parse(text: &str, tasks: &[TargetConfig]) -> Result<Vec<Self>, String> {
        parts(text).into_iter().map(|part| Self::one(part, tasks)).collect()
    }

    /// Finds the value of a comparison with the label of a task: a class by its place, else a number.
    pub(super) fn resolve(&mut self, name: &str, classes: Option<&[String]>) -> Result<(), String> {
        let Some(classes) = classes else {
            return match self.number {
                Some(_) => Ok(()),
                None => Err(format!("compares task `{name}` with `{}`, which is not a number", self.value)),
            };
        };
        if !matches!(self.how, Compare::Equal | Compare::NotEqual) {
            return Err(format!("compares the classes of task `{name}` by size; use == or !="));
        }
        let place = classes.iter().position(|class| same(class, &self.value));
        let problem = || format!("`{}` is no class of task `{name}`; there are {}", self.value, classes.join(", "));
        self.number = Some(place.ok_or_else(problem)? as f64);
        Ok(())
    }

    fn one(text: &str, tasks: &[TargetConfig]) -> Result<Self, String> {
        let form = || {
            format!(
                "`{}` is no condition; write a task or a column, one of == != >= <= > <, and a value: click == 1",
                text.trim()
            )
        };
        let (sign, how) = SIGNS.iter().find(|(sign, _)| text.contains(sign)).ok_or_else(form)?;
        let (name, value) = text.split_once(sign).ok_or_else(form)?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q));
        let bare = quoted('"').or(quoted('\'')).unwrap_or(value);
        let odd = name.is_empty()
            || bare.is_empty()
            || SIGNS.iter().any(|(sign, _)| bare.contains(sign))
            || bare.starts_with('=');
        if odd {
            return Err(form());
        }
        let number = number(bare).filter(|x| x.is_finite());
        if number.is_none() && !matches!(how, Compare::Equal | Compare::NotEqual) {
            return Err(format!("compares `{name}` with `{bare}`, which is not a number"));
        }
        let of = match tasks.iter().position(|task| task.name == name) {
            Some(task) => Of::Task(task),
            None => Of::Column(name.to_string()),
        };
        Ok(Self { of, how: *how, value: bare.to_string(), number, name: name.to_string() })
    }

    /// Whether a number fulfils it.
    pub(crate) fn holds(&self, x: f64) -> bool {
        let Some(value) = self.number else { return self.how == Compare::NotEqual };
        match self.how {
            Compare::Equal => x == value,
            Compare::NotEqual => x != value,
            Compare::AtLeast => x >= value,
            Compare::AtMost => x <= value,
            Compare::Above => x > value,
            Compare::Below => x < value,
        }
    }
}

/// The parts between ` and `, which may stand inside quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if text[at..].starts_with(" and ") && at >= start => {
                parts.push(&text[start..at]);
                start = at + " and ".len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS.iter().find(|(_, how)| *how == self.how).map_or("", |(sign, _)| sign);
        write!(f, "{} {sign} {}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_columns_are_told_apart_and_nonsense_is_named() {
        let tasks = [TargetConfig::of("click")];
        let parsed = Condition::parse("click == 1 and price >= 2.5 and region != \"EU\"", &tasks).unwrap();
        assert_eq!(parsed[0].of, Of::Task(0));
        assert_eq!((&parsed[1].of, parsed[1].how), (&Of::Column("price".into()), Compare::AtLeast));
        assert!(parsed[1].holds(2.5) && !parsed[1].holds(2.0));
        assert_eq!((parsed[2].value.as_str(), parsed[2].how), ("EU", Compare::NotEqual));
        let quoted = Condition::parse("region == \"E and U\" and price >= 1", &tasks).unwrap();
        assert_eq!((quoted.len(), quoted[0].value.as_str()), (2, "E and U"));
        for text in ["", "click", "click = 1", "== 1", "click ==", "price > much", "a == b == c"] {
            assert!(Condition::parse(text, &tasks).is_err(), "{text}");
        }
    }

    #[test]
    fn classes_are_compared_by_their_value_and_not_by_their_place() {
        let (tasks, classes) = ([TargetConfig::of("stars")], ["1", "2", "3"].map(str::to_string));
        let parsed = |text: &str| Condition::parse(text, &tasks).unwrap().remove(0);
        let mut three = parsed("stars == 3");
        three.resolve("stars", Some(&classes)).unwrap();
        assert!(three.holds(2.0) && !three.holds(3.0));
        for text in ["stars == 4", "stars >= 2"] {
            assert!(parsed(text).resolve("stars", Some(&classes)).is_err(), "{text}");
        }
        assert!(parsed("stars == yes").resolve("stars", None).is_err());
        let yes = parsed("stars == true");
        assert!(yes.holds(1.0) && !yes.holds(0.0));
    }
}
