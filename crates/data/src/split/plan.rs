//! Which side each row is on, fitted once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::window::Window;
use crate::config::{Side, SplitConfig};
use crate::error::DataError;
use crate::source::{Source, positions};
use crate::time::time_values;
use crate::value::Values;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

#[derive(Clone)]
pub(super) enum Plan {
    Random {
        seed: u64,
        valid: f64,
        test: f64,
    },
    From {
        column: String,
        valid: i64,
        test: i64,
    },
    FromPlace {
        valid: u64,
        test: u64,
    },
    Places {
        valid: Arc<HashSet<u64>>,
        test: Arc<HashSet<u64>>,
    },
    /// Sides that are windows of time.
    Windows {
        train: Window,
        valid: Option<Window>,
    },
    None,
}

impl Plan {
    pub(super) fn fit(source: &dyn Source, config: &SplitConfig) -> Result<Self, DataError> {
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
        times.sort_unstable();
        let cut = |share: f64| {
            let at = (times.len() as f64 * (1.0 - share)).round() as usize;
            times.get(at).copied().unwrap_or(i64::MAX)
        };
        Ok(Self::From { column: column.to_string(), valid: cut(valid + test), test: cut(test) })
    }

    fn last_places(source: &dyn Source, valid: f64, test: f64) -> Result<Self, DataError> {
        let mut places = Vec::new();
        for batch in source.stream(&source.columns().iter().take(1).map(|c| c.name.clone()).collect::<Vec<_>>())? {
            places.extend_from_slice(positions(&batch?));
        }
        let cut = |share: f64| (places.len() as f64 * (1.0 - share)).round() as usize;
        let (valid, test) = (cut(valid + test), cut(test));
        if places.is_sorted() {
            let place = |at: usize| places.get(at).copied().unwrap_or(u64::MAX);
            return Ok(Self::FromPlace { valid: place(valid), test: place(test) });
        }
        // Rows that are sorted first: their order is that of time, and not of places.
        let held = |from: usize, to: usize| Arc::new(places.get(from..to).unwrap_or(&[]).iter().copied().collect());
        Ok(Self::Places { valid: held(valid, test), test: held(test, places.len()) })
    }

    fn last_days(source: &dyn Source, column: &str, valid: u32, test: u32) -> Result<Self, DataError> {
        let mut latest = i64::MIN;
        for batch in source.stream(&[column.to_string()])? {
            latest = time_values(&batch?, column, source)?.into_iter().fold(latest, i64::max);
        }
        let end = latest.div_euclid(DAY).saturating_add(1);
        let from = |days: i64| end.saturating_sub(days).saturating_mul(DAY);
        Ok(Self::From {
            column: column.to_string(),
            valid: from(i64::from(valid) + i64::from(test)),
            test: from(i64::from(test)),
        })
    }

    /// `held(rows of a user)` says how many of the last rows are (valid, test).
    fn last_of_user(
        source: &dyn Source,
        user: &str,
        time: &str,
        held: impl Fn(usize) -> (usize, usize),
    ) -> Result<Self, DataError> {
        let mut rows: HashMap<u64, Vec<(i64, u64)>> = HashMap::new();
        for batch in source.stream(&[user.to_string(), time.to_string()])? {
            let batch = batch?;
            let times = time_values(&batch, time, source)?;
            let users = Values::of(batch.column(0)).map_err(|found| DataError::Type {
                path: source.path().to_path_buf(),
                column: user.to_string(),
                found: found.0.to_string(),
                needed: "one user a row",
            })?;
            for (row, (t, &place)) in times.into_iter().zip(positions(&batch)).enumerate() {
                // Rows of nobody have no last ones to hold out.
                if let Some(id) = users.text(row) {
                    rows.entry(xxh3_64(id.as_bytes())).or_default().push((t, place));
                }
            }
        }
        let (mut valid, mut test) = (HashSet::new(), HashSet::new());
        for rows in rows.values_mut() {
            rows.sort_unstable();
            let (v, t) = held(rows.len());
            let (train_end, test_start) = (rows.len().saturating_sub(v + t), rows.len() - t);
            valid.extend(rows[train_end..test_start].iter().map(|r| r.1));
            test.extend(rows[test_start..].iter().map(|r| r.1));
        }
        Ok(Self::Places { valid: Arc::new(valid), test: Arc::new(test) })
    }

