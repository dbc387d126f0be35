//! Which columns are the label, the user, the item and the time, by their names and by what they hold.

use burnrec_data::profile::{ColumnProfile, Profile};

use super::text::short;

/// Words of a name, in small letters: `isClick`, `is_click` and `is-click` have the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let starts = !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase());
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a name has one of these words, or is one of them with an ending such as `userid`.
pub(super) fn names(name: &str, known: &[&str]) -> bool {
    let words = words(name);
    let whole = words.concat();
    words.iter().any(|word| known.contains(&word.as_str()))
        || known.iter().any(|word| whole == format!("{word}id") || whole == format!("{word}s"))
}

const LABELS: [&str; 36] = [
    "label",
    "target",
    "click",
    "clicked",
    "clicks",
    "clk",
    "converted",
    "conversion",
    "convert",
    "purchase",
    "purchased",
    "bought",
    "buy",
    "order",
    "ordered",
    "like",
    "liked",
    "y",
    "outcome",
    "churn",
    "churned",
    "income",
    "default",
    "installed",
    "install",
    "response",
    "subscribed",
    "deposit",
    "survived",
    "watched",
    "finished",
    "ctr",
    "cvr",
    "engaged",
    "class",
    "salary",
];
const RATINGS: [&str; 6] = ["rating", "ratings", "score", "stars", "star", "grade"];
const PEOPLE: [&str; 4] = ["sex", "gender", "male", "female"];
const USERS: [&str; 14] = [
    "user", "uid", "member", "customer", "visitor", "client", "account", "reader", "viewer", "buyer", "msno",
    "reviewer", "shopper", "userid",
];
const ITEMS: [&str; 26] = [
    "item",
    "iid",
    "movie",
    "product",
    "sku",
    "ad",
    "adgroup",
    "creative",
    "article",
    "news",
    "song",
    "track",
    "video",
    "book",
    "offer",
    "campaign",
    "listing",
    "hotel",
    "poi",
    "recipe",
    "game",
    "app",
    "asin",
    "merchant",
    "restaurant",
    "coupon",
];
const TIMES: [&str; 13] = [
    "time",
    "timestamp",
    "ts",
    "date",
    "datetime",
    "day",
    "created",
    "updated",
    "at",
    "hour",
    "moment",
    "when",
    "unixtime",
];

/// What a label is, in the words of a config.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LabelKind {
    /// A column of 0 and 1.
    Plain,
    /// One of two values means 1.
    Positive(String, String),
    /// Numbers from this on mean 1.
    AtLeast(f64),
    /// Several classes.
    Classes(Vec<String>),
    /// The number itself.
    Number,
}

/// The label, and why.
pub(super) struct Label {
    pub(super) column: usize,
    pub(super) kind: LabelKind,
    pub(super) why: String,
}

fn share(column: &ColumnProfile, value: usize) -> f64 {
    f64::from(column.counts[value]) / f64::from(column.counts.iter().sum::<u32>()).max(1.0)
}

/// A share as people read it.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        x if x >= 10.0 => format!("{x:.0}%"),
        x if x >= 0.1 => format!("{x:.1}%"),
        _ => "under 0.1%".into(),
    }
}

impl Label {
    /// What a column is as a label; none where it cannot be one.
    fn of(column: &ColumnProfile) -> Option<(LabelKind, String)> {
        let two = column.distinct() == 2;
        let sorted = {
            let mut values = column.values.clone();
            values.sort();
            values
        };
        if two && sorted == ["0", "1"] {
            let ones = column.values.iter().position(|value| value == "1")?;
            return Some((LabelKind::Plain, format!("0 and 1, {} of them 1", percent(share(column, ones)))));
        }
        if two {
            // Truths and answers mean what they say; of other pairs the rarer one is what a model looks for.
            let said = |value: &String| {
                ["true", "yes", "y", "t", "1", "ja", "oui", "si", "sí", "sim"].contains(&value.to_lowercase().as_str())
            };
            let rarer = usize::from(column.counts[1] < column.counts[0]);
            let one = column.values.iter().position(said).unwrap_or(rarer);
            let (one, other) = (one, 1 - one);
            let why = format!(
                "`{}` on {} of the rows, `{}` on the others",
                column.values[one],
                percent(share(column, one)),
                column.values[other]
            );
            return Some((LabelKind::Positive(column.values[one].clone(), column.values[other].clone()), why));
        }
        let (low, high) = match column.range() {
            Some(ends) => ends,
            None if (3..=20).contains(&column.distinct()) => {
                let classes = sorted;
                return Some((LabelKind::Classes(classes.clone()), format!("{} classes", classes.len())));
            }
            None => return None,
        };
        if names(&column.name, &RATINGS) && (3..=21).contains(&column.distinct()) {
            let from = good(column, low, high);
            let above =
                column.numbers.iter().flatten().filter(|x| **x >= from).count() as f64 / column.codes.len() as f64;
            let why =
                format!("ratings from {low} to {high}; {} are {from} or more, which counts as liked", percent(above));
            return Some((LabelKind::AtLeast(from), why));
        }
        Some((LabelKind::Number, format!("a number from {} to {}", short(low), short(high))))
    }

