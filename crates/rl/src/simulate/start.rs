//! What all agents of a seed begin with: rows that were shown by chance, and models that learned from them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use burnrec_data::split::Dataset;
use burnrec_data::{DataConfig, POSITION, SplitConfig};
use burnrec_features::{Encoder, IndexPolicy, Schema};
use burnrec_train::{
    Checked, Experiment, Job as TrainJob, LossKind, RunFolder, TaskConfig, TasksConfig, TrainError, train, write_whole,
};
use parquet::arrow::ArrowWriter;

use super::Job;
use super::config::Simulation;
use crate::agent::AgentConfig;
use crate::agent::{from_bytes, opened, sealed, shuffled, to_bytes};
use crate::environment::{Environment, Request};
use crate::error::{RlError, bad};

/// The label that the log gets.
const CLICK: &str = "click";
const LOG: &str = "log.parquet";
const STATE: &str = "environment.bin";

/// What a seed begins with.
pub(super) struct Start {
    /// The environment behind the hours of chance.
    pub(super) environment: Vec<u8>,
    folder: PathBuf,
    /// The number of the tick behind it.
    pub(super) tick: u64,
    /// Clicks and places of the items that were shown.
    pub(super) items: Items,
}

/// Items with their clicks and places.
type Items = Vec<(u64, f64, f64)>;

/// The experiment of an agent over a log.
pub(super) fn experiment(simulation: &Simulation, agent: &AgentConfig, log: &Path) -> Experiment {
    let mut data = DataConfig::of(log.display().to_string());
    data.split = SplitConfig::Random { valid: 0.1, test: 0.0, seed: 0 };
    let ahead = agent.looks_ahead();
    let mut task = TaskConfig::of(CLICK);
    if ahead {
        task.label.numeric = true;
        task.loss = agent.learn.huber.then_some(LossKind::Huber);
    }
    let mut features = simulation.features.clone();
    features.index.get_or_insert(IndexPolicy::Growing);
    let name = if ahead { "return" } else { "click" };
    Experiment {
        sweep: None,
        run: simulation.run.clone(),
        backend: simulation.backend.clone(),
        data,
        features,
        tasks: TasksConfig(vec![(name.into(), task)]),
        model: agent.model(),
        train: simulation.train.clone(),
        schedule: None,
    }
}

/// What the columns of the environment mean.
pub(super) fn schema(simulation: &Simulation) -> Result<Arc<Schema>, RlError> {
    Ok(experiment(simulation, &AgentConfig::default(), Path::new(LOG)).check()?.schema().clone())
}

/// Makes what a seed begins with, or takes it up; none where a stop was asked for.
pub(super) fn start(job: &Job, seed: u64, folder: &Path) -> Result<Option<Start>, RlError> {
    let folder = folder.join("start");
    let path = folder.join(STATE);
    if path.exists() {
        let bytes = std::fs::read(&path).map_err(TrainError::io(&path))?;
        let (environment, tick, items) = from_bytes(opened(&bytes, &path)?, &path.display().to_string())?;
        return Ok(Some(Start { environment, folder, tick, items }));
    }
    std::fs::create_dir_all(&folder).map_err(TrainError::io(&folder))?;
    let mut environment = super::environment(job, seed)?;
    let Some((tick, items)) = by_chance(job, seed, &mut *environment, &folder.join(LOG))? else { return Ok(None) };
    let environment = environment.save()?;
    // Written last: where it is, the log is whole.
    write_whole(&path, &sealed(to_bytes(&(&environment, tick, &items), STATE)?))?;
    Ok(Some(Start { environment, folder, tick, items }))
}

