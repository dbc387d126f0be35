//! `burnrec check`

use burnrec_backend::DeviceName;
use burnrec_data::split::Dataset;
use burnrec_data::{DataError, Source, SplitConfig};
use burnrec_features::{CategoricalSource, Schema};
use burnrec_record::counted;
use burnrec_schedule::Kind;
use burnrec_train::{Checked, Task, check_placement};

use super::train::{Absent, checked};
use crate::args::CheckArgs;
use crate::config_file::{self, ConfigFile, FileKind};
use crate::error::CliError;
use crate::out;

/// Explains experiment files. Data that is there is opened and its columns are compared; nothing is fetched.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    for config in &args.configs {
        match config_file::kind(config) {
            FileKind::Experiment => {}
            FileKind::Simulation => {
                super::simulate::explain(config, &args.overrides)?;
                continue;
            }
            FileKind::Fusion => {
                super::fuse::explain(config, &args.overrides.set)?;
                continue;
            }
            FileKind::Evaluation => {
                super::ope::explain(config, &args.overrides)?;
                continue;
            }
        }
        let (file, checked) = checked(config, &args.overrides, Absent::Refused)?;
        let e = checked.experiment();
        super::train::check_starts(&checked).map_err(|error| file.locate(error))?;
        // `auto` becomes whatever answers when it runs; a device that is named can be asked now.
        if [DeviceName::Flex, DeviceName::Ndarray].contains(&e.backend.device.name) {
            let opened = burnrec_backend::open(e.backend.device)?;
            check_placement(&opened, e.backend.placement).map_err(|e| file.locate(e.into()))?;
        }
        out::line(&format!(
            "{}: model {}, seed {}, device {}, placement {}",
            config.display(),
            e.model.name(),
            e.run.seed,
            e.backend.device,
            format!("{:?}", e.backend.placement).to_lowercase()
        ))?;
        out::line(&format!("  data    {}", data(args, &file, &checked)?))?;
        if e.schedule.is_none() {
            out::line(&format!("  split   {}", as_written(&e.data.split)))?;
        }
        for task in checked.tasks().iter() {
            out::line(&format!("  task    {}", of_task(task, &checked)))?;
        }
        explain_inputs(&checked)?;
        out::line(&format!(
            "  train   {}, batch {}, {:?} at {}, tables {:?} at {}",
            match &e.schedule {
                Some(schedule) => format!("{} from scratch", counted(schedule.epochs as u64, "epoch")),
                None => format!("{} at most", counted(e.train.epochs as u64, "epoch")),
            },
            e.train.batch_size.map_or("by the number of rows (64 to 1024)".to_string(), |rows| rows.to_string()),
            e.train.optimizer.kind,
            e.train.learning_rate,
            e.train.sparse.kind,
            e.train.sparse.learning_rate,
        ))?;
        let trade = match checked.monitor().name().contains(" - ") {
            true => "; both terms count: name a single metric in train.monitor to let it decide alone",
            false => "",
        };
        out::line(&format!("  best    by {}{trade}", checked.monitor().name()))?;
        if e.schedule.is_some() {
            explain_schedule(args, &file, &checked)?;
        }
        if let Some(sweep) = &e.sweep {
            super::sweep::check_space(config, &args.overrides, sweep)?;
            let keys = sweep.space.keys().cloned().collect::<Vec<_>>().join(", ");
            let (count, runs) = (sweep.count(), sweep.count().saturating_mul(sweep.repeats));
            out::line(&format!("  sweep   {:?}, {count} trials of {keys}, {runs} runs", sweep.method).to_lowercase())?;
        }
        if e.train.refit {
            out::line("  refit   for the best epochs over the rows of training and validation")?;
        }
    }
    Ok(())
}

/// A table as a config writes it on one line.
fn as_written(split: &SplitConfig) -> String {
    let table = toml::Table::try_from(split).unwrap_or_default();
    let keys: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", keys.join(", "))
}

