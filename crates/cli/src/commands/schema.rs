//! `burnrec schema`

use burnrec_rl::ope::OpeFile;
use burnrec_rl::simulate::Simulation;
use burnrec_train::Experiment;
use burnrec_train::fuse::FuseFile;
use schemars::schema_for;

use crate::args::{SchemaArgs, SchemaOf};
use crate::error::CliError;
use crate::out;

/// Prints the JSON schema of a kind of file.
pub fn run(args: &SchemaArgs) -> Result<(), CliError> {
    out::json(&match args.of {
        SchemaOf::Experiment => schema_for!(Experiment),
        SchemaOf::Simulation => schema_for!(Simulation),
        SchemaOf::Fusion => schema_for!(FuseFile),
        SchemaOf::Evaluation => schema_for!(OpeFile),
    })
}
