//! `burnrec online`

use std::path::Path;
use std::time::Duration;

use burnrec_data::events::{Entry, Group, Input, LabelWait, RedisStream, check_lines};
use burnrec_data::windows::Length;
use burnrec_data::{DataError, FormatKind};
use burnrec_schedule::begin_with;
use burnrec_train::{Beat, OnlineJob, RunConfig, RunFolder, Streamed, TrainError, begin_stream, is_stream, online};

use super::saved::{latest, refuse_replay};
use crate::args::OnlineArgs;
use crate::error::CliError;
use crate::{out, setup};

/// Events at a time, where nothing else is said.
const ROWS: usize = 256;

/// Learns from a stream.
pub fn run(args: &OnlineArgs) -> Result<(), CliError> {
    let run = latest(&args.run);
    refuse_replay(&run)?;
    burnrec_train::published(&run)?;
    let input = input(args)?;
    if let Some(other) = burnrec_data::kind_at(&args.input).filter(|kind| *kind != FormatKind::Jsonl) {
        return Err(CliError::Usage(format!(
            "--input {}: is named as {}, and events come as lines of JSON; write them so, or keep the model fresh by `update`",
            args.input.display(),
            format!("{other:?}").to_lowercase()
        )));
    }
    let experiment = RunFolder::config(&run)?;
    setup::threads(args.place.threads.or(experiment.backend.threads))?;
    if args.follow && args.input == Path::new("-") {
        return Err(CliError::Usage("--follow: standard input is followed anyway; name a file with --input".into()));
    }
    let schedule = experiment.schedule.as_ref();
    let own = schedule.and_then(|schedule| schedule.online.clone());
    let rate = args.rate.or(own.as_ref().map(|own| own.rate)).unwrap_or(1.0);
    if !(rate > 0.0 && rate.is_finite()) {
        return Err(CliError::Usage(format!("--rate {rate}: must be above 0")));
    }
    let event_time = args.time.clone().or(schedule.map(|schedule| schedule.time.clone()));
    let label_wait = match (args.label_window, &args.event_id, &event_time) {
        (Some(window), Some(id), Some(time)) => {
            Some(LabelWait { window: window.nanoseconds(), id: id.clone(), time: time.clone(), labels: Vec::new() })
        }
        (Some(_), _, None) => {
            return Err(CliError::Usage("--label-window is a stretch of event time: name its column by --time".into()));
        }
        _ => None,
    };
    if args.checkpoint_every == 0 {
        return Err(CliError::Usage("--checkpoint-every: must be at least 1".into()));
    }
    // Beside the runs that it is a copy of, and never in one of them.
    let named = RunConfig { name: format!("{}-online", experiment.run.name), ..experiment.run.clone() };
    let folder = setup::run_folder(&named, args.out.as_deref(), false)?;
    match (RunFolder::is_started(&folder), args.resume) {
        (true, false) => return Err(TrainError::FolderExists { path: folder }.into()),
        (true, true) if !is_stream(&folder) => {
            return Err(CliError::Usage(format!(
                "--out {}: holds a run that is no online job; give another folder",
                folder.display()
            )));
        }
        (true, true) => RunFolder::check_same(&folder, &experiment)?,
        (false, _) if is_within(&folder, &run) => {
            return Err(CliError::Usage(format!(
                "--out {}: lies in the run that it is to be a copy of; give a folder beside it",
                folder.display()
            )));
        }
        (false, _) => {
            RunFolder::check_free(&folder)?;
            setup::probe_folder(&folder, "--out")?;
        }
    }
    if let Some(path) = input.file() {
        match std::fs::metadata(path) {
            Ok(facts) if facts.is_dir() => {
                let expected = "file of JSON lines";
                return Err(CliError::Data(DataError::IsFolder { path: path.into(), expected }));
            }
            Ok(_) => check_lines(path)?,
            Err(_) => return Err(CliError::Data(DataError::Missing { path: path.into() })),
        }
    }
    if let (Input::Redis(stream), false) = (&input, RunFolder::is_started(&folder)) {
        Group::open(stream)?.check(args.follow)?;
    }
    let rows = args.rows.or(own.map(|own| own.rows)).unwrap_or(ROWS);
    let opened = setup::device(args.place.device.unwrap_or(experiment.backend.device))?;
    if !RunFolder::is_started(&folder) {
        if let Some(above) = folder.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(above).map_err(TrainError::io(above))?;
        }
        begin_with(&run, &folder, &|copy| begin_stream(copy, rows, args.fake_negatives.as_deref()))?;
    }
    let time = |length: Length| Duration::from_nanos(length.nanoseconds().unsigned_abs());
    let job = OnlineJob {
        run: folder.clone(),
        opened,
        input,
        follow: args.follow,
        rows,
        wait: time(args.wait),
        rate,
        label_wait,
        fake_negatives: args.fake_negatives.clone(),
        time: event_time,
        checkpoint_every: args.checkpoint_every,
        most_rejected: args.max_rejected,
        beat: time(args.beat),
        stop: setup::stop_on_signals(),
    };
    print(&online(job, &mut tell)?)?;
    out::line(&format!("run folder {}", folder.display()))
}

