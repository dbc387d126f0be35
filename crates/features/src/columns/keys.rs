//! Values to stable 64-bit keys.

use std::borrow::Cow;

use burnrec_data::value::{Values, canonical, cell_items, is_plain, number_text};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::batch::Keys;
use crate::columns::reader::Reader;
use crate::config::{IdKind, TimePart};
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
    key_of(number_text(x).as_bytes(), seed)
}

fn int_key(x: i64, seed: u64) -> u64 {
    key_of(itoa::Buffer::new().format(x).as_bytes(), seed)
}

/// The key of text as equal values have it.
fn text_key(reader: &Reader<'_>, row: usize, text: &str, ids: IdKind, seed: u64) -> Result<u64, FeatureError> {
    match ids {
        IdKind::Text => Ok(key_of(text.as_bytes(), seed)),
        IdKind::Int => match text.parse::<i64>() {
            Ok(x) => Ok(int_key(x, seed)),
            Err(_) => Err(reader.error(
                row,
                format!("`{text}` is not a whole number of 64 bits; use ids = \"text\", or mend the value"),
            )),
        },
        IdKind::Float => {
            match text.parse::<f64>() {
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
            let odd = |i: usize, t: Option<&str>| match t.and_then(canonical) {
                Some(Cow::Borrowed(short)) if a.value(i).len() > short.len() && a.value(i).ends_with('0') => {
                    reader.tell_whole(row_of(i), a.value(i));
                    text_key(reader, row_of(i), short, ids, seed)
                }
                Some(t) => text_key(reader, row_of(i), &t, ids, seed),
                None => Ok(0),
            };
            let key = |(i, t): (usize, Option<&str>)| match t {
                Some(plain) if ids == IdKind::Text && is_plain(plain) => Ok(key_of(plain.as_bytes(), seed)),
                t => odd(i, t),
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

/// The values of a row that [`many`] makes keys of, as equal values have them; missing ones are left out.
pub(crate) fn texts(reader: &Reader<'_>, row: usize, separator: &str) -> Result<Vec<String>, FeatureError> {
    let of = |values: &Values, at: usize| values.text(at).map(Cow::into_owned);
    if let Some((items, offsets)) = reader.lists()? {
        return Ok((offsets[row]..offsets[row + 1]).filter_map(|item| of(&items, item as usize)).collect());
    }
    match reader.values()? {
        Values::Text(cells) => {
            let cell = arrow::array::Array::is_valid(&cells, row).then(|| cells.value(row));
            let all = parts(reader, row, cell, separator, false)?.flatten();
            Ok(all.filter_map(|part| Some(canonical(&part)?.into_owned())).collect())
        }
        values => Ok(of(&values, row).into_iter().collect()),
    }
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
    for (row, cell) in text.iter().enumerate() {
        for part in parts(reader, row, cell, separator, gaps)? {
            let part = part.as_deref().and_then(canonical);
            keys.push(part.map_or(Ok(0), |part| text_key(reader, row, &part, ids, seed))?);
        }
        offsets.push(keys.len() as u32);
    }
    Ok((keys, offsets))
}

/// The values of a cell of several. Empty ones are left out, or kept as gaps.
fn parts<'a>(
    reader: &Reader<'_>,
    row: usize,
    cell: Option<&'a str>,
    separator: &str,
    gaps: bool,
) -> Result<impl Iterator<Item = Option<Cow<'a, str>>>, FeatureError> {
    let cell = cell.unwrap_or("");
    let items = cell_items(cell, separator).map_err(|problem| reader.error(row, format!("`{cell}` {problem}")))?;
    Ok(items.into_iter().filter(move |item| gaps || item.is_some()))
}

fn weight_items(reader: &Reader<'_>, separator: &str, offsets: &[u32]) -> Result<Vec<f32>, FeatureError> {
    let mut counts = vec![0u32; offsets.len() - 1];
    let mut weights = Vec::new();
    let mut add = |row: usize, weight: Result<Option<f64>, &str>| {
        let shown =
            weight.as_ref().map_or_else(|text| text.to_string(), |w| w.map_or(String::new(), |w| w.to_string()));
        let weight = weight.ok().flatten().map(|w| w as f32).filter(|w| w.is_finite());
        weights.push(weight.ok_or_else(|| reader.error(row, format!("`{shown}` is not a finite weight")))?);
        counts[row] += 1;
        Ok::<(), FeatureError>(())
    };
    match reader.lists()? {
        Some((values, own)) => {
            for (row, span) in own.windows(2).enumerate() {
                (span[0]..span[1]).try_for_each(|item| add(row, values.number(item as usize)))?;
            }
        }
        None => match reader.values()? {
            Values::Text(cells) => {
                for (row, cell) in cells.iter().enumerate() {
                    for part in parts(reader, row, cell, separator, false)?.flatten() {
                        add(row, burnrec_data::value::number_of(&part).ok_or(&*part))?;
                    }
                }
            }
            values => {
                for row in 0..values.len() {
                    if let Ok(Some(x)) = values.number(row) {
                        add(row, Ok(Some(x)))?;
                    }
                }
            }
        },
    }
    match counts.iter().zip(offsets.windows(2)).position(|(c, w)| *c != w[1] - w[0]) {
        Some(row) => Err(reader.error(
            row,
            format!("{} weights for {} ids; give one weight an id", counts[row], offsets[row + 1] - offsets[row]),
        )),
        None => Ok(weights),
    }
}

/// A part of a moment, in UTC.
pub(crate) fn part_of(time: i64, part: TimePart) -> i64 {
    const HOUR: i64 = 3_600_000_000_000;
    match part {
        TimePart::Hour => time.div_euclid(HOUR).rem_euclid(24),
        // 1970 began on a Thursday.
        TimePart::Weekday => (time.div_euclid(24 * HOUR) + 3).rem_euclid(7),
        TimePart::Day => time.div_euclid(24 * HOUR),
    }
}

/// Parts of moments.
pub(crate) fn of_times(times: &[Option<i64>], part: TimePart, seed: u64) -> Keys {
    Keys::One(times.iter().map(|time| time.map_or(0, |time| int_key(part_of(time, part), seed))).collect())
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
