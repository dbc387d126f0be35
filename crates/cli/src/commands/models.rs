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
    let name = |kind| serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default();
    let kinds = |m: &burnrec_models::ModelInfo| m.reads.kinds.iter().map(name).collect::<Vec<_>>().join(", ");
    let heads = |m: &burnrec_models::ModelInfo| match m.reads.heads {
        burnrec_models::Heads::One => "one task",
        burnrec_models::Heads::Any => "any tasks",
        burnrec_models::Heads::Chain => "a chain of tasks",
        burnrec_models::Heads::Branches => "a branching chain of three tasks",
    };
    let row =
        |m: &burnrec_models::ModelInfo| vec![m.name.to_string(), heads(m).to_string(), kinds(m), m.paper.to_string()];
    out::table(&models.iter().map(row).collect::<Vec<_>>())
}
