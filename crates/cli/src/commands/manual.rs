//! `burnrec completions` and `burnrec man`: the command line for shells and for `man`.

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Arguments, CompletionsArgs, ManArgs};
use crate::error::CliError;
use crate::{out, setup};

const NAME: &str = "burnrec";

fn print(bytes: &[u8]) -> Result<(), CliError> {
    match std::io::stdout().lock().write_all(bytes) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(CliError::ClosedPipe),
        Err(e) => Err(CliError::Usage(format!("standard output: {e}"))),
    }
}

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), NAME, &mut bytes);
    print(&bytes)
}

/// Prints the manual page, or writes one for every command into a folder.
pub fn man(args: &ManArgs) -> Result<(), CliError> {
    let failed = |e: std::io::Error| CliError::Disk { path: "the manual".into(), reason: e.to_string() };
    let command = Arguments::command().name(NAME);
    let Some(folder) = &args.out else {
        let mut bytes = Vec::new();
        clap_mangen::Man::new(command).render(&mut bytes).map_err(failed)?;
        return print(&bytes);
    };
    setup::probe_folder(folder, "--out")?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)?;
    out::line(&folder.display().to_string())
}
