//! Models in training over batches in memory.

use burnrec_backend::{DeviceName, Opened, open};
use burnrec_data::DataConfig;
use burnrec_embedding::Placement;
use burnrec_features::{Batch, FeaturesConfig, Fitted, Vocabulary};
use burnrec_models::ModelConfig;
use burnrec_train::{
    BackendConfig, Checked, Experiment, Prepared, RunConfig, Stepper, TaskConfig, TasksConfig, TrainConfig, Weights,
    prepare,
};

/// An experiment over columns that stand nowhere: `features` and `tasks` are the text of those tables.
pub fn experiment(features: &str, tasks: &str, model: ModelConfig, train: TrainConfig, seed: u64) -> Experiment {
    Experiment {
        run: RunConfig { seed, ..RunConfig::default() },
        backend: BackendConfig::default(),
        data: DataConfig::of("memory"),
        features: toml::from_str::<FeaturesConfig>(features).unwrap_or_else(|e| panic!("{features}: {e}")),
        tasks: toml::from_str::<TasksConfig>(tasks).unwrap_or_else(|e| panic!("{tasks}: {e}")),
        model,
        train,
        schedule: None,
        sweep: None,
    }
}

/// The tasks of these columns, each by itself.
pub fn plain_tasks(columns: &[&str]) -> TasksConfig {
    TasksConfig(columns.iter().map(|c| (c.to_string(), TaskConfig::of(c))).collect())
}

/// The CPU.
pub fn flex() -> Opened {
    open(DeviceName::Flex).expect("the CPU answers")
}

/// A model in training.
pub struct Small {
    /// The experiment.
    pub checked: Checked,
    /// Its weights.
    pub stepper: Stepper,
}

impl Small {
    /// At step 0, keys 1 to `ids(field)` known of each field, labels half 0 and half 1.
    pub fn new(experiment: Experiment, ids: impl Fn(&str) -> u64, opened: &Opened, placement: Placement) -> Self {
        let checked = experiment.check().unwrap_or_else(|e| panic!("{e}"));
        let checked = checked.on(BackendConfig { placement, ..BackendConfig::default() });
        let all = |name: &str| -> Vocabulary { (1..=ids(name)).map(|key| (key, 1)).collect() };
        let vocabularies: Vec<Vocabulary> = checked.schema().categorical.iter().map(|c| all(&c.name)).collect();
        let weights = Weights::first(&checked, &Fitted::assumed(checked.tasks().len(), 0.5), &vocabularies, opened)
            .expect("weights");
        Self { stepper: Stepper::new(weights, &checked), checked }
    }

    /// A batch, made ready.
    pub fn ready(&self, batch: &Batch) -> Prepared {
        prepare(self.stepper.weights.tables.indexer(), Some(self.checked.tasks().clone()))(batch.clone())
    }

    /// One step; each task's loss.
    pub fn step(&mut self, batch: &Batch) -> Vec<f32> {
        let prepared = self.ready(batch);
        let losses = self.stepper.step(prepared, 1.0).expect("a step");
        losses.into_iter().map(|loss| loss.into_scalar::<f32>()).collect()
    }

    /// The scores of all tasks, row by row.
    pub fn predict(&self, batch: &Batch) -> Vec<f32> {
        let scores = self.stepper.weights.frozen().expect("weights").scores(self.ready(batch));
        scores.into_data().try_to_vec().expect("floats")
    }
}
