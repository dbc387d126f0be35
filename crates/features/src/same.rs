//! When two values are one.

/// A value as a number, `true` being 1 and `false` 0 in any case.
pub(crate) fn number(text: &str) -> Option<f64> {
    match () {
        () if text.eq_ignore_ascii_case("true") => Some(1.0),
        () if text.eq_ignore_ascii_case("false") => Some(0.0),
        () => text.parse().ok(),
    }
}

/// As numbers where both are, else as texts.
pub(crate) fn same(a: &str, b: &str) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn numbers_and_truths_are_one_however_they_are_written() {
        for (a, b) in [("1", "1.0"), ("true", "1"), ("True", "true"), ("0", "FALSE"), ("EU", "EU"), ("-0.0", "0")] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [("true", "0"), ("EU", "eu"), ("1", "2"), ("true", "yes")] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
