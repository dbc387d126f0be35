//! `burnrec explain`: settings, models, metrics; and single scores of a run.

mod asked;
mod glossary;
mod score;
mod settings;
mod told;

use burnrec_models::registered;

use super::saved::latest;
use crate::args::ExplainArgs;
use crate::error::CliError;
use crate::nearest::nearest;
use crate::out;
use settings::{Below, Setting, Settings, first_sentence};

/// Columns that text is broken at.
const WIDTH: usize = 96;

/// Explains what is asked about.
pub fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let path = std::path::Path::new(&args.what);
    // A folder of runs may be called as a setting or a model is: one that asks for a row means the folder.
    let path = if args.input.is_some() || args.row.is_some() { latest(path) } else { path.to_path_buf() };
    if path.join("config.toml").is_file() {
        return score::run(args, &path);
    }
    if args.input.is_some() || args.row.is_some() || args.json {
        return Err(CliError::Usage(format!(
            "{}: is no run folder, and --input, --row and --json go with one; leave them out to explain a setting",
            args.what
        )));
    }
    about(&args.what)
}

fn about(what: &str) -> Result<(), CliError> {
    if let Some((term, says)) = glossary::find(what) {
        out::line(term)?;
        return paragraph(says, "  ");
    }
    let files = Settings::of_all_files();
    let model = registered().iter().any(|model| model.name == what);
    let key = if model { format!("model.{what}") } else { what.to_string() };
    if let Some(model) = registered().into_iter().find(|model| model.name == what) {
        out::line(&format!("{}: {}", model.name, model.paper))?;
    }
    if let Some(setting) = files.iter().find_map(|settings| settings.find(&key)) {
        return tell(&setting);
    }
    let mut keys: Vec<String> = Vec::new();
    files.iter().flat_map(Settings::keys).for_each(|key| {
        if !keys.contains(&key) {
            keys.push(key);
        }
    });
    let mut ends: Vec<&String> = keys.iter().filter(|key| key.rsplit('.').next() == Some(what)).collect();
    // Those of every run before those of single models.
    ends.sort_by_key(|key| (key.starts_with("model."), key.matches('.').count()));
    if !ends.is_empty() {
        out::line(&format!("`{what}` is the name of {} settings:", ends.len()))?;
        let row = |key: &&String| {
            let found = files.iter().find_map(|settings| settings.find(key));
            let says = found.map(|setting| setting.says()).unwrap_or_default();
            vec![format!("  {key}"), first_sentence(&says).to_string()]
        };
        return out::table(&ends.iter().map(row).collect::<Vec<_>>());
    }
    let terms = glossary::TERMS.iter().map(|(name, _)| (*name).to_string());
    let names = registered().into_iter().map(|model| model.name.to_string());
    let known: Vec<String> = keys.into_iter().chain(terms).chain(names).collect();
    let meant = nearest(what, known.iter().map(String::as_str));
    let meant = meant.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
    Err(CliError::Usage(format!(
        "`{what}` is no run folder, setting, model or metric{meant}; settings are named by their whole key, as train.learning_rate"
    )))
}

fn tell(setting: &Setting<'_>) -> Result<(), CliError> {
    out::line(&setting.key)?;
    paragraph(&setting.says(), "  ")?;
    let mut parts = setting.key.split('.');
    let model = parts.next().filter(|part| *part == "model").and(parts.next()).filter(|_| parts.next().is_some());
    let paper = registered().into_iter().find(|info| Some(info.name) == model).map(|info| info.paper.to_string());
    let facts =
        [("kind", setting.kind()), ("range", setting.range()), ("default", setting.default()), ("paper", paper)];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            out::line(&format!("  {name:<8} {fact}"))?;
        }
    }
    let list = |all: Vec<Below>, title: &str| -> Result<(), CliError> {
        if all.is_empty() {
            return Ok(());
        }
        out::line(&format!("  {title}"))?;
        let widest = all.iter().map(|below| below.name.chars().count()).max().unwrap_or(0);
        for below in all {
            let name = format!("    {:<widest$}  ", below.name);
            let rest = " ".repeat(name.chars().count());
            wrapped(&below.says, &name, &rest)?;
        }
        Ok(())
    };
    list(setting.words(), "one of")?;
    list(setting.below(), "keys")
}

fn paragraph(says: &str, indent: &str) -> Result<(), CliError> {
    wrapped(says, indent, indent)
}

/// Text over lines, the first behind `first`, others behind `rest`.
fn wrapped(says: &str, first: &str, rest: &str) -> Result<(), CliError> {
    let mut line = first.to_string();
    let mut empty = true;
    for word in says.split_whitespace() {
        if !empty && line.chars().count() + word.chars().count() + 1 > WIDTH {
            out::line(line.trim_end())?;
            line = rest.to_string();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out::line(line.trim_end())
}
