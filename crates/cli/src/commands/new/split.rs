//! Which rows are held out, and what a time says beside its order.

use std::collections::HashSet;

use burnrec_data::profile::{ColumnProfile, Profile};

use super::fields::Field;
use super::text::{key, quoted};

const HOUR: i64 = 3_600_000_000_000;
const DAY: i64 = 24 * HOUR;

/// The share of the latest tenth of the rows whose user is in the rows before.
fn known_users(profile: &Profile, user: usize, time: usize) -> Option<f64> {
    let moments = profile.columns[time].moments.as_ref()?;
    let mut order: Vec<usize> = (0..moments.len()).filter(|row| moments[*row].is_some()).collect();
    order.sort_by_key(|row| moments[*row]);
    let codes = &profile.columns[user].codes;
    let cut = order.len() * 9 / 10;
    let before: HashSet<u32> = order[..cut].iter().map(|row| codes[*row]).collect();
    let late = &order[cut..];
    Some(late.iter().filter(|row| before.contains(&codes[**row])).count() as f64 / late.len().max(1) as f64)
}

/// The split, as it stands in a config, and why.
pub(super) fn split(profile: &Profile, user: Option<usize>, time: Option<usize>) -> (String, String) {
    let random = || {
        (
            r#"{ kind = "random", valid = 0.1, test = 0.1 }"#.to_string(),
            "No column of event times: rows are held out at random.".to_string(),
        )
    };
    let Some(time) = time else { return random() };
    let column = quoted(&profile.columns[time].name);
    let by_time = format!("{{ kind = \"time\", column = {column}, valid = 0.1, test = 0.1 }}");
    match user.and_then(|user| Some((user, known_users(profile, user, time)?))) {
        Some((user, known)) if known < 0.5 => {
            let user = quoted(&profile.columns[user].name);
            let own = format!("{{ kind = \"user_last\", user = {user}, time = {column}, valid = 0.1, test = 0.1 }}");
            let why = format!(
                "The last rows of each user are held out: of the latest tenth of all rows only {:.0}% have a user that stands in the rows before, so that a split by time ({by_time}) would ask about strangers.",
                known * 100.0
            );
            (own, why)
        }
        _ => (by_time, "The latest rows are held out, as a model meets them when it is used.".into()),
    }
}

/// Fields of the hour and the day of the week, where the times tell them.
pub(super) fn parts_of_time(column: &ColumnProfile) -> Vec<Field> {
    let moments = || column.moments.iter().flatten().flatten().copied();
    let (Some(first), Some(last)) = (moments().min(), moments().max()) else { return Vec::new() };
    let part = |name: &str, part: &str, why: &str| Field {
        name: name.into(),
        value: Some(format!(r#"{{ kind = "categorical", column = {}, part = "{part}" }}"#, quoted(&column.name))),
        why: format!("{why}, from {}", key(&column.name)),
    };
    let mut found = Vec::new();
    let of_hours = moments().any(|moment| moment.rem_euclid(DAY) != 0);
    if of_hours && last - first > 2 * DAY {
        found.push(part("hour", "hour", "the hour of the day in UTC"));
    }
    if last - first > 14 * DAY {
        found.push(part("weekday", "weekday", "the day of the week in UTC"));
    }
    // A column of that name stays what it is.
    found.retain(|field| field.name != column.name);
    found
}
