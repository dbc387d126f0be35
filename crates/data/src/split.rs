//! Train, valid and test: which side each row is on, decided without holding the rows.
//!
//! Random and by-day splits keep nothing a row. Splits by time and by order keep 8 bytes a row while they are fitted;
//! the per-user splits 32 bytes a row while fitted and 8 a held-out row afterwards.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, TimeUnit};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::config::{DataConfig, Side, SplitConfig};
use crate::error::DataError;
use crate::source::{RowStream, Source, open, positions};

const DAY_SECONDS: f64 = 86_400.0;

/// Batches with the side that all their rows are on.
pub type SideStream = Box<dyn Iterator<Item = Result<(Side, RecordBatch), DataError>> + Send>;

/// A source divided into sides.
#[derive(Clone)]
pub struct Dataset {
    main: Arc<dyn Source>,
    held_out: Option<[Arc<dyn Source>; 2]>,
    plan: Plan,
}

#[derive(Clone)]
enum Plan {
    Random { seed: u64, valid: f64, test: f64 },
    From { column: String, valid: f64, test: f64 },
    FromPlace { valid: u64, test: u64 },
    Places { valid: Arc<HashSet<u64>>, test: Arc<HashSet<u64>> },
    None,
}

impl Dataset {
    /// Opens the rows at `path` and fits the split that the configuration asks for.
    ///
    /// # Errors
    /// Unreadable files, unknown columns, times that are not numbers, shares outside 0..1.
    pub fn open(path: &Path, config: &DataConfig) -> Result<Self, DataError> {
        let main = open(path, config)?;
        if let SplitConfig::Files { valid, test } = &config.split {
            let held_out = Some([open(Path::new(valid), config)?, open(Path::new(test), config)?]);
            return Ok(Self { main, held_out, plan: Plan::None });
        }
        let plan = Plan::fit(&*main, &config.split)?;
        Ok(Self { main, held_out: None, plan })
    }

    /// All rows of a source on one side, as `evaluate` and `predict` use them.
    pub fn whole(main: Arc<dyn Source>) -> Self {
        Self { main, held_out: None, plan: Plan::None }
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
                let rows = self.source(side).stream(columns)?;
                all = Box::new(all.chain(rows.map(move |batch| Ok((side, batch?)))));
            }
            return Ok(all);
        }
        let mut wanted = columns.to_vec();
        wanted.extend(self.plan.column().filter(|c| !wanted.contains(c)).cloned());
        let (plan, source) = (self.plan.clone(), self.main.clone());
        Ok(Box::new(self.main.stream(&wanted)?.flat_map(
            move |batch| match batch.and_then(|b| plan.divide(&b, &*source)) {
                Ok(parts) => parts.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            },
        )))
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
        let stream = source.stream(&wanted)?;
        if matches!(self.plan, Plan::None) {
            return Ok(stream);
        }
        let plan = self.plan.clone();
        Ok(Box::new(stream.map(move |batch| {
            let batch = batch?;
            let mask: BooleanArray = plan.sides(&batch, &*source)?.into_iter().map(|s| Some(s == side)).collect();
            let kept = filter_record_batch(&batch, &mask)?;
            let last = kept.num_columns() - 1;
            match extra {
                true => Ok(kept.project(&(0..=last).filter(|&i| i + 1 != last).collect::<Vec<_>>())?),
                false => Ok(kept),
            }
        })))
    }
}

impl Plan {
    fn fit(source: &dyn Source, config: &SplitConfig) -> Result<Self, DataError> {
        config.check()?;
        match config {
            SplitConfig::Random { valid, test, seed } => Ok(Self::Random { seed: *seed, valid: *valid, test: *test }),
            SplitConfig::Order { valid, test } => Self::last_places(source, *valid, *test),
            SplitConfig::Time { column, valid, test } => Self::last_share(source, column, *valid, *test),
            SplitConfig::Day { column, valid_days, test_days } => {
                Self::last_days(source, column, *valid_days, *test_days)
            }
            SplitConfig::UserLast { user, time, valid, test } => {
                let share = |rows: usize, part: f64| (rows as f64 * part).round() as usize;
                Self::last_of_user(source, user, time, |rows| (share(rows, *valid), share(rows, *test)))
            }
            SplitConfig::LeaveOneOut { user, time } => Self::last_of_user(source, user, time, |rows| match rows {
                0..=2 => (0, 0),
                _ => (1, 1),
            }),
            SplitConfig::Files { .. } => Ok(Self::None),
        }
    }

    fn last_share(source: &dyn Source, column: &str, valid: f64, test: f64) -> Result<Self, DataError> {
        let mut times = Vec::new();
        for batch in source.stream(&[column.to_string()])? {
            times.extend(time_values(&batch?, column, source)?);
        }
        times.sort_by(f64::total_cmp);
        let cut = |share: f64| {
            let at = (times.len() as f64 * (1.0 - share)).round() as usize;
            times.get(at).copied().unwrap_or(f64::INFINITY)
        };
        Ok(Self::From { column: column.to_string(), valid: cut(valid + test), test: cut(test) })
    }

