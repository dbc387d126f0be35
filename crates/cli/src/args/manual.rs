//! What completions and manual pages take.

use std::path::PathBuf;

use clap::Args;

/// `burnrec completions`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec completions bash > ~/.local/share/bash-completion/completions/burnrec")]
pub struct CompletionsArgs {
    /// The shell: bash, zsh, fish, elvish or powershell.
    pub shell: clap_complete::Shell,
}

/// `burnrec man`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  burnrec man --out ~/.local/share/man/man1 && man burnrec-train")]
pub struct ManArgs {
    /// A folder for the pages of all commands; one page on standard output by default.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}