/// The plan of every way to keep the model fresh, with the rows that it costs, where the log is here.
fn explain_schedule(args: &CheckArgs, file: &ConfigFile, checked: &Checked) -> Result<(), CliError> {
    let (config, root) = (&checked.experiment().data, &args.overrides.data_dir);
    let located = |e: CliError| file.locate(e);
    let absent = burnrec_data::find(root, &config.source)?.is_some_and(|manifest| !manifest.is_present(root));
    if absent || config.source == "synthetic" {
        return out::line("  plan    of windows that are counted once the log is here");
    }
    let (path, data) = burnrec_data::resolve(root, config, &|_| {}).map_err(|e| located(e.into()))?;
    let log = burnrec_schedule::open(checked, &path, &data).map_err(|e| located(e.into()))?;
    // Names of parts are those of a model, wherever it computes.
    let host = burnrec_backend::open(burnrec_backend::DeviceName::Flex)?;
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_in(&log.schedule)) {
        let plan = burnrec_schedule::plan(&log.schedule, kind, log.windows()).map_err(|e| located(e.into()))?;
        burnrec_schedule::check_parts(checked, &host, &plan).map_err(|e| located(e.into()))?;
        if kind == Kind::ALL.into_iter().find(|kind| kind.is_in(&log.schedule)).unwrap_or(kind) {
            let judged: u64 = plan.judged.iter().map(|w| w.rows).sum();
            out::line(&format!(
                "  windows {} of {} by {}; start {}: {} rows, {} to learn from; then {} windows with {judged} rows, each predicted first",
                log.windows().len(),
                log.schedule.window,
                log.schedule.time,
                plan.start.text(),
                log.rows.rows() - judged,
                plan.start.rows,
                plan.judged.len(),
            ))?;
        }
        let counts = plan.counts().into_iter().map(|(what, n)| format!("{n} x {what}")).collect::<Vec<_>>();
        out::line(&format!("  plan    {}: {}; {} rows to learn from", kind.name(), counts.join(", "), plan.rows()))?;
    }
    Ok(())
}

/// Fields and lookups.
fn explain_inputs(checked: &Checked) -> Result<(), CliError> {
    let (schema, e) = (checked.schema(), checked.experiment());
    let fields: Vec<String> = (0..schema.categorical.len()).map(|place| field(schema, place)).collect();
    let number =
        |n: &burnrec_features::Numeric| format!("{} ({})", n.name, format!("{:?}", n.transform).to_lowercase());
    let numeric: Vec<String> = schema.numeric.iter().map(number).collect();
    out::line(&format!("  ids     {}", fields.join(", ")))?;
    out::line(&format!("  numbers {}", if numeric.is_empty() { "none".into() } else { numeric.join(", ") }))?;
    for lookup in &checked.slots().0 {
        let optimizer = lookup.optimizer.as_ref().unwrap_or(&e.train.sparse);
        let sequences = match lookup.sequences.len() {
            0 => String::new(),
            n => format!(" and {n} sequences"),
        };
        let fields = lookup.features.len();
        let line = format!("{}: {fields} fields{sequences} x {}, {:?}", lookup.name, lookup.dim, optimizer.kind);
        out::line(&format!("  lookup  {line}"))?;
    }
    Ok(())
}

/// `click: clicks (0 or 1), bce; of rows where view == 1; auc, logloss`
fn of_task(task: &Task, checked: &Checked) -> String {
    let target = &checked.schema().targets[task.target];
    let kind = match target.classes() {
        Some(classes) => format!("one of {}", classes.join(", ")),
        None if target.is_binary() => "0 or 1".to_string(),
        None => "a number".to_string(),
    };
    let config = &checked.experiment().tasks.0[task.target].1;
    let space = config.space.as_ref().map_or_else(String::new, |rows| format!("; of rows where {rows}"));
    let parent = config.parent.as_ref().map_or_else(String::new, |parent| format!("; follows {parent}"));
    let metrics: Vec<String> = task.metrics.iter().map(|m| m.name()).collect();
    format!(
        "{}: {} ({kind}), {}{}{space}{parent}; {}",
        task.name,
        target.column,
        task.loss.name(),
        draws(checked.schema()),
        metrics.join(", ")
    )
}

