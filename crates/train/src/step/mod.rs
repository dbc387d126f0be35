//! One step: gather, forward, backward, update, each a stage of its own; the clock that they go by.

mod backward;
mod forward;
mod fused_adam;
mod gather;
mod mixer;
mod optimizer;
mod traces;
mod trainable;
mod update;

use std::sync::Arc;
use std::time::Instant;

use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use burnrec_backend::{AdamQueue, has_own_memory};
use burnrec_embedding::Eviction;
use burnrec_features::stream_seed;

use crate::checked::Checked;
use crate::error::TrainError;
use crate::experiment::TrainConfig;
use crate::feed::Prepared;
use crate::task::Task;
use crate::weights::Weights;

use forward::Asked;
use mixer::foreign;
pub use mixer::{Fixed, Mixed, Mixer, MixerState, Pass, Statistics, Walked};
use traces::GateTraces;
pub use traces::GateUse;
use trainable::Resting;
pub use trainable::{Dense, Trainable};
use update::Strengths;

/// The loss of each task, and scores where they were asked for; not yet read from the device.
pub type Stepped = (Vec<Tensor<1>>, Option<Tensor<2>>);

/// Weights in training: with optimiser state, a mixer of the tasks' losses, a clock.
pub struct Stepper {
    /// Model and tables.
    pub weights: Weights,
    pub(crate) optimizer: ModuleOptimizer,
    /// Steps of dense weights that go together.
    waiting: Arc<AdamQueue>,
    mixer: Box<dyn Mixer>,
    /// Steps between those in which gates are looked at.
    trace_every: u64,
    traces: GateTraces,
    tasks: Arc<[Task]>,
    strengths: Strengths,
    evict: Option<Eviction>,
    seed: u64,
    /// Steps taken: dropout, bias corrections and the counters of rows go by it.
    clock: u64,
    /// Steps in which there was something to learn.
    taught: u64,
    trainable: Trainable,
    resting: Resting,
    /// Seconds spent in each stage of the steps: gather, forward, backward, update.
    pub seconds: [f64; 4],
}

impl Stepper {
    /// Weights of an experiment, ready to be trained.
    pub fn new(weights: Weights, checked: &Checked) -> Self {
        Self::of(weights, checked.tasks().clone(), &checked.experiment().train, checked.experiment().run.seed)
    }

    /// Weights that learn these tasks under these settings; `seed` drives dropout.
    pub fn of(weights: Weights, tasks: Arc<[Task]>, train: &TrainConfig, seed: u64) -> Self {
        let waiting = Arc::default();
        Self {
            optimizer: train.optimizer.build(&waiting),
            waiting,
            mixer: train.mixer.build(&tasks, seed),
            trace_every: train.log_every.max(1),
            traces: GateTraces::default(),
            tasks,
            strengths: Strengths::of(train),
            evict: train.evict.clone(),
            seed,
            clock: weights.tables.step(),
            taught: 0,
            trainable: Trainable::default(),
            resting: Resting::default(),
            seconds: [0.0; 4],
            weights,
        }
    }

    /// Steps taken.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Steps in which there was something to learn.
    pub(crate) fn taught(&self) -> u64 {
        self.taught
    }

    /// Ends an epoch: what each task weighs now, where that changes, and what the gates did in it.
    pub fn end_epoch(&mut self) -> (Option<Vec<f64>>, Vec<GateUse>) {
        self.mixer.end_epoch();
        (self.mixer.weights(), self.traces.take())
    }

    /// What the mixer of the tasks keeps between steps; none where it keeps nothing.
    pub fn mixer_state(&self) -> Option<MixerState> {
        self.mixer.state()
    }

    /// Gives the mixer back what it kept.
    ///
    /// # Errors
    /// What another mixer kept, or one of other tasks.
    pub fn restore_mixer(&mut self, state: &MixerState) -> Result<(), TrainError> {
        self.mixer.restore(state).map_err(foreign)
    }

    /// The tasks.
    pub fn tasks(&self) -> &Arc<[Task]> {
        &self.tasks
    }

    /// What learns from now on; the rest stays as it is to the bit, its optimiser state too.
    ///
    /// # Errors
    /// Names that the model does not have, and a step that failed half-way.
    pub fn set_trainable(&mut self, trainable: Trainable) -> Result<(), TrainError> {
        self.resting = trainable.resting(self.weights.model()?, self.weights.slots())?;
        self.trainable = trainable;
        Ok(())
    }

    /// One step on a batch at a factor of the learning rates; returns the loss of each task, not yet read from the device.
    ///
    /// # Errors
    /// A step after one that failed half-way.
    pub fn step(&mut self, prepared: Prepared, factor: f64) -> Result<Vec<Tensor<1>>, TrainError> {
        Ok(self.step_scored(prepared, factor, false)?.0)
    }

    /// The same, and if asked for the scores that the losses are of, `[B, Σ widths]` off the graph: those of the weights
    /// before the step, as the model gives them while it learns.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    pub fn step_scored(&mut self, prepared: Prepared, factor: f64, scored: bool) -> Result<Stepped, TrainError> {
        if has_own_memory(self.weights.device()) {
            // CubeCL keeps a stream a thread, and knows a buffer by the stream that made it, not by the one that
            // wrote it last: all work of a run stays on one thread.
            return self.step_here(prepared, factor, scored);
        }
        // On a worker of the pool: this thread then takes its share of every parallel part, instead of sleeping
        // while others are woken for it.
        rayon::scope(|_| self.step_here(prepared, factor, scored))
    }

    fn step_here(&mut self, prepared: Prepared, factor: f64, scored: bool) -> Result<Stepped, TrainError> {
        let mut marks = [Instant::now(); 5];
        self.taught += u64::from(prepared.targets.iter().any(|target| target.teaches()));
        let (seed, clock) = (self.seed, self.clock);
        let device = self.weights.device().clone();
        let redraw = |stream: &str| device.seed(stream_seed(seed, stream, clock));
        let gathered = self.gather(prepared)?;
        marks[1] = Instant::now();
        let model = self.weights.model.take().ok_or(TrainError::HalfStep)?;
        let asked = Asked {
            scores: scored,
            gates: self.traces.is_new() || self.clock.is_multiple_of(self.trace_every),
            cut: self.mixer.mixes_at_cut(),
        };
        let mut passed = forward::forward(&model, &gathered, &self.tasks, asked, &redraw);
        let scores = passed.scores.take();
        self.traces.add(std::mem::take(&mut passed.gates));
        let losses: Vec<Tensor<1>> = passed.losses.iter().map(|loss| loss.clone().inner()).collect();
        marks[2] = Instant::now();
        let pass = Pass { model: &model, gathered: &gathered, passed, tasks: &self.tasks, redraw: &redraw };
        let Mixed { walked, statistics } = self.mixer.gradients(pass);
        let gradients = self.divide(walked, &gathered);
        let model = trainable::put_back(model, statistics);
        marks[3] = Instant::now();
        self.clock += 1;
        self.update(model, gathered, gradients, factor * self.trainable.rate);
        marks[4] = Instant::now();
        for (total, pair) in self.seconds.iter_mut().zip(marks.windows(2)) {
            *total += (pair[1] - pair[0]).as_secs_f64();
        }
        Ok((losses, scores))
    }
}
