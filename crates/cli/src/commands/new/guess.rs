//! What the columns of a file mean, as far as they tell.

use burnrec_data::profile::{ColumnProfile, Profile};

use super::fields::{self, Field};
use super::roles::{self, Label, LabelKind};
use super::{leaks, split};
use crate::args::NewArgs;
use crate::error::CliError;

/// What was guessed, with the reasons.
pub(super) struct Guess {
    pub(super) profile: Profile,
    pub(super) label: Label,
    pub(super) user: Option<(usize, String)>,
    pub(super) item: Option<(usize, String)>,
    pub(super) time: Option<(usize, String)>,
    /// Columns that tell the label alone, and how well.
    pub(super) leaks: Vec<(usize, f64)>,
    pub(super) fields: Vec<Field>,
}

/// A column by the name that an option gives.
fn named(profile: &Profile, option: &str, name: &str) -> Result<usize, CliError> {
    profile.columns.iter().position(|c| c.name == name).ok_or_else(|| {
        let names: Vec<&str> = profile.columns.iter().map(|c| c.name.as_str()).collect();
        CliError::Usage(format!("--{option} {name}: there is no such column; there are {}", names.join(", ")))
    })
}

/// A role by its option, which may say that there is none, or as it is guessed.
fn role(
    profile: &Profile,
    option: (&str, Option<&String>),
    guessed: impl FnOnce() -> Option<(usize, String)>,
) -> Result<Option<(usize, String)>, CliError> {
    match option.1.map(String::as_str) {
        Some("none") => Ok(None),
        Some(name) => Ok(Some((named(profile, option.0, name)?, format!("named by --{}", option.0)))),
        None => Ok(guessed()),
    }
}

pub(super) fn guess(args: &NewArgs, profile: Profile) -> Result<Guess, CliError> {
    let refused = |problem: &str| CliError::Usage(format!("{}: {problem}", args.data.display()));
    if profile.rows == 0 {
        return Err(refused("has no rows"));
    }
    let asked = args.label.as_ref().map(|name| named(&profile, "label", name)).transpose()?;
    let label = Label::guess(&profile, asked).ok_or_else(|| match (&args.label, asked) {
        (Some(name), _) => refused(&format!("column `{name}` is no label: it has neither numbers nor a few values")),
        _ => refused(
            "no column looks like a label (two values, a rating, a name such as `clicked`); name it with --label",
        ),
    })?;
    let values = profile.columns[label.column].distinct();
    if values < 2 && profile.columns[label.column].missing() == 0 {
        let column = &profile.columns[label.column];
        return Err(refused(&format!(
            "label `{}` is {} on every row: there is nothing to learn",
            column.name, column.values[0]
        )));
    }
    let user = role(&profile, ("user", args.user.as_ref()), || roles::user(&profile, label.column))?;
    let taken: Vec<usize> = std::iter::once(label.column).chain(user.iter().map(|(c, _)| *c)).collect();
    let item = role(&profile, ("item", args.item.as_ref()), || roles::item(&profile, &taken))?;
    let taken: Vec<usize> = taken.into_iter().chain(item.iter().map(|(c, _)| *c)).collect();
    let time = role(&profile, ("time", args.time.as_ref()), || roles::time(&profile, &taken))?;
    check_roles(&profile, &label, [("user", &user), ("item", &item), ("time", &time)])?;
    let ids: Vec<usize> = user.iter().chain(&item).map(|(c, _)| *c).collect();
    let not: Vec<usize> = taken.into_iter().chain(time.iter().map(|(c, _)| *c)).collect();
    let leaks = leaks::suspects(&profile, &truths(&profile.columns[label.column], &label.kind), &not);
    let is_field = |c: &usize| *c != label.column && time.as_ref().is_none_or(|(t, _)| t != c);
    let of = |c: usize| match leaks.iter().find(|(leak, _)| *leak == c) {
        Some((_, auc)) => Field {
            name: profile.columns[c].name.clone(),
            value: None,
            why: format!(
                "tells the label alone (AUC {auc:.3}): most often such a column is written down after the label; put it in only if it is known before"
            ),
        },
        None => fields::of(&profile.columns[c], profile.rows, ids.contains(&c)),
    };
    let mut fields: Vec<Field> = (0..profile.columns.len()).filter(is_field).map(of).collect();
    if let Some((column, _)) = &time {
        fields.extend(split::parts_of_time(&profile.columns[*column]));
    }
    let looked_up = |field: &Field| field.value.as_ref().is_some_and(|value| !value.contains("\"numeric\""));
    if !fields.iter().any(looked_up) {
        fields.extend(fields::buckets(&profile, &fields));
    }
    fields::tell_apart(&mut fields);
    if fields.iter().all(|field| field.value.is_none()) {
        return Err(refused("no column is left to learn from beside the label"));
    }
    Ok(Guess { profile, label, user, item, time, leaks, fields })
}

/// Refuses columns that are given two roles, and times that are none.
fn check_roles(profile: &Profile, label: &Label, roles: [(&str, &Option<(usize, String)>); 3]) -> Result<(), CliError> {
    let mut taken = vec![("label", label.column)];
    for (role, column) in roles.into_iter().filter_map(|(role, found)| Some((role, found.as_ref()?.0))) {
        let name = &profile.columns[column].name;
        if let Some((other, _)) = taken.iter().find(|(_, c)| *c == column) {
            return Err(CliError::Usage(format!(
                "--{role} {name}: is the {other} already; name another column, or `none`"
            )));
        }
        let moments = profile.columns[column].moments.as_ref();
        let is_time = moments.is_some_and(|moments| moments.iter().all(Option::is_some));
        if role == "time" && !is_time {
            return Err(CliError::Usage(format!(
                "--time {name}: not every row has a time there (unix seconds, a date, a timestamp, ISO 8601); name another column, or `none`"
            )));
        }
        taken.push((role, column));
    }
    Ok(())
}

/// Labels of 0 and 1, where they are such.
fn truths(column: &ColumnProfile, kind: &LabelKind) -> Vec<Option<bool>> {
    let text = |row: usize| column.codes[row].checked_sub(1).map(|code| column.values[code as usize].as_str());
    let rows = 0..column.codes.len();
    match kind {
        LabelKind::Plain => rows.map(|row| text(row).map(|value| value == "1")).collect(),
        LabelKind::Positive(one, _) => rows.map(|row| text(row).map(|value| value == one)).collect(),
        LabelKind::AtLeast(from) => {
            let numbers = column.numbers.as_deref().unwrap_or(&[]);
            numbers.iter().map(|x| (!x.is_nan()).then_some(x >= from)).collect()
        }
        LabelKind::Classes(_) | LabelKind::Number => Vec::new(),
    }
}
