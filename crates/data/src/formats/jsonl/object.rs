//! One line's object, its values as they are written: no digit is lost.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::source::Column;
use crate::value::Values;

/// The keys of an object with their values as they are written; of a key that stands twice the last counts.
#[derive(Debug, Default)]
pub struct Object<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut pairs: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(KEYS);
                // Words of the keys, which are quick to compare: most rows have no key twice.
                let mut words: Vec<u64> = Vec::with_capacity(KEYS);
                while let Some((Key(key), value)) = map.next_entry()? {
                    let word = word_of(&key);
                    let twice = words.contains(&word).then(|| pairs.iter().position(|(known, _)| *known == key));
                    match twice.flatten() {
                        Some(at) => pairs[at].1 = value,
                        None => {
                            pairs.push((key, value));
                            words.push(word);
                        }
                    }
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Keys that an object has room for at first.
const KEYS: usize = 48;

/// The end of a key, where keys of a row differ most, and its length.
fn word_of(key: &str) -> u64 {
    let end = &key.as_bytes()[key.len().saturating_sub(8)..];
    let mut word = [0; 8];
    word[..end.len()].copy_from_slice(end);
    u64::from_le_bytes(word) ^ (key.len() as u64).rotate_right(8)
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(text.to_string().into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Where the keys of columns stood in the last object: they mostly stand there in the next one too.
#[derive(Debug, Default)]
pub(crate) struct Hints(Vec<usize>);

impl Hints {
    /// The value of each column's key; none where it is absent or null.
    pub(crate) fn values<'a>(&mut self, object: &Object<'a>, columns: &[Column], out: &mut Vec<Option<&'a str>>) {
        self.0.resize(columns.len(), 0);
        out.clear();
        for (column, hint) in columns.iter().zip(&mut self.0) {
            let own = |(key, _): &(Cow<'a, str>, &RawValue)| *key == column.name;
            let at = match object.0.get(*hint).is_some_and(own) {
                true => Some(*hint),
                false => object.0.iter().position(own),
            };
            *hint = at.unwrap_or(*hint);
            out.push(at.map(|at| object.0[at].1.get()).filter(|raw| *raw != "null"));
        }
    }
}

#[cfg(test)]
impl<'a> Object<'a> {
    /// The value of a key; none where it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value.get()).filter(|raw| *raw != "null")
    }
}

/// The items of an array, as they are written; none where the value is no array.
pub(super) fn items(raw: &str) -> Option<Vec<&RawValue>> {
    raw.starts_with('[').then(|| serde_json::from_str(raw).ok()).flatten()
}

/// One value as text, none for null.
pub(super) fn scalar(raw: &str) -> Result<Option<Cow<'_, str>>, &'static str> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Key<'_>>(raw).map(|key| Some(key.0)).map_err(|_| "holds broken text"),
        Some(b'[' | b'{') => Err("holds an array or object where one value is expected"),
        Some(b'n') => Ok(None),
        Some(b't' | b'f') => Ok(Some(raw.into())),
        _ => number(raw).map(Some),
    }
}

/// A number's digits, however many there are: whole ones without a fraction, no zeros at a fraction's end.
fn number(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    if raw.contains(['e', 'E']) {
        let x: f64 = raw.parse().map_err(|_| "holds no number")?;
        let values = Values::Float(vec![x].into());
        return match x.is_finite() {
            true => Ok(values.text(0).unwrap_or_default().into_owned().into()),
            false => Err("holds a number that 64 bits cannot hold"),
        };
    }
    let short = match raw.contains('.') {
        true => raw.trim_end_matches('0').trim_end_matches('.'),
        false => raw,
    };
    Ok(if short == "-0" { "0".into() } else { short.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_whole_ones_have_no_fraction() {
        for (raw, text) in [
            ("7", "7"),
            ("7.0", "7"),
            ("7.50", "7.5"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("7e0", "7"),
            ("1e-7", "0.0000001"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("\"a\\u00e9\"", "aé"),
            ("true", "true"),
        ] {
            assert_eq!(scalar(raw).unwrap().unwrap(), text, "{raw}");
        }
        assert!(scalar("null").unwrap().is_none() && scalar("1e999").is_err() && scalar("[1]").is_err());
        let object: Object<'_> = serde_json::from_str(r#"{"a": 1, "b\n": [1, "x"], "a": 2.0}"#).unwrap();
        assert_eq!((object.0.len(), object.get("a"), object.get("c")), (2, Some("2.0"), None));
        assert_eq!(items(object.get("b\n").unwrap()).unwrap().len(), 2);
    }
}
