//! An experiment, checked once: only this trains, evaluates, predicts, exports.

use std::sync::Arc;

use burnrec_data::SplitConfig;
use burnrec_embedding::Slots;
use burnrec_features::{IndexPolicy, Past, Schema};
use burnrec_models::{Heads, named};

use crate::error::{TrainError, bad};
use crate::experiment::{DenseRule, Experiment};
use crate::metrics::Protocol;
use crate::monitor::Monitor;
use crate::objective::{Compares, Link, names};
use crate::task::{Setting, Task, given_name};

/// An experiment whose settings go together, with what follows from them.
#[derive(Clone, Debug)]
pub struct Checked {
    experiment: Arc<Experiment>,
    schema: Arc<Schema>,
    slots: Arc<Slots>,
    tasks: Arc<[Task]>,
    monitor: Monitor,
    protocol: Protocol,
    past: Past,
}

impl Experiment {
    /// Every check that needs no data.
    ///
    /// # Errors
    /// The first setting that cannot work, with its key.
    pub fn check(mut self) -> Result<Checked, TrainError> {
        if let Some(name) = self.features.wildcards().next() {
            let problem = "stands for columns of the data, which are not known here; name the fields";
            return Err(bad(format!("features.fields.{name}"), problem));
        }
        let usual = if self.schedule.is_some() { IndexPolicy::Growing } else { IndexPolicy::Vocabulary };
        self.features.index.get_or_insert(usual);
        let targets = self.tasks.0.iter().map(|(name, task)| task.target(name)).collect::<Result<Vec<_>, _>>()?;
        let schema = Schema::new(&self.features, &targets)?;
        let reads = self.model.reads();
        let setting = Setting::new(&schema, reads.retrieves());
        let task = |(target, (name, config)): (usize, &(String, _))| Task::new(name, config, &schema, target, &setting);
        self.model.check(&schema)?;
        let mut tasks = self.tasks.0.iter().enumerate().map(task).collect::<Result<Vec<_>, _>>()?;
        for (key, optimizer) in self.model.optimizers() {
            optimizer.check(&format!("model.{}.{key}", self.model.name()))?;
        }
        self.train.check()?;
        self.train.mixer.check(&self.tasks)?;
        if self.train.mixer.needs_cut() && !reads.cut {
            let parting = named(|reads| reads.cut && reads.heads != Heads::One);
            let problem = format!(
                "`cut` needs tasks that part behind a shared part, and those of {} do not; these do: {parting}",
                self.model.name()
            );
            return Err(bad("train.mixer.over", problem));
        }
        if let Some(sweep) = &self.sweep {
            sweep.check(self.train.epochs)?;
        }
        let grows = schema.categorical.iter().any(|field| field.index == IndexPolicy::Growing);
        let of_growing = [("train.evict", self.train.evict.is_some()), ("train.admit", self.train.admit.is_some())];
        if let Some((key, _)) = of_growing.into_iter().find(|(_, given)| *given && !grows) {
            let problem = "is of growing tables, and there are none; set features.index = \"growing\", or remove it";
            return Err(bad(key, problem));
        }
        let counted = schema.categorical.iter().any(|field| field.index == IndexPolicy::Growing && field.min_count > 1);
        match &self.train.admit {
            Some(admit) if admit.probability.is_some() && counted => {
                return Err(bad(
                    "train.admit.probability",
                    "goes without min_count, which counts sightings; remove one",
                ));
            }
            Some(admit) if admit.bloom_mib.is_some() && !counted => {
                return Err(bad(
                    "train.admit.bloom_mib",
                    "counts sightings, and every id gets a row at the first; set features.min_count",
                ));
            }
            _ => {}
        }
        self.check_batches(&schema, &tasks)?;
        check_names(&schema, &tasks, reads.heads.multiplies())?;
        check_lists(&schema, &tasks, setting.protocol)?;
        let monitor = match &self.train.monitor {
            Some(text) => Monitor::parse(text, &tasks)?,
            None => Monitor::usual(&tasks)?,
        };
        for (task, metric) in monitor.metrics() {
            if !tasks[task].metrics.contains(&metric) {
                tasks[task].metrics.push(metric);
            }
        }
        self.sweep.iter().try_for_each(|sweep| sweep.check_metrics(&tasks))?;
        let limits = tasks.iter().map(Task::limits).collect();
        let schema = schema.limited(limits);
        self.data.check()?;
        self.check_schedule(&schema, &tasks, setting.protocol)?;
        let past = past(&self, &schema, setting.protocol)?;
        Ok(Checked {
            slots: Arc::new(self.model.slots(&schema)),
            experiment: Arc::new(self),
            schema: Arc::new(schema),
            tasks: tasks.into(),
            monitor,
            protocol: setting.protocol,
            past,
        })
    }

