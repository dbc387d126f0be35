//! The experiment file: read, overridden, checked; every error with its line and column.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml_edit::{DocumentMut, Item, Table, Value};

use crate::config_error::ConfigError;
use crate::error::CliError;
use crate::nearest::nearest;

/// What the parser says, in words of the experiment file.
fn said(message: &str) -> String {
    let message = message.trim();
    let moved = ["label", "loss", "metrics", "pointwise"];
    match moved.into_iter().find(|key| message.starts_with(&format!("unknown field `{key}`"))) {
        _ if message == "wanted exactly 1 element, more than 1 element" => {
            "an experiment has one model; keep one [model.NAME] table".into()
        }
        _ if message.contains("untagged enum SweepRange") => {
            "is one of { values = […] }, { low = …, high = … } and { cases = [{ name = …, set = { … } }] }, without keys of another".into()
        }
        _ if message.contains("expected internally tagged enum") => {
            "is a table with its kind, such as { kind = \"…\" }".into()
        }
        Some(key) => format!(
            "{message}; what is learned stands in a table [tasks.NAME] with its label, loss and metrics: move `{key}` there"
        ),
        None => format!("{message}{}", meant(message).unwrap_or_default()),
    }
}

/// What an unknown name was meant to be, where a known one is near: `unknown field `epoch`, expected one of `epochs`, …`.
fn meant(message: &str) -> Option<String> {
    let (given, known) = message.strip_prefix("unknown ")?.split_once(", expected ")?;
    let given = given.split('`').nth(1)?;
    let known = known.split('`').skip(1).step_by(2);
    Some(format!("; did you mean `{}`?", nearest(given, known)?))
}

/// An experiment file with the command line's overrides: what errors about its settings point into.
pub struct ConfigFile {
    path: PathBuf,
    text: String,
    /// What the command line changed: `KEY=VALUE`.
    overrides: Vec<String>,
}

/// Reads a file and applies `KEY=VALUE` overrides.
///
/// # Errors
/// Unreadable files, TOML errors, unknown keys, wrong types; overrides that make any of these.
pub fn load<T: DeserializeOwned>(path: &Path, overrides: &[String]) -> Result<(ConfigFile, T), CliError> {
    let plain = |message: String| ConfigError::plain(path, message);
    if path.is_dir() {
        return Err(plain("is a folder, but an experiment file (.toml) is needed".into()).into());
    }
    let bytes = std::fs::read(path).map_err(|e| plain(format!("cannot be read: {e}; check the path")))?;
    let text =
        String::from_utf8(bytes).map_err(|_| plain("is not valid UTF-8; experiment files are UTF-8 text".into()))?;
    if text.trim().is_empty() {
        return Err(plain("is empty; start from a file under configs/".into()).into());
    }
    if overrides.is_empty() {
        let read = parse(path, &text)?;
        return Ok((ConfigFile { path: path.to_path_buf(), text, overrides: Vec::new() }, read));
    }
    let mut document: DocumentMut =
        text.parse().map_err(|e: toml_edit::TomlError| ConfigError::at(path, &text, e.span(), e.message().trim()))?;
    for given in overrides {
        set(&mut document, given)?;
    }
    let changed = document.to_string();
    let read = toml::from_str(&changed).map_err(|e| {
        // Where the file alone is at fault, say so at its own line.
        parse::<T>(path, &text).err().map_or_else(
            || CliError::Usage(format!("--set {}: {}", overrides.join(" --set "), said(e.message()))),
            CliError::from,
        )
    })?;
    Ok((ConfigFile { path: path.to_path_buf(), text, overrides: overrides.to_vec() }, read))
}

/// What a file is of, told by its tables; an experiment where nothing else is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `burnrec train` and most others.
    Experiment,
    /// `burnrec simulate`.
    Simulation,
    /// `burnrec ope`.
    Evaluation,
    /// `burnrec fuse`.
    Fusion,
}

/// What a file is of. One that cannot be read is an experiment, which says what is wrong.
pub fn kind(path: &Path) -> FileKind {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let tables: toml::Table = text.parse().unwrap_or_default();
    match () {
        () if tables.contains_key("environment") => FileKind::Simulation,
        () if tables.contains_key("ope") => FileKind::Evaluation,
        () if tables.contains_key("fuse") => FileKind::Fusion,
        () => FileKind::Experiment,
    }
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|e| ConfigError::at(path, text, e.span(), &said(e.message())))
}

/// Applies one override to the document.
fn set(document: &mut DocumentMut, given: &str) -> Result<(), CliError> {
    let usage = |problem: &str| CliError::Usage(format!("--set {given}: {problem}"));
    let (key, value) =
        given.split_once('=').ok_or_else(|| usage("needs the form KEY=VALUE, for example train.epochs=5"))?;
    let value: Value = value.trim().parse().unwrap_or_else(|_| Value::from(value.trim()));
    // Keys that hold points stand in quotes, as in a file; what is no key of a file, such as a range of fields, is split at points.
    let parts = toml_edit::Key::parse(key.trim()).map_or_else(
        |_| key.trim().split('.').map(String::from).collect(),
        |keys| keys.iter().map(|key| key.get().to_string()).collect::<Vec<String>>(),
    );
    let (last, parts) = parts.split_last().filter(|(last, _)| !last.is_empty()).ok_or_else(|| usage("has no key"))?;
    let mut item: &mut Item = document.as_item_mut();
    for part in parts {
        let table = item.as_table_like_mut().ok_or_else(|| usage("goes below a key that is not a table"))?;
        item = table.entry(part).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
    }
    let table = item.as_table_like_mut().ok_or_else(|| usage("goes below a key that is not a table"))?;
    table.insert(last, Item::Value(value));
    Ok(())
}

impl ConfigFile {
    /// Turns an error about a key into one about its line, where the file has the key or a table above it.
    pub fn locate(&self, error: CliError) -> CliError {
        let Some(key) = error.key() else { return error };
        // What the command line gave is blamed by itself: the file has no line of it.
        let is_of = |given: &&String| {
            let own = given.split('=').next().unwrap_or("").trim();
            let below =
                |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            below(&key, own) || below(own, &key)
        };
        if let Some(given) = self.overrides.iter().rfind(is_of) {
            return CliError::Usage(format!("--set {given}: {error}"));
        }
        let Ok(document) = toml_edit::Document::parse(self.text.as_str()) else { return error };
        let mut item: &dyn toml_edit::TableLike = document.as_table();
        let mut span = None;
        for part in key.split('.') {
            let Some((key, value)) = item.get_key_value(part) else { break };
            span = key.span().or_else(|| value.span()).or(span);
            match value.as_table_like() {
                Some(table) => item = table,
                None => break,
            }
        }
        ConfigError::at(&self.path, &self.text, span, &error.to_string()).into()
    }
}
