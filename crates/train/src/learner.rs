//! One step: gather, forward, backward, update; and the forward pass alone.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use burnrec_embedding::{Gathered, Indexer, Slots, SpaceBatch, Tables};
use burnrec_features::{Batch, stream_seed};
use burnrec_models::{AnyModel, Inputs, Output, Ranker};

use crate::config::{LossKind, TrainConfig};
use crate::error::TrainError;
use crate::objective::loss;
use crate::optimizer::{penalise, scale, squared_norm};

/// A batch whose keys have rows already, where the tables' policy allows it ahead of time.
pub struct Prepared {
    /// The encoded rows.
    pub batch: Batch,
    /// The rows of each space.
    pub spaces: Vec<SpaceBatch>,
}

/// The half of a step that the loader's thread does.
pub fn prepare(indexer: Indexer) -> impl Fn(Batch) -> Prepared + Send + 'static {
    move |batch| Prepared { spaces: indexer.prepare(&batch), batch }
}

/// A model in training: weights, tables, optimiser state.
pub struct Learner {
    /// Absent only while the optimiser holds it: a second handle would make it copy every weight.
    model: Option<AnyModel>,
    pub(crate) optimizer: ModuleOptimizer,
    /// The embedding tables.
    pub tables: Tables,
    pub(crate) slots: Arc<Slots>,
    device: Device,
    config: TrainConfig,
    loss: LossKind,
    seed: u64,
    /// Seconds spent in each part of the steps: gather, forward, backward, update.
    pub seconds: [f64; 4],
}

impl Learner {
    /// A learner on a device; `seed` drives dropout.
    pub fn new(
        model: AnyModel,
        tables: Tables,
        slots: Arc<Slots>,
        device: &Device,
        config: &TrainConfig,
        loss: LossKind,
        seed: u64,
    ) -> Self {
        Self {
            model: Some(model),
            optimizer: config.optimizer.build(),
            tables,
            slots,
            device: device.clone().inner().autodiff(),
            config: config.clone(),
            loss,
            seed,
            seconds: [0.0; 4],
        }
    }

