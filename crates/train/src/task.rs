//! A task, checked: which label it learns, by which objective, and how it is judged.

use std::sync::Arc;

use burnrec_features::{Batch, Schema};
use burnrec_models::TaskKind;

use crate::error::{TrainError, bad};
use crate::experiment::{LossKind, TaskConfig};
use crate::metrics::{Measurable, MetricName, Protocol};
use crate::objective::{Compares, HostTarget, Link, Objective, names};

/// One task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// The label, by its place in [`Schema::targets`].
    pub target: usize,
    /// What is predicted.
    pub kind: TaskKind,
    /// The loss.
    pub loss: LossKind,
    /// The loss, as it works.
    pub objective: Arc<dyn Objective>,
    /// What the loss weighs beside the other tasks'.
    pub weight: f64,
    /// Where the bias of the output starts, where that is told.
    pub start: Option<f32>,
    /// The task without whose label 1 this one's is 0.
    pub parent: Option<usize>,
    /// What is reported.
    pub metrics: Vec<MetricName>,
    /// What its rows allow to be measured.
    pub measurable: Measurable,
}

/// The name of a task's predictions and metrics given its parent.
pub(crate) fn given_name(task: &str, parent: &str) -> String {
    format!("{task}_given_{parent}")
}

/// What the fields of a config mean for the tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Whether pairs of items are learned, and not rows.
    pub(crate) pairs: bool,
    /// Whether a batch shares what is drawn for it.
    pub(crate) shares: bool,
    /// Whether training rows form lists.
    pub(crate) listed: bool,
    /// Whether rows have groups to be ranked in.
    pub(crate) grouped: bool,
    /// Whether training rows are weighted.
    pub(crate) weighted: bool,
    /// What a measurement looks at.
    pub(crate) protocol: Protocol,
}

impl Setting {
    /// Of a schema under a model that looks for items, or not.
    pub(crate) fn new(schema: &Schema, retrieves: bool) -> Self {
        let items = schema.items.as_ref();
        let pairs = items.is_some_and(|i| i.pairs.is_some());
        let evaluates = items.and_then(|i| i.negatives.as_ref()).is_some_and(|n| n.evaluate > 0);
        let protocol = match () {
            () if evaluates => Protocol::Lists,
            () if retrieves => Protocol::Retrieval,
            () => Protocol::Rows,
        };
        Self {
            pairs,
            shares: !pairs && items.is_some_and(|i| i.draws_beside().is_some()),
            listed: schema.group.is_some() || items.is_some_and(|i| i.adds_rows().is_some()),
            grouped: schema.group.is_some() || protocol != Protocol::Rows,
            weighted: schema.weight.is_some(),
            protocol,
        }
    }
}

impl Task {
    /// Checks a task.
    ///
    /// # Errors
    /// [`TrainError::Setting`] naming the key.
    pub(crate) fn new(
        name: &str,
        config: &TaskConfig,
        schema: &Schema,
        target: usize,
        setting: &Setting,
    ) -> Result<Self, TrainError> {
        let kind = config.kind();
        let loss = config.loss.unwrap_or(match kind {
            _ if setting.pairs => LossKind::NegativeSampling,
            _ if setting.shares => LossKind::SampledSoftmax,
            TaskKind::Binary => LossKind::Bce,
            TaskKind::Regression => LossKind::Mse,
            TaskKind::WatchTime => LossKind::WeightedLogistic,
            TaskKind::MultiClass => LossKind::CrossEntropy,
        });
        check_loss(name, config, kind, loss, setting)?;
        let objective = loss.objective(config.pointwise);
        let measurable =
            Measurable { kind, link: objective.link(), grouped: setting.grouped, protocol: setting.protocol };
        let key = format!("tasks.{name}.metrics");
        let metrics = match &config.metrics {
            Some(names) => names.iter().map(|n| MetricName::parse(&key, n)).collect::<Result<Vec<_>, _>>()?,
            None => measurable.usual(),
        };
        metrics.iter().try_for_each(|metric| metric.check(&key, &measurable))?;
        Ok(Self {
            name: name.to_string(),
            target,
            kind,
            loss,
            objective,
            weight: config.weight,
            start: config.start,
            parent: schema.targets[target].parent,
            metrics,
            measurable,
        })
    }

    /// What the task needs of a batch, made on the loader's thread.
    pub(crate) fn prepare(&self, batch: &Batch) -> HostTarget {
        self.objective.prepare(batch, self.target)
    }

