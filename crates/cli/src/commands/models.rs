//! `burnrec models`

use burnrec_models::registered;

use crate::args::JsonArgs;
use crate::error::CliError;
use crate::out;

/// Lists the models, each with its paper and what it predicts.
pub fn run(args: &JsonArgs) -> Result<(), CliError> {
    let models = registered();
    if args.json {
        return out::json(&models);
    }
    let tasks = |m: &burnrec_models::ModelInfo| {
        m.tasks.iter().map(|t| format!("{t:?}").to_lowercase()).collect::<Vec<_>>().join(", ")
    };
    let rows: Vec<_> = models.iter().map(|m| vec![m.name.to_string(), tasks(m), m.paper.to_string()]).collect();
    out::table(&rows)
}
