//! One step: gather, forward, backward, update; and the forward pass alone.

use std::sync::Arc;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burnrec_backend::{has_own_memory, traffic};
use burnrec_embedding::{Gathered, Indexer, LookupGradient, Packing, Slots, SpaceBatch, Tables, Uploaded};
use burnrec_features::{Batch, stream_seed};
use burnrec_models::{AnyModel, Inputs, Ranker};

use crate::config::{LossKind, TrainConfig};
use crate::error::TrainError;
use crate::feed::{Feed, feed, following};
use crate::objective::{Aim, objective};
use crate::optimizer::{penalise, scale, squared_norm};

/// A batch whose keys have rows already, where the tables' policy allows it ahead of time.
pub struct Prepared {
    /// The encoded rows.
    pub batch: Batch,
    /// The rows of each space.
    pub spaces: Vec<SpaceBatch>,
    /// The batch as it goes up to a device with memory of its own.
    pub packing: Option<Packing>,
}

/// The half of a step that the loader's thread does.
pub fn prepare(indexer: Indexer) -> impl Fn(Batch) -> Prepared + Send + 'static {
    move |batch| {
        let spaces = indexer.prepare(&batch);
        Prepared { packing: indexer.pack(&batch, &spaces), spaces, batch }
    }
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
    /// Steps in which there was something to learn.
    pub(crate) taught: u64,
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
            taught: 0,
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
        if has_own_memory(&self.device) {
            // CubeCL keeps a stream a thread, and knows a buffer by the stream that made it, not by the one that
            // wrote it last: all work of a run stays on one thread.
            return self.step_here(prepared, factor);
        }
        // On a worker of the pool: this thread then takes its share of every parallel part, instead of sleeping
        // while others are woken for it.
        rayon::scope(|_| self.step_here(prepared, factor))
    }

    fn step_here(&mut self, mut prepared: Prepared, factor: f64) -> Result<Tensor<1>, TrainError> {
        let start = std::time::Instant::now();
        let Prepared { batch, spaces, packing } = &mut prepared;
        self.tables.complete(batch, spaces, true)?;
        self.device.seed(stream_seed(self.seed, "dropout", self.tables.step()));
        let (feed, gathered) = feed(&self.tables, &self.slots, &self.device, batch, spaces, packing.take());
        let model = self.model.take().ok_or(TrainError::HalfStep)?;
        let leaves: Vec<Tensor<3>> = feed.leaves.into_iter().map(Tensor::require_grad).collect();
        let following = match model.wants_following() {
            true => following(&self.tables, batch, &self.device, self.seed),
            false => Vec::new(),
        };
        let tracked = |own: Vec<Tensor<2>>| own.into_iter().map(Tensor::require_grad).collect::<Vec<_>>();
        let sequences: Vec<Vec<Tensor<2>>> = feed.sequences.into_iter().map(tracked).collect();
        let inputs = Inputs {
            lookups: leaves.clone(),
            sequences: sequences.clone(),
            segments: feed.segments,
            following,
            numeric: feed.numeric,
            sharing: batch.drawn.as_ref().map(|d| d.sharing),
        };
        let aim = Aim::new(self.loss, batch, &self.device);
        self.taught += u64::from(aim.teaches());
        let gathered_at = start.elapsed();
        let mut output = model.forward(&inputs);
        drop(inputs);
        let auxiliary = std::mem::take(&mut output.auxiliary);
        let objective = objective(self.loss, &output, feed.label, feed.weight, &aim, self.config.pointwise);
        drop(output);
        let total = auxiliary.into_iter().fold(objective.clone(), |sum, part| sum + part);
        let forward_at = start.elapsed();
        let mut gradients = total.backward();
        let leaf_gradients: Vec<Option<Tensor<3>>> =
            leaves.into_iter().map(|leaf| leaf.grad_remove(&mut gradients)).collect();
        let own = |own: Vec<Tensor<2>>, gradients: &mut _| {
            own.into_iter().map(|s| s.grad_remove(gradients)).collect::<Vec<_>>()
        };
        let sequence_gradients = sequences.into_iter().map(|s| own(s, &mut gradients)).collect();
        let mut dense = GradientsParams::from_grads(gradients, &model);
        let mut sparse = self.split(leaf_gradients, sequence_gradients, feed.uploaded.as_ref());
        let backward_at = start.elapsed();
        penalise(&model, &mut dense, self.config.l1, self.config.l2);
        let scale = self.clip(&model, &mut dense, &mut sparse, spaces, &gathered, feed.uploaded.as_ref());
        let rate = self.config.learning_rate * factor;
        self.model = Some(self.optimizer.step(rate, model, dense));
        self.tables.apply(batch.rows, spaces, &gathered, &sparse.home, factor as f32);
        if let Some(uploaded) = &feed.uploaded {
            self.tables.apply_away(uploaded, sparse.away, scale.as_ref(), factor as f32);
        }
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

    /// Divides the leaves' gradients: those of host tables are read, those of tables on the device summed there.
    fn split(
        &self,
        gradients: Vec<Option<Tensor<3>>>,
        sequences: Vec<Vec<Option<Tensor<2>>>>,
        uploaded: Option<&Uploaded>,
    ) -> Sparse {
        let on_device = gradients.into_iter().enumerate().map(|(lookup, gradient)| {
            let away = self.tables.is_away(lookup);
            if away { (None, gradient) } else { (gradient, None) }
        });
        let (home, away): (Vec<_>, Vec<_>) = on_device.unzip();
        let own_memory = uploaded.is_some();
        let leaf = |g: Option<Tensor<3>>| g.map_or_else(Vec::new, |g| traffic::read_from(g, own_memory));
        let positions = |g: Option<Tensor<2>>| g.map_or_else(Vec::new, |g| traffic::read_from(g, own_memory));
        let both = home.into_iter().zip(sequences).map(|(home, sequences)| LookupGradient {
            leaf: leaf(home),
            sequences: sequences.into_iter().map(positions).collect(),
        });
        Sparse { home: both.collect(), away: uploaded.map_or_else(Vec::new, |u| self.tables.sum_away(u, &away)) }
    }

    /// Limits the norm of all gradients together. Gradients on a device of its own memory are scaled there, by the
    /// number that comes back, without the host knowing it.
    fn clip(
        &self,
        model: &AnyModel,
        dense: &mut GradientsParams,
        sparse: &mut Sparse,
        spaces: &[SpaceBatch],
        gathered: &Gathered,
        uploaded: Option<&Uploaded>,
    ) -> Option<Tensor<1>> {
        let limit = self.config.clip_norm?;
        let mut squares = squared_norm(model, dense);
        if let Some(more) = uploaded.and_then(|u| self.tables.squared_norm_away(u, &sparse.away)) {
            squares = Some(squares.map_or(more.clone(), |s| s + more));
        }
        let at_home = self.tables.squared_norm(spaces, gathered, &sparse.home);
        let device = self.device.clone().inner();
        let all = squares.unwrap_or_else(|| Tensor::zeros([1], &device)) + at_home as f32;
        let by = (all.sqrt().clamp_min(1e-12).recip() * limit as f32).clamp_max(1.0);
        if sparse.home.iter().any(|g| !g.is_empty()) {
            let factor = traffic::read_from(by.clone(), uploaded.is_some())[0];
            if factor < 1.0 {
                sparse.home.iter_mut().for_each(|g| g.scale(factor));
                scale(model, dense, &by);
            }
        } else {
            scale(model, dense, &by);
        }
        Some(by)
    }

    /// Log-odds (or numbers) of a batch `[B, 1]`, without dropout and with moving statistics; not yet read from the
    /// device.
    ///
    /// # Errors
    /// None of its own; looking keys up cannot fail.
    pub fn score(&mut self, frozen: &AnyModel, mut prepared: Prepared) -> Result<Tensor<2>, TrainError> {
        self.tables.complete(&prepared.batch, &mut prepared.spaces, false)?;
        let device = self.device.clone().inner();
        if has_own_memory(&device) {
            return Ok(forward(frozen, &self.tables, &self.slots, &device, prepared));
        }
        Ok(rayon::scope(|_| forward(frozen, &self.tables, &self.slots, &device, prepared)))
    }

    /// [`Learner::score`], read.
    ///
    /// # Errors
    /// See there.
    pub fn predict(&mut self, frozen: &AnyModel, prepared: Prepared) -> Result<Vec<f32>, TrainError> {
        Ok(traffic::read(self.score(frozen, prepared)?))
    }

    /// Something else that a model gives for a batch, read: `[B, d]` row by row.
    ///
    /// # Errors
    /// None of its own; looking keys up cannot fail.
    pub(crate) fn infer(
        &mut self,
        frozen: &AnyModel,
        mut prepared: Prepared,
        what: impl Fn(&AnyModel, &Inputs) -> Option<Tensor<2>> + Send + Sync,
    ) -> Result<Option<Tensor<2>>, TrainError> {
        self.tables.complete(&prepared.batch, &mut prepared.spaces, false)?;
        let device = self.device.clone().inner();
        let run = |prepared| what(frozen, &inputs(&self.tables, &self.slots, &device, prepared));
        Ok(if has_own_memory(&device) { run(prepared) } else { rayon::scope(|_| run(prepared)) })
    }

    /// The loss that it trains on.
    pub(crate) fn loss(&self) -> LossKind {
        self.loss
    }

    /// The device that computes, off the graph.
    pub(crate) fn device(&self) -> Device {
        self.device.clone().inner()
    }

    /// The weights, to be replaced.
    pub(crate) fn model_mut(&mut self) -> Option<&mut AnyModel> {
        self.model.as_mut()
    }

    /// The model as it predicts: off the autodiff graph.
    ///
    /// # Errors
    /// A step that failed half-way.
    pub fn frozen(&self) -> Result<AnyModel, TrainError> {
        Ok(self.model()?.valid())
    }
}

/// Gradients of the looked-up vectors: of host tables one entry a lookup, of tables on the device summed by pieces, one
/// entry a table.
struct Sparse {
    home: Vec<LookupGradient>,
    away: Vec<Option<Tensor<2>>>,
}

/// The forward pass of a model that is off the graph.
pub(crate) fn forward(
    model: &AnyModel,
    tables: &Tables,
    slots: &Slots,
    device: &Device,
    prepared: Prepared,
) -> Tensor<2> {
    model.forward(&inputs(tables, slots, device, prepared)).logits
}

/// A batch as a model reads it, off the graph.
fn inputs(tables: &Tables, slots: &Slots, device: &Device, prepared: Prepared) -> Inputs {
    let Prepared { batch, spaces, packing } = prepared;
    let (feed, _) = feed(tables, slots, device, &batch, &spaces, packing);
    let Feed { leaves, sequences, segments, numeric, .. } = feed;
    Inputs { lookups: leaves, sequences, segments, following: Vec::new(), numeric, sharing: None }
}
