//! Train, valid and test: which side each row is on, decided without holding the rows.
//!
//! Random and by-day splits keep nothing a row. Splits by time and by order keep 8 bytes a row while they are fitted;
//! the per-user splits 32 bytes a row while fitted and 8 a held-out row afterwards.

mod plan;
mod window;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::config::{DataConfig, Side, SplitConfig};
use crate::error::DataError;
use crate::rows::open;
use crate::source::{RowStream, Source};
use plan::Plan;
pub use window::Window;

/// Batches with the side that all their rows are on.
pub type SideStream = Box<dyn Iterator<Item = Result<(Side, RecordBatch), DataError>> + Send>;

/// A source divided into sides.
#[derive(Clone)]
pub struct Dataset {
    main: Arc<dyn Source>,
    held_out: Option<[Arc<dyn Source>; 2]>,
    plan: Plan,
    /// Whether the rows of `Valid` are on `Train`.
    merged: bool,
    /// How its rows are read, the side tables of a public data set included; none of rows that came without a config.
    config: Option<Arc<DataConfig>>,
}

/// The share of the training rows that validates, where it is no path.
fn share_of(valid: &str) -> Result<Option<f64>, DataError> {
    match valid.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(Some(share)),
        Ok(share) if !Path::new(valid).exists() => Err(DataError::Setting {
            key: "split.valid".into(),
            problem: format!("{share} is no share of the training rows: it must lie between 0 and 1"),
        }),
        _ => Ok(None),
    }
}

impl Dataset {
    /// Opens the rows at `path` and fits the split that the configuration asks for.
    ///
    /// # Errors
    /// Unreadable files, unknown columns, times that are not numbers, shares outside 0..1.
    pub fn open(path: &Path, config: &DataConfig) -> Result<Self, DataError> {
        let (main, kept) = (open(path, config)?, Some(Arc::new(config.clone())));
        if let SplitConfig::Files { valid, test } = &config.split {
            if let Some(share) = share_of(valid)? {
                let test = open(Path::new(test), config)?;
                let plan = Plan::Random { seed: 0, valid: share, test: 0.0 };
                return Ok(Self {
                    main: main.clone(),
                    held_out: Some([main, test]),
                    plan,
                    merged: false,
                    config: kept,
                });
            }
            let held_out = Some([open(Path::new(valid), config)?, open(Path::new(test), config)?]);
            return Ok(Self { main, held_out, plan: Plan::None, merged: false, config: kept });
        }
        let plan = Plan::fit(&*main, &config.split)?;
        Ok(Self { main, held_out: None, plan, merged: false, config: kept })
    }

    /// Whether a side's rows are in a file of their own.
    fn apart(&self, side: Side) -> bool {
        self.held_out.is_some() && (matches!(self.plan, Plan::None) || side == Side::Test)
    }

    /// All rows of a source on one side, as `evaluate` and `predict` use them.
    pub fn whole(main: Arc<dyn Source>) -> Self {
        Self { main, held_out: None, plan: Plan::None, merged: false, config: None }
    }

    /// How its rows are read; none of rows that came without a config.
    pub fn config(&self) -> Option<&DataConfig> {
        self.config.as_deref()
    }

    /// Whether all rows are on one side, as they are asked about.
    pub fn is_whole(&self) -> bool {
        self.held_out.is_none() && matches!(self.plan, Plan::None)
    }

    /// The same rows, those of `Valid` on `Train`.
    ///
    /// # Errors
    /// Rows of `Valid` in a file of their own.
    pub fn with_valid_in_train(&self) -> Result<Self, DataError> {
        if self.apart(Side::Valid) {
            return Err(DataError::Setting {
                key: "split.valid".into(),
                problem: "is a file of its own, which train.refit cannot join with that of training; give a share of the training rows, such as \"0.1\"".into(),
            });
        }
        Ok(Self { merged: true, ..self.clone() })
    }

    /// Whether the rows of `Valid` are on `Train`.
    pub fn has_valid_in_train(&self) -> bool {
        self.merged
    }

    /// The side that rows of a side of the split are on.
    fn placed(merged: bool, side: Side) -> Side {
        if merged && side == Side::Valid { Side::Train } else { side }
    }

