//! The `burnrec` binary: arguments and a config file become a checked plan, then something runs.

mod args;
mod commands;
mod config_error;
mod config_file;
mod error;
mod nearest;
mod out;
mod progress;
mod reading;
mod setup;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command, DataCommand};
use error::CliError;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    setup::environment();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to standard output and are a success.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    setup::logging(arguments.log);
    std::panic::set_hook(Box::new(|info| tracing::debug!("{info}")));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(arguments.command)));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(CliError::ClosedPipe)) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let meant = error.meant().map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            out::error(&format!("{error}{meant}"));
            ExitCode::from(error.code())
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let error = explained(text.unwrap_or("no message"));
            out::error(&error.to_string());
            ExitCode::from(error.code())
        }
    }
}

/// What stopped a run without an error of its own: a device that is too small, or a mistake of burnrec's.
fn explained(text: &str) -> CliError {
    let size = text.split("can't allocate buffer of size: ").nth(1).and_then(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    });
    match size {
        Some(bytes) => CliError::DeviceMemory { mib: bytes.div_ceil(1 << 20) },
        None => CliError::Assumption { text: text.to_string() },
    }
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::New(a) => commands::new::run(&a),
        Command::Train(a) => commands::train::run(&a),
        Command::Fuse(a) => commands::fuse::run(&a),
        Command::Sweep(a) => commands::sweep::run(&a),
        Command::Replay(a) => commands::replay::run(&a),
        Command::Update(a) => commands::update::run(&a),
        Command::Rollback(a) => commands::update::roll_back(&a),
        Command::Online(a) => commands::online::run(&a),
        Command::Simulate(a) => commands::simulate::run(&a),
        Command::Ope(a) => commands::ope::run(&a),
        Command::Evaluate(a) => commands::evaluate::run(&a),
        Command::Predict(a) => commands::predict::run(&a),
        Command::Recommend(a) => commands::recommend::run(&a),
        Command::Export(a) => commands::export::run(&a),
        Command::Apply(a) => commands::export::apply(&a),
        Command::Explain(a) => commands::explain::run(&a),
        Command::Report(a) => commands::report::run(&a),
        Command::ServeReport(a) => commands::serve::run(&a),
        Command::Watch(a) => commands::watch::run(&a),
        Command::Runs(a) => commands::runs::run(&a),
        Command::Check(a) => commands::check::run(&a),
        Command::Devices(a) => commands::devices::run(&a),
        Command::Models(a) => commands::models::run(&a),
        Command::Completions(a) => commands::manual::completions(&a),
        Command::Man(a) => commands::manual::man(&a),
        Command::Schema(a) => commands::schema::run(&a),
        Command::Bench(a) => commands::bench::run(&a),
        Command::Data(DataCommand::List(a)) => commands::data::list(&a),
        Command::Data(DataCommand::Fetch(a)) => commands::data::fetch(&a),
        Command::Data(DataCommand::Inspect(a)) => commands::data::inspect(&a),
        Command::Data(DataCommand::Generate(a)) => commands::data::generate(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_too_small_is_no_mistake_of_burnrec() {
        let error =
            explained("Caused by:\n  An IO error happened\nCaused by:\n  can't allocate buffer of size: 278989920\nNo");
        assert_eq!(error.code(), 3);
        assert!(error.to_string().contains("267 MiB") && error.to_string().contains("batch_size"), "{error}");
        assert_eq!(explained("index out of bounds").code(), 1);
    }
}
