//! The items that a server shows: their vectors, what version they are of, and how a user is made of them.

use std::collections::HashMap;
use std::fmt::Write;

use crate::error::Error;

/// How a user's vector is made of the vectors of clicked items: the mean of the latest ones, each weighing `decay` as much as
/// the one after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// 1 for a plain mean, below it for one that moves with the clicks; above 0.
    pub decay: f64,
    /// Clicks that count; all where there is no number.
    pub latest: Option<usize>,
}

/// Items with their vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Slate {
    pub(crate) version: String,
    pub(crate) rule: Rule,
    pub(crate) dim: usize,
    places: HashMap<String, usize>,
    values: Vec<f32>,
}

/// The first line of a slate.
const HEAD: &str = "burnrec-slate 1";

impl Slate {
    /// A slate of items with their vectors, one behind another.
    ///
    /// # Errors
    /// Items that stand twice, vectors of other widths, a rule that is none.
    pub fn new(version: &str, rule: Rule, items: &[String], values: Vec<f32>) -> Result<Self, Error> {
        let problem = |problem: &str| Error::Line { line: 0, problem: problem.into() };
        let dim = values.len() / items.len().max(1);
        if dim * items.len() != values.len() {
            return Err(problem("the vectors have other widths"));
        }
        if !(rule.decay > 0.0 && rule.decay <= 1.0) || rule.latest == Some(0) {
            return Err(problem("decay must be above 0 and at most 1, and latest at least 1"));
        }
        let places: HashMap<String, usize> = items.iter().cloned().zip(0..).collect();
        match places.len() == items.len() {
            true => Ok(Self { version: version.into(), rule, dim, places, values }),
            false => Err(problem("an item stands twice")),
        }
    }

    /// Reads a slate's text.
    ///
    /// # Errors
    /// The first line that is not as it should be.
    pub fn read(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines();
        let wrong = |line: usize, problem: &str| Error::Line { line, problem: problem.into() };
        if lines.next() != Some(HEAD) {
            return Err(wrong(1, "is not `burnrec-slate 1`; this is no slate, or of another version of burnrec"));
        }
        let version =
            lines.next().and_then(|l| l.strip_prefix("version ")).ok_or_else(|| wrong(2, "has no version"))?;
        let rule =
            lines.next().and_then(read_rule).ok_or_else(|| wrong(3, "has no rule such as `rule decay=1 latest=50`"))?;
        let dim: usize =
            lines.next().and_then(|l| l.strip_prefix("dim ")?.parse().ok()).ok_or_else(|| wrong(4, "has no dim"))?;
        let (mut items, mut values) = (Vec::new(), Vec::new());
        for (line, text) in (5..).zip(lines) {
            let (id, vector) = text.split_once('\t').ok_or_else(|| wrong(line, "has no tab behind the item"))?;
            let before = values.len();
            for number in vector.split(' ') {
                let number: f32 = number.parse().map_err(|_| wrong(line, "holds a number that is none"))?;
                if !number.is_finite() {
                    return Err(wrong(line, "holds a number that is not finite"));
                }
                values.push(number);
            }
            if values.len() - before != dim {
                return Err(wrong(line, "has another width than dim says"));
            }
            items.push(id.to_string());
        }
        Self::new(version, rule, &items, values)
    }

    /// The slate as text. Items are in the order of their ids.
    pub fn text(&self) -> String {
        let latest = self.rule.latest.map_or("all".into(), |n| n.to_string());
        let mut text = format!(
            "{HEAD}\nversion {}\nrule decay={} latest={latest}\ndim {}\n",
            self.version, self.rule.decay, self.dim
        );
        let mut items: Vec<(&String, &usize)> = self.places.iter().collect();
        items.sort_unstable();
        for (id, place) in items {
            let numbers: Vec<String> = self.row(*place).iter().map(f32::to_string).collect();
            // Writing to a string does not fail.
            let _written = writeln!(text, "{id}\t{}", numbers.join(" "));
        }
        text
    }

    fn row(&self, place: usize) -> &[f32] {
        &self.values[place * self.dim..(place + 1) * self.dim]
    }

    /// The vector of an item.
    pub fn vector(&self, item: &str) -> Option<&[f32]> {
        self.places.get(item).map(|place| self.row(*place))
    }

    /// What version the vectors are of.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn read_rule(line: &str) -> Option<Rule> {
    let (decay, latest) = line.strip_prefix("rule decay=")?.split_once(" latest=")?;
    let latest = if latest == "all" { None } else { Some(latest.parse().ok()?) };
    Some(Rule { decay: decay.parse().ok()?, latest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slate_is_read_as_it_was_written_and_others_are_refused_with_their_line() {
        let rule = Rule { decay: 0.9, latest: Some(50) };
        let slate = Slate::new("a1", rule, &["b".into(), "a c".into()], vec![0.1, -2.5e-8, 3.0, 1.0 / 3.0]).unwrap();
        let again = Slate::read(&slate.text()).unwrap();
        assert_eq!((again.text(), again.rule, again.version()), (slate.text(), rule, "a1"));
        assert_eq!(again.vector("b"), slate.vector("b"));
        assert_eq!(slate.vector("a c"), Some(&[3.0, 1.0 / 3.0][..]));
        let text = slate.text();
        for (line, from, to) in [
            (1, "slate 1", "slate 2"),
            (2, "version", "v"),
            (3, "decay=0.9", "decay=x"),
            (4, "dim 2", "dim"),
            (5, "\t", " "),
            (6, "0.1 ", ""),
        ] {
            let error = Slate::read(&text.replacen(from, to, 1)).unwrap_err();
            assert!(matches!(error, Error::Line { line: found, .. } if found == line), "{line}: {error}");
        }
        assert!(
            Slate::read(&text.replace("decay=0.9", "decay=0")).is_err()
                && Slate::read(&text.replace("0.1", "inf")).is_err()
        );
        assert!(Slate::new("a", rule, &["x".into(), "x".into()], vec![1.0, 1.0]).is_err());
    }
}
