//! Training from Parquet on disk against training from encoded batches in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use burnrec_backend::Opened;
use burnrec_data::split::Dataset;
use burnrec_data::synthetic::{SyntheticConfig, generate};
use burnrec_data::{Reads, Side};
use burnrec_features::{Batch, Encoder, FieldConfig, FieldKind, Loader, LoaderConfig, Transform, Vocabulary, load};
use burnrec_train::{Checked, Prepared, Stepper, TrainConfig, Weights, prepare};

use super::workload::{Rows, Workload, names};
use crate::args::BenchArgs;
use crate::error::CliError;
use crate::out;

struct Bench<'a> {
    batch: usize,
    dataset: Dataset,
    checked: Checked,
    encoder: Arc<Encoder>,
    vocabularies: Vec<Vocabulary>,
    opened: &'a Opened,
}

/// The fields of the generated log.
fn fields() -> BTreeMap<String, FieldConfig> {
    let number = FieldConfig { kind: FieldKind::Numeric, transform: Some(Transform::Log1p), ..FieldConfig::default() };
    let ids = (1..=26).map(|c| (format!("C{c}"), FieldConfig::default()));
    ids.chain((1..=13).map(|n| (format!("I{n}"), number.clone()))).collect()
}

/// Generates a log, trains an epoch from disk and an epoch from memory, in turn, twice.
pub fn run(args: &BenchArgs, rows: u64, opened: &Opened) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(|e| CliError::Usage(e.to_string()))?;
    let path = folder.path().join("log.parquet");
    generate(&SyntheticConfig { rows, ..SyntheticConfig::default() }, &path)?;
    let dataset = Dataset::whole(burnrec_data::open_path(&path, &Reads::default())?);
    let name = args.workload.clone().unwrap_or_else(|| names().swap_remove(0));
    let workload = Workload::named(&name)?;
    if workload.rows == Rows::Histories {
        return Err(CliError::Usage(format!(
            "--from-disk generates a log of clicks, which has no histories for {name} to read; take another --workload"
        )));
    }
    let checked = workload.of_fields(fields(), |_| "label".into())?;
    let columns = checked.schema().columns(true);
    let (encoder, vocabularies, _) = Encoder::fit((**checked.schema()).clone(), &dataset, &columns)?;
    let batch = args.batch.unwrap_or(workload.batch());
    let bench = Bench { batch, dataset, checked, encoder: Arc::new(encoder), vocabularies, opened };
    bench.compare(&name)
}

impl Bench<'_> {
    fn compare(&self, name: &str) -> Result<(), CliError> {
        let memory: Vec<Batch> = self.stream(|batch| batch)?.collect::<Result<_, _>>()?;
        let rows = memory.iter().map(|b| b.rows).sum::<usize>() as f64;
        let ready = self.ready(&self.stepper()?);
        let start = Instant::now();
        for batch in self.stream(ready)? {
            drop(batch?);
        }
        out::line(&format!("loader alone: {:.0} rows/s", rows / start.elapsed().as_secs_f64()))?;
        for _ in 0..2 {
            let from_disk = self.disk_seconds()?;
            let from_memory = self.memory_seconds(&memory)?;
            out::line(&format!(
                "{name}: from Parquet {:.0} rows/s, from memory {:.0} rows/s, ratio {:.3}",
                rows / from_disk,
                rows / from_memory,
                from_memory / from_disk
            ))?;
        }
        Ok(())
    }

    fn stream<T: Send + 'static>(&self, prepare: impl Fn(Batch) -> T + Send + 'static) -> Result<Loader<T>, CliError> {
        let rows = self.dataset.stream(Side::Train, &self.encoder.schema().columns(true))?;
        let config = LoaderConfig {
            batch_size: self.batch,
            shuffle: Some(1),
            buffer_rows: TrainConfig::default().shuffle_rows,
            prefetch: TrainConfig::default().prefetch,
            purpose: burnrec_features::Purpose::Train,
            ..LoaderConfig::default()
        };
        Ok(load(rows, self.dataset.source(Side::Train).clone(), self.encoder.clone(), config, prepare))
    }

    fn ready(&self, stepper: &Stepper) -> impl Fn(Batch) -> Prepared + Send + use<> + 'static {
        prepare(stepper.weights.tables.indexer(), Some(self.checked.tasks().clone()))
    }

    fn stepper(&self) -> Result<Stepper, CliError> {
        let weights = Weights::first(&self.checked, self.encoder.fitted(), &self.vocabularies, self.opened)?;
        Ok(Stepper::new(weights, &self.checked))
    }

    fn disk_seconds(&self) -> Result<f64, CliError> {
        let mut stepper = self.stepper()?;
        let start = Instant::now();
        for prepared in self.stream(self.ready(&stepper))? {
            stepper.step(prepared?, 1.0)?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    fn memory_seconds(&self, batches: &[Batch]) -> Result<f64, CliError> {
        let mut stepper = self.stepper()?;
        let ready = self.ready(&stepper);
        let start = Instant::now();
        for batch in batches {
            stepper.step(ready(batch.clone()), 1.0)?;
        }
        Ok(start.elapsed().as_secs_f64())
    }
}