    /// The weights alone.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn model(&self) -> Result<&AnyModel, TrainError> {
        self.model.as_ref().ok_or(TrainError::HalfStep)
    }

    /// One step on a batch at a factor of the learning rates; returns its loss, not yet read from the device.
    ///
    /// # Errors
    /// A step after one that failed half-way.
    pub fn step(&mut self, prepared: Prepared, factor: f64) -> Result<Tensor<1>, TrainError> {
        // On a worker of the pool: this thread then takes its share of every parallel part, instead of sleeping
        // while others are woken for it.
        rayon::scope(|_| self.step_on_worker(prepared, factor))
    }

    fn step_on_worker(&mut self, mut prepared: Prepared, factor: f64) -> Result<Tensor<1>, TrainError> {
        let start = std::time::Instant::now();
        let Prepared { batch, spaces } = &mut prepared;
        self.tables.complete(batch, spaces, true);
        self.device.seed(stream_seed(self.seed, "dropout", self.tables.step()));
        let mut gathered = self.tables.gather(batch.rows, spaces);
        let model = self.model.take().ok_or(TrainError::HalfStep)?;
        let leaves: Vec<Tensor<3>> = leaves(&mut gathered, batch.rows, &self.slots, &self.device)
            .into_iter()
            .map(Tensor::require_grad)
            .collect();
        let gathered_at = start.elapsed();
        let inputs = Inputs { lookups: leaves.clone(), numeric: numeric(batch, &self.device) };
        let Output { logits, auxiliary } = model.forward(&inputs);
        let labels = column(&batch.label, &self.device);
        let weights = (!batch.weight.is_empty()).then(|| column(&batch.weight, &self.device));
        let objective = loss(self.loss, logits, labels, weights);
        let total = auxiliary.into_iter().fold(objective.clone(), |sum, part| sum + part);
        let forward_at = start.elapsed();
        let mut gradients = total.backward();
        let leaf_data: Vec<TensorData> = leaves
            .iter()
            .map(|leaf| {
                leaf.grad_remove(&mut gradients)
                    .map_or_else(|| TensorData::new(Vec::<f32>::new(), [0]), Tensor::into_data)
            })
            .collect();
        let mut dense = GradientsParams::from_grads(gradients, &model);
        let backward_at = start.elapsed();
        penalise(&model, &mut dense, self.config.l1, self.config.l2);
        let mut sparse: Vec<Vec<f32>> = Vec::new();
        let mut slices: Vec<&[f32]> = leaf_data.iter().map(|d| d.as_slice::<f32>().unwrap_or(&[])).collect();
        if let Some(limit) = self.config.clip_norm {
            let squares = squared_norm(&model, &dense) + self.tables.squared_norm(spaces, &gathered, &slices);
            let by = limit / squares.sqrt().max(1e-12);
            if by < 1.0 {
                scale(&model, &mut dense, by);
                sparse.extend(slices.iter().map(|s| s.iter().map(|g| g * by as f32).collect()));
                slices = sparse.iter().map(Vec::as_slice).collect();
            }
        }
        let rate = self.config.learning_rate * factor;
        self.model = Some(self.optimizer.step(rate, model, dense));
        self.tables.apply(batch.rows, spaces, &gathered, &slices, factor as f32);
        let end = start.elapsed();
        for (total, part) in self.seconds.iter_mut().zip([
            gathered_at,
            forward_at - gathered_at,
            backward_at - forward_at,
            end - backward_at,
        ]) {
            *total += part.as_secs_f64();
        }
        Ok(objective.inner())
    }

    /// Log-odds (or numbers) of a batch, without dropout and with moving statistics.
    pub fn predict(&mut self, frozen: &AnyModel, mut prepared: Prepared) -> Vec<f32> {
        self.tables.complete(&prepared.batch, &mut prepared.spaces, false);
        let device = self.device.clone().inner();
        rayon::scope(|_| forward(frozen, &self.tables, &self.slots, &device, &prepared))
    }

    /// The model as it predicts: off the autodiff graph.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn frozen(&self) -> Result<AnyModel, TrainError> {
        Ok(self.model()?.valid())
    }
}

/// The forward pass of a model that is off the graph.
pub(crate) fn forward(
    model: &AnyModel,
    tables: &Tables,
    slots: &Slots,
    device: &Device,
    prepared: &Prepared,
) -> Vec<f32> {
    let mut gathered = tables.gather(prepared.batch.rows, &prepared.spaces);
    let lookups = leaves(&mut gathered, prepared.batch.rows, slots, device);
    let inputs = Inputs { lookups, numeric: numeric(&prepared.batch, device) };
    let logits = model.forward(&inputs).logits.into_data();
    logits.as_slice::<f32>().map(<[f32]>::to_vec).unwrap_or_default()
}

/// The gathered vectors as tensors. A lookup without fields gets one slot of zeros.
fn leaves(gathered: &mut Gathered, rows: usize, slots: &Slots, device: &Device) -> Vec<Tensor<3>> {
    let leaf = |(values, lookup): (&mut Vec<f32>, &burnrec_embedding::Lookup)| {
        let mut values = std::mem::take(values);
        let slots = lookup.features.len().max(1);
        values.resize(rows * slots * lookup.dim, 0.0);
        Tensor::from_data(TensorData::new(values, [rows, slots, lookup.dim]), device)
    };
    gathered.leaves.iter_mut().zip(&slots.0).map(leaf).collect()
}

fn numeric(batch: &Batch, device: &Device) -> Option<Tensor<2>> {
    let width = batch.numeric.len() / batch.rows.max(1);
    (width > 0).then(|| Tensor::from_data(TensorData::new(batch.numeric.clone(), [batch.rows, width]), device))
}

fn column(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), device)
}
