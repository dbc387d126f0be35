//! Learning from events as they come: each few are predicted by the weights that stand, then learned from.
//!
//! A checkpoint holds the weights and the place behind the last event that they learned from, in one: a job that is taken up
//! again, however it ended, goes on behind it, and every event is learned from once.

mod aside;
mod beat;
mod begin;
mod delayed;
mod feed;
mod open;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use burnrec_backend::Opened;
use burnrec_data::DataError;
use burnrec_data::events::{Group, Held, Input, LabelWait, Tail};
use burnrec_features::Encoder;
use burnrec_record::EVENTS;

use crate::checked::Checked;
use crate::error::TrainError;
use crate::feed::prepare;
use crate::measure::Scoring;
use crate::run::{Manifest, Progress, save};
use crate::step::Stepper;
use crate::stop::Stop;
use aside::Aside;
pub use beat::{Beat, Streamed};
pub use begin::{begin_stream, is_stream};
use feed::Fed;

/// Bytes of a file that tell it from others.
const HEAD: u64 = 4096;

/// An online job.
pub struct OnlineJob {
    /// The run folder: that of a run whose model goes on learning.
    pub run: PathBuf,
    /// The device.
    pub opened: Opened,
    /// The events.
    pub input: Input,
    /// Whether it is followed as it grows.
    pub follow: bool,
    /// Events that are predicted, then learned from, at a time.
    pub rows: usize,
    /// How long fewer events wait for more.
    pub wait: Duration,
    /// A factor of the learning rates.
    pub rate: f64,
    /// How long events wait for labels that come later; none where they come with them.
    pub label_wait: Option<LabelWait>,
    /// The task whose every event came as a negative at once, and once more as a positive where it turned out one; empty for the only
    /// task of 0 and 1.
    pub fake_negatives: Option<String>,
    /// Column of the event time, for the lag; none where nobody asks.
    pub time: Option<String>,
    /// Events between checkpoints.
    pub checkpoint_every: u64,
    /// Lines that may be put aside before the job ends with an error.
    pub most_rejected: u64,
    /// Time between beats.
    pub beat: Duration,
    /// A request to stop.
    pub stop: Stop,
}

/// A model that learns from a stream.
struct Online<'a> {
    job: OnlineJob,
    checked: Checked,
    encoder: Arc<Encoder>,
    stepper: Stepper,
    progress: Progress,
    checkpoints: PathBuf,
    aside: Aside,
    /// Events that wait for labels, as of what was learned from last.
    held: VecDeque<Held>,
    /// How many waited and were let go.
    gone: u64,
    /// The task whose negatives may be none yet, by its place.
    delayed: Option<usize>,
    /// Says which entries of a stream of Redis are safe.
    group: Option<Group>,
    tell: &'a mut dyn FnMut(&Beat),
    beat: beat::Beats,
    /// The events of the run folder, as reports read them.
    events: File,
    /// Events that were learned from since the last checkpoint.
    unsaved: u64,
    /// Lines that were read since.
    unread: u64,
    _lock: File,
}

