//! One type for a column whose parts have several, and columns as that type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StringArray, new_null_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use crate::value::{NoValue, Values, lists};

/// A type of list, its items text.
pub(crate) fn list_of_text() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// The type that holds the values of both, or none where they contradict each other. Values of two types meet as text, in
/// which a value is the same whatever type it had.
pub(super) fn unify(a: &DataType, b: &DataType) -> Option<DataType> {
    let family = |t: &DataType| Family::of(t);
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
        _ => match (family(a), family(b)) {
            (Family::Other, _) | (_, Family::Other) => None,
            (Family::List, Family::List) => Some(list_of_text()),
            (Family::List, _) | (_, Family::List) => None,
            (Family::Time, Family::Number) | (Family::Number, Family::Time) => None,
            _ if whole(a) && whole(b) => Some(DataType::Int64),
            _ => Some(DataType::Utf8),
        },
    }
}

/// Whole numbers that 64 bits with a sign hold.
fn whole(t: &DataType) -> bool {
    t.is_integer() && *t != DataType::UInt64
}

#[derive(PartialEq)]
enum Family {
    Number,
    Time,
    Text,
    List,
    Other,
}

impl Family {
    fn of(t: &DataType) -> Self {
        match t {
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::RunEndEncoded(_, value) => Self::of(value.data_type()),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Self::Time,
            t if t.is_numeric() => Self::Number,
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::ListView(_)
            | DataType::LargeListView(_) => Self::List,
            t if t.is_nested() || matches!(t, DataType::Duration(_) | DataType::Interval(_)) => Self::Other,
            _ => Self::Text,
        }
    }
}

/// A column as the type that all parts share.
pub(super) fn adapt(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, NoValue> {
    let refused = || NoValue(array.data_type().clone());
    match to {
        _ if array.data_type() == to => Ok(array.clone()),
        _ if *array.data_type() == DataType::Null => Ok(new_null_array(to, array.len())),
        DataType::Utf8 => text(&Values::of(array)?),
        DataType::List(item) => {
            let (items, offsets) = lists(array)?.ok_or_else(refused)?;
            let offsets = OffsetBuffer::new(offsets.into_iter().map(|o| o as i32).collect::<Vec<_>>().into());
            let nulls = array.logical_nulls();
            Ok(Arc::new(ListArray::try_new(item.clone(), offsets, text(&items)?, nulls).map_err(|_| refused())?))
        }
        _ => arrow::compute::cast(array, to).map_err(|_| refused()),
    }
}

fn text(values: &Values) -> Result<ArrayRef, NoValue> {
    Ok(Arc::new((0..values.len()).map(|row| values.text(row)).collect::<StringArray>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    #[test]
    fn types_that_drift_meet_and_those_that_contradict_do_not() {
        use DataType::{Date32, Float64, Int32, Int64, LargeUtf8, Null, UInt64, Utf8};
        for (a, b, want) in [
            (Int32, Int64, Int64),
            (Int64, Float64, Utf8),
            (Null, Float64, Float64),
            (Utf8, LargeUtf8, Utf8),
            (UInt64, Int64, Utf8),
            (Date32, DataType::Timestamp(TimeUnit::Second, None), Utf8),
            (list_of_text(), DataType::List(Arc::new(Field::new_list_field(Int64, true))), list_of_text()),
        ] {
            assert_eq!(unify(&a, &b), Some(want.clone()), "{a} {b}");
            assert_eq!(unify(&b, &a), Some(want), "{b} {a}");
        }
        for (a, b) in [(list_of_text(), Utf8), (Int64, Date32), (DataType::Struct(Vec::<Field>::new().into()), Utf8)] {
            assert_eq!(unify(&a, &b), None, "{a} {b}");
        }
    }
}
