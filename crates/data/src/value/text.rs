//! Text as the value that it means.

use std::borrow::Cow;

use super::moment;

/// Whether text stands for itself at a glance, as most ids do; where it does not, [`canonical`] says what it means.
#[inline]
pub fn is_plain(text: &str) -> bool {
    let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else { return false };
    let ends_bare = last.is_ascii_graphic();
    match first {
        // What begins otherwise is no number, no truth, no moment.
        b'a'..=b'z' | b'A'..=b'Z' => ends_bare && !matches!(first | 0x20, b't' | b'f'),
        // Shorter than a moment, and without a fraction.
        b'0'..=b'9' => ends_bare && text.len() < 16 && !text.as_bytes().contains(&b'.'),
        _ => false,
    }
}

/// Text as two equal values have it, whatever type they come in; none for blanks alone.
#[inline]
pub fn canonical(text: &str) -> Option<Cow<'_, str>> {
    // Most values have no blanks around them.
    let bare = |byte: Option<&u8>| byte.is_some_and(|b| (0x21..0x80).contains(b));
    let text = match bare(text.as_bytes().first()) && bare(text.as_bytes().last()) {
        true => text,
        false => text.trim(),
    };
    Some(match *text.as_bytes().first()? {
        b't' | b'T' if text.eq_ignore_ascii_case("true") => "true".into(),
        b'f' | b'F' if text.eq_ignore_ascii_case("false") => "false".into(),
        b'0'..=b'9' if moment::looks_like_one(text) => match moment::written(text) {
            Some(moment) => moment.into(),
            None => text.into(),
        },
        b'0'..=b'9' | b'-' if memchr::memchr(b'.', text.as_bytes()).is_none() => {
            if text == "-0" {
                "0".into()
            } else {
                text.into()
            }
        }
        b'0'..=b'9' | b'-' => match whole(text) {
            Some(digits) => digits.into(),
            None => narrow(text).map_or(text.into(), Cow::from),
        },
        _ => text.into(),
    })
}

/// The shortest decimal of a float of 32 bits that was written with more digits than it has: `0.200000003` is 0.2.
fn narrow(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() < 9 || !digits(whole.strip_prefix('-').unwrap_or(whole)) || !digits(fraction) {
        return None;
    }
    let narrow: f32 = text.parse().ok()?;
    let short = narrow.to_string();
    let shorter = short.len() + 2 < text.len();
    (shorter && format!("{:.*}", fraction.len(), f64::from(narrow)) == text).then_some(short)
}

/// The digits of a whole number that is written with a fraction, as tools write a column of floats. `07.0` is a code.
pub fn whole(text: &str) -> Option<&str> {
    let (digits, fraction) = match text.rsplit_once('.') {
        Some((digits, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => (digits, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let bare = digits.strip_prefix('-').unwrap_or(digits);
    let number = match bare.as_bytes() {
        [b'0'] => return Some("0").filter(|zero| *zero != text),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    (number && !fraction.is_empty()).then_some(digits)
}
