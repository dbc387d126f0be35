//! The rows that a task is of: `click == 1`, `region == "EU" and price >= 3`.

use std::fmt;

use crate::config::TargetConfig;

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
        text.split(" and ").map(|part| Self::one(part, tasks)).collect()
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
        let number = bare.parse::<f64>().ok().filter(|x| x.is_finite());
        if number.is_none() && !matches!(how, Compare::Equal | Compare::NotEqual) {
            return Err(format!("compares `{name}` with `{bare}`, which is not a number"));
        }
        let of = match tasks.iter().position(|task| task.name == name) {
            Some(task) if number.is_none() => {
                return Err(format!("compares task `{}` with `{bare}`, which is not a number", tasks[task].name));
            }
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
        for text in ["", "click", "click = 1", "== 1", "click ==", "price > much", "click == yes", "a == b == c"] {
            assert!(Condition::parse(text, &tasks).is_err(), "{text}");
        }
    }
}
