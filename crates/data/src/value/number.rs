//! Numbers.

use arrow::array::{Array, ArrayRef, Float16Array, Float32Array, Float64Array, StringArray};
use arrow::datatypes::DataType;

use super::moment;
use super::token::is_null_token;

/// The number that text says: plain decimals, truths as 1 and 0, moments as seconds since 1970. The inner none is a
/// missing one, the outer is text that is no number.
pub fn number_of(text: &str) -> Option<Option<f64>> {
    let text = text.trim();
    let Some(first) = text.as_bytes().first() else { return Some(None) };
    if matches!(first, b'0'..=b'9' | b'-' | b'+' | b'.') {
        // `-inf` parses too: whoever needs a finite number says so itself.
        return match text.parse::<f64>() {
            Ok(x) => Some(Some(x).filter(|x| !x.is_nan())),
            Err(_) => moment::seconds(text).map(Some),
        };
    }
    match () {
        () if is_null_token(text) => Some(None),
        () if text.eq_ignore_ascii_case("true") => Some(Some(1.0)),
        () if text.eq_ignore_ascii_case("false") => Some(Some(0.0)),
        () => text.parse().ok().map(|x: f64| Some(x).filter(|x| !x.is_nan())),
    }
}

/// Floats of any width as the decimals that they show; NaN is missing.
pub(super) fn floats(array: &ArrayRef) -> Option<Float64Array> {
    // The shortest decimal of a narrow float is what was meant: 0.1, and not 0.10000000149.
    let shown = |x: f32| match x.is_finite() {
        true => x.to_string().parse().unwrap_or(f64::from(x)),
        false => f64::from(x),
    };
    let wide: Float64Array = match array.data_type() {
        DataType::Float64 => Float64Array::from(array.to_data()),
        DataType::Float32 => Float32Array::from(array.to_data()).iter().map(|x| x.map(shown)).collect(),
        DataType::Float16 => {
            let half = Float16Array::from(array.to_data());
            // Three to five digits tell any of them from all others.
            let short = |x: f32| {
                let rounded = (2..=4).map(|digits| format!("{x:.digits$e}").parse::<f32>().unwrap_or(x));
                let same = |y: &f32| half_of(*y) == half_of(x);
                shown(rounded.into_iter().find(same).unwrap_or(x))
            };
            half.iter()
                .map(|x| x.map(|x| if x.is_finite() { short(x.to_f32()) } else { f64::from(x.to_f32()) }))
                .collect()
        }
        _ => return None,
    };
    match wide.values().iter().any(|x| x.is_nan()) {
        true => Some(wide.iter().map(|x| x.filter(|x| !x.is_nan())).collect()),
        false => Some(wide),
    }
}

/// A float rounded to 16 bits, as its bits.
fn half_of(x: f32) -> Option<u16> {
    let wide = Float32Array::from(vec![x]);
    let half = arrow::compute::cast(&wide, &DataType::Float16).ok()?;
    Some(Float16Array::from(half.to_data()).value(0).to_bits())
}

/// A float's shortest decimal; whole ones have no fraction, and zero no sign.
pub fn text(x: f64) -> String {
    let narrow = x as f32;
    match x == 0.0 {
        true => "0".into(),
        // A float of 32 bits that was stored in 64.
        false if x.fract() != 0.0 && f64::from(narrow) == x => narrow.to_string(),
        false => x.to_string(),
    }
}

/// Decimals written out, without zeros at the end of their fractions.
pub(super) fn decimals(written: &ArrayRef) -> StringArray {
    let written = StringArray::from(written.to_data());
    let short = |t: &str| match t.contains('.') {
        true => t.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => t.to_string(),
    };
    written.iter().map(|t| t.map(short)).collect()
}
