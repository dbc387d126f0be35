//! Cells of several values: a list as Python, numpy and JSON write it, or text between separators.

use std::borrow::Cow;

/// The values of a cell, none where one is missing. A cell of blanks has none at all.
///
/// # Errors
/// A list in a list, a quote that stays open, a list that was shortened when it was printed.
pub fn cell_items<'a>(cell: &'a str, separator: &str) -> Result<Vec<Option<Cow<'a, str>>>, String> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(Vec::new());
    }
    match list_in(cell)? {
        Some(items) => items.into_iter().map(item).collect(),
        None => Ok(cell.split(separator).map(str::trim).map(|p| (!p.is_empty()).then_some(Cow::from(p))).collect()),
    }
}

/// What stands between the commas of a cell in brackets, or its blanks where there is no comma; none where the brackets do
/// not hold the whole cell, as in `[a] [b]`.
fn list_in(cell: &str) -> Result<Option<Vec<&str>>, String> {
    let Some(inside) = cell.strip_prefix('[').and_then(|c| c.strip_suffix(']')) else { return Ok(None) };
    let (mut commas, mut blanks) = (vec![0], vec![0]);
    let (mut quote, mut escaped, mut depth) = (None, false, 0);
    let mut before = ' ';
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            // Within a word it is an apostrophe.
            (None, '\'' | '"') if !before.is_alphanumeric() => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Ok(None),
            (None, ']') => return Err("is a list in a list; give one list of values".into()),
            (None, ',') => commas.push(at + 1),
            (None, c) if c.is_whitespace() => blanks.push(at + c.len_utf8()),
            _ => {}
        }
        before = c;
    }
    if let Some(quote) = quote {
        return Err(format!("has a {quote} that stays open"));
    }
    if inside.trim().is_empty() {
        return Ok(Some(Vec::new()));
    }
    let (starts, listed) = if commas.len() > 1 { (commas, true) } else { (blanks, false) };
    let ends = starts.iter().skip(1).copied().chain([inside.len() + 1]);
    let piece = |(start, end): (&usize, usize)| inside[*start..end.min(inside.len())].trim_end_matches(',').trim();
    let mut items: Vec<&str> = starts.iter().zip(ends).map(piece).collect();
    // Blanks follow one another, and a comma may stand at the end.
    match listed {
        true if items.last().is_some_and(|last| last.is_empty()) => _ = items.pop(),
        true => {}
        false => items.retain(|item| !item.is_empty()),
    }
    Ok(Some(items))
}

/// A value of a list without its quotes.
fn item(written: &str) -> Result<Option<Cow<'_, str>>, String> {
    // `np.int64(7)` and `np.str_('a')`, as numpy shows its values within a list of Python.
    let value = written.strip_prefix("np.").and_then(|v| v.strip_suffix(')')?.split_once('('));
    let value = value.map_or(written, |(_, value)| value);
    for quote in ['\'', '"'] {
        if let Some(quoted) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return Ok((!quoted.is_empty()).then(|| unescaped(quoted)));
        }
    }
    if value == "..." {
        return Err("was shortened when it was written (`...`); write all of its values".into());
    }
    // Not `NA`, which is a country.
    let missing = matches!(value, "" | "None" | "null" | "nan" | "NaN" | "NaT" | "<NA>");
    // numpy writes whole floats with their point.
    let number = value.strip_suffix('.').filter(|v| v.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
    Ok((!missing).then(|| number.filter(|n| !n.is_empty()).unwrap_or(value).into()))
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let json = format!("\"{}\"", text.replace("\\'", "'"));
    if let Ok(text) = serde_json::from_str::<String>(&json) {
        return text.into();
    }
    let mut chars = text.chars();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cell: &str, separator: &str) -> Vec<String> {
        let items = cell_items(cell, separator).unwrap_or_else(|e| panic!("{cell}: {e}"));
        items.into_iter().map(|item| item.map_or("-".into(), Cow::into_owned)).collect()
    }

    #[test]
    fn a_list_is_the_same_however_it_is_written() {
        for cell in ["a b", "[a, b]", "['a', 'b']", "[\"a\", \"b\"]", "[a b]", " ['a' 'b'] ", "[a,b,]", "[ a  b ]"] {
            assert_eq!(read(cell, " "), ["a", "b"], "{cell}");
        }
        for cell in ["1|2", "[1, 2]", "[1. 2.]", "[1.,2.]", "[np.int64(1), np.int64(2)]"] {
            assert_eq!(read(cell, "|"), ["1", "2"], "{cell}");
        }
    }

    #[test]
    fn what_is_quoted_is_one_value() {
        for cell in ["[\"a, b\", \"c\"]", "['a, b', 'c']", "['a, b' 'c']", "[\"a, b\" 'c']"] {
            assert_eq!(read(cell, ","), ["a, b", "c"], "{cell}");
        }
        assert_eq!(read(r#"["it's", 'don\'t', "a\"b", "\u00e9"]"#, ","), ["it's", "don't", "a\"b", "é"]);
        assert_eq!(read("[O'Brien, D'Arcy]", ","), ["O'Brien", "D'Arcy"]);
        assert_eq!(read("['[x]', 'y']", ","), ["[x]", "y"]);
    }

    #[test]
    fn missing_items_keep_their_place() {
        assert_eq!(read("[1, None, 2]", "|"), ["1", "-", "2"]);
        assert_eq!(read("[1, null, nan]", "|"), ["1", "-", "-"]);
        assert_eq!(read("a||b", "|"), ["a", "-", "b"]);
        assert!(read("[]", " ").is_empty() && read(" ", " ").is_empty() && read("[ ]", ",").is_empty());
    }

    #[test]
    fn brackets_that_are_no_list_are_text_and_broken_lists_are_refused() {
        assert_eq!(read("[a]|[b]", "|"), ["[a]", "[b]"]);
        assert_eq!(read("(no genres)", "|"), ["(no genres)"]);
        for cell in ["[[1, 2], [3]]", "['a, b]", "[1 2 ... 9]"] {
            assert!(cell_items(cell, ",").is_err(), "{cell}");
        }
    }
}
