//! `burnrec report`

use std::path::{Path, PathBuf};

use burnrec_record::{DETAILS, Details};
use burnrec_report::{Folder, ReportError, Run, as_json, as_markdown, event_file, page};

use super::saved::latest;
use crate::args::{ReportArgs, ReportFormat};
use crate::error::CliError;
use crate::{out, setup};

/// Name of a run folder's page.
const REPORT: &str = "report.html";

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Writes a page, or prints text.
pub fn run(args: &ReportArgs) -> Result<(), CliError> {
    // A folder of runs stands for its latest, unless it is a sweep's or a replay's own.
    let own = |path: &PathBuf| if Folder::is_in(path) { path.clone() } else { latest(path) };
    let paths: Vec<PathBuf> = args.runs.iter().map(own).collect();
    let folders = Folder::read_all(&paths)?;
    if args.format != ReportFormat::Html {
        if args.open {
            return Err(CliError::Usage("--open goes with a page; leave --format out".into()));
        }
        return text(args, &folders);
    }
    let path = match (&args.out, paths.as_slice()) {
        (Some(path), _) => path.clone(),
        (None, [one]) => one.join(REPORT),
        (None, _) => PathBuf::from(REPORT),
    };
    write(&path, &page(&folders))?;
    out::line(&path.display().to_string())?;
    if args.open {
        open(&path)?;
    }
    Ok(())
}

fn text(args: &ReportArgs, folders: &[Folder]) -> Result<(), CliError> {
    let runs: Vec<Run> = folders.iter().filter_map(Folder::as_run).cloned().collect();
    if runs.is_empty() {
        let path = args.runs[0].display();
        return Err(CliError::Usage(format!(
            "{path}: is no run of one model; sweeps, replays and simulations have their figures as JSON in the folder already, and a page by --format html"
        )));
    }
    if args.format == ReportFormat::Tensorboard {
        return tensorboard(args, &runs);
    }
    let text = match args.format {
        ReportFormat::Json => format!("{:#}\n", as_json(&runs)),
        _ => as_markdown(&runs),
    };
    match &args.out {
        Some(path) => write(path, &text),
        None => out::line(text.trim_end()),
    }
}

/// Writes an event file a run, which replaces the one that it wrote before.
fn tensorboard(args: &ReportArgs, runs: &[Run]) -> Result<(), CliError> {
    for run in runs {
        let folder = match &args.out {
            Some(out) if runs.len() > 1 => out.join(run.name.replace('/', "-")),
            Some(out) => out.clone(),
            None => run.path.join("tensorboard"),
        };
        setup::probe_folder(&folder, "--out")?;
        let failed = |e: std::io::Error| CliError::Disk { path: folder.display().to_string(), reason: e.to_string() };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let (name, bytes) = event_file(run);
        burnrec_train::write_whole(&folder.join(&name), &bytes)?;
        out::line(&folder.join(name).display().to_string())?;
    }
    Ok(())
}

/// Writes a file whole, or not at all.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    setup::probe_folder(folder, "--out")?;
    Ok(burnrec_train::write_whole(path, text.as_bytes())?)
}

/// Opens a page in whatever the system opens pages with.
fn open(path: &Path) -> Result<(), CliError> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let started = std::process::Command::new(program)
        .arg(&whole)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    match started {
        Ok(_) => Ok(()),
        Err(error) => Err(CliError::Usage(format!(
            "--open: {program} did not start ({error}); open {} yourself",
            whole.display()
        ))),
    }
}

/// Writes the page of a run that just ended, with what it warned of. A page that cannot be written is warned of: the run stands.
pub fn of_run(folder: &Path) {
    let path = folder.join(DETAILS);
    let details = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Details>(&bytes).ok());
    let Some(details) = details else { return };
    let details = Details { warnings: setup::warnings(), ..details };
    let written = burnrec_train::write_whole(&path, details.text().as_bytes())
        .map_err(CliError::from)
        .and_then(|()| Ok(page(&[Folder::read(folder)?])))
        .and_then(|page| Ok(burnrec_train::write_whole(&folder.join(REPORT), page.as_bytes())?));
    match written {
        Ok(()) => tracing::info!("report {}", folder.join(REPORT).display()),
        Err(error) => tracing::warn!("no report: {error}"),
    }
}
