//! `burnrec replay`

use burnrec_record::{ReplaySummary, Values};
use burnrec_schedule::{Kind, Replay};
use burnrec_train::{RunFolder, TrainError};

use super::train::{Absent, checked};
use crate::args::ReplayArgs;
use crate::error::CliError;
use crate::progress::Progress;
use crate::{out, setup};

/// Runs every way of a config to keep its model fresh, and shows them side by side.
pub fn run(args: &ReplayArgs) -> Result<(), CliError> {
    let (file, checked) = checked(&args.config, &args.overrides, Absent::Made)?;
    let located = |e: CliError| file.locate(e);
    let experiment = checked.experiment();
    setup::threads(experiment.backend.threads)?;
    let folder = setup::run_folder(&experiment.run, args.out.as_deref(), args.resume)?;
    if !args.resume && RunFolder::is_started(&folder) {
        return Err(TrainError::FolderExists { path: folder }.into());
    }
    setup::probe_folder(&folder, "--out")?;
    let opened = setup::device(experiment.backend.device)?;
    let announce = |line: &str| tracing::info!("{line}");
    let (path, data) =
        burnrec_data::resolve(&args.overrides.data_dir, &experiment.data, &announce).map_err(|e| located(e.into()))?;
    let log = burnrec_schedule::open(&checked, &path, &data).map_err(|e| located(e.into()))?;
    let kinds = kinds(args, &log.schedule).map_err(located)?;
    let mut progress = Progress::new(&opened);
    let replay = Replay { checked, log, opened, out: folder.clone(), kinds, stop: setup::stop_on_signals() };
    let summary = burnrec_schedule::replay(&replay, &mut progress).map_err(|e| located(e.into()))?;
    print(&summary)?;
    out::line(&format!("{}: replay folder {}", summary.status, folder.display()))
}

fn kinds(args: &ReplayArgs, schedule: &burnrec_train::ScheduleConfig) -> Result<Vec<Kind>, CliError> {
    let known: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.is_in(schedule)).collect();
    let Some(only) = &args.only else { return Ok(known) };
    let find = |name: &String| {
        known.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|kind| kind.name()).collect();
            CliError::Usage(format!("--only {name}: the config has no [schedule.{name}]; it has {}", names.join(", ")))
        })
    };
    let mut kinds = only.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn print(summary: &ReplaySummary) -> Result<(), CliError> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (name, way) in &summary.replay {
        let values = Values(way.0.clone()).flat();
        if rows.is_empty() {
            let heads = values.iter().map(|(name, _)| name.clone());
            rows.push(std::iter::once("schedule".to_string()).chain(heads).collect());
        }
        let show = |(name, value): (String, Option<f64>)| match (name.as_str(), value) {
            ("rows", Some(rows)) => format!("{rows:.0}"),
            ("seconds", Some(seconds)) => format!("{seconds:.1}"),
            (_, Some(value)) => format!("{value:.4}"),
            (_, None) => "undefined".into(),
        };
        rows.push(std::iter::once(name.clone()).chain(values.into_iter().map(show)).collect());
    }
    out::table(&rows)
}
