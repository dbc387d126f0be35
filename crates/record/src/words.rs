//! Numbers and days as people read them.

/// A whole number with commas: `12,345`.
pub fn with_commas(n: u64) -> String {
    let digits = n.to_string();
    let comma = |(at, digit): (usize, char)| match at > 0 && (digits.len() - at).is_multiple_of(3) {
        true => format!(",{digit}"),
        false => digit.to_string(),
    };
    digits.chars().enumerate().map(comma).collect()
}

/// `1 epoch`, `2 epochs`.
pub fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", with_commas(n), if n == 1 { "" } else { "s" })
}

/// The year, month and day of a number of days since 1970 (Howard Hinnant's algorithm).
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let all = [(0, (1970, 1, 1)), (19_782, (2024, 2, 29)), (19_783, (2024, 3, 1)), (-1, (1969, 12, 31))];
        all.into_iter().for_each(|(days, date)| assert_eq!(civil(days), date));
    }

    #[test]
    fn commas_stand_before_every_three_digits() {
        let all = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        all.into_iter().for_each(|(n, text)| assert_eq!(with_commas(n), text));
    }
}
