//! One value in every type that can hold it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Int32Type};

use super::{Moments, TimeUnit, Values};

fn texts(array: ArrayRef) -> Vec<Option<String>> {
    let values = Values::of(&array).unwrap();
    (0..values.len()).map(|row| values.text(row).map(|t| t.into_owned())).collect()
}

fn one(array: ArrayRef) -> String {
    texts(array)[0].clone().unwrap()
}

#[test]
fn seven_is_seven_in_every_type() {
    let decimal = Decimal128Array::from(vec![700]).with_precision_and_scale(10, 2).unwrap();
    let dictionary: DictionaryArray<Int32Type> = vec!["7"].into_iter().collect();
    let all: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![7])),
        Arc::new(UInt64Array::from(vec![7])),
        Arc::new(Float64Array::from(vec![7.0])),
        Arc::new(Float32Array::from(vec![7.0])),
        arrow::compute::cast(&Float32Array::from(vec![7.0]), &DataType::Float16).unwrap(),
        Arc::new(decimal),
        Arc::new(StringArray::from(vec![" 7"])),
        Arc::new(LargeStringArray::from(vec!["7\t"])),
        Arc::new(StringViewArray::from(vec!["7"])),
        Arc::new(BinaryArray::from(vec![&b"7"[..]])),
        Arc::new(BinaryViewArray::from(vec![&b"7"[..]])),
        Arc::new(dictionary),
    ];
    for array in all {
        assert_eq!(one(array.clone()), "7", "{}", array.data_type());
        assert_eq!(Values::of(&array).unwrap().number(0), Ok(Some(7.0)), "{}", array.data_type());
    }
    assert_eq!(one(Arc::new(UInt64Array::from(vec![u64::MAX]))), u64::MAX.to_string());
    assert_eq!(one(Arc::new(Float64Array::from(vec![-0.0]))), "0");
    assert_eq!(one(Arc::new(Float64Array::from(vec![9_007_199_254_740_992.0]))), "9007199254740992");
    assert_eq!(one(Arc::new(Float32Array::from(vec![0.1]))), "0.1");
    assert_eq!(Values::of(&(Arc::new(Float32Array::from(vec![0.1])) as ArrayRef)).unwrap().number(0), Ok(Some(0.1)));
    for (text, value) in [
        ("007", "007"),
        ("7.0", "7"),
        ("7.50", "7.50"),
        ("07.0", "07.0"),
        ("-0", "0"),
        ("-7.00", "-7"),
        ("0.200000003", "0.2"),
        ("0.20000000298023224", "0.2"),
        ("12345678.91", "12345678.91"),
    ] {
        assert_eq!(one(Arc::new(StringArray::from(vec![text]))), value);
    }
    assert_eq!(one(Arc::new(FixedSizeBinaryArray::try_from_iter([[0x41u8, 0x42]].into_iter()).unwrap())), "4142");
    assert_eq!(one(Arc::new(BinaryArray::from(vec![&[0xffu8, 0][..]]))), "ff00");
    assert_eq!(one(Arc::new(Float64Array::from(vec![f64::from(0.2f32)]))), "0.2");
    assert_eq!(one(Arc::new(Float64Array::from(vec![12_345_678.91]))), "12345678.91");
    assert_eq!(texts(Arc::new(Float64Array::from(vec![f64::NAN]))), [None]);
    assert_eq!(texts(Arc::new(StringArray::from(vec![" ", ""]))), [None, None]);
}

#[test]
fn a_truth_is_one_in_every_spelling() {
    let spellings = texts(Arc::new(StringArray::from(vec!["True", "TRUE", "true", "False"])));
    let stored = texts(Arc::new(BooleanArray::from(vec![true, true, true, false])));
    assert_eq!(spellings, stored);
}

