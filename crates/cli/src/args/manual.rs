//! What completions and manual pages take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

/// `burnrec schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The kind of file.
    #[arg(long, value_enum, default_value_t = SchemaOf::Experiment)]
    pub of: SchemaOf,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// What `train`, `sweep`, `replay` and `update` take.
    Experiment,
    /// What `simulate` takes.
    Simulation,
    /// What `fuse` takes.
    Fusion,
    /// What `ope` takes.
    Evaluation,
}
