//! Numbers as people read them.

/// A whole number with commas: `12,345`.
pub fn with_commas(n: u64) -> String {
    let digits = n.to_string();
    let comma = |(at, digit): (usize, char)| match at > 0 && (digits.len() - at).is_multiple_of(3) {
        true => format!(",{digit}"),
        false => digit.to_string(),
    };
    digits.chars().enumerate().map(comma).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_before_every_three_digits() {
        let all = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        all.into_iter().for_each(|(n, text)| assert_eq!(with_commas(n), text));
    }
}
