//! Scores of runs: whose they are, and what they say of the sides that the runs share.

use std::path::Path;

use burnrec_data::Side;
use burnrec_features::{Draws, Purpose};
use burnrec_train::fuse::Fused;
use burnrec_train::metrics::Protocol;
use burnrec_train::{Asked, SavedModel, Stop, Task, score_rows};

use super::super::saved::{check_fitted, own_rows};
use crate::error::CliError;

/// A score: its run, and the place of its task there.
pub struct Score {
    /// Its name in the file.
    pub name: String,
    /// Its run.
    pub saved: SavedModel,
    task: usize,
}

impl Score {
    /// A score of a run; why not, where the run has no such task or gives no numbers.
    pub fn of(name: &str, saved: SavedModel, task: Option<&str>) -> Result<Self, String> {
        let tasks = saved.checked.tasks();
        let names = || tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ");
        let place = match task {
            Some(task) => tasks
                .iter()
                .position(|own| own.name == task)
                .ok_or_else(|| format!("names task `{task}`, and {} has {}", saved.folder.display(), names()))?,
            None if tasks.len() == 1 => 0,
            None => return Err(format!("needs a task: {} has {}", saved.folder.display(), names())),
        };
        if saved.checked.protocol() != Protocol::Rows {
            return Err(format!("{} looks for items, or ranks drawn ones; fusion is of rows", saved.folder.display()));
        }
        match saved.checked.schema().targets[tasks[place].target].classes() {
            Some(_) => Err(format!("task `{}` is of several classes, which are no score", tasks[place].name)),
            None => Ok(Self { name: name.into(), task: place, saved }),
        }
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        &self.saved.checked.tasks()[self.task]
    }

    /// The column of its predictions.
    pub fn column(&self) -> String {
        match self.saved.checked.tasks().len() {
            1 => "prediction".into(),
            _ => format!("prediction_{}", self.task().name),
        }
    }

    /// As it is joined: a probability where it is one.
    fn value(&self, score: f32) -> f64 {
        match self.task().gives_probabilities() {
            true => 1.0 / (1.0 + (-f64::from(score)).exp()),
            false => f64::from(score),
        }
    }
}

/// Rows of one data set, split alike; why not, where a run has others.
pub fn same_rows(scores: &[Score]) -> Result<(), String> {
    let of = |score: &Score| {
        let mut data = score.saved.checked.experiment().data.clone();
        // Histories are inputs: they change no row.
        data.history = None;
        data
    };
    let first = of(&scores[0]);
    match scores.iter().find(|score| of(score) != first) {
        Some(other) => Err(format!(
            "are of other rows: [data] of {} is not that of {}; train them on the same source and split",
            other.saved.folder.display(),
            scores[0].saved.folder.display()
        )),
        None => Ok(()),
    }
}

/// The scores of a side's rows; none where no label of the target is known.
pub fn side(scores: &[Score], target: usize, side: Side, data_dir: &Path) -> Result<Option<Fused>, CliError> {
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(scores.len());
    let mut judged = None;
    for (at, score) in scores.iter().enumerate() {
        let saved = &score.saved;
        let dataset = own_rows(saved, data_dir)?;
        check_fitted(saved, &dataset, side)?;
        let rows = dataset.stream(side, &saved.encoder.schema().columns(true))?;
        let encoder = &saved.encoder;
        let asked = Asked {
            rows,
            source: dataset.source(side),
            encoder,
            purpose: Purpose::Measure,
            draws: Draws::Nothing,
            cache: None,
        };
        let scored = score_rows(&saved.weights, saved.checked.tasks(), asked, &Stop::default())?;
        columns.push(scored.scores[score.task].iter().map(|s| score.value(*s)).collect());
        if at == target {
            let (known, labels) = (scored.known_rows[score.task].clone(), scored.known[score.task].clone());
            judged = Some((known, labels, scored.groups.clone()));
        }
    }
    let rows = columns[0].len();
    if let Some(at) = columns.iter().position(|column| column.len() != rows) {
        return Err(CliError::Usage(format!(
            "{} has {} {} rows and {} has {rows}: they were trained on other data; fuse runs of the same rows",
            scores[at].saved.folder.display(),
            columns[at].len(),
            side.name(),
            scores[0].saved.folder.display()
        )));
    }
    let told = judged.filter(|(known, ..)| !known.is_empty());
    Ok(told.map(|(known, judged, groups)| Fused { columns, groups, known, judged }))
}
