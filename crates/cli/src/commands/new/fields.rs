//! What each column is as an input, and why.

use std::collections::HashSet;

use burnrec_data::Typed;
use burnrec_data::profile::{ColumnProfile, Profile};

use super::roles::{names, percent, words};
use super::text::{count, key, quoted, short};

/// A line of `[features.fields]`, or a column that is left out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    /// What stands behind `=`; none where the column is left out.
    pub(super) value: Option<String>,
    pub(super) why: String,
}

/// Whole numbers of so few values are kinds of something.
const KINDS: usize = 24;

/// Numbers that are all cut into buckets where a file has nothing else.
const MOST_BUCKETS: usize = 50;

/// Texts that split cells of several ids, in the order in which they are tried.
const SEPARATORS: [&str; 3] = ["|", ";", ","];

fn left_out(column: &ColumnProfile, why: String) -> Field {
    Field { name: column.name.clone(), value: None, why }
}

/// A field's value with the column that it reads.
fn reading(value: &str, column: &str) -> String {
    match value.strip_prefix('{') {
        Some(rest) => format!("{{ column = {},{rest}", quoted(column)),
        None => format!("{{ kind = {value}, column = {} }}", quoted(column)),
    }
}

/// Names that a config would take for a range are told by their column instead.
fn field(column: &ColumnProfile, value: &str, why: String) -> Field {
    let name: String = column.name.replace('[', "(").replace(']', ")").replace('*', "+");
    let value = if name == column.name { value.to_string() } else { reading(value, &column.name) };
    Field { name, value: Some(value), why }
}

/// What separates several ids in a cell: a text that many values hold, between far fewer parts.
fn separator(column: &ColumnProfile) -> Option<&'static str> {
    if column.typed == Some(Typed::TokenSeq) {
        return Some(" ");
    }
    SEPARATORS.into_iter().find(|separator| {
        let holds = column.values.iter().filter(|value| value.contains(separator)).count();
        let parts: HashSet<&str> = column.values.iter().flat_map(|v| v.split(separator)).map(str::trim).collect();
        holds * 4 >= column.distinct() && column.distinct() >= 8 && parts.len() * 2 <= column.distinct()
    })
}