    /// Refuses schedules of models that cannot be kept fresh window by window.
    fn check_schedule(&self, schema: &Schema, tasks: &[Task], protocol: Protocol) -> Result<(), TrainError> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        schedule.check()?;
        let refused = |key: &str, problem: &str| Err(bad(key, problem));
        let rows = schedule.online.as_ref().map_or(usize::MAX, |online| online.rows);
        let slots = self.model.slots(schema);
        let wanted = schedule.incremental.iter().flat_map(|own| own.lookups.iter().flatten());
        if let Some(name) = wanted.into_iter().find(|name| slots.0.iter().all(|lookup| lookup.name != **name)) {
            let names: Vec<&str> = slots.0.iter().map(|lookup| lookup.name).collect();
            return Err(bad(
                "schedule.incremental.lookups",
                format!("the model has no lookup `{name}`; it has {}", names.join(", ")),
            ));
        }
        match () {
            () if protocol != Protocol::Rows || self.features.items.is_some() => refused(
                "schedule",
                "goes with models that score rows as they are; this one draws or looks for items of a catalogue, which is of the first stretch alone",
            ),
            () if self.features.trees.is_some()
                && schedule.incremental.as_ref().is_some_and(|own| own.replay > 0.0) =>
            {
                refused(
                    "schedule.incremental.replay",
                    "would learn from rows that trees were grown on, whose leaves tell their labels; remove it, or [features.trees]",
                )
            }
            () if tasks.iter().any(|task| task.width(schema) > 1) => {
                refused("schedule", "does not judge tasks of several classes yet; remove it, or the classes")
            }
            () if self.data.split != SplitConfig::default() => {
                refused("data.split", "divides rows into sides, and a schedule has windows of time instead; remove it")
            }
            () if self.features.trees.is_some() && schedule.incremental.as_ref().is_some_and(|own| own.refit) => {
                refused(
                    "schedule.incremental.refit",
                    "would move numbers under trees that cut them; remove it, or [features.trees]",
                )
            }
            () if self.train.optimizer.kind == DenseRule::Adagrad
                && schedule.incremental.as_ref().is_some_and(|own| own.decay < 1.0) =>
            {
                refused(
                    "schedule.incremental.decay",
                    "is of tables alone, and Adagrad of the dense weights would keep its sums; take adam or sgd in train.optimizer, or leave decay out",
                )
            }
            () if schedule.calibrated.is_some() && tasks.iter().all(|t| t.objective.link() != Link::Sigmoid) => {
                refused("schedule.calibrated", "is of tasks of 0 and 1, and there is none; remove it")
            }
            () if self.train.refit => refused("train.refit", "goes with a split; a schedule has none"),
            () if rows < 2 && self.model.normalises() => {
                refused("schedule.online.rows", "must be at least 2 with batch norm, whose statistics are of the batch")
            }
            () if tasks.iter().any(Task::is_of_lists) && schedule.online.is_some() => refused(
                "schedule.online",
                "learns rows as they come, and a loss over lists needs whole groups; remove one",
            ),
            () => Ok(()),
        }
    }

    /// Refuses sizes of batches and lists that do not go with what the tasks compare.
    fn check_batches(&self, schema: &Schema, tasks: &[Task]) -> Result<(), TrainError> {
        let train = &self.train;
        if self.backend.threads.is_some_and(|threads| !THREADS.contains(&threads)) {
            return Err(bad("backend.threads", "must lie in 1..=4096; leave it out for all cores"));
        }
        if train.batch_size.is_some_and(|rows| rows < 2) && self.model.normalises() {
            return Err(bad(
                "train.batch_size",
                "must be at least 2 with batch norm, whose statistics are of the batch",
            ));
        }
        if self.data.cache && (schema.items.is_some() || self.schedule.is_some()) {
            return Err(bad(
                "data.cache",
                "keeps rows as they are encoded, and goes neither with [features.items], whose negatives are drawn to the rows themselves, nor with a [schedule]; remove it",
            ));
        }
        let lists = tasks.iter().any(Task::is_of_lists);
        let default = crate::experiment::TrainConfig::default();
        let in_batch = schema.items.as_ref().is_some_and(|i| i.pairs.is_none() && i.takes_the_batch());
        match () {
            () if train.list_size != default.list_size && !lists => Err(bad(
                "train.list_size",
                format!("goes with a loss over lists ({}); remove it", names(Compares::Lists)),
            )),
            () if in_batch && train.batch_size.is_some_and(|rows| rows < 2) => {
                Err(bad("train.batch_size", "must be at least 2 where the batch's other items are the negatives"))
            }
            () if lists && train.batch_size.is_some_and(|rows| train.list_size > rows) => {
                Err(bad("train.list_size", "must be at most train.batch_size"))
            }
            () => Ok(()),
        }
    }
}

