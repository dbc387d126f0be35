//! Text as HTML and in scripts. Whatever a run folder says is text.

/// Text between tags and in attributes.
pub(crate) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Neither the page nor a terminal should take orders from a column's name.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON inside a script element: nothing in it ends the element.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A number in four figures or so: `0.7812`, `12,345`, `3.1e-7`.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    match () {
        () if !x.is_finite() => "–".into(),
        () if x == 0.0 => "0".into(),
        () if !(1e-4..1e15).contains(&size) => format!("{x:.2e}"),
        () if size >= 1000.0 => count(x.round() as i64),
        () if size >= 100.0 => format!("{x:.1}"),
        () if size >= 10.0 => format!("{x:.2}"),
        () if size >= 1.0 => format!("{x:.4}"),
        () => small(x),
    }
}

/// A number below 1: four digits behind the point, or as many more as four figures take.
fn small(x: f64) -> String {
    let digits = (3 - x.abs().log10().floor() as i32).clamp(4, 8) as usize;
    let text = format!("{x:.digits$}");
    let kept = text.trim_end_matches('0').len().max(text.len() - (digits - 4));
    text[..kept].to_string()
}

/// A whole number with commas.
pub(crate) fn count(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}", burnrec_record::with_commas(n.unsigned_abs()))
}

/// `4.2 s`, `3 min 10 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(text("<b a='1'>&\"\u{1b}"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\u{fffd}");
        let quoted = json(&"</script><script>alert(1)</script>");
        assert!(!quoted.contains('<'), "{quoted}");
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), "</script><script>alert(1)</script>");
    }

    #[test]
    fn numbers_are_short_and_keep_their_size() {
        let all = [
            (0.78123, "0.7812"),
            (12_345.6, "12,346"),
            (-1_234_567.0, "-1,234,567"),
            (3.14e-7, "3.14e-7"),
            (0.00015, "0.00015"),
            (0.5, "0.5000"),
            (0.000_123_456, "0.0001235"),
        ];
        for (x, expected) in all {
            assert_eq!(number(x), expected);
        }
        assert_eq!(
            (duration(4.25), duration(190.0), duration(7500.0)),
            ("4.2 s".into(), "3 min 10 s".into(), "2 h 5 min".into())
        );
    }
}
