//! Logging, threads, signals, devices, run folders.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use burnrec_backend::{BackendError, DeviceChoice, DeviceFacts, Opened};
use burnrec_train::{RunConfig, RunFolder, Stop};
use signal_hook::consts::{SIGINT, SIGTERM};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::LogFormat;
use crate::error::CliError;

/// Starts the process over with the two settings that libraries read when a process starts; where that fails,
/// it is only slower and noisier.
///
/// The allocator keeps what was freed: a step frees and takes the same large buffers again, and giving them back to
/// the system in between costs a page fault for each. And where there is no session folder, as on most servers,
/// graphics drivers would print an error of their own for every adapter that is looked for.
pub fn environment() {
    use std::os::unix::process::CommandExt;
    const PURGE: &str = "MIMALLOC_PURGE_DELAY";
    const SESSION: &str = "XDG_RUNTIME_DIR";
    if std::env::var_os(PURGE).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut again = std::process::Command::new(program);
        again.args(std::env::args_os().skip(1)).env(PURGE, "-1");
        if std::env::var_os(SESSION).is_none() {
            again.env(SESSION, std::env::temp_dir());
        }
        drop(again.exec());
    }
}

/// Logs to standard error; `RUST_LOG` filters, by default `info` of burnrec alone.
pub fn logging(format: LogFormat) {
    let ours = "warn,burnrec=info,burnrec_backend=info,burnrec_data=info,burnrec_train=info,burnrec_rl=info,cubecl_wgpu=error,wgpu_hal=error,wgpu_core=error";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(ours));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let all = tracing_subscriber::registry().with(filter).with(Warnings);
    match format {
        LogFormat::Json => {
            crate::out::log_as_json();
            all.with(lines.json()).init();
        }
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            all.with(lines.with_ansi(ansi).without_time()).init();
        }
    }
}

/// Warnings that are kept for the report, at most.
const MOST_WARNINGS: usize = 100;

static WARNED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what this process warned of.
struct Warnings;

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() != tracing::Level::WARN || !event.metadata().target().starts_with("burnrec") {
            return;
        }
        let mut text = Message(String::new());
        event.record(&mut text);
        let mut all = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST_WARNINGS && !all.contains(&text.0) {
            all.push(text.0);
        }
    }
}

/// The message of an event.
struct Message(String);

impl tracing::field::Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// What this process warned of so far.
pub fn warnings() -> Vec<String> {
    WARNED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Refuses a number of threads that no machine has.
pub fn check_threads(count: usize) -> Result<(), CliError> {
    match burnrec_train::THREADS.contains(&count) {
        true => Ok(()),
        false => Err(CliError::Usage(format!("--threads {count}: must lie in 1..=4096"))),
    }
}

/// Bounds the threads that compute.
pub fn threads(count: Option<usize>) -> Result<(), CliError> {
    let Some(count) = count else { return Ok(()) };
    check_threads(count)?;
    let built = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    built.map_err(|e| CliError::Usage(format!("--threads {count}: {e}")))
}

/// A request to stop that Ctrl-C and SIGTERM make; a second one ends the process at once.
pub fn stop_on_signals() -> Stop {
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 130, stop.0.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.0.clone()));
        if let Err(error) = registered {
            tracing::warn!("signal {signal} will not make a checkpoint: {error}");
        }
    }
    stop
}

/// How the temporary files of this process begin.
pub fn temporary(what: &str) -> String {
    format!(".tmp-{what}-{}-", std::process::id())
}

/// Removes this process's temporary files in a folder before a signal ends it.
pub fn tidy_on_signals(folder: &Path, what: &'static str) {
    let (folder, prefix) = (folder.to_path_buf(), temporary(what));
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    let path = entry.path();
                    drop(if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) });
                }
            }
            std::process::exit(130);
        }
    });
}

/// Opens a device and says which it is.
pub fn device(choice: DeviceChoice) -> Result<Opened, BackendError> {
    let opened = burnrec_backend::open(choice)?;
    let facts = &opened.facts;
    tracing::info!("{}", in_words(facts));
    Ok(opened)
}

/// The same for commands that train nothing: their answers are not about a device.
pub fn device_aside(choice: DeviceChoice) -> Result<Opened, BackendError> {
    let opened = burnrec_backend::open(choice)?;
    tracing::debug!("{}", in_words(&opened.facts));
    Ok(opened)
}

fn in_words(facts: &DeviceFacts) -> String {
    let software = if facts.software { ", a software adapter" } else { "" };
    let instead = if facts.fallback.is_some() { "; no GPU answered" } else { "" };
    format!("device {}: {}{software}{instead}", facts.kind, facts.name)
}

/// Checks that a folder can be made and has room, and leaves nothing behind.
pub fn probe_folder(folder: &Path, option: &'static str) -> Result<(), CliError> {
    let failed =
        |e: std::io::Error| CliError::Output { path: folder.display().to_string(), reason: e.to_string(), option };
    let exists = folder.ancestors().find(|p| p.exists() && !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !exists.is_dir() {
        return Err(failed(std::io::Error::other(format!("{} is not a folder", exists.display()))));
    }
    let mut probe = tempfile::Builder::new().prefix(".tmp-probe-").tempfile_in(exists).map_err(failed)?;
    probe.write_all(&[0; 1 << 18]).and_then(|()| probe.as_file().sync_all()).map_err(failed)
}

/// The run folder: the one given, a new one, or the latest to resume.
pub fn run_folder(run: &RunConfig, out: Option<&Path>, resume: bool) -> Result<PathBuf, CliError> {
    if let Some(out) = out {
        return Ok(out.to_path_buf());
    }
    let name = &run.name;
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(CliError::Usage(format!("run.name = \"{name}\": must be a plain folder name")));
    }
    let runs = Path::new("runs").join(name);
    if resume {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(&runs).into_iter().flatten().flatten().map(|e| e.path()).collect();
        found.retain(|p| RunFolder::is_begun(p));
        found.sort();
        return found.pop().ok_or_else(|| {
            CliError::Usage(format!("--resume: there is no run under {}; name its folder with --out", runs.display()))
        });
    }
    let id = format!("{}-s{}", timestamp(), run.seed);
    let free = (0..1000)
        .map(|n| if n == 0 { id.clone() } else { format!("{id}-{n}") })
        .map(|id| runs.join(id))
        .find(|p| !p.exists());
    free.ok_or_else(|| CliError::Usage(format!("{} is full of runs of this second", runs.display())))
}

/// `20261121-225800`, UTC.
fn timestamp() -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, time) = ((seconds / 86_400) as i64, seconds % 86_400);
    let (year, month, day) = burnrec_record::civil(days);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", time / 3600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn timestamps_have_the_form() {
        let stamp = super::timestamp();
        assert!(stamp.len() == 15 && stamp.starts_with("20"), "{stamp}");
    }
}
