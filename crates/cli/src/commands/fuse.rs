//! `burnrec fuse`

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_features::{Draws, Purpose};
use burnrec_train::fuse::{FuseConfig, FuseFile, Fused, Fusion, tune};
use burnrec_train::metrics::{MetricName, Protocol};
use burnrec_train::{Asked, SavedModel, Stop, Task, TrainError, Values, score_rows};

use super::output::{Place, Writer, kind, refuse_input};
use super::predict::{InFile, of_file};
use super::saved::open;
use crate::args::FuseArgs;
use crate::config_file::{self, ConfigFile};
use crate::error::CliError;
use crate::out;

/// A score: its run, and the place of its task there.
struct Score {
    name: String,
    saved: SavedModel,
    task: usize,
}

impl Score {
    fn task(&self) -> &Task {
        &self.saved.checked.tasks()[self.task]
    }

    /// As it is joined: a probability where it is one.
    fn value(&self, score: f32) -> f64 {
        match self.task().gives_probabilities() {
            true => 1.0 / (1.0 + (-f64::from(score)).exp()),
            false => f64::from(score),
        }
    }
}

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
        scores.push(score(name, saved, own.task.as_deref()).map_err(|problem| usage(&key, problem))?);
    }
    same_rows(&scores).map_err(|problem| usage("fuse.scores", problem))?;
    let target = scores.iter().position(|score| score.name == config.target).unwrap_or(0);
    if metric.needs_groups() && scores[target].saved.checked.schema().group.is_none() {
        return Err(usage("fuse.metric", "is of groups, and the run of the target has no features.group".into()));
    }
    scores[target].task().allows("fuse.metric", metric).map_err(|e| located(e.into()))?;
    let valid = side(&scores, target, Side::Valid, args)?.ok_or_else(|| {
        usage("fuse.target", "has no validation row whose label is known; split the data otherwise".into())
    })?;
    let given: Vec<f64> = config.scores.values().map(|score| score.weight).collect();
    fusion.check(&valid.columns, &given).map_err(|e| located(e.into()))?;
    let (weights, found) = tune(&config, &fusion, &valid, metric).map_err(|e| located(e.into()))?;
    let test = side(&scores, target, Side::Test, args)?;
    if let (Some(input), Some(output)) = (&args.input, &args.output) {
        write(&scores, &fusion, &weights, target, input, output, args)?;
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

/// A score of a run; why not, where the run has no such task or gives no numbers.
fn score(name: &str, saved: SavedModel, task: Option<&str>) -> Result<Score, String> {
    let tasks = saved.checked.tasks();
    let names = || tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ");
    let place = match task {
        Some(task) => tasks
            .iter()
            .position(|own| own.name == task)
            .ok_or_else(|| format!("names task `{task}`, and {} has {}", saved.folder.display(), names()))?,
        None if tasks.len() == 1 => 0,
        None => return Err(format!("needs a task: {} has {}", saved.folder.display(), names())),
    };
    if saved.checked.protocol() != Protocol::Rows {
        return Err(format!("{} looks for items, or ranks drawn ones; fusion is of rows", saved.folder.display()));
    }
    match saved.checked.schema().targets[tasks[place].target].classes() {
        Some(_) => Err(format!("task `{}` is of several classes, which are no score", tasks[place].name)),
        None => Ok(Score { name: name.into(), task: place, saved }),
    }
}

/// Rows of one data set, split alike; why not, where a run has others.
fn same_rows(scores: &[Score]) -> Result<(), String> {
    let of = |score: &Score| {
        let mut data = score.saved.checked.experiment().data.clone();
        // Histories are inputs: they change no row.
        data.history = None;
        data
    };
    let first = of(&scores[0]);
    match scores.iter().find(|score| of(score) != first) {
        Some(other) => Err(format!(
            "are of other rows: [data] of {} is not that of {}; train them on the same source and split",
            other.saved.folder.display(),
            scores[0].saved.folder.display()
        )),
        None => Ok(()),
    }
}

/// The scores of a side's rows whose label of the target is known.
fn side(scores: &[Score], target: usize, side: Side, args: &FuseArgs) -> Result<Option<Fused>, CliError> {
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(scores.len());
    let mut judged = None;
    for (at, score) in scores.iter().enumerate() {
        let saved = &score.saved;
        let mut own = saved.checked.experiment().data.clone();
        burnrec_data::place(&args.place.data_dir, &mut own, &saved.folder);
        let (path, data) = burnrec_data::resolve(&args.place.data_dir, &own, &|line| tracing::info!("{line}"))?;
        let dataset = Dataset::open(&path, &data)?;
        if !saved.encoder.is_as_fitted(&dataset, side)? {
            return Err(CliError::Usage(format!(
                "{}: the {} rows are not those that were there when {} was trained; train it again, or bring them back",
                dataset.source(side).path().display(),
                side.name(),
                saved.folder.display()
            )));
        }
        let rows = dataset.stream(side, &saved.encoder.schema().columns(true))?;
        let encoder = &saved.encoder;
        let asked =
            Asked { rows, source: dataset.source(side), encoder, purpose: Purpose::Measure, draws: Draws::Nothing };
        let scored = score_rows(&saved.weights, saved.checked.tasks(), asked, &Stop::default())?;
        columns.push(scored.scores[score.task].iter().map(|s| score.value(*s)).collect());
        if at == target {
            judged = Some((scored.known[score.task].clone(), scored.known_rows[score.task].clone()));
        }
    }
    let rows = columns[0].len();
    if let Some(at) = columns.iter().position(|column| column.len() != rows) {
        return Err(CliError::Usage(format!(
            "{} has {} {} rows and {} has {rows}: they were trained on other data; fuse runs of the same rows",
            scores[at].saved.folder.display(),
            columns[at].len(),
            side.name(),
            scores[0].saved.folder.display()
        )));
    }
    let Some((judged, known)) = judged.filter(|(judged, _)| judged.rows() > 0) else { return Ok(None) };
    let columns = columns.into_iter().map(|column| known.iter().map(|row| column[*row as usize]).collect()).collect();
    Ok(Some(Fused { columns, judged }))
}

/// The groups of a file's rows in which the target's run ranks, where the method looks at ranks.
fn groups(target: &Score, rows: &InFile, fusion: &Fusion) -> Result<Vec<u64>, CliError> {
    let Some(column) = target.saved.checked.schema().group.clone().filter(|_| fusion.is_of_ranks()) else {
        return Ok(Vec::new());
    };
    let mut known: std::collections::HashMap<String, u64> = std::collections::HashMap::new();
    let mut groups = Vec::new();
    for batch in rows.written.stream(&[column])? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let text = array_value_to_string(batch.column(0), row).map_err(|e| CliError::Usage(e.to_string()))?;
            let next = known.len() as u64 + 1;
            groups.push(*known.entry(text).or_insert(next));
        }
    }
    Ok(groups)
}

