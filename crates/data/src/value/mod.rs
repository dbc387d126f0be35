//! What a cell is, whatever the format and the type it was written in: one value has one id, one number and one moment.
//!
//! All that reads a value reads it here: fields, labels, joins, histories, splits, groups, and what is written beside
//! predictions. The rules:
//! - Blanks around a value do not count, and a value of blanks alone is missing.
//! - A whole number is its digits, in whatever type it is stored: 7, 7.0 as a float or a decimal, and the text `7` or `7.0`.
//! - A float of any width is its shortest decimal, the same where 32 bits were stored or written as 64; NaN is missing, infinity is refused by those that need a number.
//! - A decimal is its digits, without zeros at the end of its fraction.
//! - A truth is `true` or `false`; text that says so in another case is the same.
//! - A date or a timestamp is the moment in UTC as ISO 8601: `2024-03-01` at midnight, `2024-03-01T05:00:00` else, with a fraction
//!   where there is one. Text that is a moment is the same one, and a moment as a number is its seconds since 1970.
//! - Bytes are text where they are UTF-8, and else their hexadecimal digits; those of a fixed size always are digits.
//! - Other text is itself: `007` and `07` are no `7`, and `7.50` is no `7.5`, unless a field asks for numbers (`ids = "int"`
//!   or `"float"`).

mod bytes;
mod cell;
mod moment;
mod moments;
mod number;
mod text;
mod token;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, ListArray, StringArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;

pub use cell::cell_items;
pub use moment::{TimeUnit, moment_of};
pub(crate) use moment::{is_day, write_moment};
pub use moments::Moments;
pub(crate) use moments::mixed;
pub use number::{number_of, text as number_text};
pub use text::{canonical, is_plain, whole};
pub use token::is_null_token;

/// A column's values, in one of three forms.
#[derive(Clone, Debug)]
pub enum Values {
    /// Text, as it stands: [`Values::text`] gives what it means.
    Text(StringArray),
    /// Whole numbers; unsigned ones above `i64::MAX` come as text.
    Int(Int64Array),
    /// Fractions.
    Float(Float64Array),
}

/// A type that holds no single value a row.
#[derive(Clone, Debug, PartialEq)]
pub struct NoValue(pub DataType);

impl Values {
    /// The values of a column.
    ///
    /// # Errors
    /// A type that is no value: structures, maps, lists, durations.
    pub fn of(array: &ArrayRef) -> Result<Self, NoValue> {
        let to = |t: &DataType| cast(array, t).map_err(|_| NoValue(array.data_type().clone()));
        let text = |array: ArrayRef| Self::Text(StringArray::from(array.to_data()));
        Ok(match array.data_type() {
            DataType::Utf8 => text(array.clone()),
            DataType::Null => Self::Text(StringArray::from(vec![None::<&str>; array.len()])),
            DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => text(to(&DataType::Utf8)?),
            DataType::Dictionary(_, value) => return Self::of(&to(value)?),
            DataType::RunEndEncoded(_, value) => return Self::of(&to(value.data_type())?),
            DataType::UInt64 if has_large(array) => text(to(&DataType::Utf8)?),
            t if t.is_integer() => Self::Int(Int64Array::from(to(&DataType::Int64)?.to_data())),
            t if t.is_floating() => Self::Float(number::floats(array).ok_or_else(|| NoValue(t.clone()))?),
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Self::Text(number::decimals(&to(&DataType::Utf8)?))
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Self::Text(bytes::texts(&to(&DataType::Binary)?))
            }
            DataType::FixedSizeBinary(_) => Self::Text(bytes::digits(array)),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
                Self::Text(moments::texts(array).ok_or_else(|| NoValue(array.data_type().clone()))?)
            }
            DataType::Time32(_) | DataType::Time64(_) => text(to(&DataType::Utf8)?),
            other => return Err(NoValue(other.clone())),
        })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(a) => a.len(),
            Self::Int(a) => a.len(),
            Self::Float(a) => a.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A value as text: two are one exactly where these are equal. None where it is missing.
    pub fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(a) => a.is_valid(row).then(|| canonical(a.value(row))).flatten(),
            Self::Int(a) => a.is_valid(row).then(|| a.value(row).to_string().into()),
            Self::Float(a) => a.is_valid(row).then(|| number::text(a.value(row)).into()),
        }
    }

    /// A value as a number, none where it is missing.
    ///
    /// # Errors
    /// Text that is no number, as it stands.
    pub fn number(&self, row: usize) -> Result<Option<f64>, &str> {
        match self {
            Self::Text(a) if a.is_null(row) => Ok(None),
            Self::Text(a) => number_of(a.value(row)).ok_or_else(|| a.value(row).trim()),
            Self::Int(a) => Ok(a.is_valid(row).then(|| a.value(row) as f64)),
            Self::Float(a) => Ok(a.is_valid(row).then(|| a.value(row))),
        }
    }
}

/// Where the values of each row end, in the form of Arrow's offsets.
pub type Offsets = Vec<u32>;

/// The values of a column of lists and where each row's start; none where the column holds no lists.
///
/// # Errors
/// Lists of what is no value.
pub fn lists(array: &ArrayRef) -> Result<Option<(Values, Offsets)>, NoValue> {
    let item = match array.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Arc::clone(item),
        DataType::Dictionary(_, value) if value.is_nested() => {
            return lists(&cast(array, value).map_err(|_| NoValue(array.data_type().clone()))?);
        }
        _ => return Ok(None),
    };
    let plain = cast(array, &DataType::List(item)).map_err(|_| NoValue(array.data_type().clone()))?;
    let list = ListArray::from(plain.to_data());
    // What stands under a missing list does not count.
    let mut picked = Vec::new();
    let mut offsets = vec![0u32];
    for row in 0..list.len() {
        if list.is_valid(row) {
            let (from, to) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
            picked.extend((from..to).map(|i| i as u32));
        }
        offsets.push(picked.len() as u32);
    }
    let whole = picked.len() == list.values().len() && picked.first().is_none_or(|f| *f == 0);
    let items = match whole {
        true => Arc::clone(list.values()),
        false => arrow::compute::take(list.values(), &arrow::array::UInt32Array::from(picked), None)
            .map_err(|_| NoValue(array.data_type().clone()))?,
    };
    Ok(Some((Values::of(&items)?, offsets)))
}

/// A column as text that reads back as the same values, text as it stands.
///
/// # Errors
/// A type that is no value.
pub fn written(array: &ArrayRef) -> Result<StringArray, NoValue> {
    match array.data_type() {
        DataType::Dictionary(_, value) => written(&cast(array, value).map_err(|_| NoValue(array.data_type().clone()))?),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => match Values::of(array)? {
            Values::Text(text) => Ok(text),
            values => Ok((0..values.len()).map(|row| values.text(row)).collect()),
        },
        _ => {
            let values = Values::of(array)?;
            Ok((0..values.len()).map(|row| values.text(row)).collect())
        }
    }
}

fn has_large(array: &ArrayRef) -> bool {
    UInt64Array::from(array.to_data()).iter().flatten().any(|x| i64::try_from(x).is_err())
}

#[cfg(test)]
mod tests;
