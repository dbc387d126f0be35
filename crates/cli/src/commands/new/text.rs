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
    let digits = n.to_string();
    let comma = |(at, digit): (usize, char)| match at > 0 && (digits.len() - at).is_multiple_of(3) {
        true => format!(",{digit}"),
        false => digit.to_string(),
    };
    digits.chars().enumerate().map(comma).collect()
}
