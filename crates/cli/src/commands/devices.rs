//! `burnrec devices`

use burnrec_backend::DeviceName;

use crate::args::JsonArgs;
use crate::error::CliError;
use crate::out;

/// Lists the devices that answer, and what this build could open.
pub fn run(args: &JsonArgs) -> Result<(), CliError> {
    let found = burnrec_backend::list();
    let compiled: Vec<&str> = DeviceName::ALL.iter().filter(|d| d.is_compiled_in()).map(|d| d.name()).collect();
    if args.json {
        return out::json(&serde_json::json!({ "devices": found, "compiled_in": compiled }));
    }
    let heads = ["device", "name", "driver", "software", "binds at most", "holds at most"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    let mib = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_string(), |b| format!("{} MiB", b >> 20));
    for d in &found {
        let software = if d.software { "yes" } else { "no" };
        rows.push(vec![
            d.index.map_or_else(|| d.kind.clone(), |index| format!("{}:{index}", d.kind)),
            d.name.clone(),
            d.driver.trim().to_string(),
            software.into(),
            mib(d.max_binding_bytes),
            mib(d.max_buffer_bytes),
        ]);
    }
    out::table(&rows)?;
    let others: Vec<&str> = DeviceName::ALL.iter().filter(|d| !d.is_compiled_in()).map(|d| d.name()).collect();
    out::line(&format!(
        "\ncompiled in: {}; with `--features burnrec/NAME`: {}",
        compiled.join(", "),
        if others.is_empty() { "no more".into() } else { others.join(", ") }
    ))
}
