//! Cells as text and as JSON: what is written reads back as the same values, and no digit is lost.

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::DataType;
use burnrec_data::value::{NoValue, Values, lists, written};
use serde_json::Value;

fn refused(column: &str) -> impl Fn(NoValue) -> String + '_ {
    move |found| format!("column `{column}` is {}, which cannot be written; leave it out with --columns", found.0)
}

/// The items of a list column, and where each row's start.
type Lists = (Values, Vec<u32>);

fn items(array: &ArrayRef, column: &str) -> Result<Option<Lists>, String> {
    lists(array).map_err(refused(column))
}

/// A column as text. Lists are their items with blanks between them; where an item has blanks itself, or is missing, they
/// are JSON.
pub fn text(array: &ArrayRef, column: &str) -> Result<StringArray, String> {
    let Some((values, offsets)) = items(array, column)? else {
        return written(array).map_err(refused(column));
    };
    let nulls = array.logical_nulls();
    let cell = |row: usize| {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return None;
        }
        let own: Vec<_> = (offsets[row]..offsets[row + 1]).map(|item| values.text(item as usize)).collect();
        let plain = |item: &str| !item.contains(char::is_whitespace) && !item.starts_with('[');
        let simple = own.iter().all(|item| item.as_deref().is_some_and(plain));
        Some(match simple {
            true => own.iter().flatten().map(|item| &**item).collect::<Vec<_>>().join(" "),
            false => {
                Value::from(own.iter().map(|item| item.as_deref().map(Value::from)).collect::<Vec<_>>()).to_string()
            }
        })
    };
    Ok((0..array.len()).map(cell).collect())
}

/// A column as JSON, a value a row.
pub fn json(array: &ArrayRef, column: &str) -> Result<Vec<String>, String> {
    let Some((values, offsets)) = items(array, column)? else {
        let text = written(array).map_err(refused(column))?;
        let bare = bare(array.data_type());
        return Ok(text.iter().map(|cell| one(cell, bare)).collect());
    };
    let nulls = array.logical_nulls();
    let bare = match array.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => bare(item.data_type()),
        _ => false,
    };
    let cell = |row: usize| {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return "null".to_string();
        }
        let own = (offsets[row]..offsets[row + 1]).map(|item| one(values.text(item as usize).as_deref(), bare));
        format!("[{}]", own.collect::<Vec<_>>().join(","))
    };
    Ok((0..array.len()).map(cell).collect())
}

/// Whether JSON writes values of a type without quotes.
fn bare(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => bare(value),
        other => other.is_numeric() || *other == DataType::Boolean,
    }
}

/// A value; numbers that JSON does not know, such as infinity, are text.
fn one(cell: Option<&str>, bare: bool) -> String {
    let known = |text: &str| text.parse::<f64>().map_or(matches!(text, "true" | "false"), f64::is_finite);
    match cell {
        None => "null".into(),
        Some(text) if bare && known(text) => text.into(),
        Some(text) => Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow::array::{Decimal128Array, Float64Array, ListArray, TimestampMicrosecondArray, UInt64Array};
    use arrow::datatypes::{Int64Type, UInt64Type};

    #[test]
    fn digits_are_kept_and_lists_read_back() {
        let decimal = Decimal128Array::from(vec![12_345_678_901_234_567_891_i128]).with_precision_and_scale(30, 2);
        let decimal: ArrayRef = Arc::new(decimal.unwrap());
        assert_eq!(json(&decimal, "x").unwrap(), ["123456789012345678.91"]);
        let large: ArrayRef = Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]));
        assert_eq!(json(&large, "x").unwrap(), ["18446744073709551615", "null"]);
        let odd: ArrayRef = Arc::new(Float64Array::from(vec![7.0, 0.5, f64::INFINITY]));
        assert_eq!(json(&odd, "x").unwrap(), ["7", "0.5", "\"inf\""]);
        let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_500_000]).with_timezone("UTC"));
        assert_eq!(json(&time, "x").unwrap(), ["\"1970-01-01T00:00:01.5\""]);
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some((1 << 62) + 1), Some(2)]),
            None,
            Some(vec![None, Some(3)]),
        ]));
        assert_eq!(json(&lists, "x").unwrap(), ["[4611686018427387905,2]", "null", "[null,3]"]);
        let cells = text(&lists, "x").unwrap();
        assert_eq!((cells.value(0), cells.is_null(1), cells.value(2)), ("4611686018427387905 2", true, "[null,\"3\"]"));
        let wide: ArrayRef = Arc::new(ListArray::from_iter_primitive::<UInt64Type, _, _>([Some(vec![Some(u64::MAX)])]));
        assert_eq!(json(&wide, "x").unwrap(), ["[18446744073709551615]"]);
    }
}