    fn last_places(source: &dyn Source, valid: f64, test: f64) -> Result<Self, DataError> {
        let mut places = Vec::new();
        for batch in source.stream(&source.columns().iter().take(1).map(|c| c.name.clone()).collect::<Vec<_>>())? {
            places.extend_from_slice(positions(&batch?));
        }
        places.sort_unstable();
        let cut = |share: f64| {
            let at = (places.len() as f64 * (1.0 - share)).round() as usize;
            places.get(at).copied().unwrap_or(u64::MAX)
        };
        Ok(Self::FromPlace { valid: cut(valid + test), test: cut(test) })
    }

    fn last_days(source: &dyn Source, column: &str, valid: u32, test: u32) -> Result<Self, DataError> {
        let mut latest = f64::NEG_INFINITY;
        for batch in source.stream(&[column.to_string()])? {
            latest = time_values(&batch?, column, source)?.into_iter().fold(latest, f64::max);
        }
        let end = (latest / DAY_SECONDS).floor() + 1.0;
        let from = |days: f64| (end - days) * DAY_SECONDS;
        Ok(Self::From {
            column: column.to_string(),
            valid: from(f64::from(valid) + f64::from(test)),
            test: from(f64::from(test)),
        })
    }

    /// `held(rows of a user)` says how many of the last rows are (valid, test).
    fn last_of_user(
        source: &dyn Source,
        user: &str,
        time: &str,
        held: impl Fn(usize) -> (usize, usize),
    ) -> Result<Self, DataError> {
        let mut rows: HashMap<u64, Vec<(f64, u64)>> = HashMap::new();
        for batch in source.stream(&[user.to_string(), time.to_string()])? {
            let batch = batch?;
            let times = time_values(&batch, time, source)?;
            let users = cast(batch.column(0), &DataType::Utf8)?;
            let users = StringArray::from(users.to_data());
            for ((id, t), &place) in users.iter().zip(times).zip(positions(&batch)) {
                rows.entry(xxh3_64(id.unwrap_or("").as_bytes())).or_default().push((t, place));
            }
        }
        let (mut valid, mut test) = (HashSet::new(), HashSet::new());
        for rows in rows.values_mut() {
            rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let (v, t) = held(rows.len());
            let (train_end, test_start) = (rows.len().saturating_sub(v + t), rows.len() - t);
            valid.extend(rows[train_end..test_start].iter().map(|r| r.1));
            test.extend(rows[test_start..].iter().map(|r| r.1));
        }
        Ok(Self::Places { valid: Arc::new(valid), test: Arc::new(test) })
    }

