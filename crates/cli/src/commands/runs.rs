//! `burnrec runs`

use burnrec_report::{Listed, list};
use burnrec_train::metrics::MetricName;
use toml::{Table, Value};

use crate::args::RunsArgs;
use crate::error::CliError;
use crate::out;

/// Metrics that a list shows where nothing else is asked for, at most.
const SHOWN: usize = 3;

/// Lists run folders with their figures.
pub fn run(args: &RunsArgs) -> Result<(), CliError> {
    if !args.folder.is_dir() {
        let path = args.folder.display();
        return Err(CliError::Usage(format!("{path}: is not a folder; name the one with the runs")));
    }
    let mut found = list(&args.folder);
    for filter in &args.filter {
        if filter.split('=').next().is_none_or(|key| key.trim().is_empty()) {
            return Err(CliError::Usage(format!("--where {filter}: has no key; write it as train.epochs=5")));
        }
        found.retain(|run| holds(run, filter));
    }
    if let Some(by) = &args.sort {
        sort(&mut found, by)?;
    }
    if args.json {
        return out::json(&found);
    }
    if found.is_empty() {
        let what = if args.filter.is_empty() { "no runs" } else { "no run of these settings" };
        return out::line(&format!("{what} below {}", args.folder.display()));
    }
    print(&found, args.sort.as_deref())
}

/// Whether a run has a setting, or a table or key of a name.
fn holds(run: &Listed, filter: &str) -> bool {
    let table: Table = run.config.parse().unwrap_or_default();
    let (key, wanted) = match filter.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (filter.trim(), None),
    };
    let mut at = None;
    let mut inside = Some(&table);
    for part in key.split('.') {
        at = inside.and_then(|table| table.get(part));
        inside = at.and_then(Value::as_table);
    }
    match (at, wanted) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(Value::String(own)), Some(wanted)) => own == wanted.trim_matches('"'),
        (Some(own), Some(wanted)) => {
            let number = |text: &str| text.parse::<f64>().ok();
            own.to_string() == wanted || number(&own.to_string()).is_some_and(|x| Some(x) == number(wanted))
        }
    }
}

fn figure(run: &Listed, by: &str) -> Option<f64> {
    match by {
        "began" => run.began,
        "seconds" => run.seconds,
        "speed" => run.rows_per_second,
        metric => run.metric(metric),
    }
}

/// The best first; runs without the figure last.
fn sort(found: &mut [Listed], by: &str) -> Result<(), CliError> {
    if !found.is_empty() && found.iter().all(|run| figure(run, by).is_none()) {
        let mut names: Vec<&str> =
            found.iter().flat_map(|run| run.metrics.iter().map(|(name, _)| name.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        return Err(CliError::Usage(format!(
            "--sort {by}: no run has it; there are began, seconds, speed, {}",
            names.join(", ")
        )));
    }
    let metric = MetricName::parse("--sort", by.rsplit('.').next().unwrap_or(by));
    let falls = by == "seconds" || metric.is_ok_and(|metric| !metric.larger_is_better());
    let value = |run: &Listed| figure(run, by).map_or(f64::MAX, |x| if falls { x } else { -x });
    found.sort_by(|a, b| value(a).total_cmp(&value(b)));
    Ok(())
}

fn print(found: &[Listed], sort: Option<&str>) -> Result<(), CliError> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in found.iter().flat_map(|run| &run.metrics) {
        let wanted = names.len() < SHOWN || sort == Some(name);
        if wanted && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut heads: Vec<String> = ["run", "kind", "status", "model"].map(String::from).to_vec();
    heads.extend(names.iter().map(|name| (*name).to_string()));
    heads.extend(["rows/s".into(), "seconds".into()]);
    let show = |x: Option<f64>, digits: usize| x.map_or("-".into(), |x| format!("{x:.digits$}"));
    let row = |run: &Listed| {
        let status: String = run.status.chars().take(60).collect();
        let mut cells = vec![
            run.path.display().to_string(),
            run.kind.to_string(),
            status,
            run.model.clone().unwrap_or_else(|| "-".into()),
        ];
        cells.extend(names.iter().map(|name| show(run.metric(name), 4)));
        cells.push(show(run.rows_per_second, 0));
        cells.push(show(run.seconds, 1));
        cells
    };
    // Names of folders do not steer the terminal.
    let plain = |cell: String| cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let plain = |cells: Vec<String>| cells.into_iter().map(plain).collect::<Vec<String>>();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(found.iter().map(row)).map(plain).collect();
    out::table(&rows)
}