/// Whether numbers have a long tail.
fn is_skewed(numbers: &[f64]) -> bool {
    let mut known: Vec<f64> = numbers.iter().copied().filter(|x| !x.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    match (known.first(), known.last()) {
        (Some(low), Some(high)) if *low >= 0.0 => {
            let (middle, most) = (known[known.len() / 2], known[known.len() * 9 / 10]);
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            *high > 20.0 * f64::max(most, 1e-9)
                || (middle == 0.0 && *high > 100.0)
                || (middle > 0.0 && mean > 2.5 * middle)
        }
        _ => false,
    }
}

/// How a column is read. `is_id` says that it is the user or the item.
pub(super) fn of(column: &ColumnProfile, rows: usize, is_id: bool) -> Field {
    let (distinct, missing) = (column.distinct(), column.missing());
    let lacks = match missing {
        0 => String::new(),
        _ => format!(", {} missing", percent(missing as f64 / rows.max(1) as f64)),
    };
    if column.lists {
        return field(column, r#"{ kind = "multi" }"#, "lists of values".into());
    }
    if distinct == 0 {
        return left_out(column, "has no value".into());
    }
    if distinct == 1 && missing == 0 {
        return left_out(column, format!("is {} on every row", quoted(&column.values[0])));
    }
    let values = format!("{} values{lacks}", count(distinct));
    if is_id {
        return field(column, r#""categorical""#, values);
    }
    if let Some(separator) = separator(column) {
        let value = format!(r#"{{ kind = "multi", separator = {} }}"#, quoted(separator));
        return field(column, &value, format!("several values a cell, between {}{lacks}", quoted(separator)));
    }
    let of_its_own = distinct + missing == rows && rows > 100;
    if let Some(numbers) = &column.numbers {
        let called_id = names(&column.name, &["id", "code", "zip", "postcode"]) || ends_in_id(&column.name);
        if column.whole && called_id && of_its_own {
            return left_out(
                column,
                "has a different value on every row: it identifies rows and says nothing about others".into(),
            );
        }
        if column.whole && (distinct <= KINDS || called_id) {
            return field(column, r#""categorical""#, format!("whole numbers of {values}"));
        }
        let (low, high) = column.range().unwrap_or_default();
        let range = format!("numbers from {} to {}{lacks}", short(low), short(high));
        return match is_skewed(numbers) {
            true => {
                field(column, r#"{ kind = "numeric", transform = "log1p" }"#, format!("{range}, few of them large"))
            }
            false => field(column, r#""numeric""#, range),
        };
    }
    if let Some(why) = unread(column) {
        return left_out(column, why);
    }
    if of_its_own || (distinct * 10 > rows * 9 && rows > 100) {
        return left_out(column, format!("has {values} on {} rows: text of each row's own", count(rows)));
    }
    field(column, r#""categorical""#, values)
}

/// Gives fields of one name others: those that were added, or whose column has a name that a config would take for a range.
pub(super) fn tell_apart(fields: &mut [Field]) {
    for at in 0..fields.len() {
        let taken = |name: &str, fields: &[Field]| {
            fields.iter().enumerate().any(|(other, field)| other < at && field.value.is_some() && field.name == name)
        };
        if fields[at].value.is_some() && taken(&fields[at].name, fields) {
            let name = fields[at].name.clone();
            let other = (2..).map(|n| format!("{name} {n}")).find(|other| !taken(other, fields));
            // A field of a column's own name reads that column.
            fields[at].value = fields[at].value.take().map(|value| match value.contains("column = ") {
                true => value,
                false => reading(&value, &name),
            });
            fields[at].name = other.unwrap_or(name);
        }
    }
}

/// Text that people mean as numbers or days, in a form that is not read as such.
fn unread(column: &ColumnProfile) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |value: &String| {
        let plain = value.strip_prefix('-').unwrap_or(value).replace(['.', '\'', ' '], "");
        plain.split_once(',').is_some_and(|(whole, part)| digits(&whole.replace(',', "")) && digits(part))
    };
    let day = |value: &String| {
        let first = value.split([' ', 'T']).next().unwrap_or_default();
        let parts: Vec<&str> = first.split(['.', '/']).collect();
        let number = |at: usize| parts.get(at).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        let (one, other) = (number(0), number(1));
        let is_day = (1..=31).contains(&one.max(other)) && (1..=12).contains(&one.min(other));
        parts.len() == 3 && parts.iter().all(|part| digits(part)) && [2, 4].contains(&parts[2].len()) && is_day
    };
    // 3,452 may be a number of thousands, and so may all others.
    let thousands = |value: &String| value.rsplit(',').next().is_some_and(|part| part.len() == 3);
    let all = |is: &dyn Fn(&String) -> bool| column.values.iter().all(is);
    match column.distinct() > 2 {
        true if all(&number) && all(&thousands) => Some(
            "holds numbers with a comma, which are not read as numbers, be it of thousands or of decimals; write them without, and it can be a field"
                .into(),
        ),
        true if all(&number) => Some(
            "holds numbers with a decimal comma, which are not read as numbers; write a point, and it can be a field"
                .into(),
        ),
        true if all(&day) => {
            Some("holds days in a form that is not read; write them as 2024-03-01, and the split can go by time".into())
        }
        _ => None,
    }
}

fn ends_in_id(name: &str) -> bool {
    words(name).last().is_some_and(|word| word == "id")
}

/// A name as what stands before a number, and the number.
fn numbered(name: &str) -> Option<(&str, u32)> {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (before, number) = name.split_at(name.len() - digits);
    // Numbers that begin with 0 have a width of their own.
    let plain = !number.is_empty() && number.len() < 7 && (number == "0" || !number.starts_with('0'));
    Some((before, number.parse().ok().filter(|_| plain && !before.is_empty())?))
}

/// Lines of a config, runs of like fields in one: `"C[1-26]"`.
pub(super) fn lines(fields: &[Field]) -> Vec<(String, String, String)> {
    let mut lines: Vec<(String, String, String)> = Vec::new();
    let mut at = 0;
    while at < fields.len() {
        let first = &fields[at];
        let Some(value) = &first.value else {
            at += 1;
            continue;
        };
        let mut end = at + 1;
        if let Some((before, number)) = numbered(&first.name) {
            let follows = |other: &Field, by: u32| {
                other.value == first.value && numbered(&other.name) == Some((before, number + by))
            };
            while end < fields.len() && follows(&fields[end], (end - at) as u32) {
                end += 1;
            }
            if end - at >= 3 {
                let name = format!("{before}[{number}-{}]", number as usize + (end - at) - 1);
                let why = format!("{} columns alike; the first: {}", end - at, first.why);
                lines.push((quoted(&name), value.clone(), why));
                at = end;
                continue;
            }
        }
        lines.push((key(&first.name), value.clone(), first.why.clone()));
        at += 1;
    }
    lines
}

/// Inputs for a model that looks ids up, of a file that has numbers alone: each cut into ten, too.
pub(super) fn buckets(profile: &Profile, fields: &[Field]) -> Vec<Field> {
    let numeric = |field: &&Field| field.value.as_ref().is_some_and(|value| value.contains("\"numeric\""));
    let column = |field: &Field| profile.columns.iter().find(|c| c.name == field.name);
    let bucket = |field: &Field| {
        Some(Field {
            name: format!("{} in ten", column(field)?.name),
            value: Some(format!(r#"{{ kind = "bucket", column = {}, quantiles = 10 }}"#, quoted(&field.name))),
            why: "ten parts of as many rows each: models of this kind look parts up as ids".into(),
        })
    };
    let found: Vec<&Field> = fields.iter().filter(numeric).collect();
    // Of very many one will do: ids are needed at all, and numbers enter the network by themselves.
    let most = if found.len() > MOST_BUCKETS { 1 } else { found.len() };
    found.into_iter().take(most).filter_map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_values(name: &str, values: &[&str], times: usize) -> ColumnProfile {
        let all = values.len() * times;
        let numbers: Option<Vec<f64>> = (0..all).map(|row| values[row % values.len()].parse().ok()).collect();
        ColumnProfile {
            name: name.into(),
            codes: (0..all).map(|row| (row % values.len()) as u32 + 1).collect(),
            values: values.iter().map(ToString::to_string).collect(),
            counts: vec![times as u32; values.len()],
            whole: numbers.as_ref().is_some_and(|n| n.iter().all(|x| x.fract() == 0.0)),
            numbers,
            ..ColumnProfile::default()
        }
    }

    #[test]
    fn columns_are_read_by_what_they_hold() {
        let value = |column: &ColumnProfile| of(column, column.codes.len(), false).value.unwrap_or_default();
        assert_eq!(value(&of_values("month", &["1", "2", "3"], 100)), "\"categorical\"");
        let prices: Vec<String> = (0..300).map(|n| format!("{}", 1.5 + f64::from(n))).collect();
        let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
        assert_eq!(value(&of_values("price", &prices, 2)), "\"numeric\"");
        let genres: Vec<String> = (0..40).map(|n| format!("g{}|g{}", n % 7, n % 6)).collect();
        let genres: Vec<&str> = genres.iter().map(String::as_str).collect();
        assert!(value(&of_values("genres", &genres, 10)).contains("separator = \"|\""));
        assert_eq!(of(&of_values("c", &["x"], 50), 50, false).value, None);
        let euros = of(&of_values("c", &["1.234,50", "-7,25", "0,5"], 50), 150, false);
        assert!(euros.value.is_none() && euros.why.contains("decimal comma"), "{}", euros.why);
        let days = of(&of_values("c", &["01.03.2024 07:15", "31.12.2023", "2/1/24"], 50), 150, false);
        assert!(days.value.is_none() && days.why.contains("2024-03-01"), "{}", days.why);
        let many = of(&of_values("c", &["3,452", "1,020", "7,111"], 50), 150, false);
        assert!(many.value.is_none() && many.why.contains("thousands"), "{}", many.why);
        let builds = of(&of_values("c", &["2.4.17", "10.14.6", "0.0.9"], 50), 150, false);
        assert!(builds.value.is_some(), "{}", builds.why);
        let notes: Vec<String> = (0..300).map(|n| format!("note {n}")).collect();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        assert_eq!(of(&of_values("note", &notes, 1), 300, false).value, None);
        assert!(of(&of_values("user", &notes, 1), 300, true).value.is_some());
        assert!(value(&of_values("a[1-3]", &["x", "y"], 9)).contains("column = \"a[1-3]\""));
    }

    #[test]
    fn like_columns_in_a_row_are_one_line() {
        let one = |name: &str| Field { name: name.into(), value: Some("\"numeric\"".into()), why: String::new() };
        let found = lines(&[one("a"), one("I1"), one("I2"), one("I3"), one("I5"), one("x y")]);
        let keys: Vec<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
        assert_eq!(keys, ["a", "\"I[1-3]\"", "I5", "\"x y\""]);
    }
}