/// Whether a folder, which need not be there, is another one or lies in it.
fn is_within(folder: &Path, other: &Path) -> bool {
    let whole = |path: &Path| {
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
        let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
        there.canonicalize().unwrap_or_else(|_| there.to_path_buf()).join(rest)
    };
    let (folder, other) = (std::path::absolute(folder), std::path::absolute(other));
    folder.is_ok_and(|folder| other.is_ok_and(|other| whole(&folder).starts_with(whole(&other))))
}

/// Where the events come from.
fn input(args: &OnlineArgs) -> Result<Input, CliError> {
    let url = args.input.to_string_lossy().into_owned();
    let usage = |problem: String| Err(CliError::Usage(problem));
    if !RedisStream::is_address(&url) {
        return match (&args.key, &args.field) {
            (None, None) => Ok(Input::File(args.input.clone())),
            _ => usage(format!(
                "--key and --field are of streams of Redis, and --input {} is none; give redis://HOST:PORT/DATABASE",
                url.split('@').next_back().unwrap_or_default()
            )),
        };
    }
    let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
    match &args.key {
        None => usage("--input is a server of Redis: name the stream by --key".into()),
        _ if empty(&args.key) || empty(&args.field) || args.group.is_empty() => {
            usage("--key, --group and --field must not be empty".into())
        }
        Some(key) => {
            let (key, group, field) = (key.clone(), args.group.clone(), args.field.clone());
            Ok(Input::Redis(RedisStream { url, key, group, field, consumer: String::new(), from: Entry::default() }))
        }
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("undefined".into(), |value| format!("{value:.4}"))
}

fn tell(beat: &Beat) {
    let lag = beat.lag.map_or_else(String::new, |lag| format!(", {lag:.1} s behind event time"));
    let aside = match beat.rejected {
        0 => String::new(),
        n => format!(", {n} lines put aside"),
    };
    tracing::info!(
        "{} events, {:.0} rows/s, logloss {}, auc {}{lag}{aside}",
        beat.rows,
        beat.rows_per_second,
        number(beat.logloss),
        number(beat.auc)
    );
}

fn print(found: &Streamed) -> Result<(), CliError> {
    let place = match found.place.entry == Entry::default() {
        true => format!("byte {}", found.place.bytes),
        false => format!("entry {}", found.place.entry),
    };
    out::line(&format!(
        "{} events to {place}: logloss {}  ne {}  pcoc {}; {} lines put aside, {} late",
        found.rows,
        number(found.logloss),
        number(found.ne),
        number(found.pcoc),
        found.rejected,
        found.late
    ))?;
    if found.waiting as u64 + found.orphans + found.duplicates > 0 {
        out::line(&format!(
            "{} events wait for their labels; {} labels came too late or without an event, {} events came twice",
            found.waiting, found.orphans, found.duplicates
        ))?;
    }
    let tables = &found.tables;
    let share = 100.0 * tables.non_zero as f64 / tables.floats.max(1) as f64;
    out::line(&format!(
        "{} rows in tables, {} of {} weights not zero ({share:.1}%)",
        tables.rows, tables.non_zero, tables.floats
    ))?;
    match found.step_ms {
        Some((median, high)) => out::line(&format!("step: median {median:.2} ms, p99 {high:.2} ms")),
        None => Ok(()),
    }
}
