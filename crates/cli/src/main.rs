//! The `burnrec` binary: arguments and a config file become a checked plan, then something runs.

mod args;
mod commands;
mod config_file;
mod error;
mod out;
mod progress;
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
            out::error(&error.to_string());
            ExitCode::from(error.code())
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            out::error(&format!(
                "burnrec failed on an assumption of its own ({}); nothing that was saved is lost: please report it with the config, and continue with --resume",
                text.unwrap_or("no message")
            ));
            ExitCode::from(1)
        }
    }
}

fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Train(a) => commands::train::run(&a),
        Command::Evaluate(a) => commands::evaluate::run(&a),
        Command::Predict(a) => commands::predict::run(&a),
        Command::Check(a) => commands::check::run(&a),
        Command::Devices(a) => commands::devices::run(&a),
        Command::Models(a) => commands::models::run(&a),
        Command::Schema => commands::schema::run(),
        Command::Bench(a) => commands::bench::run(&a),
        Command::Data(DataCommand::List(a)) => commands::data::list(&a),
        Command::Data(DataCommand::Fetch(a)) => commands::data::fetch(&a),
        Command::Data(DataCommand::Inspect(a)) => commands::data::inspect(&a),
        Command::Data(DataCommand::Generate(a)) => commands::data::generate(&a),
    }
}
