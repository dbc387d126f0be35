//! Which settings of an experiment are not the default.

use std::collections::BTreeMap;

use burnrec_features::FeaturesConfig;
use burnrec_record::Setting;
use toml::{Table, Value};

use crate::experiment::Experiment;

/// Every key whose value another experiment would not have if it said nothing, with what it would have.
pub(super) fn changed(experiment: &Experiment) -> Vec<Setting> {
    // What columns mean has no default, and may be thousands of lines.
    let features = FeaturesConfig { fields: BTreeMap::new(), ..experiment.features.clone() };
    let Some(whole) = table(&Experiment { features, ..experiment.clone() }) else { return Vec::new() };
    let mut keys = Vec::new();
    leaves(&whole, &mut Vec::new(), &mut keys);
    keys.into_iter().filter_map(|key| setting(&whole, &key)).collect()
}

/// An experiment as its file has it, numbers by their shortest decimals.
fn table(experiment: &Experiment) -> Option<Table> {
    toml::to_string(experiment).ok()?.parse().ok()
}

/// The keys of all values that are no tables.
fn leaves(table: &Table, above: &mut Vec<String>, keys: &mut Vec<Vec<String>>) {
    for (name, value) in table {
        above.push(name.clone());
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(inner, above, keys),
            _ => keys.push(above.clone()),
        }
        above.pop();
    }
}

fn at<'a>(table: &'a Table, key: &[String]) -> Option<&'a Value> {
    let (first, rest) = key.split_first()?;
    match rest {
        [] => table.get(first),
        _ => at(table.get(first)?.as_table()?, rest),
    }
}

fn remove(table: &mut Table, key: &[String]) {
    match key {
        [] => {}
        [last] => drop(table.remove(last)),
        [first, rest @ ..] => {
            if let Some(Value::Table(inner)) = table.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

/// The setting at a key; none where it is the default.
fn setting(whole: &Table, key: &[String]) -> Option<Setting> {
    let value = at(whole, key)?;
    // What cannot be left out alone, such as the kind of something, is left out with all that stands beside it.
    let other = (1..=key.len()).rev().find_map(|depth| {
        let mut without = whole.clone();
        remove(&mut without, &key[..depth]);
        let other = Value::Table(without).try_into::<Experiment>().ok()?;
        table(&other)
    });
    let default = other.as_ref().and_then(|other| at(other, key));
    (default != Some(value)).then(|| Setting {
        key: key.join("."),
        value: value.to_string(),
        default: default.map(ToString::to_string),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_defaults_is_told_with_the_default() {
        let text = r#"
            [data]
            source = "log.csv"
            [features.fields]
            user = "categorical"
            [tasks.click]
            label = "clicked"
            [model.lr]
            [train]
            epochs = 100
            learning_rate = 0.5
        "#;
        let found = changed(&toml::from_str(text).unwrap());
        let of = |key: &str| found.iter().find(|setting| setting.key == key);
        let rate = of("train.learning_rate").unwrap();
        assert_eq!((rate.value.as_str(), rate.default.as_deref()), ("0.5", Some("0.001")));
        assert!(of("train.epochs").is_none() && of("features.fields.user.kind").is_none(), "{found:?}");
        assert_eq!(of("data.source").unwrap().default, None);
    }
}
