//! Fields that a line of the config gives for whatever columns are like it: `"C*" = "categorical"`.

use std::collections::{BTreeMap, BTreeSet};

use super::FeaturesConfig;
use super::field::{FieldConfig, FieldKind};
use crate::error::{FeatureError, bad};

/// What stands for any text in the name of a field.
const ANY: char = '*';

/// Whether a name is like a pattern.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

impl FeaturesConfig {
    /// The names of fields that stand for columns of the data.
    pub fn wildcards(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str).filter(|name| name.contains(ANY))
    }

    /// With a field for each of the columns that a name with a `*` stands for, and no such name. Columns that another line
    /// reads are that line's, and those of `aside` are no fields.
    ///
    /// # Errors
    /// A pattern that no column is like, two that one column is like, and settings that go with one column.
    pub fn among(&self, columns: &[&str], aside: &BTreeSet<&str>) -> Result<Self, FeatureError> {
        let (patterns, named): (Vec<_>, Vec<_>) = self.fields.iter().partition(|(name, _)| name.contains(ANY));
        let mut read: BTreeSet<&str> = aside.clone();
        for (name, field) in &named {
            read.insert(field.column.as_ref().unwrap_or(name));
            read.extend(field.weights.as_deref());
        }
        read.extend(self.weight.as_deref());
        let taken = |name: &str| named.iter().any(|(own, _)| *own == name);
        let mut fields: BTreeMap<String, FieldConfig> =
            named.iter().map(|(name, field)| ((*name).clone(), (*field).clone())).collect();
        let mut found: BTreeMap<&str, &str> = BTreeMap::new();
        for (pattern, field) in patterns {
            let wrong = |problem: &str| bad(format!("features.fields.{pattern}"), problem);
            if field.column.is_some() || field.weights.is_some() || field.kind == FieldKind::Cross {
                return Err(wrong(
                    "stands for all columns that match it, each a field of its own; column, weights and crosses go with one field",
                ));
            }
            let like = |name: &&&str| is_like(name, pattern) && !read.contains(**name) && !taken(name);
            let mut any = false;
            for name in columns.iter().filter(like) {
                any = true;
                if let Some(other) = found.insert(name, pattern) {
                    return Err(wrong(&format!("and `{other}` both match the column `{name}`; narrow one")));
                }
                // A name that would itself stand for several reads its column under another.
                let own = name.replace('[', "(").replace(']', ")").replace(ANY, "+");
                let column = (own != **name).then(|| (*name).to_string());
                if column.is_some() && (taken(&own) || columns.contains(&own.as_str())) {
                    return Err(wrong(&format!(
                        "matches the column `{name}`, whose name means something else here; give it a field of its own, with column = {name:?}"
                    )));
                }
                fields.insert(own, FieldConfig { column: column.or(field.column.clone()), ..field.clone() });
            }
            if !any {
                let shown: Vec<&str> = columns.iter().copied().take(12).collect();
                return Err(wrong(&format!(
                    "matches no column that is still free; the data has {}{}",
                    shown.join(", "),
                    if columns.len() > shown.len() { ", …" } else { "" }
                )));
            }
        }
        Ok(Self { fields, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn among(fields: serde_json::Value, columns: &[&str]) -> Result<Vec<String>, String> {
        let features: FeaturesConfig = serde_json::from_value(json!({ "fields": fields })).unwrap();
        let found = features.among(columns, &BTreeSet::from(["label"])).map_err(|e| e.to_string())?;
        assert_eq!(found.wildcards().count(), 0);
        Ok(found.fields.into_keys().collect())
    }

    #[test]
    fn a_star_is_any_text() {
        for (name, pattern, is) in [
            ("C1", "C*", true),
            ("C", "C*", true),
            ("aC", "C*", false),
            ("user_age_7d", "user_*_7d", true),
            ("user_7d", "user_*_7d", false),
            ("abab", "*ab", true),
            ("a-b-c", "a*b*c", true),
            ("a-c-b", "a*b*c", false),
            ("x", "*", true),
        ] {
            assert_eq!(is_like(name, pattern), is, "{name} {pattern}");
        }
    }

    #[test]
    fn columns_become_fields_once_and_labels_never() {
        let columns = ["label", "C1", "C2", "C10", "weight_C", "I1"];
        let found = among(json!({ "C*": "categorical", "C2": "numeric", "one": { "column": "C10" } }), &columns);
        assert_eq!(found.unwrap(), ["C1", "C2", "one"]);
        assert_eq!(among(json!({ "*": "categorical" }), &columns).unwrap(), ["C1", "C10", "C2", "I1", "weight_C"]);
        assert_eq!(among(json!({ "*": "categorical" }), &["x[1-3]", "a*b"]).unwrap(), ["a+b", "x(1-3)"]);
    }

    #[test]
    fn patterns_that_cannot_be_are_refused() {
        for (fields, says) in [
            (json!({ "D*": "numeric" }), "matches no column"),
            (json!({ "C*": "numeric", "*1": "categorical" }), "both match the column `C1`"),
            (json!({ "C*": { "kind": "numeric", "column": "C1" } }), "go with one field"),
        ] {
            let error = among(fields, &["C1", "C2"]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
