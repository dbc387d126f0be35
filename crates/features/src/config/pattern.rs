//! Fields that a line of the config gives by the dozen: `"I[1-13]" = "numeric"`.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::field::FieldConfig;

/// Fields that one name may stand for.
const MOST: usize = 100_000;

/// The fields by name, those of ranges spelled out. A field of its own name goes before one of a range.
pub(super) fn fields<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, FieldConfig>, D::Error> {
    let given: BTreeMap<String, FieldConfig> = Deserialize::deserialize(from)?;
    let mut all: BTreeMap<String, FieldConfig> = BTreeMap::new();
    let mut of_range: BTreeMap<String, &str> = BTreeMap::new();
    for (name, field) in &given {
        let wrong = |problem: String| D::Error::custom(format!("field `{name}` {problem}"));
        let Some(names) = names(name).map_err(wrong)? else { continue };
        if field.column.is_some() {
            let problem =
                format!("field `{name}` stands for several, each of which reads its own column; remove `column`");
            return Err(D::Error::custom(problem));
        }
        for own in names {
            if let Some(other) = of_range.insert(own.clone(), name) {
                return Err(D::Error::custom(format!("`{own}` is of both `{other}` and `{name}`; narrow one")));
            }
            all.insert(own, field.clone());
        }
    }
    all.extend(
        given.iter().filter(|(name, _)| span(name).is_none()).map(|(name, field)| (name.clone(), field.clone())),
    );
    Ok(all)
}

/// The first range of a name, `[1-13]`: what stands before it, its two numbers as written, what stands behind.
fn span(name: &str) -> Option<(&str, &str, &str, &str)> {
    let number = |text: &str| !text.is_empty() && text.len() < 10 && text.bytes().all(|b| b.is_ascii_digit());
    name.match_indices('[').find_map(|(open, _)| {
        let (within, behind) = name[open + 1..].split_once(']')?;
        let (first, last) = within.split_once('-')?;
        (number(first) && number(last)).then(|| (&name[..open], first, last, behind))
    })
}

/// The names that one stands for; none where it has no range. Numbers are as wide as the first where that begins with 0.
fn names(name: &str) -> Result<Option<Vec<String>>, String> {
    let Some((before, first, last, behind)) = span(name) else { return Ok(None) };
    let width = if first.starts_with('0') { first.len() } else { 1 };
    let (Ok(from), Ok(to)) = (first.parse::<usize>(), last.parse::<usize>()) else { return Ok(None) };
    if from > to {
        return Err(format!("counts down; write [{last}-{first}]"));
    }
    let rest = names(behind)?.unwrap_or_else(|| vec![behind.to_string()]);
    if (to - from + 1).saturating_mul(rest.len()) > MOST {
        return Err(format!("stands for more than {MOST} fields"));
    }
    let own = (from..=to).flat_map(|number| rest.iter().map(move |rest| format!("{before}{number:0width$}{rest}")));
    Ok(Some(own.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::FeaturesConfig;
    use super::*;

    fn read(fields: serde_json::Value) -> Result<BTreeMap<String, FieldConfig>, String> {
        let features: Result<FeaturesConfig, _> = serde_json::from_value(json!({ "fields": fields }));
        Ok(features.map_err(|e| e.to_string())?.fields)
    }

    fn names_of(fields: serde_json::Value) -> Vec<String> {
        read(fields).unwrap().into_keys().collect()
    }

    #[test]
    fn a_range_stands_for_its_fields_and_what_is_named_goes_before() {
        assert_eq!(names("x[08-10]_[1-2]").unwrap().unwrap(), ["x08_1", "x08_2", "x09_1", "x09_2", "x10_1", "x10_2"]);
        let fields = read(json!({ "I[1-3]": "numeric", "I2": "categorical" })).unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["I1", "I2", "I3"]);
        assert!(fields["I1"] == fields["I3"] && fields["I2"] != fields["I1"]);
        // Names with brackets that are no range stay as they are.
        assert_eq!(names_of(json!({ "price[usd]": "numeric", "a[1-]": "numeric" })), ["a[1-]", "price[usd]"]);
    }

    #[test]
    fn ranges_that_cannot_be_are_refused() {
        for (fields, says) in [
            (json!({ "I[3-1]": "numeric" }), "counts down"),
            (json!({ "I[1-3]": "numeric", "I[2-4]": "numeric" }), "of both"),
            (json!({ "I[1-999999999]": "numeric" }), "more than"),
            (json!({ "I[1-3]": { "kind": "numeric", "column": "I" } }), "remove `column`"),
        ] {
            let error = read(fields).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