/// Writes the rows of a file with all scores.
fn write(
    scores: &[Score],
    fusion: &Fusion,
    weights: &[f64],
    target: usize,
    input: &Path,
    output: &Path,
    args: &FuseArgs,
) -> Result<(), CliError> {
    let kind = kind(output)?;
    let place = Place::of(output, "--output")?;
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut rows: Option<InFile> = None;
    for score in scores {
        let own = of_file(&score.saved, input, &args.place)?;
        let name = match score.saved.checked.tasks().len() {
            1 => "prediction".to_string(),
            _ => format!("prediction_{}", score.task().name),
        };
        let values = own.columns.iter().find(|column| column.name == name).map(|column| &column.values);
        let Some(Values::Numbers(values)) = values else {
            return Err(CliError::Usage(format!("{}: gives no column {name}", score.saved.folder.display())));
        };
        columns.push(values.iter().map(|v| f64::from(*v)).collect());
        rows.get_or_insert(own);
    }
    let Some(rows) = rows else { return Ok(()) };
    fusion.check(&columns, weights)?;
    let fused = fusion.fuse(&columns, weights, &groups(&scores[target], &rows, fusion)?);
    if let Some(row) = fused.iter().position(|score| !score.is_finite()) {
        return Err(CliError::Usage(format!(
            "the joined score of row {} of {} is {}",
            row + 1,
            input.display(),
            fused[row]
        )));
    }
    let taken = |name: &str| rows.names.iter().any(|own| own == name);
    if let Some(name) = scores.iter().map(|s| s.name.as_str()).chain(["fused"]).find(|name| taken(name)) {
        return Err(CliError::Usage(format!("column `{name}` would stand twice in the output; rename the score")));
    }
    let mut writer = Writer::new(kind, place)?;
    let mut at = 0;
    for batch in rows.written.stream(&rows.names)? {
        let batch = batch?;
        let (own, count) = (rows.names.len(), batch.num_rows());
        let mut fields: Vec<Field> = (0..own).map(|c| batch.schema().field(c).clone()).collect();
        let mut arrays: Vec<ArrayRef> = (0..own).map(|c| batch.column(c).clone()).collect();
        for (score, column) in scores.iter().zip(&columns) {
            let values: Vec<f32> = column[at..at + count].iter().map(|v| *v as f32).collect();
            fields.push(Field::new(&score.name, DataType::Float32, false));
            arrays.push(Arc::new(Float32Array::from(values)));
        }
        fields.push(Field::new("fused", DataType::Float64, false));
        arrays.push(Arc::new(Float64Array::from(fused[at..at + count].to_vec())));
        at += count;
        let whole = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        writer.write(&whole.map_err(|e| CliError::Usage(e.to_string()))?)?;
    }
    if at == 0 {
        return Err(CliError::Usage(format!("{}: has no rows to score", input.display())));
    }
    writer.finish()?;
    tracing::info!("{at} rows written to {}", output.display());
    Ok(())
}