    /// The column that is most likely the label, or the one that was named.
    pub(super) fn guess(profile: &Profile, named: Option<usize>) -> Option<Self> {
        let of = |column: usize, reason: &str| {
            let (kind, what) = Self::of(&profile.columns[column])?;
            Some(Self { column, kind, why: format!("{reason}: {what}") })
        };
        if let Some(column) = named {
            return of(column, "named by --label");
        }
        let all = || 0..profile.columns.len();
        let two = |c: &usize| profile.columns[*c].distinct() == 2;
        let called = |known: &'static [&'static str]| move |c: &usize| names(&profile.columns[*c].name, known);
        let by_name = LABELS.iter().find_map(|known| {
            all().filter(two).find(|c| words(&profile.columns[*c].name).iter().any(|word| word == known))
        });
        if let Some(column) = by_name {
            return of(column, "by its name and its two values");
        }
        if let Some(column) = all().filter(|c| profile.columns[*c].numbers.is_some()).find(called(&RATINGS)) {
            return of(column, "by its name");
        }
        if let Some(column) = all().filter(two).rfind(|c| !names(&profile.columns[*c].name, &PEOPLE)) {
            return of(column, "the last column of two values; name another with --label if it is not");
        }
        let column = all().find(called(&["label", "target", "y"]))?;
        of(column, "by its name")
    }
}

/// From which rating on an item is liked: the lowest that at most 60% of the rows reach.
fn good(column: &ColumnProfile, low: f64, high: f64) -> f64 {
    let numbers: Vec<f64> = column.numbers.iter().flatten().copied().filter(|x| !x.is_nan()).collect();
    let mut levels = numbers.clone();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let reach = |level: f64| numbers.iter().filter(|x| **x >= level).count() as f64 / numbers.len().max(1) as f64;
    levels.into_iter().filter(|level| *level > low).find(|level| reach(*level) <= 0.6).unwrap_or(high)
}

/// A column of ids by its name: the one of the most values, `_id` first.
fn ids(profile: &Profile, known: &[&str], not: &[usize]) -> Option<(usize, String)> {
    let fits = |c: &usize| {
        let column = &profile.columns[*c];
        let whole = column.numbers.is_none() || column.whole;
        !not.contains(c) && !column.lists && whole && column.distinct() > 2 && names(&column.name, known)
    };
    let is_id = |c: usize| words(&profile.columns[c].name).last().is_some_and(|word| word.ends_with("id"));
    let column = (0..profile.columns.len()).filter(fits).max_by_key(|c| (is_id(*c), profile.columns[*c].distinct()))?;
    let values = profile.columns[column].distinct();
    let each = profile.rows as f64 / values as f64;
    Some((column, format!("by its name; {} values, {each:.1} rows each", super::text::count(values))))
}

/// The user's column, and why.
pub(super) fn user(profile: &Profile, label: usize) -> Option<(usize, String)> {
    ids(profile, &USERS, &[label])
}

/// The item's column, and why.
pub(super) fn item(profile: &Profile, not: &[usize]) -> Option<(usize, String)> {
    ids(profile, &ITEMS, not)
}

/// The column of event times, and why.
pub(super) fn time(profile: &Profile, not: &[usize]) -> Option<(usize, String)> {
    const DAY: i64 = 86_400_000_000_000;
    let fits = |c: &usize| {
        let column = &profile.columns[*c];
        let Some(moments) = &column.moments else { return None };
        let known = || moments.iter().flatten().copied();
        let (first, last) = (known().min()?, known().max()?);
        // Numbers of these years are times if their name says so; small ones are counts.
        let plausible = first > 5 * 365 * DAY && last < 130 * 365 * DAY && first < last;
        let named = names(&column.name, &TIMES);
        let complete = known().count() == profile.rows;
        let is_time = column.written_as_moments || (named && column.whole);
        (!not.contains(c) && plausible && complete && is_time).then_some((named, first, last))
    };
    let found = (0..profile.columns.len()).filter_map(|c| Some((c, fits(&c)?)));
    let (column, (_, first, last)) = found.max_by_key(|(c, (named, ..))| (*named, std::cmp::Reverse(*c)))?;
    let ends = [first, last].map(burnrec_data::time_text);
    Some((column, format!("from {} to {}", ends[0], ends[1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        assert_eq!(words("isClick"), ["is", "click"]);
        assert_eq!(words("user_ID"), ["user", "id"]);
        assert!(names("userId", &["user"]) && names("userid", &["user"]) && names("user-id", &["user"]));
        assert!(!names("abuser", &["user"]) && !names("trader", &["ad"]));
    }
}
