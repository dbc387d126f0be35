//! Words that stand for nothing.

/// What tools write for a number that is missing.
const NULL_TOKENS: [&str; 13] =
    ["NaT", "NaN", "nan", "NA", "N/A", "n/a", "<NA>", "#N/A", "NULL", "null", "None", "\\N", "nil"];

/// Whether text is what tools write for a missing number. Of ids it is not: `NA` is a country.
pub fn is_null_token(text: &str) -> bool {
    NULL_TOKENS.contains(&text)
}