    /// Scores of a row.
    pub fn width(&self, schema: &Schema) -> usize {
        schema.targets[self.target].classes().map_or(1, <[String]>::len)
    }

    /// Whether the rows of a list are compared.
    pub(crate) fn is_of_lists(&self) -> bool {
        self.objective.takes().compares == Compares::Lists
    }

    /// What numbers that are labels must lie between, and for whom: the narrower of what the loss and the metrics need.
    pub(crate) fn limits(&self) -> Option<(f32, f32, &'static str)> {
        let graded = self.metrics.iter().any(MetricName::is_graded);
        let by_metric = graded.then_some((0.0, 30.0, "the metric ndcg, whose gains are 2^label - 1"));
        let by_loss = self.objective.takes().labels.numbers.filter(|(low, ..)| *low > f32::MIN);
        match (by_loss, by_metric) {
            (Some(loss), Some(metric)) if metric.1 < loss.1 => Some(metric),
            (loss, metric) => loss.or(metric),
        }
    }

    /// Refuses a metric that the task's labels do not allow.
    ///
    /// # Errors
    /// [`TrainError::Setting`] naming the key.
    pub fn allows(&self, key: &str, metric: MetricName) -> Result<(), TrainError> {
        metric.check(key, &self.measurable)
    }

    /// Whether scores are log-odds of a probability.
    pub fn gives_probabilities(&self) -> bool {
        self.objective.link() == Link::Sigmoid
    }
}

/// Refuses a loss that does not go with the label, or with what is drawn.
fn check_loss(
    name: &str,
    config: &TaskConfig,
    kind: TaskKind,
    loss: LossKind,
    setting: &Setting,
) -> Result<(), TrainError> {
    let refused = |key: &str, problem: String| Err(bad(format!("tasks.{name}.{key}"), problem));
    let (takes, spelled) = (loss.objective(0.0).takes(), loss.name());
    let fits = match kind {
        TaskKind::Binary => takes.labels.binary,
        TaskKind::Regression | TaskKind::WatchTime => takes.labels.numbers.is_some(),
        TaskKind::MultiClass => takes.labels.classes,
    };
    let compares = takes.compares;
    match compares {
        _ if !fits => refused(
            "loss",
            match (kind, takes.labels.numbers.is_some()) {
                (TaskKind::Binary, true) => format!(
                    "{spelled} learns numbers; for classes use bce, or set tasks.{name}.label.numeric = true to learn 0 and 1 as numbers"
                ),
                (TaskKind::Binary, false) => format!("{spelled} learns one of several classes; give tasks.{name}.label.classes, or use bce"),
                (TaskKind::MultiClass, _) => "several classes are learned by cross_entropy; remove this line".into(),
                _ => format!("{spelled} needs labels of 0 and 1, and tasks.{name}.label is a number; use mse, or give threshold or positive"),
            },
        ),
        Compares::Drawn if !setting.shares => refused(
            "loss",
            format!(
                "sampled_softmax needs items that a batch shares, and a model of vectors; set features.negatives.shared, or sampler = \"in_batch\", with one of {}",
                burnrec_models::named(|reads| reads.retrieves() && !reads.pairs())
            ),
        ),
        Compares::Pairs if !setting.pairs => {
            refused("loss", "negative_sampling is of pairs; add [features.pairs]".into())
        }
        _ if setting.pairs && compares != Compares::Pairs => refused(
            "loss",
            "pairs are learned by negative_sampling; remove this line, or [features.pairs]".into(),
        ),
        _ if setting.shares && compares != Compares::Drawn => refused(
            "loss",
            "items that a batch shares go with sampled_softmax; use features.negatives.per_positive here".into(),
        ),
        Compares::Lists if !setting.listed => refused(
            "loss",
            "compares rows of one list, and nothing says which those are; set features.group, or features.negatives.per_positive".into(),
        ),
        Compares::Lists if setting.weighted || config.row_weight.is_some() => refused(
            "loss",
            "compares rows with each other and takes no sample weights; remove features.weight and row_weight".into(),
        ),
        Compares::Pairs if setting.weighted || config.row_weight.is_some() => refused(
            "loss",
            "is of pairs of items, which have no sample weights; remove features.weight and row_weight".into(),
        ),
        _ if config.pointwise > 0.0 && !(compares == Compares::Lists && kind == TaskKind::Binary) => refused(
            "pointwise",
            format!("goes with labels of 0 and 1 and a loss over lists ({}); remove it", names(Compares::Lists)),
        ),
        _ => Ok(()),
    }
}
