//! `burnrec data …`

use std::path::Path;

use burnrec_data::synthetic::{SyntheticConfig, generate as write_log};
use burnrec_data::{Manifest, Reads, TextConfig, inspect as look};

use crate::args::{DataListArgs, FetchArgs, GenerateArgs, InspectArgs};
use crate::error::CliError;
use crate::{out, setup};

/// `burnrec data list`
pub fn list(args: &DataListArgs) -> Result<(), CliError> {
    let known = burnrec_data::list(&args.data_dir)?;
    if args.json {
        let line = |m: &Manifest| serde_json::json!({"name": m.name, "title": m.title, "licence": m.licence, "present": m.is_present(&args.data_dir)});
        return out::json(&known.iter().map(line).collect::<Vec<_>>());
    }
    let here = |m: &Manifest| if m.is_present(&args.data_dir) { "here" } else { "not fetched" };
    out::table(&known.iter().map(|m| vec![m.name.clone(), here(m).to_string(), m.title.clone()]).collect::<Vec<_>>())
}

/// `burnrec data fetch`
pub fn fetch(args: &FetchArgs) -> Result<(), CliError> {
    let manifest = burnrec_data::find(&args.data_dir, &args.name)?;
    let manifest = manifest
        .ok_or_else(|| CliError::Usage(format!("no data set `{}`; `burnrec data list` names them", args.name)))?;
    // What a signal interrupts leaves nothing.
    setup::tidy_on_signals(&args.data_dir, "fetch");
    let folder = burnrec_data::fetch(&args.data_dir, &manifest, &|line| tracing::info!("{line}"))?;
    out::line(&folder.display().to_string())
}

/// `burnrec data inspect`
pub fn inspect(args: &InspectArgs) -> Result<(), CliError> {
    let text = TextConfig {
        delimiter: args.delimiter.clone().or_else(|| look::delimiter(&args.path, args.format)),
        quote: args.quote.clone(),
        names: args.names.clone(),
        escape: args.escape,
        null: args.null.clone(),
        encoding: args.encoding,
    };
    let text = if args.no_header { look::without_header(&args.path, args.format, text)? } else { text };
    let how = Reads { format: args.format, text, ..Reads::default() };
    let (rows, columns) = look::inspect(&args.path, &how)?;
    if args.json {
        return out::json(&serde_json::json!({ "rows": rows, "columns": columns }));
    }
    let mut table = vec![["column", "type", "missing", "distinct", "range", "example"].map(String::from).to_vec()];
    for c in columns {
        let range = c.range.map_or_else(|| "-".to_string(), |(a, b)| format!("{a} .. {b}"));
        let example: String = c.example.chars().take(40).collect();
        // Cells of text files are text to begin with: what they all are says more.
        let data_type = match (c.data_type.as_str(), range.as_str()) {
            ("Utf8", "-") => "text".to_string(),
            ("Utf8", _) => "number".to_string(),
            _ => c.data_type,
        };
        table.push(vec![c.name, data_type, c.missing.to_string(), c.distinct.to_string(), range, example]);
    }
    out::line(&format!("{}: {rows} rows", args.path.display()))?;
    out::table(&table)
}

/// `burnrec data generate`
pub fn generate(args: &GenerateArgs) -> Result<(), CliError> {
    let mut config: SyntheticConfig = match args.spec.as_str() {
        "criteo" => SyntheticConfig::default(),
        path => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                CliError::Usage(format!("{path}: {e}; give `criteo` or a TOML file with the generator's keys"))
            })?;
            toml::from_str(&text).map_err(|e| CliError::Usage(format!("{path}: {e}")))?
        }
    };
    config.rows = args.rows.unwrap_or(config.rows);
    config.seed = args.seed.unwrap_or(config.seed);
    config.check()?;
    if args.out.extension().is_none_or(|e| e != "parquet") {
        return Err(CliError::Usage(format!(
            "--out {}: the log is Parquet; give a name that ends in .parquet",
            args.out.display()
        )));
    }
    let parent = args.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if args.out.exists() {
        return Err(CliError::Usage(format!("--out {}: exists already; give another name", args.out.display())));
    }
    crate::setup::probe_folder(parent, "--out")?;
    crate::setup::tidy_on_signals(parent, "generate");
    let truth = write_log(&config, &args.out)?;
    out::json(&serde_json::json!({ "path": args.out, "rows": config.rows, "truth": truth }))
}
