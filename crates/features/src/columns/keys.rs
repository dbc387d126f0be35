//! Values to stable 64-bit keys.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::batch::Keys;
use crate::columns::reader::{Reader, Values};
use crate::config::IdKind;
use crate::error::FeatureError;

/// The key of a text value; never 0, which means missing.
pub(crate) fn key_of(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed).max(1)
}

/// The key of a number: whole numbers as their digits, so that `7`, `7.0` and `"7"` read as numbers agree.
fn number_key(x: f64, seed: u64) -> u64 {
    if x.fract() == 0.0 && x.abs() < 9e15 {
        return int_key(x as i64, seed);
    }
    key_of(x.to_string().as_bytes(), seed)
}

fn int_key(x: i64, seed: u64) -> u64 {
    key_of(itoa::Buffer::new().format(x).as_bytes(), seed)
}

fn text_key(reader: &Reader<'_>, row: usize, text: &str, ids: IdKind, seed: u64) -> Result<u64, FeatureError> {
    match ids {
        IdKind::Text => Ok(key_of(text.as_bytes(), seed)),
        IdKind::Int => match text.trim().parse::<i64>() {
            Ok(x) => Ok(int_key(x, seed)),
            Err(_) => Err(reader.error(
                row,
                format!("`{text}` is not a whole number of 64 bits; use ids = \"text\", or mend the value"),
            )),
        },
        IdKind::Float => {
            match text.trim().parse::<f64>() {
                Ok(x) if x.is_finite() => Ok(number_key(x, seed)),
                _ => Err(reader
                    .error(row, format!("`{text}` is not a finite number; use ids = \"text\", or mend the value"))),
            }
        }
    }
}

/// The keys of values; `row_of` gives the row that an item belongs to, for errors.
fn keys_of(
    reader: &Reader<'_>,
    values: &Values,
    ids: IdKind,
    seed: u64,
    row_of: impl Fn(usize) -> usize,
) -> Result<Vec<u64>, FeatureError> {
    match values {
        Values::Text(a) => {
            let key = |(i, t): (usize, Option<&str>)| match t {
                Some(t) if !t.is_empty() => text_key(reader, row_of(i), t, ids, seed),
                _ => Ok(0),
            };
            a.iter().enumerate().map(key).collect()
        }
        Values::Int(a) => Ok(a.iter().map(|x| x.map_or(0, |x| int_key(x, seed))).collect()),
        Values::Float(a) => {
            let key =
                |(i, x): (usize, Option<f64>)| match x {
                    None => Ok(0),
                    Some(x) if x.is_finite() => Ok(number_key(x, seed)),
                    Some(x) => Err(reader
                        .error(row_of(i), format!("`{x}` is not a finite number; mend the value or leave it empty"))),
                };
            a.iter().enumerate().map(key).collect()
        }
    }
}

/// One key a row.
pub(crate) fn one(reader: &Reader<'_>, ids: IdKind, seed: u64) -> Result<Keys, FeatureError> {
    Ok(Keys::One(keys_of(reader, &reader.values()?, ids, seed, |i| i)?))
}

/// Several keys a row: a list column, or text split at the separator. Missing items are left out of text, or with `gaps`
/// kept as key 0, so that what goes along with them stays in step; separators of spaces make no gaps.
pub(crate) fn many(
    reader: &Reader<'_>,
    ids: IdKind,
    separator: &str,
    weights: Option<&Reader<'_>>,
    seed: u64,
    gaps: bool,
) -> Result<Keys, FeatureError> {
    let (keys, offsets) = match reader.lists()? {
        Some((items, offsets)) => {
            let row_of = |item: usize| offsets.partition_point(|&o| o as usize <= item).saturating_sub(1);
            let keys = keys_of(reader, &items, ids, seed, row_of)?;
            (keys, offsets)
        }
        None => split_text(reader, ids, separator, seed, gaps && !separator.trim().is_empty())?,
    };
    let weights = weights.map(|w| weight_items(w, separator, &offsets)).transpose()?;
    Ok(Keys::Many { keys, weights, offsets })
}

fn split_text(
    reader: &Reader<'_>,
    ids: IdKind,
    separator: &str,
    seed: u64,
    gaps: bool,
) -> Result<(Vec<u64>, Vec<u32>), FeatureError> {
    let Values::Text(text) = reader.values()? else {
        let Keys::One(keys) = one(reader, ids, seed)? else { return Ok((Vec::new(), vec![0])) };
        let offsets = (0..=keys.len() as u32).collect();
        return Ok((keys, offsets));
    };
    let mut keys = Vec::new();
    let mut offsets = vec![0];
    for (row, value) in text.iter().enumerate() {
        let value = value.unwrap_or("").trim();
        let parts = value.split(separator).map(str::trim).filter(|p| !value.is_empty() && (gaps || !p.is_empty()));
        for part in parts {
            keys.push(if part.is_empty() { 0 } else { text_key(reader, row, part, ids, seed)? });
        }
        offsets.push(keys.len() as u32);
    }
    Ok((keys, offsets))
}

