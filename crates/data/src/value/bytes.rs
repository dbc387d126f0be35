//! Bytes as text.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, StringArray};

/// Bytes that are UTF-8 as the text that they are, others as hexadecimal digits.
pub(super) fn texts(array: &ArrayRef) -> StringArray {
    let bytes = BinaryArray::from(array.to_data());
    let text = |b: &[u8]| match std::str::from_utf8(b) {
        Ok(text) if !text.contains('\0') => text.to_string(),
        _ => hex(b),
    };
    bytes.iter().map(|b| b.map(text)).collect()
}

/// Bytes of a fixed size as hexadecimal digits.
pub(super) fn digits(array: &ArrayRef) -> StringArray {
    FixedSizeBinaryArray::from(array.to_data()).iter().map(|b| b.map(hex)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
