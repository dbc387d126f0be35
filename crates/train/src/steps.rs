//! The steps of an epoch, and the losses that they log.

use std::time::Instant;

use burn::tensor::Tensor;
use burnrec_data::Side;
use burnrec_features::{Draws, Loader, LoaderConfig, Purpose, load, load_pairs, stream_seed};

use crate::checkpoint::save;
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::learner::{Prepared, prepare};
use crate::metrics::Metrics;
use crate::observer::Event;
use crate::trainer::Run;

/// Step times that the median is taken over, at most: the latest ones.
const STEP_TIMES: usize = 4096;

impl Run<'_> {
    /// Trains one epoch and evaluates; false where it was interrupted.
    pub(crate) fn epoch(&mut self) -> Result<bool, TrainError> {
        let train = self.job.experiment.train.clone();
        let epoch = self.progress.epoch;
        self.observer.event(&Event::Epoch {
            epoch: epoch + 1,
            epochs: train.epochs,
            steps: self.steps_of_epoch(),
            done: self.progress.step_in_epoch,
        });
        let loader = self.loader(epoch as u64)?;
        let steps_before = (self.progress.step, self.learner.taught);
        let mut last = Instant::now();
        for prepared in loader {
            let prepared = prepared?;
            if self.job.stop.is_asked() {
                self.checkpoint(false)?;
                return Ok(false);
            }
            let rows = prepared.batch.rows;
            let factor = train.schedule.factor(self.progress.step, train.warmup_steps, self.progress.plateaus);
            let loss = self.learner.step(prepared, factor)?;
            self.progress.step += 1;
            self.progress.step_in_epoch += 1;
            self.after_step(loss, rows, &train)?;
            self.time_step(rows, &mut last);
        }
        self.log_loss()?;
        self.check_taught(steps_before)?;
        self.progress.epoch += 1;
        self.progress.step_in_epoch = 0;
        self.validate()?;
        Ok(true)
    }

    /// An epoch without a step, or in which no list taught anything, is no training; a resumed epoch may have little left.
    fn check_taught(&self, (step, taught): (u64, u64)) -> Result<(), TrainError> {
        let resumed = self.progress.step_in_epoch > self.progress.step - step;
        let why = match (self.progress.step > step, self.learner.taught > taught) {
            _ if resumed => return Ok(()),
            (true, true) => return Ok(()),
            (true, false) => {
                "no list has a better and a worse row; check features.group and the labels, or draw negatives"
            }
            (false, _) if self.measured.pairs => {
                "no two items stand near each other in what a user liked; check features.pairs and the labels"
            }
            (false, _) => "no row was left to learn from",
        };
        Err(TrainError::Nothing { epoch: self.progress.epoch + 1, why })
    }

    /// Steps of an epoch, where they are known: with lists and with pairs it takes the draws to tell.
    pub(crate) fn steps_of_epoch(&self) -> Option<u64> {
        let known = !self.measured.pairs && !self.measured.loss.is_of_lists();
        let items = self.encoder.schema().items.as_ref();
        let negatives = items.and_then(|i| i.adds_rows()).map_or(0, |n| n.per_positive as u64);
        let positives = self.encoder.catalogue().map_or(0, |c| c.counts.iter().map(|n| u64::from(*n)).sum::<u64>());
        let rows = self.rows.get("train").filter(|_| known)?;
        let left = self.encoder.trees().map_or(1.0, burnrec_features::Trees::share_left);
        let rows = (*rows as f64 * left).round() as u64;
        Some((rows + positives * negatives).div_ceil(self.job.experiment.train.batch_size as u64))
    }

    /// The batches of an epoch that are still to come.
    pub(crate) fn loader(&self, epoch: u64) -> Result<Loader<Prepared>, TrainError> {
        let (train, seed) = (&self.job.experiment.train, self.job.experiment.run.seed);
        let config = LoaderConfig {
            batch_size: train.batch_size,
            shuffle: train.shuffle.then(|| stream_seed(seed, "shuffle", 0)),
            epoch,
            buffer_rows: train.shuffle_rows,
            prefetch: train.prefetch,
            skip: self.progress.step_in_epoch as usize,
            purpose: Purpose::Train,
            draws: Draws::Negatives(seed),
            lists: self.measured.loss.is_of_lists().then_some(train.list_size),
        };
        let prepare = prepare(self.learner.tables.indexer());
        if self.measured.pairs {
            return Ok(load_pairs(self.encoder.clone(), config, prepare));
        }
        let rows = self.job.dataset.stream(Side::Train, &self.encoder.schema().columns(true))?;
        let source = self.job.dataset.source(Side::Train).clone();
        Ok(load(rows, source, self.encoder.clone(), config, prepare))
    }

    pub(crate) fn after_step(&mut self, loss: Tensor<1>, rows: usize, train: &TrainConfig) -> Result<(), TrainError> {
        self.pending = Some(match self.pending.take() {
            Some(sum) => sum + loss,
            None => loss,
        });
        self.progress.loss.1 += 1;
        let logged = if self.progress.step.is_multiple_of(train.log_every) { self.log_loss()? } else { None };
        self.observer.event(&Event::Step { step: self.progress.step, loss: logged, rows });
        if train.checkpoint_every > 0 && self.progress.step.is_multiple_of(train.checkpoint_every) {
            self.checkpoint(false)?;
        }
        Ok(())
    }

    pub(crate) fn time_step(&mut self, rows: usize, last: &mut Instant) {
        let seconds = last.elapsed().as_secs_f64();
        *last = Instant::now();
        self.progress.seconds += seconds;
        self.progress.rows += rows as u64;
        if self.step_times.len() == STEP_TIMES {
            self.step_times.remove(0);
        }
        self.step_times.push(seconds as f32);
    }

    /// Reads the losses that are still on the device.
    pub(crate) fn read_losses(&mut self) -> Result<(), TrainError> {
        if let Some(sum) = self.pending.take() {
            self.progress.loss.0 += f64::from(sum.into_scalar::<f32>());
        }
        match self.progress.loss.0.is_finite() {
            true => Ok(()),
            false => Err(TrainError::Diverged {
                step: self.progress.step,
                loss: self.progress.loss.0,
                learning_rate: self.job.experiment.train.learning_rate,
            }),
        }
    }

    /// Writes the mean loss since the last value.
    pub(crate) fn log_loss(&mut self) -> Result<Option<f64>, TrainError> {
        self.read_losses()?;
        let (sum, count) = std::mem::take(&mut self.progress.loss);
        if count == 0 {
            return Ok(None);
        }
        let mean = sum / count as f64;
        let metrics = Metrics(vec![("loss".into(), Ok(mean))]);
        self.folder.event("train", self.progress.epoch + 1, self.progress.step, "train", &metrics)?;
        Ok(Some(mean))
    }

    pub(crate) fn checkpoint(&mut self, is_best: bool) -> Result<(), TrainError> {
        self.read_losses()?;
        save(&self.folder.checkpoints(), &self.learner, &self.encoder, &self.progress, is_best)?;
        self.observer.event(&Event::Checkpoint { step: self.progress.step });
        Ok(())
    }
}