/// Threads that may be asked for.
pub const THREADS: std::ops::RangeInclusive<usize> = 1..=4096;

/// Refuses tasks whose predictions or metrics would be called as another's.
fn check_names(schema: &Schema, tasks: &[Task], chain: bool) -> Result<(), TrainError> {
    let mut taken: Vec<String> = Vec::new();
    for task in tasks {
        let classes = schema.targets[task.target].classes().unwrap_or_default();
        let of_classes = classes.iter().map(|class| format!("{}_is_{class}", task.name));
        let given = task.parent.filter(|_| chain).map(|parent| given_name(&task.name, &tasks[parent].name));
        let own: Vec<String> = std::iter::once(task.name.clone()).chain(of_classes).chain(given).collect();
        if let Some(twice) = own.iter().find(|name| taken.contains(name)) {
            let problem =
                format!("what is predicted would be called `{twice}` as another prediction is; rename the task");
            return Err(bad(format!("tasks.{}", task.name), problem));
        }
        taken.extend(own);
    }
    Ok(())
}

/// Classes have no rank among items that were drawn.
fn check_lists(schema: &Schema, tasks: &[Task], protocol: Protocol) -> Result<(), TrainError> {
    let classes = tasks.iter().find(|task| schema.targets[task.target].classes().is_some());
    match classes.filter(|_| protocol == Protocol::Lists) {
        Some(task) => {
            let problem = format!(
                "ranks among items that are drawn, which task `{}` of several classes says nothing of; remove one",
                task.name
            );
            Err(bad("features.negatives.evaluate", problem))
        }
        None => Ok(()),
    }
}

/// What histories hold when they are made of what users did: the same as in training. Histories of a rule that is not the
/// label's are refused where items are looked for; where rows are scored, the user's latest row tells them, as it does where
/// histories are columns of the data.
fn past(experiment: &Experiment, schema: &Schema, protocol: Protocol) -> Result<Past, TrainError> {
    let retrieves = protocol == Protocol::Retrieval;
    let Some(history) = &experiment.data.history else {
        return Ok(Past { sides: 1, liked_only: false, most: usize::MAX, remade: retrieves });
    };
    let label = &experiment.tasks.0[schema.liked()].1.label;
    let plain = label.threshold.is_none() && label.positive.is_none() && !label.numeric;
    let same_rule = history.only.as_ref().is_none_or(|only| {
        let same = label.threshold.is_some_and(|t| t == only.at_least);
        only.column == label.column && (same || (plain && only.at_least > 0.0 && only.at_least <= 1.0))
    });
    if retrieves && schema.remakes_histories() && !same_rule {
        return Err(bad(
            "data.history.only",
            "is another rule than the label's of what users liked, so that histories cannot be made again for users who are asked about; use the label's column and threshold",
        ));
    }
    Ok(Past { sides: 1, liked_only: history.only.is_some(), most: history.max_length, remade: same_rule })
}

impl Checked {
    /// The experiment.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// What the columns mean.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Which vectors the model looks up.
    pub fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// The tasks, in the order of the file.
    pub fn tasks(&self) -> &Arc<[Task]> {
        &self.tasks
    }

    /// What decides which epoch is best.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// What a measurement looks at.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What histories hold that are made of what users did.
    pub(crate) fn past(&self) -> Past {
        self.past
    }

    /// Whether pairs of items are learned, and not rows.
    pub fn learns_pairs(&self) -> bool {
        self.schema.items.as_ref().is_some_and(|i| i.pairs.is_some())
    }

    /// The most rows of a list, where some task compares the rows of lists.
    pub(crate) fn lists(&self) -> Option<usize> {
        self.tasks.iter().any(Task::is_of_lists).then_some(self.experiment.train.list_size)
    }

    /// The same without a second training over the rows that validate.
    pub(crate) fn without_refit(&self) -> Self {
        let mut experiment = (*self.experiment).clone();
        experiment.train.refit = false;
        Self { experiment: Arc::new(experiment), ..self.clone() }
    }

    /// The same on another device, with other threads: where it computes is no part of what is learned.
    #[must_use]
    pub fn on(&self, backend: crate::experiment::BackendConfig) -> Self {
        let experiment = Arc::new(Experiment { backend, ..(*self.experiment).clone() });
        Self { experiment, ..self.clone() }
    }
}