#[test]
fn a_moment_is_one_in_every_unit_zone_and_spelling() {
    let second = 1_709_269_200;
    let stored: Vec<ArrayRef> = vec![
        Arc::new(TimestampSecondArray::from(vec![second])),
        Arc::new(TimestampMillisecondArray::from(vec![second * 1_000]).with_timezone("UTC")),
        Arc::new(TimestampMicrosecondArray::from(vec![second * 1_000_000]).with_timezone("+02:00")),
        Arc::new(TimestampNanosecondArray::from(vec![second * 1_000_000_000]).with_timezone("Europe/Berlin")),
        Arc::new(StringArray::from(vec!["2024-03-01T05:00:00Z"])),
        Arc::new(StringArray::from(vec!["2024-03-01 05:00:00"])),
        Arc::new(StringArray::from(vec!["2024-03-01 07:00:00.000+02:00"])),
        Arc::new(StringArray::from(vec!["2024-03-01 05:00:00 UTC"])),
    ];
    for array in &stored {
        assert_eq!(one(array.clone()), "2024-03-01T05:00:00", "{}", array.data_type());
        assert_eq!(Values::of(array).unwrap().number(0), Ok(Some(second as f64)), "{}", array.data_type());
        assert_eq!(Moments::of(array, None).unwrap().values, [Some(second * 1_000_000_000)], "{}", array.data_type());
    }
    for (count, unit) in [
        (second, TimeUnit::Seconds),
        (second * 1_000, TimeUnit::Milliseconds),
        (second * 1_000_000, TimeUnit::Microseconds),
        (second * 1_000_000_000, TimeUnit::Nanoseconds),
    ] {
        let counts: [ArrayRef; 2] =
            [Arc::new(Int64Array::from(vec![count])), Arc::new(StringArray::from(vec![count.to_string()]))];
        for array in counts {
            let moments = Moments::of(&array, None).unwrap();
            assert_eq!((moments.values, moments.unit), (vec![Some(second * 1_000_000_000)], Some(unit)));
        }
    }
    let day: [ArrayRef; 3] = [
        Arc::new(Date32Array::from(vec![19_783])),
        Arc::new(StringArray::from(vec!["2024-03-01"])),
        Arc::new(StringArray::from(vec!["2024-03-01T00:00:00.000"])),
    ];
    assert!(day.iter().all(|array| one(array.clone()) == "2024-03-01"));
    let exact: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_709_269_200_123_456_789]));
    assert_eq!(Moments::of(&exact, None).unwrap().values, [Some(1_709_269_200_123_456_789)]);
    assert_eq!(one(exact), "2024-03-01T05:00:00.123456789");
    let dates: ArrayRef = Arc::new(Int64Array::from(vec![20_240_301]));
    let read = Moments::of(&dates, Some(TimeUnit::Dates)).unwrap().values;
    assert_eq!(read, [Some(19_783 * 86_400_000_000_000)]);
}

#[test]
fn what_is_no_time_or_of_two_units_is_refused_with_its_row() {
    let refused =
        |values: Vec<&str>| Moments::of(&(Arc::new(StringArray::from(values)) as ArrayRef), None).unwrap_err();
    assert_eq!(refused(vec!["1", "soon"]).0, 1);
    let (row, problem) = refused(vec!["1709269200", "1709269200000"]);
    assert!(row == 1 && problem.contains("milliseconds") && problem.contains("time_unit"), "{problem}");
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, 99_999_999_999]));
    assert_eq!(Moments::of(&far, None).unwrap_err().0, 1);
}

#[test]
fn plain_text_is_what_stands_for_itself() {
    for text in ["a", "68fd1e64", "7", "007", "u1.0", "N1-0", "20240305", "NaN", "7-1", "Größe 1"] {
        assert!(super::is_plain(text) && super::canonical(text).as_deref() == Some(text), "{text}");
    }
    for text in ["", " a", "a ", "7.0", "-0", "true", "TRUE", "False", "ü", "7 ", "2024-03-05T06:07:08", "x\u{a0}"] {
        assert!(!super::is_plain(text), "{text}");
    }
}
