//! Training from Parquet on disk against training from encoded batches in memory.

use std::sync::Arc;
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_data::synthetic::{SyntheticConfig, generate};
use burnrec_data::{Side, TextConfig};
use burnrec_embedding::Tables;
use burnrec_features::{Batch, Encoder, FeaturesConfig, Loader, LoaderConfig, Schema, load};
use burnrec_models::{Initial, InputShapes};
use burnrec_train::{Learner, LossKind, TrainConfig, TrainError, prepare};

use super::bench_workload::workload;
use crate::args::BenchArgs;
use crate::error::CliError;
use crate::out;

struct Bench<'a> {
    args: &'a BenchArgs,
    dataset: Dataset,
    encoder: Arc<Encoder>,
    vocabularies: Vec<burnrec_features::Vocabulary>,
    opened: &'a Opened,
}

/// Generates a log, trains an epoch from disk and an epoch from memory, in turn, twice.
pub fn run(args: &BenchArgs, rows: u64, opened: &Opened) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(|e| CliError::Usage(e.to_string()))?;
    let path = folder.path().join("log.parquet");
    generate(&SyntheticConfig { rows, ..SyntheticConfig::default() }, &path)?;
    let dataset = Dataset::whole(burnrec_data::open_path(&path, None, &TextConfig::default())?);
    let fields: serde_json::Map<_, _> = (1..=26)
        .map(|c| (format!("C{c}"), "categorical".into()))
        .chain((1..=13).map(|n| (format!("I{n}"), serde_json::json!({"kind": "numeric", "transform": "log1p"}))))
        .collect();
    let features: FeaturesConfig =
        serde_json::from_value(serde_json::json!({"label": {"column": "label"}, "fields": fields}))
            .map_err(|e| CliError::Usage(e.to_string()))?;
    let schema = Schema::new(&features)?;
    if workload(&args.workload, 1)?.0.check(&schema).is_err() {
        return Err(CliError::Usage(format!(
            "--from-disk generates a log of clicks, which has no histories for {} to read; take another --workload",
            args.workload
        )));
    }
    let columns = schema.columns(true);
    let (encoder, vocabularies, _) = Encoder::fit(schema, &dataset, &columns)?;
    let bench = Bench { args, dataset, encoder: Arc::new(encoder), vocabularies, opened };
    let memory: Vec<Batch> = bench.stream(|batch| batch)?.collect::<Result<_, _>>()?;
    let rows = memory.iter().map(|b| b.rows).sum::<usize>() as f64;
    let start = Instant::now();
    for batch in bench.stream(prepare(bench.learner()?.tables.indexer()))? {
        drop(batch?);
    }
    out::line(&format!("loader alone: {:.0} rows/s", rows / start.elapsed().as_secs_f64()))?;
    for _ in 0..2 {
        let from_disk = bench.disk_seconds()?;
        let from_memory = bench.memory_seconds(&memory)?;
        out::line(&format!(
            "{}: from Parquet {:.0} rows/s, from memory {:.0} rows/s, ratio {:.3}",
            args.workload,
            rows / from_disk,
            rows / from_memory,
            from_memory / from_disk
        ))?;
    }
    Ok(())
}

impl Bench<'_> {
    fn stream<T: Send + 'static>(&self, prepare: impl Fn(Batch) -> T + Send + 'static) -> Result<Loader<T>, CliError> {
        let rows = self.dataset.stream(Side::Train, &self.encoder.schema().columns(true))?;
        let config = LoaderConfig {
            batch_size: self.args.batch.unwrap_or(4096),
            shuffle: Some(1),
            epoch: 0,
            buffer_rows: TrainConfig::default().shuffle_rows,
            prefetch: TrainConfig::default().prefetch,
            skip: 0,
            purpose: burnrec_features::Purpose::Train,
            ..LoaderConfig::default()
        };
        Ok(load(rows, self.dataset.source(Side::Train).clone(), self.encoder.clone(), config, prepare))
    }

    fn learner(&self) -> Result<Learner, CliError> {
        let (model, _) = workload(&self.args.workload, 1)?;
        let schema = self.encoder.schema();
        let slots = Arc::new(model.slots(schema));
        let device = self.opened.device.clone().inner().autodiff();
        let module = model.init(&InputShapes::new(&slots, schema, -1.1), &mut Initial::new(1), &device);
        let config = TrainConfig::default();
        let tables = Tables::new(Arc::new(schema.clone()), &slots, &self.vocabularies, &config.sparse, 1, None)
            .map_err(TrainError::from)?;
        Ok(Learner::new(module, tables, slots, &self.opened.device, &config, LossKind::Bce, 1))
    }

    fn disk_seconds(&self) -> Result<f64, CliError> {
        let mut learner = self.learner()?;
        let start = Instant::now();
        for prepared in self.stream(prepare(learner.tables.indexer()))? {
            learner.step(prepared?, 1.0)?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    fn memory_seconds(&self, batches: &[Batch]) -> Result<f64, CliError> {
        let mut learner = self.learner()?;
        let ready = prepare(learner.tables.indexer());
        let start = Instant::now();
        for batch in batches {
            learner.step(ready(batch.clone()), 1.0)?;
        }
        Ok(start.elapsed().as_secs_f64())
    }
}
