//! `burnrec update` and `burnrec rollback`

use burnrec_schedule::{Kind, Update};
use burnrec_train::RunFolder;

use super::train::{Absent, checked};
use crate::args::{RollbackArgs, UpdateArgs};
use crate::error::CliError;
use crate::progress::Progress;
use crate::{out, setup};

/// Learns from the windows that are new.
pub fn run(args: &UpdateArgs) -> Result<(), CliError> {
    let (file, checked) = checked(&args.config, &args.overrides, Absent::Made)?;
    let located = |e: CliError| file.locate(e);
    let experiment = checked.experiment();
    setup::threads(experiment.backend.threads)?;
    setup::probe_folder(&args.out, "--out")?;
    let opened = setup::device(experiment.backend.device)?;
    let announce = |line: &str| tracing::info!("{line}");
    let (path, data) =
        burnrec_data::resolve(&args.overrides.data_dir, &experiment.data, &announce).map_err(|e| located(e.into()))?;
    if RunFolder::is_started(&args.out) {
        RunFolder::check_same(&args.out, experiment)?;
    }
    let log = burnrec_schedule::open(&checked, &path, &data).map_err(|e| located(e.into()))?;
    let kind = kind(args, &log.schedule).map_err(located)?;
    let mut progress = Progress::new(&opened);
    let job = Update { checked, log, opened, out: args.out.clone(), kind, stop: setup::stop_on_signals() };
    let updated = burnrec_schedule::update(&job, &mut progress).map_err(|e| located(e.into()))?;
    let open = match updated.open {
        0 => String::new(),
        n => format!("; {n} windows are not over yet"),
    };
    let state = if updated.interrupted { "interrupted" } else { "completed" };
    out::line(&format!("{state}: {} phases{open}; run folder {}", updated.done.len(), args.out.display()))?;
    match updated.refused().last().and_then(|entry| Some((entry, entry.gate?))) {
        Some((entry, gate)) => Err(CliError::Refused {
            times: updated.refused().count(),
            phase: entry.phase,
            candidate: gate.candidate,
            published: gate.published,
        }),
        None => Ok(()),
    }
}

/// The way that is asked for, or the only one of the config that learns.
fn kind(args: &UpdateArgs, schedule: &burnrec_train::ScheduleConfig) -> Result<Kind, CliError> {
    let known: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.is_in(schedule) && *kind != Kind::Stale).collect();
    let names = || known.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    match (&args.by, known.as_slice()) {
        (Some(name), _) => known.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            CliError::Usage(format!("--by {name}: the config has no [schedule.{name}]; it has {}", names()))
        }),
        (None, [only]) => Ok(*only),
        (None, []) => Err(CliError::Usage(
            "the config has no way to go on that learns; add [schedule.incremental] or another one".into(),
        )),
        (None, _) => {
            Err(CliError::Usage(format!("the config has several ways to go on; name one with --by: {}", names())))
        }
    }
}

/// Goes back to the model that was published before.
pub fn roll_back(args: &RollbackArgs) -> Result<(), CliError> {
    super::saved::refuse_replay(&args.run)?;
    let name = burnrec_train::roll_back(&args.run)?;
    out::line(&format!("{}: the published model is {name} again", args.run.display()))
}