fn weight_items(reader: &Reader<'_>, separator: &str, offsets: &[u32]) -> Result<Vec<f32>, FeatureError> {
    let items: Vec<(usize, String)> = match reader.lists()? {
        Some((values, own)) => {
            let text = |i: usize| match &values {
                Values::Text(a) => a.value(i).to_string(),
                Values::Int(a) => a.value(i).to_string(),
                Values::Float(a) => a.value(i).to_string(),
            };
            own.windows(2)
                .enumerate()
                .flat_map(|(r, w)| (w[0]..w[1]).map(move |i| (r, i as usize)))
                .map(|(r, i)| (r, text(i)))
                .collect()
        }
        None => match reader.values()? {
            Values::Text(a) => a
                .iter()
                .enumerate()
                .flat_map(|(r, t)| {
                    t.unwrap_or("")
                        .split(separator)
                        .filter(|p| !p.trim().is_empty())
                        .map(move |p| (r, p.trim().to_string()))
                        .collect::<Vec<_>>()
                })
                .collect(),
            Values::Int(a) => a.iter().enumerate().filter_map(|(r, x)| Some((r, x?.to_string()))).collect(),
            Values::Float(a) => a.iter().enumerate().filter_map(|(r, x)| Some((r, x?.to_string()))).collect(),
        },
    };
    let mut counts = vec![0u32; offsets.len() - 1];
    let mut weights = Vec::with_capacity(items.len());
    for (row, text) in items {
        let weight = text.parse::<f32>().ok().filter(|w| w.is_finite());
        weights.push(weight.ok_or_else(|| reader.error(row, format!("`{text}` is not a finite weight")))?);
        counts[row] += 1;
    }
    match counts.iter().zip(offsets.windows(2)).position(|(c, w)| *c != w[1] - w[0]) {
        Some(row) => Err(reader.error(
            row,
            format!("{} weights for {} ids; give one weight an id", counts[row], offsets[row + 1] - offsets[row]),
        )),
        None => Ok(weights),
    }
}

/// Buckets of numbers: the key of the bucket's number.
pub(crate) fn bucket(numbers: &[Option<f64>], bounds: &[f64], seed: u64) -> Keys {
    let key = |x: &Option<f64>| x.map_or(0, |x| int_key(bounds.partition_point(|b| *b <= x) as i64, seed));
    Keys::One(numbers.iter().map(key).collect())
}

/// The combinations of the members' keys; missing where a member is missing.
pub(crate) fn cross(members: &[&Keys], rows: usize, seed: u64) -> Keys {
    let span = |keys: &Keys, row: usize| match keys {
        Keys::One(_) => row..row + 1,
        Keys::Many { offsets, .. } => offsets[row] as usize..offsets[row + 1] as usize,
    };
    fn list(keys: &Keys) -> &[u64] {
        match keys {
            Keys::One(k) | Keys::Many { keys: k, .. } => k,
        }
    }
    let mut offsets = vec![0u32];
    let mut out = Vec::with_capacity(rows);
    let mut partial: Vec<u64> = Vec::new();
    let mut next: Vec<u64> = Vec::new();
    for row in 0..rows {
        partial.clear();
        partial.push(seed);
        for member in members {
            next.clear();
            for &so_far in &partial {
                for &key in &list(member)[span(member, row)] {
                    next.push(if so_far == 0 || key == 0 { 0 } else { combine(so_far, key) });
                }
            }
            std::mem::swap(&mut partial, &mut next);
        }
        out.extend_from_slice(&partial);
        offsets.push(out.len() as u32);
    }
    match members.iter().all(|m| matches!(m, Keys::One(_))) {
        true => Keys::One(out),
        false => Keys::Many { keys: out, weights: None, offsets },
    }
}

fn combine(a: u64, b: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.to_le_bytes());
    bytes[8..].copy_from_slice(&b.to_le_bytes());
    xxh3_64(&bytes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_closed_below_and_missing_is_missing() {
        let Keys::One(keys) = bucket(&[Some(17.9), Some(18.0), Some(25.0), None], &[18.0, 25.0], 3) else { panic!() };
        assert_eq!(keys, [int_key(0, 3), int_key(1, 3), int_key(2, 3), 0]);
    }

    #[test]
    fn crosses_are_ordered_pairs_of_fields_and_of_all_items() {
        let a = Keys::One(vec![5, 0]);
        let b = Keys::Many { keys: vec![7, 8, 9], weights: None, offsets: vec![0, 2, 3] };
        let Keys::Many { keys, offsets, .. } = cross(&[&a, &b], 2, 1) else { panic!() };
        assert_eq!(offsets, [0, 2, 3]);
        assert_eq!(keys, [combine(combine(1, 5), 7), combine(combine(1, 5), 8), 0]);
        let Keys::One(ab) = cross(&[&a, &a], 2, 1) else { panic!() };
        let Keys::One(other_seed) = cross(&[&a, &a], 2, 2) else { panic!() };
        assert_ne!(ab[0], other_seed[0]);
    }

    #[test]
    fn the_same_number_has_one_key_however_it_is_stored() {
        assert_eq!(number_key(7.0, 1), int_key(7, 1));
        assert_eq!(int_key(7, 1), key_of(b"7", 1));
        assert_ne!(number_key(7.5, 1), int_key(7, 1));
        assert_ne!(int_key(7, 1), int_key(7, 2));
    }
}
