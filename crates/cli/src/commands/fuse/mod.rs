//! `burnrec fuse`

mod rows;
mod score;

use std::path::Path;

use burnrec_data::Side;
use burnrec_train::TrainError;
use burnrec_train::fuse::{FuseConfig, FuseFile, Fused, Fusion, tune};
use burnrec_train::metrics::MetricName;

use super::output::{kind, refuse_input};
use super::saved::open;
use crate::args::FuseArgs;
use crate::config_file::{self, ConfigFile};
use crate::error::CliError;
use crate::out;
use rows::write;
use score::{Score, same_rows, side};

/// Reads a file of fusion, and checks it.
fn load(config: &Path, set: &[String]) -> Result<(ConfigFile, FuseConfig, Fusion, MetricName), CliError> {
    let (file, FuseFile { fuse: config }): (ConfigFile, FuseFile) = config_file::load(config, set)?;
    let located = |e: TrainError| file.locate(e.into());
    config.check().map_err(located)?;
    let fusion = Fusion::new(&config).map_err(located)?;
    let metric = MetricName::parse("fuse.metric", &config.metric).map_err(located)?;
    if !(metric.needs_groups() || metric == MetricName::Auc) {
        let problem = format!("{} is no metric of ranking; take auc, gauc, ndcg@K", metric.name());
        return Err(located(TrainError::Setting { key: "fuse.metric".into(), problem }));
    }
    Ok((file, config, fusion, metric))
}

/// Says what a file would join.
pub fn explain(path: &Path, set: &[String]) -> Result<(), CliError> {
    let (_, config, _, metric) = load(path, set)?;
    out::line(&format!(
        "{}: fusion by {:?}, judged by {} of {}",
        path.display(),
        config.method,
        metric.name(),
        config.target
    ))?;
    for (name, score) in &config.scores {
        let task = score.task.as_deref().map_or(String::new(), |task| format!(", task {task}"));
        out::line(&format!("  score   {name} of {}{task}, weight {}", score.run, score.weight))?;
    }
    Ok(())
}

/// Joins, and says what comes of it on the sides of the runs' own data, or of a file's rows.
pub fn run(args: &FuseArgs) -> Result<(), CliError> {
    let (file, config, fusion, metric) = load(&args.config, &args.set)?;
    let located = |e: CliError| file.locate(e);
    let usage = |key: &str, problem: String| located(TrainError::Setting { key: key.into(), problem }.into());
    if let (Some(input), Some(output)) = (&args.input, &args.output) {
        refuse_input(input, output)?;
        kind(output)?;
    }
    let mut scores = Vec::with_capacity(config.scores.len());
    for (name, own) in &config.scores {
        let saved = open(Path::new(&own.run), &args.place)?;
        let key = format!("fuse.scores.{name}");
        scores.push(Score::of(name, saved, own.task.as_deref()).map_err(|problem| usage(&key, problem))?);
    }
    same_rows(&scores).map_err(|problem| usage("fuse.scores", problem))?;
    let target = scores.iter().position(|score| score.name == config.target).unwrap_or(0);
    if metric.needs_groups() && scores[target].saved.checked.schema().group.is_none() {
        return Err(usage("fuse.metric", "is of groups, and the run of the target has no features.group".into()));
    }
    scores[target].task().allows("fuse.metric", metric).map_err(|e| located(e.into()))?;
    let valid = side(&scores, target, Side::Valid, &args.place.data_dir)?.ok_or_else(|| {
        usage("fuse.target", "has no validation row whose label is known; split the data otherwise".into())
    })?;
    let given: Vec<f64> = config.scores.values().map(|score| score.weight).collect();
    fusion.check(&valid.columns, &given).map_err(|e| located(e.into()))?;
    let (weights, found) = tune(&config, &fusion, &valid, metric).map_err(|e| located(e.into()))?;
    let test = side(&scores, target, Side::Test, &args.place.data_dir)?;
    if let (Some(input), Some(output)) = (&args.input, &args.output) {
        write(&scores, (&fusion, &weights), target, (input, output), &args.place)?;
    }
    let judged = |rows: &Fused, weights: Option<&[f64]>, column: usize| match weights {
        Some(weights) => rows.judge(&fusion, weights, metric).ok(),
        None => rows.judge_scores(&rows.columns[column], metric).ok(),
    };
    let tested = |weights: Option<&[f64]>, column: usize| test.as_ref().and_then(|test| judged(test, weights, column));
    if args.json {
        let alone = |(at, score): (usize, &Score)| {
            let own = serde_json::json!({"valid": judged(&valid, None, at), "test": tested(None, at)});
            (score.name.clone(), own)
        };
        let names = fusion.names().iter().cloned().zip(weights.iter().map(|w| serde_json::json!(w)));
        return out::json(&serde_json::json!({
            "metric": metric.name(),
            "weights": names.collect::<serde_json::Map<_, _>>(),
            "valid": found,
            "test": tested(Some(&weights), 0),
            "alone": scores.iter().enumerate().map(alone).collect::<serde_json::Map<_, _>>(),
        }));
    }
    let show = |value: Option<f64>| value.map_or("undefined".to_string(), |v| format!("{v:.4}"));
    let mut table = vec![vec![
        "score".into(),
        "weight".into(),
        format!("valid {}", metric.name()),
        format!("test {}", metric.name()),
    ]];
    for (at, score) in scores.iter().enumerate() {
        let (v, t) = (judged(&valid, None, at), tested(None, at));
        table.push(vec![score.name.clone(), format!("{:.4}", weights[at]), show(v), show(t)]);
    }
    table.push(vec!["fused".into(), String::new(), show(Some(found)), show(tested(Some(&weights), 0))]);
    out::table(&table)
}