/// Learns from a stream until it ends, a stop is asked for, or too many lines are no events; `tell` hears every beat.
///
/// # Errors
/// A run that cannot go on, a stream that cannot be read, too many bad lines, a loss that diverges.
pub fn online(job: OnlineJob, tell: &mut dyn FnMut(&Beat)) -> Result<Streamed, TrainError> {
    let mut online = Online::open(job, tell)?;
    online.check_head()?;
    let tail = Tail::open(&online.job.input, online.job.follow, online.progress.stream.place())?;
    let fed = feed::start(&online, tail);
    loop {
        match fed.recv_timeout(online.job.beat) {
            Ok(Ok(fed)) => online.learn(fed)?,
            // What was learned until then is kept: the stream may not give it again.
            Ok(Err(error)) => {
                online.finish()?;
                return Err(error);
            }
            // Where nothing comes, that is told too.
            Err(RecvTimeoutError::Timeout) => online.beat(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if online.job.stop.is_asked() {
            break;
        }
    }
    online.finish()
}

impl<'a> Online<'a> {
    /// Predicts some events, learns from them, and takes note of where they stood.
    fn learn(&mut self, fed: Fed) -> Result<(), TrainError> {
        let begins = Instant::now();
        let Fed { prepared, place: read, newest, late, rejected, passed } = fed;
        for one in &rejected {
            self.aside.add(one)?;
        }
        let place = &mut self.progress.stream;
        place.rejected += rejected.len() as u64;
        place.rejected_bytes = self.aside.bytes();
        self.unread += read.lines.saturating_sub(place.lines);
        (place.bytes, place.lines, place.entry) = (read.bytes, read.lines, read.entry);
        place.late += late;
        place.newest = place.newest.max(newest);
        place.orphans += passed.orphans;
        place.duplicates += passed.duplicates;
        passed.apply(&mut self.held, &mut self.gone);
        for mut prepared in prepared {
            let rows = prepared.batch.rows as u64;
            let mut scoring = Scoring::new(self.checked.tasks(), &self.encoder);
            let predicted = match self.delayed.is_some() || !self.checked.experiment().model.learns_as_it_predicts() {
                true => {
                    let weights = &self.stepper.weights;
                    let ready = prepare(weights.tables.indexer(), None);
                    Some(weights.frozen()?.scores(ready(prepared.batch.clone())))
                }
                false => None,
            };
            if let (Some(scores), Some(task)) = (&predicted, self.delayed) {
                prepared = self.reweigh(prepared, scores, task);
            }
            let known = scoring.labels(&prepared.batch);
            let train = &self.checked.experiment().train;
            let factor = train.schedule.factor(self.stepper.clock(), train.warmup_steps, 0);
            let scores = match predicted {
                None => self.stepper.step_scored(prepared, factor, true)?.1,
                Some(scores) => {
                    self.stepper.step(prepared, factor)?;
                    Some(scores)
                }
            };
            scores.into_iter().for_each(|scores| scoring.add(known.clone(), scores));
            self.progress.step += 1;
            self.progress.rows += rows;
            let place = &mut self.progress.stream;
            place.rows += rows;
            self.unsaved += rows;
            self.beat.see(&scoring.finish().known, place, begins.elapsed());
            if !place.sums.iter().all(|sum| sum.is_finite()) {
                let learning_rate = train.learning_rate;
                return Err(TrainError::Diverged { step: self.progress.step, loss: f64::NAN, learning_rate });
            }
        }
        if self.progress.stream.rejected > self.job.most_rejected {
            self.save()?;
            return Err(self.aside.too_many(&self.job.input.name(), self.job.most_rejected));
        }
        if self.unsaved.max(self.unread) >= self.job.checkpoint_every {
            self.save()?;
        }
        self.beat();
        Ok(())
    }

    /// Refuses to go on with another file than the one that was read before.
    fn check_head(&self) -> Result<(), TrainError> {
        let (bytes, hash) = self.progress.stream.head;
        if bytes == 0 || self.head(bytes) == Some(hash) {
            return Ok(());
        }
        let difference = format!("{} begins otherwise than what was read before", self.job.input.name().display());
        Err(TrainError::OtherData { path: self.job.run.clone(), difference })
    }

    /// A hash of the first bytes of the file that is read; none of what is no plain file.
    fn head(&self, bytes: u64) -> Option<u64> {
        let path = self.job.input.file()?;
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let mut first = Vec::new();
        std::io::Read::take(File::open(path).ok()?, bytes).read_to_end(&mut first).ok()?;
        // TOML has whole numbers of 63 bits.
        (first.len() as u64 == bytes).then(|| xxhash_rust::xxh3::xxh3_64(&first) >> 1)
    }

    fn beat(&mut self) {
        if self.beat.is_due(self.job.beat) {
            self.tell_beat();
        }
    }

    /// Tells a beat, and adds it to the events of the run. A disk that does not take it is told of, and no reason to stop.
    fn tell_beat(&mut self) {
        let beat = self.beat.take(&self.progress.stream);
        (self.tell)(&beat);
        let task = self.checked.tasks().first().map_or("", |task| task.name.as_str());
        let lines = beat.lines(self.progress.epoch, self.progress.step, task);
        // Where nothing came, nothing is written: a stream may rest for days.
        if beat.logloss.is_none() {
            return;
        }
        if let Err(error) = self.events.write_all(lines.as_bytes()) {
            tracing::warn!("{}: {error}", self.job.run.join(EVENTS).display());
        }
    }

    fn save(&mut self) -> Result<(), TrainError> {
        // What was read beside another reader has holes, and is not kept.
        match self.group.as_mut().map(Group::check_alone) {
            Some(Err(error @ DataError::Server { .. })) => tracing::warn!("{error}"),
            Some(other) => other?,
            None => {}
        }
        self.aside.sync()?;
        if self.unsaved == 0 && Manifest::read(&self.checkpoints)?.is_some_and(|m| m.has_step(self.progress.step)) {
            // What was read taught nothing yet; a checkpoint is never written twice.
            self.progress.step += 1;
        }
        let bytes = self.progress.stream.bytes.min(HEAD);
        self.progress.stream.head = self.head(bytes).map_or((0, 0), |hash| (bytes, hash));
        self.progress.clock = self.stepper.clock();
        self.progress.best_epoch = self.progress.epoch;
        let more = self.held_file();
        save(&self.checkpoints, &self.stepper, &self.encoder, &self.progress, true, None, more.as_ref())?;
        (self.unsaved, self.unread) = (0, 0);
        // What is safe need not come again. Where the server cannot be told now, the next checkpoint tells it.
        let place = self.progress.stream.place();
        match self.group.as_mut().map(|group| group.acknowledge(place)) {
            Some(Err(error @ DataError::Server { .. })) => {
                tracing::warn!("{error}; the entries up to {} are acknowledged later", place.entry);
                Ok(())
            }
            Some(other) => Ok(other?),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Streamed, TrainError> {
        // Lines may have been put aside, or wait, since the last events.
        if self.unsaved + self.unread > 0 {
            self.save()?;
        }
        self.tell_beat();
        let waiting = self.held.len();
        Ok(Streamed::of(&self.progress.stream, &self.beat, self.stepper.weights.tables.facts(), waiting))
    }
}
