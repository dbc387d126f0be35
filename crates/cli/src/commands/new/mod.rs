//! `burnrec new`: a first config from a data file.

mod fields;
mod guess;
mod leaks;
mod roles;
mod split;
mod text;
mod write;

use std::path::{Path, PathBuf};

use burnrec_data::profile::profile;
use burnrec_data::{FormatKind, Reads, TextConfig, inspect, kind_at};

use burnrec_train::Experiment;

use crate::args::NewArgs;
use crate::error::CliError;
use crate::reading::Reading;
use crate::{out, setup};
use guess::{Guess, guess};

/// Writes a config.
pub fn run(args: &NewArgs) -> Result<(), CliError> {
    let path = config_path(args)?;
    let delimiter = args.delimiter.clone().or_else(|| inspect::delimiter(&args.data, args.format));
    let text = TextConfig { delimiter, ..TextConfig::default() };
    let text = if args.no_header { inspect::without_header(&args.data, args.format, text)? } else { text };
    if args.format.or_else(|| kind_at(&args.data)) == Some(FormatKind::Libsvm) {
        return Err(CliError::Usage(format!(
            "{}: libsvm lines have no columns to guess from; start from `data.fields_by_index`, as the README shows",
            args.data.display()
        )));
    }
    tracing::info!("looking at {}", args.data.display());
    let reading = Reading::new("looking at the data");
    let how = Reads { format: args.format, text: text.clone(), ..Reads::default() };
    let profile = profile(&args.data, &how)?;
    drop(reading);
    let guess = guess(args, profile)?;
    let config = write::config(args, &text, &guess, &path);
    check(&config, args)?;
    burnrec_train::write_whole(&path, config.as_bytes())?;
    tell(&guess, &path)
}

/// Refuses a config that would not be read: what is written is a start, and no riddle.
fn check(config: &str, args: &NewArgs) -> Result<(), CliError> {
    let refused = |problem: String| {
        let data = args.data.display();
        CliError::Usage(format!(
            "{data}: what was guessed does not go together ({problem}); name columns by --label, --user, --item and --time"
        ))
    };
    let experiment: Experiment = toml::from_str(config).map_err(|e| refused(e.message().to_string()))?;
    experiment.check().map(drop).map_err(|e| refused(e.to_string()))
}

/// Where the config goes.
fn config_path(args: &NewArgs) -> Result<PathBuf, CliError> {
    let name = args.data.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "data".into());
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or("data").to_string();
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}.toml")));
    if path.exists() {
        return Err(CliError::Usage(format!("{}: exists already; give another name with --out", path.display())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    setup::probe_folder(folder, "--out")?;
    Ok(path)
}

fn tell(guess: &Guess, path: &Path) -> Result<(), CliError> {
    let name = |column: usize| &guess.profile.columns[column].name;
    out::line(&format!("label  {}  ({})", name(guess.label.column), guess.label.why))?;
    for (what, role) in [("user", &guess.user), ("item", &guess.item), ("time", &guess.time)] {
        if let Some((column, why)) = role {
            out::line(&format!("{what:<5}  {}  ({why})", name(*column)))?;
        }
    }
    let used = guess.fields.iter().filter(|field| field.value.is_some()).count();
    out::line(&format!("fields {used}, left out {}", guess.fields.len() - used))?;
    for (column, auc) in &guess.leaks {
        tracing::warn!(
            "{} tells the label alone (AUC {auc:.3}) and was left out: it may be written down after the label",
            name(*column)
        );
    }
    out::line(&format!("wrote {}; look through it, then: burnrec train {}", path.display(), path.display()))
}
