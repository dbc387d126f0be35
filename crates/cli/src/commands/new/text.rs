//! Pieces of a config file as text.

/// A string of TOML, on one line.
pub(super) fn quoted(text: &str) -> String {
    // What JSON escapes, TOML reads; one character more has to be.
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007f")
}

/// A key of TOML, in quotes where it needs them.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { name.to_string() } else { quoted(name) }
}

/// What stands behind `#`: one line, however a value was written.
pub(super) fn comment(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let short: String = plain.chars().take(160).collect();
    if short.len() < plain.len() { format!("{short}…") } else { short }
}

/// A whole number with commas.
pub(super) fn count(n: usize) -> String {
    burnrec_record::with_commas(n as u64)
}

/// A number in four figures.
pub(super) fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return "0".into();
    }
    let digits = (3 - x.abs().log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{x:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_four_figures() {
        let all = [(-3.997_833, "-3.998"), (12_285.0, "12285"), (0.5, "0.5"), (0.000_123_4, "0.0001234"), (99.0, "99")];
        all.into_iter().for_each(|(x, text)| assert_eq!(short(x), text));
    }
}
