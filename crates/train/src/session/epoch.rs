//! The steps of an epoch, and the losses that they log.

use std::time::Instant;

use burn::tensor::Tensor;
use burnrec_data::Side;
use burnrec_data::split::Window;
use burnrec_features::{Draws, Loader, LoaderConfig, Purpose, Trees, load, load_pairs, stream_seed};
use burnrec_record::{Metrics, TaskMetrics};

use super::journal::Journal;
use super::phase::Current;
use super::{Notice, Session, losses};
use crate::caching::cache;
use crate::error::TrainError;
use crate::experiment::RateSchedule;
use crate::feed::{Prepared, prepare};
use crate::measure::Scoring;
use crate::run::save;
use crate::task::Task;

/// Steps whose predictions are held before they are written down.
const PREDICTED: u64 = 256;

impl Session<'_> {
    /// Trains one epoch and evaluates; false where it was interrupted.
    pub(super) fn epoch(&mut self, current: &Current<'_>) -> Result<bool, TrainError> {
        self.observer.notice(&Notice::Epoch {
            epoch: self.progress.epoch + 1,
            epochs: self.progress.first_epoch + current.phase.epochs,
            steps: self.steps_of_epoch(current),
            done: self.progress.step_in_epoch,
        });
        let loader = self.loader(current)?;
        let before = (self.progress.step, self.stepper.taught());
        let mut last = Instant::now();
        for prepared in loader {
            let prepared = prepared?;
            if self.job.stop.is_asked() {
                self.checkpoint(false)?;
                return Ok(false);
            }
            let rows = prepared.batch.rows;
            let losses = match current.phase.online {
                Some(_) if current.phase.judge.is_none() => self.predict_and_learn(prepared)?,
                _ => self.stepper.step(self.taught_by(prepared)?, self.factor())?,
            };
            self.progress.step += 1;
            self.progress.step_in_epoch += 1;
            self.time_step(rows, &mut last);
            self.after_step(losses, rows)?;
        }
        let loss = self.log_losses()?;
        self.observer.notice(&Notice::Loss { loss });
        self.keep_predictions()?;
        self.check_taught(before)?;
        self.log_mixture()?;
        self.progress.epoch += 1;
        self.progress.step_in_epoch = 0;
        self.validate(current)?;
        Ok(true)
    }

    /// Writes down what the tasks weigh and what the gates of experts did, and warns of experts that died.
    fn log_mixture(&mut self) -> Result<(), TrainError> {
        let (weights, gates) = self.stepper.end_epoch();
        let (epoch, step) = (self.progress.epoch + 1, self.progress.step);
        if let Some(weights) = weights {
            let of = |(task, weight): (&Task, f64)| (task.name.clone(), Metrics(vec![("weight".into(), Ok(weight))]));
            let metrics = TaskMetrics(self.job.checked.tasks().iter().zip(weights).map(of).collect());
            self.folder.event("train", epoch, step, "weights", &metrics)?;
        }
        for gate in gates {
            let share = |(at, share): (usize, &f64)| (format!("expert_{}", at + 1), Ok(*share));
            let own = gate.shares.iter().enumerate().map(share).chain([("entropy".to_string(), Ok(gate.entropy))]);
            let metrics = TaskMetrics(vec![(gate.name.clone(), Metrics(own.collect()))]);
            self.folder.event("train", epoch, step, &gate.name, &metrics)?;
            if let dead @ [_, ..] = gate.dead().as_slice() {
                let names: Vec<String> = dead.iter().map(ToString::to_string).collect();
                self.observer.notice(&Notice::Note(&format!(
                    "{}: expert {} of {} gets less than a hundredth of an equal share and has died; try fewer experts, a lower learning rate, or what the model has against it: gate_dropout, or importance and load in moe",
                    gate.name,
                    names.join(", "),
                    gate.shares.len()
                )));
            }
        }
        Ok(())
    }

    /// The factor of the learning rates at this step.
    fn factor(&self) -> f64 {
        let train = &self.job.checked.experiment().train;
        train.schedule.factor(self.stepper.clock(), train.warmup_steps, self.progress.plateaus)
    }

    /// Predicts a batch by the weights that stand, then learns from it.
    fn predict_and_learn(&mut self, prepared: Prepared) -> Result<Vec<Tensor<1>>, TrainError> {
        let (factor, checked) = (self.factor(), &self.job.checked);
        let scoring = self.scoring.get_or_insert_with(|| Scoring::new(checked.tasks(), &self.encoder));
        let known = scoring.labels(&prepared.batch);
        let (losses, scores) = match checked.experiment().model.learns_as_it_predicts() {
            true => self.stepper.step_scored(prepared, factor, true)?,
            false => {
                let weights = &self.stepper.weights;
                let ready = prepare(weights.tables.indexer(), None);
                let scores = weights.frozen()?.scores(ready(prepared.batch.clone()));
                (self.stepper.step(prepared, factor)?, Some(scores))
            }
        };
        scores.into_iter().for_each(|scores| scoring.add(known.clone(), scores));
        if self.progress.step_in_epoch % PREDICTED == PREDICTED - 1 {
            self.keep_predictions()?;
        }
        Ok(losses)
    }

    /// Writes down what was predicted of rows that were learned from since.
    fn keep_predictions(&mut self) -> Result<(), TrainError> {
        match self.scoring.take() {
            Some(scoring) => self.note_judged(&scoring.finish().known),
            None => Ok(()),
        }
    }

    /// An epoch without a step, or in which nothing taught anything, is no training; a resumed epoch may have little left.
    fn check_taught(&self, (step, taught): (u64, u64)) -> Result<(), TrainError> {
        let resumed = self.progress.step_in_epoch > self.progress.step - step;
        let lists = self.job.checked.lists().is_some();
        let why = match (self.progress.step > step, self.stepper.taught() > taught) {
            _ if resumed => return Ok(()),
            (true, true) => return Ok(()),
            (true, false) if lists => {
                "no list has a better and a worse row; check features.group and the labels, or draw negatives"
            }
            (true, false) => "no row has a label that is known; check the labels and `where` of the tasks",
            (false, _) if self.job.checked.learns_pairs() => {
                "no two items stand near each other in what a user liked; check features.pairs and the labels"
            }
            (false, _) => "no row was left to learn from",
        };
        Err(TrainError::Nothing { epoch: self.progress.epoch + 1, why })
    }

    /// Steps of an epoch, where they are known: with lists, pairs and stretches of time it takes the draws to tell.
    fn steps_of_epoch(&self, current: &Current<'_>) -> Option<u64> {
        let checked = &self.job.checked;
        let sided = current.phase.train == Window::Side(Side::Train);
        let known = sided && !checked.learns_pairs() && checked.lists().is_none();
        let items = self.encoder.schema().items.as_ref();
        let negatives = items.and_then(|i| i.adds_rows()).map_or(0, |n| n.per_positive as u64);
        let positives = self.encoder.catalogue().map_or(0, |c| c.counts.iter().map(|n| u64::from(*n)).sum::<u64>());
        let rows = self.rows.get("train").filter(|_| known)?;
        let left = self.encoder.trees().map_or(1.0, Trees::share_left);
        let rows = (*rows as f64 * left).round() as u64;
        Some((rows + positives * negatives).div_ceil(self.rows_a_step() as u64))
    }

    /// Rows a step.
    fn rows_a_step(&self) -> usize {
        let scheduled = self.job.checked.experiment().schedule.is_some();
        let rows = if scheduled { self.encoder.fitted().rows } else { self.rows.get("train").copied().unwrap_or(0) };
        self.job.checked.experiment().train.rows_a_step(rows)
    }

    /// The batches of an epoch that are still to come.
    fn loader(&self, current: &Current<'_>) -> Result<Loader<Prepared>, TrainError> {
        let checked = &self.job.checked;
        let (train, seed) = (&checked.experiment().train, checked.experiment().run.seed);
        let config = LoaderConfig {
            batch_size: current.phase.online.unwrap_or_else(|| self.rows_a_step()),
            shuffle: (train.shuffle && current.phase.online.is_none()).then(|| stream_seed(seed, "shuffle", 0)),
            epoch: self.progress.epoch as u64,
            buffer_rows: train.shuffle_rows,
            prefetch: train.prefetch,
            skip: self.progress.step_in_epoch as usize,
            purpose: if current.later { Purpose::Later } else { Purpose::Train },
            draws: Draws::Negatives(seed),
            cache: cache(checked, &self.encoder, &current.dataset, Side::Train, Purpose::Train),
            lists: checked.lists(),
        };
        let ready = prepare(self.stepper.weights.tables.indexer(), Some(checked.tasks().clone()));
        if checked.learns_pairs() {
            return Ok(load_pairs(self.encoder.clone(), config, ready));
        }
        let rows = current.dataset.stream(Side::Train, &self.encoder.schema().columns(true))?;
        let rows = self.with_replayed(current, rows);
        let source = current.dataset.source(Side::Train).clone();
        Ok(load(rows, source, self.encoder.clone(), config, ready))
    }

    fn after_step(&mut self, losses: Vec<Tensor<1>>, rows: usize) -> Result<(), TrainError> {
        self.losses.add(losses);
        self.progress.losses_of += 1;
        let train = &self.job.checked.experiment().train;
        let (log_every, checkpoint_every) = (train.log_every, train.checkpoint_every);
        let logged = if self.progress.step.is_multiple_of(log_every) { self.log_losses()? } else { None };
        self.observer.notice(&Notice::Step { step: self.progress.step, loss: logged, rows });
        if checkpoint_every > 0 && self.progress.step.is_multiple_of(checkpoint_every) {
            self.checkpoint(false)?;
        }
        Ok(())
    }

    fn time_step(&mut self, rows: usize, last: &mut Instant) {
        let seconds = last.elapsed().as_secs_f64();
        *last = Instant::now();
        self.progress.seconds += seconds;
        self.progress.rows += rows as u64;
        self.found.step(seconds);
    }

    /// Writes the mean losses since the last ones; returns the tasks' as they are weighed.
    fn log_losses(&mut self) -> Result<Option<f64>, TrainError> {
        self.losses.read(&mut self.progress, self.job.checked.experiment().train.learning_rate)?;
        let Some((all, metrics)) = losses::means(&mut self.progress, self.job.checked.tasks()) else { return Ok(None) };
        let (epoch, step) = (self.progress.epoch + 1, self.progress.step);
        self.folder.event("train", epoch, step, "train", &metrics)?;
        self.log_rate(epoch, step)?;
        Ok(Some(all))
    }

    /// Writes the learning rate of dense weights down, where it changes over steps.
    fn log_rate(&mut self, epoch: usize, step: u64) -> Result<(), TrainError> {
        let train = &self.job.checked.experiment().train;
        if train.schedule == RateSchedule::default() && train.warmup_steps == 0 {
            return Ok(());
        }
        let rate = train.learning_rate * self.factor();
        let own = Metrics(vec![("learning_rate".into(), Ok(rate))]);
        self.folder.event("train", epoch, step, "rate", &TaskMetrics(vec![("rate".into(), own)]))
    }

    pub(super) fn checkpoint(&mut self, is_best: bool) -> Result<(), TrainError> {
        self.losses.read(&mut self.progress, self.job.checked.experiment().train.learning_rate)?;
        self.keep_predictions()?;
        self.journal.as_ref().map_or(Ok(()), Journal::sync)?;
        self.progress.clock = self.stepper.clock();
        save(
            &self.folder.checkpoints(),
            &self.stepper,
            &self.encoder,
            &self.progress,
            is_best,
            self.candidate.as_ref(),
            None,
        )?;
        self.candidate = None;
        self.observer.notice(&Notice::Checkpoint { step: self.progress.step });
        Ok(())
    }
}
