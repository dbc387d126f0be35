//! How a job begins, or goes on.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use burnrec_data::events::{Group, Input};
use burnrec_record::{EVENTS, Event};

use super::aside::Aside;
use super::beat::{self, Beat};
use super::begin::{begin_with_stream, begins, check, check_reading, refuse_other_input};
use super::delayed::{delayed_task, read_held};
use super::{Online, OnlineJob};
use crate::error::TrainError;
use crate::run::{Progress, RunFolder, SavedModel, StreamPlace, load_step, sweep, write_whole};
use crate::step::{Stepper, Trainable};

impl<'a> Online<'a> {
    pub(super) fn open(mut job: OnlineJob, tell: &'a mut dyn FnMut(&Beat)) -> Result<Self, TrainError> {
        let lock = RunFolder::lock(&job.run)?;
        let checkpoints = job.run.join("checkpoints");
        let manifest = sweep(&checkpoints)?.ok_or_else(|| TrainError::NotARun {
            path: job.run.clone(),
            problem: "it has no checkpoint yet; train it first".into(),
        })?;
        let checked = RunFolder::config(&job.run)?.check()?;
        check(&checked, job.rows)?;
        let delayed = delayed_task(&checked, job.fake_negatives.as_deref())?;
        job.fake_negatives = delayed.map(|task| checked.tasks()[task].name.clone());
        // A stream goes on where it stood; a run that begins to learn from one begins with its best epoch.
        let latest = manifest.open(&checkpoints, &manifest.latest, checked.schema())?.progress;
        let begins = begins(&job.run, &manifest.latest);
        let name = match &manifest.best {
            Some(best) if begins => best.clone(),
            _ => manifest.latest.clone(),
        };
        let loaded = manifest.open(&checkpoints, &name, checked.schema())?;
        let saved = SavedModel::open_checkpoint(&manifest, &checkpoints, &name, checked.clone(), &job.opened)?;
        let mut stepper = Stepper::new(saved.weights, &checked);
        load_step(&loaded.folder, &mut stepper)?;
        stepper.set_trainable(Trainable { rate: job.rate, ..Trainable::default() })?;
        // Folders of checkpoints are named by steps: those of the stream come behind all others.
        let stream = if begins { StreamPlace::default() } else { loaded.progress.stream.clone() };
        let (judged, judged_before) = (0, 0);
        let mut progress =
            Progress { step: latest.step, epoch: latest.epoch, stream, judged, judged_before, ..loaded.progress };
        let group = match &job.input {
            Input::Redis(stream) => {
                let join = || Group::open(stream)?.join(job.follow);
                let stream = begin_with_stream(&job.run, stream, progress.stream.lines, join)?;
                progress.stream.entry = progress.stream.entry.max(stream.from);
                let group = Group::open(&stream)?;
                job.input = Input::Redis(stream);
                Some(group)
            }
            Input::File(_) => refuse_other_input(&job.run).map(|()| None)?,
        };
        check_reading(&job.run, &job)?;
        let held = if begins { VecDeque::new() } else { read_held(&loaded.folder)? };
        let aside = Aside::open(&job.run, progress.stream.rejected_bytes)?;
        let beat = beat::Beats::new(&progress.stream);
        let events = events(&job.run, progress.step)?;
        // A curve is of the weights that it was fitted behind, and these go on.
        let encoder = match saved.encoder.fitted().curves.is_empty() {
            true => saved.encoder,
            false => Arc::new(saved.encoder.with_curves(Default::default())),
        };
        Ok(Self {
            job,
            checked,
            encoder,
            stepper,
            progress,
            checkpoints,
            aside,
            held,
            gone: 0,
            delayed,
            group,
            tell,
            beat,
            events,
            unsaved: 0,
            unread: 0,
            _lock: lock,
        })
    }
}

/// The events of a run folder, to be added to: those of steps behind the checkpoint are told again, and half a line is none.
fn events(run: &Path, step: u64) -> Result<File, TrainError> {
    let path = run.join(EVENTS);
    let text = std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let stays = |line: &&str| Event::read(line).is_some_and(|event| event.step <= step);
    let kept: String = text.lines().filter(stays).map(|line| format!("{line}\n")).collect();
    if kept != text {
        write_whole(&path, kept.as_bytes())?;
    }
    File::options().create(true).append(true).open(&path).map_err(TrainError::io(&path))
}
