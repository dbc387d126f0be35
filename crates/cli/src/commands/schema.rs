//! `burnrec schema`

use burnrec_train::Experiment;

use crate::error::CliError;
use crate::out;

/// Prints the JSON schema of experiment files.
pub fn run() -> Result<(), CliError> {
    out::json(&schemars::schema_for!(Experiment))
}