    /// The same rows with other sides: `Train` is one window, `Valid` another. Both are sides of the split, or both
    /// stretches of one column of time that have no row in common.
    ///
    /// # Errors
    /// Windows that cannot stand together, and a column that is not there.
    pub fn view(&self, train: &Window, valid: Option<&Window>) -> Result<Self, DataError> {
        let refused = |problem: &str| DataError::Setting { key: "window".into(), problem: problem.into() };
        match (train, valid) {
            (Window::Side(Side::Train), None | Some(Window::Side(Side::Valid))) => Ok(self.clone()),
            (Window::Span { column, from, to }, None | Some(Window::Span { .. })) if from < to => {
                self.main.column(column)?;
                if let Some(Window::Span { column: other, from: start, to: end }) = valid {
                    if other != column {
                        return Err(refused("goes by one column of time in training and validation"));
                    }
                    if start >= end || (start < to && from < end) {
                        return Err(refused("of validation is empty, or shares rows with that of training"));
                    }
                }
                let plan = Plan::Windows { train: train.clone(), valid: valid.cloned() };
                Ok(Self { main: self.main.clone(), held_out: None, plan, merged: false, config: self.config.clone() })
            }
            (Window::Span { .. }, None | Some(Window::Span { .. })) => {
                Err(refused("is empty: it ends where it starts, or before"))
            }
            _ => Err(refused("must be train and valid of the split, or stretches of time")),
        }
    }

    /// The source that a side's rows come from.
    pub fn source(&self, side: Side) -> &Arc<dyn Source> {
        match (&self.held_out, side) {
            (Some([valid, _]), Side::Valid) => valid,
            (Some([_, test]), Side::Test) => test,
            _ => &self.main,
        }
    }

    /// Streams the named columns of all sides' rows in one pass, each batch of one side.
    ///
    /// # Errors
    /// Unknown columns at once; unreadable rows as the stream reaches them.
    pub fn stream_sides(&self, columns: &[String]) -> Result<SideStream, DataError> {
        if self.held_out.is_some() {
            let mut all: SideStream = Box::new(std::iter::empty());
            for side in [Side::Train, Side::Valid, Side::Test] {
                let rows = self.stream(side, columns)?;
                all = Box::new(all.chain(rows.map(move |batch| Ok((side, batch?)))));
            }
            return Ok(all);
        }
        let mut wanted = columns.to_vec();
        wanted.extend(self.plan.column().filter(|c| !wanted.contains(c)).cloned());
        let (plan, source, merged) = (self.plan.clone(), self.main.clone(), self.merged);
        Ok(Box::new(self.rows(&wanted, &[Side::Train, Side::Valid])?.flat_map(move |batch| {
            match batch.and_then(|b| plan.divide(&b, &*source)) {
                Ok(parts) => {
                    parts.into_iter().map(|(side, rows)| Ok((Self::placed(merged, side), rows))).collect::<Vec<_>>()
                }
                Err(error) => vec![Err(error)],
            }
        })))
    }

    /// All rows of the main source that may be on some sides.
    fn rows(&self, columns: &[String], sides: &[Side]) -> Result<RowStream, DataError> {
        match self.plan.around(sides) {
            Some((time, from, to)) => self.main.stream_around(columns, time, from, to),
            None => self.main.stream(columns),
        }
    }

    /// Streams the named columns of one side's rows.
    ///
    /// # Errors
    /// Unknown columns at once; unreadable rows as the stream reaches them.
    pub fn stream(&self, side: Side, columns: &[String]) -> Result<RowStream, DataError> {
        let source = self.source(side).clone();
        let mut wanted = columns.to_vec();
        let needed = self.plan.column();
        let extra = needed.is_some_and(|c| !wanted.contains(c));
        wanted.extend(needed.filter(|_| extra).cloned());
        let stream = if self.apart(side) { source.stream(&wanted)? } else { self.rows(&wanted, &[side])? };
        if matches!(self.plan, Plan::None) || self.apart(side) {
            return Ok(stream);
        }
        let (plan, merged) = (self.plan.clone(), self.merged);
        Ok(Box::new(stream.map(move |batch| {
            let batch = batch?;
            let mask: BooleanArray = {
                let on = |s: Option<Side>| Some(s.map(|s| Self::placed(merged, s)) == Some(side));
                plan.sides(&batch, &*source)?.into_iter().map(on).collect()
            };
            let kept = filter_record_batch(&batch, &mask)?;
            let last = kept.num_columns() - 1;
            match extra {
                true => Ok(kept.project(&(0..=last).filter(|&i| i + 1 != last).collect::<Vec<_>>())?),
                false => Ok(kept),
            }
        })))
    }
}
