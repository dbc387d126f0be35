//! The config as text, each guess with what it saw.

use std::path::Path;

use burnrec_data::TextConfig;

use super::fields::lines;
use super::guess::Guess;
use super::roles::LabelKind;
use super::split::split;
use super::text::{comment, count, key, quoted};
use crate::args::NewArgs;

/// Lines of a config.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn note(&mut self, text: &str) {
        self.add(&format!("# {}", comment(text)));
    }
}

pub(super) fn config(args: &NewArgs, text: &TextConfig, guess: &Guess, path: &Path) -> String {
    let mut out = Lines::default();
    let profile = &guess.profile;
    let rows = match profile.more {
        true => format!("the first {} rows", count(profile.rows)),
        false => format!("all {} rows", count(profile.rows)),
    };
    out.note(&format!("Written by `burnrec new` from {rows} of {}.", args.data.display()));
    out.note("Everything here is a guess with its reason beside it. `burnrec check` explains the whole, `burnrec explain KEY` a setting.");
    out.add("[data]");
    out.add(&format!("source = {}", quoted(&source(args, path))));
    if let Some(format) = args.format {
        let name = serde_json::to_value(format).unwrap_or_default();
        out.add(&format!("format = {name}"));
    }
    data(&mut out, text, guess);
    features(&mut out, guess);
    task(&mut out, guess);
    model(&mut out, matches!(guess.label.kind, LabelKind::Classes(_)));
    out.0
}

/// The data's place, as the config finds it: as it was given, unless the config stands in another folder.
fn source(args: &NewArgs, path: &Path) -> String {
    let beside = path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder == Path::new("."));
    let whole = || std::fs::canonicalize(&args.data).unwrap_or_else(|_| args.data.clone());
    let place = if beside { args.data.clone() } else { whole() };
    place.display().to_string()
}

fn data(out: &mut Lines, text: &TextConfig, guess: &Guess) {
    if text.delimiter.is_some() || text.names.is_some() {
        let mut keys = Vec::new();
        keys.extend(text.delimiter.iter().map(|delimiter| format!("delimiter = {}", quoted(delimiter))));
        keys.extend(text.names.iter().map(|names| {
            let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            format!("names = [{}]", names.join(", "))
        }));
        out.add(&format!("text = {{ {} }}", keys.join(", ")));
    }
    let column = |role: &Option<(usize, String)>| role.as_ref().map(|(column, _)| *column);
    if let Some((time, why)) = &guess.time {
        out.note(&format!("Event time: `{}`, {why}.", guess.profile.columns[*time].name));
    }
    let (split, why) = split(&guess.profile, column(&guess.user), column(&guess.time));
    // Long reasons are worth their lines.
    why.split(". ").for_each(|sentence| wrapped(out, sentence.trim_end_matches('.')));
    out.add(&format!("split = {split}\n"));
}

/// A sentence over as many lines as it takes.
fn wrapped(out: &mut Lines, sentence: &str) {
    let mut line = String::new();
    for word in sentence.split(' ') {
        if line.len() + word.len() > 110 {
            out.note(&line);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.note(&format!("{line}."));
}

fn features(out: &mut Lines, guess: &Guess) {
    let name = |column: usize| &guess.profile.columns[column].name;
    if let Some((user, why)) = &guess.user {
        out.add("[features]");
        out.note(&format!("User: `{}`, {why}. GAUC is the AUC within each user's rows.", name(*user)));
        out.add(&format!("group = {}\n", quoted(name(*user))));
    }
    if let Some((item, why)) = &guess.item {
        out.note(&format!("Item: `{}`, {why}.", name(*item)));
    }
    out.add("[features.fields]");
    let all = lines(&guess.fields);
    let width = all.iter().map(|(key, value, _)| key.len() + value.len() + 3).max().unwrap_or(0).min(72);
    for (key, value, why) in &all {
        let line = format!("{key} = {value}");
        out.add(&format!("{line:<width$}  # {}", comment(why)));
    }
    let left: Vec<_> = guess.fields.iter().filter(|field| field.value.is_none()).collect();
    if !left.is_empty() {
        out.note("Left out:");
        left.iter().for_each(|field| out.note(&format!("  {}: {}", field.name, field.why)));
    }
    out.add("");
}

fn task(out: &mut Lines, guess: &Guess) {
    let column = &guess.profile.columns[guess.label.column].name;
    out.note(&format!("Label: `{column}`, {}.", guess.label.why));
    out.add(&format!("[tasks.{}]", key(&task_name(column))));
    let own = quoted(column);
    let label = match &guess.label.kind {
        // A column of this name means something else by itself.
        LabelKind::Plain if column != "always" => own,
        LabelKind::Plain => format!("{{ column = {own} }}"),
        LabelKind::Positive(one, other) => {
            format!("{{ column = {own}, positive = [{}], negative = [{}] }}", quoted(one), quoted(other))
        }
        LabelKind::AtLeast(from) => format!("{{ column = {own}, threshold = {from:?} }}"),
        LabelKind::Classes(classes) => {
            let classes: Vec<String> = classes.iter().map(|class| quoted(class)).collect();
            format!("{{ column = {own}, classes = [{}] }}", classes.join(", "))
        }
        LabelKind::Number => format!("{{ column = {own}, numeric = true }}"),
    };
    out.add(&format!("label = {label}\n"));
}

/// A task's name: the column's, as far as names may go.
fn task_name(column: &str) -> String {
    let plain: String = column.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let plain = plain.trim_matches('_').to_string();
    if plain.is_empty() { "label".into() } else { plain }
}

fn model(out: &mut Lines, classes: bool) {
    match classes {
        true => {
            out.note("DCN V2: crosses of fields and a deep network, with an output a class. `burnrec models` lists the others.");
            out.add("[model.dcn_v2]");
        }
        false => {
            out.note(
                "DeepFM: pairs of fields and a deep network over the same vectors. `burnrec models` lists the others.",
            );
            out.add("[model.deepfm]");
        }
    }
    out.add("embedding_dim = 8");
    out.add("hidden = [64, 32]");
    out.add("dropout = 0.1\n");
    out.note("Training stops by itself when validation gets no better.");
    out.add("[train]");
    out.add("sparse = { kind = \"adam\", learning_rate = 0.005 }");
}