    /// A batch cut into its sides; empty ones are left out.
    fn divide(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<(Side, RecordBatch)>, DataError> {
        let sides = self.sides(batch, source)?;
        let mut parts = Vec::new();
        for side in [Side::Train, Side::Valid, Side::Test] {
            let mask: BooleanArray = sides.iter().map(|s| Some(*s == side)).collect();
            if mask.true_count() > 0 {
                parts.push((side, filter_record_batch(batch, &mask)?));
            }
        }
        Ok(parts)
    }

    fn column(&self) -> Option<&String> {
        match self {
            Self::From { column, .. } => Some(column),
            _ => None,
        }
    }

    fn sides(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Side>, DataError> {
        let places = positions(batch);
        Ok(match self {
            Self::Random { seed, valid, test } => {
                places.iter().map(|p| random_side(*p, *seed, *valid, *test)).collect()
            }
            Self::From { column, valid, test } => time_values(batch, column, source)?
                .into_iter()
                .map(|t| {
                    if t >= *test {
                        Side::Test
                    } else if t >= *valid {
                        Side::Valid
                    } else {
                        Side::Train
                    }
                })
                .collect(),
            Self::FromPlace { valid, test } => places
                .iter()
                .map(|p| match p {
                    p if p >= test => Side::Test,
                    p if p >= valid => Side::Valid,
                    _ => Side::Train,
                })
                .collect(),
            Self::Places { valid, test } => places
                .iter()
                .map(|p| {
                    if test.contains(p) {
                        Side::Test
                    } else if valid.contains(p) {
                        Side::Valid
                    } else {
                        Side::Train
                    }
                })
                .collect(),
            Self::None => vec![Side::Train; batch.num_rows()],
        })
    }
}

fn random_side(place: u64, seed: u64, valid: f64, test: f64) -> Side {
    let draw = (xxh3_64_with_seed(&place.to_le_bytes(), seed) >> 11) as f64 / (1u64 << 53) as f64;
    if draw < test {
        Side::Test
    } else if draw < test + valid {
        Side::Valid
    } else {
        Side::Train
    }
}

/// A time column as seconds (or whatever unit plain numbers have).
///
/// # Errors
/// Missing values and text that is not a number, with the row's place.
pub fn time_values(batch: &RecordBatch, column: &str, source: &dyn Source) -> Result<Vec<f64>, DataError> {
    let array = batch.column(batch.schema().index_of(column)?);
    let array = match array.data_type() {
        DataType::Timestamp(..) => {
            cast(&cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?, &DataType::Int64)?
        }
        DataType::Date32 | DataType::Date64 => {
            cast(&cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?, &DataType::Int64)?
        }
        _ => array.clone(),
    };
    let is_date = array.data_type() != batch.column(batch.schema().index_of(column)?).data_type();
    let unit = if is_date { 1e-6 } else { 1.0 };
    let numbers = cast(&array, &DataType::Float64)?;
    let numbers = Float64Array::from(numbers.to_data());
    if let Some(bad) = (0..numbers.len()).find(|&i| numbers.is_null(i) || !numbers.value(i).is_finite()) {
        return Err(DataError::Value {
            location: source.locate(positions(batch)[bad]).to_string(),
            column: column.to_string(),
            problem: "is missing or not a number; a time is needed on every row (unix seconds, or a timestamp type)"
                .into(),
        });
    }
    Ok(numbers.values().iter().map(|t| t * unit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TextConfig;
    use crate::source::open_path;

    fn source(rows: &[(&str, u64)]) -> (tempfile::TempDir, Arc<dyn Source>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let lines: String = rows.iter().map(|(u, t)| format!("{u},{t}\n")).collect();
        std::fs::write(&path, format!("user,time\n{lines}")).unwrap();
        let source = open_path(&path, None, &TextConfig::default()).unwrap();
        (folder, source)
    }

    fn sides(source: &Arc<dyn Source>, config: &SplitConfig) -> Vec<Side> {
        let plan = Plan::fit(&**source, config).unwrap();
        let columns = ["user".to_string(), "time".to_string()];
        let batch = source.stream(&columns).unwrap().next().unwrap().unwrap();
        plan.sides(&batch, &**source).unwrap()
    }

    #[test]
    fn user_last_takes_the_latest_rows_of_each_user_whatever_their_order_in_the_file() {
        use Side::{Test, Train, Valid};
        let (_folder, source) =
            source(&[("a", 9), ("b", 1), ("a", 1), ("a", 5), ("b", 2), ("a", 7), ("b", 3), ("b", 3)]);
        let split = SplitConfig::UserLast { user: "user".into(), time: "time".into(), valid: 0.25, test: 0.25 };
        assert_eq!(sides(&source, &split), [Test, Train, Train, Train, Train, Valid, Valid, Test]);
        let split = SplitConfig::LeaveOneOut { user: "user".into(), time: "time".into() };
        assert_eq!(sides(&source, &split), [Test, Train, Train, Train, Train, Valid, Valid, Test]);
    }

    #[test]
    fn order_takes_the_last_rows_of_the_file() {
        use Side::{Test, Train, Valid};
        let (_folder, source) = source(&[("a", 9), ("b", 1), ("a", 1), ("a", 5), ("b", 2)]);
        let split = SplitConfig::Order { valid: 0.2, test: 0.4 };
        assert_eq!(sides(&source, &split), [Train, Train, Valid, Test, Test]);
    }

    #[test]
    fn days_are_whole_days_of_utc() {
        use Side::{Test, Train, Valid};
        let day = 86_400;
        let (_folder, source) = source(&[("a", 0), ("a", day - 1), ("a", day), ("a", 2 * day), ("a", 3 * day - 1)]);
        let split = SplitConfig::Day { column: "time".into(), valid_days: 1, test_days: 1 };
        assert_eq!(sides(&source, &split), [Train, Train, Valid, Test, Test]);
    }

    #[test]
    fn time_split_holds_out_the_latest_share() {
        let rows: Vec<(&str, u64)> = (0..100).map(|t| ("u", (t * 37) % 100)).collect();
        let (_folder, source) = source(&rows);
        let split = SplitConfig::Time { column: "time".into(), valid: 0.1, test: 0.2 };
        for (row, side) in rows.iter().zip(sides(&source, &split)) {
            let expected = if row.1 >= 80 {
                Side::Test
            } else if row.1 >= 70 {
                Side::Valid
            } else {
                Side::Train
            };
            assert_eq!(side, expected, "time {}", row.1);
        }
    }

    #[test]
    fn random_split_depends_on_the_seed_and_has_the_shares() {
        let draw = |seed| (0..20_000).map(|p| random_side(p, seed, 0.1, 0.2)).collect::<Vec<_>>();
        let count = |sides: &[Side], side| sides.iter().filter(|s| **s == side).count() as f64 / 20_000.0;
        let first = draw(1);
        assert!((count(&first, Side::Test) - 0.2).abs() < 0.01);
        assert!((count(&first, Side::Valid) - 0.1).abs() < 0.01);
        assert_eq!(first, draw(1));
        assert_ne!(first, draw(2));
    }
}
