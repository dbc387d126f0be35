//! Weights: a model with its tables on a device. All that evaluation, export, schedules and reinforcement learning need.

mod place;
mod starts;

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burnrec_backend::{Opened, has_own_memory};
use burnrec_embedding::{Slots, Tables};
use burnrec_features::{Fitted, Schema, Vocabulary, stream_seed};
use burnrec_models::{AnyModel, Initial, InputShapes, Inputs, Model};

use crate::checked::Checked;
use crate::error::TrainError;
use crate::feed::{Prepared, feed};

pub use place::{check_placement, table_device};
pub(crate) use starts::{Origin, adopt};

/// A model with its tables.
pub struct Weights {
    /// Absent only while an optimiser holds it: a second handle would make it copy every weight.
    pub(crate) model: Option<AnyModel>,
    /// The embedding tables.
    pub tables: Tables,
    slots: Arc<Slots>,
    /// With autodiff.
    device: Device,
}

/// A model of an experiment, every weight at its first value.
pub(crate) fn first_model(checked: &Checked, fitted: Option<&Fitted>, opened: &Opened) -> AnyModel {
    let bias = |task: &crate::task::Task| match fitted.and_then(|fitted| fitted.targets.get(task.target)) {
        Some(fit) => match task.start {
            Some(start) => vec![start; task.width(checked.schema())],
            None => task.objective.bias(fit),
        },
        None => vec![0.0; task.width(checked.schema())],
    };
    let outputs = checked.tasks().iter().map(bias).collect();
    let shapes = InputShapes::new(checked.slots(), checked.schema(), outputs);
    let experiment = checked.experiment();
    let device = opened.device.clone().inner().autodiff();
    experiment.model.init(&shapes, &mut Initial::new(experiment.run.seed), &device)
}

impl Weights {
    /// Of an experiment at step 0: every weight at its first value, the outputs' biases where the training rows put them.
    ///
    /// # Errors
    /// More rows than can be numbered.
    pub fn first(
        checked: &Checked,
        fitted: &Fitted,
        vocabularies: &[Vocabulary],
        opened: &Opened,
    ) -> Result<Self, TrainError> {
        let experiment = checked.experiment();
        let model = first_model(checked, Some(fitted), opened);
        let mut tables = Tables::new(
            checked.schema().clone(),
            checked.slots(),
            vocabularies,
            &experiment.train.sparse,
            Self::seed(checked),
            table_device(opened, experiment.backend.placement).as_ref(),
        )?;
        tables.set_admission(experiment.train.admit.as_ref());
        Ok(Self::new(model, tables, checked.slots().clone(), &opened.device))
    }

    /// A model and its tables on a device.
    pub fn new(model: AnyModel, tables: Tables, slots: Arc<Slots>, device: &Device) -> Self {
        Self { model: Some(model), tables, slots, device: device.clone().inner().autodiff() }
    }

    /// Seed of the tables' first values.
    pub(crate) fn seed(checked: &Checked) -> u64 {
        stream_seed(checked.experiment().run.seed, "tables", 0)
    }

    /// The dense weights.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn model(&self) -> Result<&AnyModel, TrainError> {
        self.model.as_ref().ok_or(TrainError::HalfStep)
    }

    /// Changes the dense weights as a whole; the model keeps its parts and their numbers.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn change(&mut self, change: impl FnOnce(&AnyModel) -> AnyModel) -> Result<(), TrainError> {
        let changed = change(self.model()?);
        self.model = Some(changed);
        Ok(())
    }

    /// Which vectors the model looks up.
    pub fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// What the columns mean.
    pub fn schema(&self) -> &Schema {
        self.tables.schema()
    }

    /// The device that computes, with autodiff.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The weights as they predict: off the autodiff graph, without dropout, with moving statistics.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn frozen(&self) -> Result<Frozen<'_>, TrainError> {
        Ok(Frozen { model: self.model()?.valid(), weights: self })
    }
}

/// Weights that predict.
pub struct Frozen<'a> {
    model: AnyModel,
    weights: &'a Weights,
}

impl Frozen<'_> {
    /// The weights.
    pub fn weights(&self) -> &Weights {
        self.weights
    }

    /// The device that computes, without autodiff.
    pub fn device(&self) -> Device {
        self.weights.device.clone().inner()
    }

    /// Something that the model gives for a batch, not yet read from the device.
    pub fn infer<T: Send>(&self, prepared: Prepared, what: impl FnOnce(&AnyModel, &Inputs) -> T + Send) -> T {
        self.beside_the_pool(|| what(&self.model, &self.inputs(prepared)))
    }

    /// Whether [`Frozen::infer_for`] may be asked.
    pub fn takes_one_history(&self) -> bool {
        self.model.takes_one_history()
    }

    /// [`Frozen::infer`] of rows that all have the sequences of one row; `scored` is what was said of its behaviours before.
    pub fn infer_for<T: Send>(
        &self,
        one: Prepared,
        rows: Prepared,
        scored: Vec<(usize, Tensor<2>)>,
        what: impl FnOnce(&AnyModel, &Inputs) -> T + Send,
    ) -> T {
        self.beside_the_pool(|| {
            let Inputs { sequences, segments, .. } = self.inputs(one);
            what(&self.model, &Inputs { sequences, segments, scored, one_history: true, ..self.inputs(rows) })
        })
    }

    /// [`Frozen::infer`] of rows beside others: the states of requests beside their candidates.
    pub fn infer_both<T: Send>(
        &self,
        states: Prepared,
        rows: Prepared,
        what: impl FnOnce(&AnyModel, &Inputs, &Inputs) -> T + Send,
    ) -> T {
        self.beside_the_pool(|| what(&self.model, &self.inputs(states), &self.inputs(rows)))
    }

    fn inputs(&self, mut prepared: Prepared) -> Inputs {
        let weights = self.weights;
        weights.tables.look_up(&prepared.batch, &mut prepared.spaces);
        let Prepared { batch, spaces, packing, .. } = prepared;
        let (feed, _) = feed(&weights.tables, &weights.slots, &self.device(), &batch, &spaces, packing, &[]);
        feed.inputs(&weights.tables)
    }

    /// CubeCL keeps a stream a thread; on the host the pool's workers share the parallel parts.
    fn beside_the_pool<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        if has_own_memory(&self.device()) { run() } else { rayon::scope(|_| run()) }
    }

    /// The scores of all tasks side by side, `[B, Σ widths]`, not yet read from the device.
    pub fn scores(&self, prepared: Prepared) -> Tensor<2> {
        self.infer(prepared, |model, inputs| model.forward(inputs).scores())
    }
}