    /// A batch cut into its sides; empty ones are left out.
    pub(super) fn divide(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<Vec<(Side, RecordBatch)>, DataError> {
        let sides = self.sides(batch, source)?;
        let mut parts = Vec::new();
        for side in [Side::Train, Side::Valid, Side::Test] {
            let mask: BooleanArray = sides.iter().map(|s| Some(*s == Some(side))).collect();
            if mask.true_count() > 0 {
                parts.push((side, filter_record_batch(batch, &mask)?));
            }
        }
        Ok(parts)
    }

    pub(super) fn column(&self) -> Option<&String> {
        match self {
            Self::From { column, .. } => Some(column),
            Self::Windows { train, .. } => train.column(),
            _ => None,
        }
    }

    /// The stretch of time that some sides are in, where they are windows, and its column.
    pub(super) fn around(&self, sides: &[Side]) -> Option<(&String, i64, i64)> {
        let Self::Windows { train, valid } = self else { return None };
        let windows = [(Side::Train, Some(train)), (Side::Valid, valid.as_ref())];
        let wanted = windows.into_iter().filter(|(side, _)| sides.contains(side)).filter_map(|(_, window)| window);
        wanted.filter_map(Window::span).reduce(|(column, from, to), (_, f, t)| (column, from.min(f), to.max(t)))
    }

    /// The side of each row; none for rows that are on no side.
    pub(super) fn sides(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Option<Side>>, DataError> {
        let places = positions(batch);
        let later = |valid: bool, test: bool| match (valid, test) {
            (_, true) => Some(Side::Test),
            (true, _) => Some(Side::Valid),
            _ => Some(Side::Train),
        };
        Ok(match self {
            Self::Random { seed, valid, test } => {
                places.iter().map(|p| Some(random_side(*p, *seed, *valid, *test))).collect()
            }
            Self::From { column, valid, test } => {
                time_values(batch, column, source)?.into_iter().map(|t| later(t >= *valid, t >= *test)).collect()
            }
            Self::FromPlace { valid, test } => places.iter().map(|p| later(p >= valid, p >= test)).collect(),
            Self::Places { valid, test } => places.iter().map(|p| later(valid.contains(p), test.contains(p))).collect(),
            Self::Windows { train, valid } => {
                let column = train.column().cloned().unwrap_or_default();
                let side = |t: i64| match valid {
                    _ if train.holds(t) => Some(Side::Train),
                    Some(valid) if valid.holds(t) => Some(Side::Valid),
                    _ => None,
                };
                time_values(batch, &column, source)?.into_iter().map(side).collect()
            }
            Self::None => vec![Some(Side::Train); batch.num_rows()],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{Reads, open_path};

    fn source(rows: &[(&str, u64)]) -> (tempfile::TempDir, Arc<dyn Source>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let lines: String = rows.iter().map(|(u, t)| format!("{u},{t}\n")).collect();
        std::fs::write(&path, format!("user,time\n{lines}")).unwrap();
        let source = open_path(&path, &Reads::default()).unwrap();
        (folder, source)
    }

    fn sides(source: &Arc<dyn Source>, config: &SplitConfig) -> Vec<Side> {
        let plan = Plan::fit(&**source, config).unwrap();
        let columns = ["user".to_string(), "time".to_string()];
        let batch = source.stream(&columns).unwrap().next().unwrap().unwrap();
        plan.sides(&batch, &**source).unwrap().into_iter().map(Option::unwrap).collect()
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