/// What is drawn, and for what.
fn draws(schema: &Schema) -> String {
    let Some(negatives) = schema.items.as_ref().and_then(|i| i.negatives.as_ref()) else { return String::new() };
    let sampler = negatives.sampler.name();
    let train = match (negatives.per_positive, negatives.shared) {
        (0, 0) if sampler == "in_batch" => ", negatives in_batch".to_string(),
        (0, 0) => String::new(),
        (0, shared) => format!(", {shared} negatives a batch ({sampler})"),
        (each, _) => format!(", {each} negatives a positive ({sampler})"),
    };
    match negatives.evaluate {
        0 => train,
        n => format!("{train}; measured among {n} other items"),
    }
}

/// A field as it was understood.
fn field(schema: &Schema, place: usize) -> String {
    let field = &schema.categorical[place];
    let kind = match (&field.source, field.sequence) {
        (CategoricalSource::Drawn, Some(_)) => String::new(),
        (_, Some(_)) => match schema.candidate_of(place) {
            Some(candidate) => format!(" (sequence, history of {})", schema.categorical[candidate].name),
            None => " (sequence)".to_string(),
        },
        (CategoricalSource::One { .. }, _) => String::new(),
        (CategoricalSource::Time { part, .. }, _) => format!(" ({} of a time)", format!("{part:?}").to_lowercase()),
        (CategoricalSource::Many { .. }, _) => {
            format!(" (multi, {})", format!("{:?}", field.pooling.unwrap_or_default()).to_lowercase())
        }
        (CategoricalSource::Bucket { .. }, _) => " (bucket)".to_string(),
        (CategoricalSource::Cross { .. }, _) => " (cross)".to_string(),
        (CategoricalSource::Drawn, None) => " (drawn)".to_string(),
        (CategoricalSource::Leaves, _) => " (of trees)".to_string(),
    };
    format!("{}{kind}", field.name)
}

/// Says what the whole numbers of time columns are taken for.
fn times(source: &dyn Source, checked: &Checked) -> Result<(), DataError> {
    let data = &checked.experiment().data;
    let split = match &data.split {
        SplitConfig::Time { column, .. } | SplitConfig::Day { column, .. } => Some(column),
        SplitConfig::UserLast { time, .. } | SplitConfig::LeaveOneOut { time, .. } => Some(time),
        _ => None,
    };
    let history = data.history.as_ref().map(|history| &history.time);
    let mut columns: Vec<&String> = data.sort_by.iter().chain(split).chain(history).collect();
    columns.sort();
    columns.dedup();
    for column in columns {
        if let Some(batch) = source.stream(std::slice::from_ref(column))?.next() {
            burnrec_data::time_values(&batch?, column, source)?;
        }
        if let Some(unit) = source.clock().unit(column) {
            drop(out::line(&format!("  times   {column} counts {}", unit.name())));
        }
    }
    Ok(())
}

fn data(args: &CheckArgs, file: &ConfigFile, checked: &Checked) -> Result<String, CliError> {
    let (config, root) = (&checked.experiment().data, &args.overrides.data_dir);
    let located = |e: CliError| file.locate(e);
    if config.source == "synthetic" {
        let synthetic = config.synthetic.clone().unwrap_or_default();
        let path = root.join("synthetic").join(synthetic.file_name());
        return Ok(format!("{} generated rows, kept at {}", synthetic.rows, path.display()));
    }
    if let Some(manifest) = burnrec_data::find(root, &config.source)?
        && !manifest.is_present(root)
    {
        return Ok(format!("{}: not here yet; train fetches it", manifest.title));
    }
    let (path, resolved) = burnrec_data::resolve(root, config, &|_| {}).map_err(|e| located(e.into()))?;
    let source = burnrec_data::open(&path, &resolved).map_err(|e| located(e.into()))?;
    for column in resolved.split.columns() {
        source.column(column).map_err(|e| located(e.into()))?;
    }
    if let SplitConfig::Files { valid, test } = &resolved.split {
        for path in [valid, test].into_iter().filter(|path| path.parse::<f64>().is_err()) {
            burnrec_data::open_path(path.as_ref(), &(&resolved).into()).map_err(|e| located(e.into()))?;
        }
    }
    times(&*source, checked).map_err(|e| located(e.into()))?;
    let dataset = Dataset::whole(source);
    let schema = checked.schema();
    schema.check_columns(&**dataset.source(burnrec_data::Side::Train), true).map_err(|e| located(e.into()))?;
    Ok(path.display().to_string())
}