/// Shows lists by chance, and writes what was shown with its clicks; the number of the next tick, or none where a stop was asked
/// for.
fn by_chance(
    job: &Job,
    seed: u64,
    environment: &mut dyn Environment,
    path: &Path,
) -> Result<Option<(u64, Items)>, RlError> {
    let s = &job.simulation.simulate;
    let ticks = (s.warmup_hours * 3_600.0 / s.tick_seconds).ceil() as u64;
    let mut waiting: HashMap<u64, (RecordBatch, Vec<u64>)> = HashMap::new();
    let mut items: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    let mut count = |shown: &[u64], clicks: &[bool]| {
        for (item, clicked) in shown.iter().zip(clicks) {
            let own = items.entry(*item).or_default();
            *own = (own.0 + f64::from(u8::from(*clicked)), own.1 + 1.0);
        }
    };
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut write = |rows: &RecordBatch, clicks: &[bool]| -> Result<(), RlError> {
        let rows = labelled(rows, clicks)?;
        if writer.is_none() {
            let file = File::create(path).map_err(TrainError::io(path))?;
            writer = Some(ArrowWriter::try_new(file, rows.schema(), None).map_err(|e| problem(path, &e))?);
        }
        writer.iter_mut().try_for_each(|writer| writer.write(&rows)).map_err(|e| problem(path, &e))
    };
    for tick in 0..ticks {
        if job.stop.is_asked() {
            return Ok(None);
        }
        let now = tick as f64 * s.tick_seconds;
        let (known, asked): (Vec<Request>, Vec<Request>) =
            environment.requests(now)?.into_iter().partition(|request| environment.logged(request).is_some());
        for request in &known {
            // Of a log what it shows, whatever would be shown instead.
            let labels = environment.labels(request).into_iter().zip(&request.candidates);
            let shown = labels.filter_map(|(label, item)| Some((*item, label?)));
            let (own, clicks): (Vec<u64>, Vec<bool>) = shown.unzip();
            if let Some(rows) = environment.logged(request) {
                write(&rows, &clicks)?;
            }
            count(&own, &clicks);
            environment.show(request.id, &shuffled(seed, request.id, request.candidates.len(), s.places))?;
        }
        if !asked.is_empty() {
            let rows = environment.rows(&asked)?;
            let mut first = 0;
            for request in &asked {
                let candidates = request.candidates.len();
                let all = rows.slice(first, candidates);
                first += candidates;
                let list = shuffled(seed, request.id, candidates, s.places);
                let shown = UInt32Array::from_iter_values(list.iter().map(|candidate| *candidate as u32));
                let items = list.iter().map(|candidate| request.candidates[*candidate]).collect();
                waiting.insert(request.id, (take_record_batch(&all, &shown)?, items));
                environment.show(request.id, &list)?;
            }
        }
        for feedback in environment.feedback(now) {
            if let Some((rows, shown)) = waiting.remove(&feedback.request) {
                write(&rows, &feedback.clicks)?;
                count(&shown, &feedback.clicks);
            }
        }
    }
    match writer {
        Some(writer) => writer.close().map_err(|e| problem(path, &e))?,
        None => return Err(bad("simulate.warmup_hours", "passed without a request; make them more")),
    };
    Ok(Some((ticks, items.into_iter().map(|(item, (clicks, places))| (item, clicks, places)).collect())))
}

fn problem(path: &Path, error: &parquet::errors::ParquetError) -> RlError {
    TrainError::Io { path: path.to_path_buf(), source: std::io::Error::other(error.to_string()) }.into()
}

/// Rows with their clicks, without their places in memory.
fn labelled(rows: &RecordBatch, clicks: &[bool]) -> Result<RecordBatch, RlError> {
    let schema = rows.schema();
    let kept = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(field, _)| field.name() != POSITION && field.name() != CLICK);
    let (mut fields, mut arrays): (Vec<Arc<Field>>, Vec<ArrayRef>) = kept.map(|(f, a)| (f.clone(), a.clone())).unzip();
    fields.push(Arc::new(Field::new(CLICK, DataType::Int64, false)));
    arrays.push(Arc::new(Int64Array::from_iter_values(clicks.iter().map(|clicked| i64::from(*clicked)))));
    Ok(RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays)?)
}

impl Start {
    fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    fn checked(&self, job: &Job, agent: &AgentConfig, seed: u64) -> Result<(Checked, Dataset), RlError> {
        let mut experiment = experiment(&job.simulation, agent, &self.log());
        experiment.run.seed = seed;
        let dataset = Dataset::open(&self.log(), &experiment.data)?;
        Ok((experiment.check()?, dataset))
    }

    /// The run that an agent's model learned from the log; agents of one model share it. None where a stop was asked for.
    pub(super) fn run(&self, job: &Job, agent: &AgentConfig, seed: u64) -> Result<Option<PathBuf>, RlError> {
        let (checked, dataset) = self.checked(job, agent, seed)?;
        let key = serde_json::to_string(checked.experiment()).unwrap_or_default();
        let name =
            format!("{}-{:08x}", checked.experiment().model.name(), burnrec_features::stream_seed(0, &key, 0) as u32);
        let out = self.folder.join(name);
        if RunFolder::is_complete(&out) {
            return Ok(Some(out));
        }
        let (opened, stop) = (job.opened.clone(), job.stop.clone());
        let train_job = TrainJob { checked, dataset, opened, out: out.clone(), resume: true, stop };
        let summary = train(train_job, &mut ())?;
        Ok((summary.status != "interrupted").then_some(out))
    }

    /// The encoder of the log alone, with its rows and their clicks.
    pub(super) fn encoder(&self, job: &Job, seed: u64) -> Result<(Arc<Encoder>, Dataset), RlError> {
        let (checked, dataset) = self.checked(job, &AgentConfig::default(), seed)?;
        let columns = checked.schema().columns(true);
        let (encoder, ..) = Encoder::fit((**checked.schema()).clone(), &dataset, &columns)?;
        Ok((Arc::new(encoder), dataset))
    }
}
