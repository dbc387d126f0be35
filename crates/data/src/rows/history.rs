//! Histories: beside every row what its user did strictly before it, as list columns built while rows stream by.
//!
//! Rows must come in order of event time (`sort_by`). Of the events of one moment none sees another; later rows see them
//! in the order of the stream. What is kept is the latest `max_length` events of each user, and each value once: memory follows
//! the users and the values that there are, not the rows.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field};

use crate::clock::Clock;
use crate::config::HistoryConfig;
use crate::error::DataError;
use crate::source::{Column, Location, RowStream, Source, positions, with_columns};
use crate::time::{time_text, time_values};
use crate::value::Values;

/// A source with history columns behind its own.
pub(crate) struct Historied {
    inner: Arc<dyn Source>,
    config: HistoryConfig,
    columns: Vec<Column>,
}

impl Historied {
    /// Checks the columns; reads nothing yet.
    pub(crate) fn new(inner: Arc<dyn Source>, config: &HistoryConfig) -> Result<Self, DataError> {
        config.check()?;
        let only = config.only.iter().map(|o| &o.column);
        for name in [&config.user, &config.time].into_iter().chain(config.columns.values()).chain(only) {
            inner.column(name)?;
        }
        let lists = config.columns.values().find(|n| inner.column(n).is_ok_and(|c| c.data_type.is_nested()));
        if let Some(name) = lists {
            return Err(DataError::Setting {
                key: "history.columns".into(),
                problem: format!("`{name}` holds several values a row; collect a column of one value"),
            });
        }
        if let Some(name) = config.columns.keys().find(|n| inner.columns().iter().any(|c| c.name == **n)) {
            return Err(DataError::Setting {
                key: format!("history.columns.{name}"),
                problem: "is a column of the data already; give the history another name".into(),
            });
        }
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        let more = config.columns.keys().map(|n| Column { name: n.clone(), data_type: list.clone(), typed: None });
        let columns = inner.columns().iter().cloned().chain(more).collect();
        Ok(Self { inner, config: config.clone(), columns })
    }
}

impl Source for Historied {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        for name in columns {
            self.column(name)?;
        }
        if !columns.iter().any(|c| self.config.columns.contains_key(c)) {
            return self.inner.stream(columns);
        }
        let mut inner: Vec<String> =
            columns.iter().filter(|c| !self.config.columns.contains_key(*c)).cloned().collect();
        let only = self.config.only.iter().map(|o| &o.column);
        for name in [&self.config.user, &self.config.time].into_iter().chain(self.config.columns.values()).chain(only) {
            if !inner.contains(name) {
                inner.push(name.clone());
            }
        }
        let (source, wanted) = (self.inner.clone(), columns.to_vec());
        let mut builder = Builder { config: self.config.clone(), users: HashMap::new(), words: Words::default() };
        Ok(Box::new(self.inner.stream(&inner)?.map(move |batch| builder.attach(&batch?, &wanted, &*source))))
    }

    fn locate(&self, position: u64) -> Location {
        self.inner.locate(position)
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn clock(&self) -> &Clock {
        self.inner.clock()
    }
}

/// Every value once; 0 is a missing one.
#[derive(Default)]
struct Words {
    all: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Words {
    fn number(&mut self, word: Option<&str>) -> u32 {
        let Some(word) = word.filter(|w| !w.is_empty()) else { return 0 };
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        self.all.push(word.into());
        let number = self.all.len() as u32;
        self.numbers.insert(word.into(), number);
        number
    }

    fn word(&self, number: u32) -> Option<&str> {
        self.all.get((number as usize).checked_sub(1)?).map(AsRef::as_ref)
    }
}

/// One user's latest events.
#[derive(Default)]
struct Past {
    /// The values of each event, one a collected column, event after event.
    events: VecDeque<u32>,
    /// How many of the last events are of the latest moment.
    fresh: usize,
    latest: i64,
}

struct Builder {
    config: HistoryConfig,
    users: HashMap<Box<str>, Past>,
    words: Words,
}

impl Builder {
    fn attach(
        &mut self,
        batch: &RecordBatch,
        wanted: &[String],
        source: &dyn Source,
    ) -> Result<RecordBatch, DataError> {
        let column = |name: &str| -> Result<&ArrayRef, DataError> { Ok(batch.column(batch.schema().index_of(name)?)) };
        let values = |name: &str| -> Result<Values, DataError> {
            Values::of(column(name)?).map_err(|found| DataError::Type {
                path: source.path().to_path_buf(),
                column: name.to_string(),
                found: found.0.to_string(),
                needed: "one value a row",
            })
        };
        let users = values(&self.config.user)?;
        let times = time_values(batch, &self.config.time, source)?;
        let collected: Vec<Values> = self.config.columns.values().map(|name| values(name)).collect::<Result<_, _>>()?;
        let counts = self.counts(batch, source, &values)?;
        let width = collected.len();
        let mut lists: Vec<ListBuilder<StringBuilder>> =
            collected.iter().map(|_| ListBuilder::new(StringBuilder::new())).collect();
        for row in 0..batch.num_rows() {
            if let Some(user) = users.text(row) {
                let late = |latest: i64| DataError::Value {
                    location: source.locate(positions(batch)[row]).to_string(),
                    column: self.config.time.clone(),
                    problem: format!(
                        "{} comes behind {} of the same user: the history of the earlier row would hold the future; sort the rows, or set data.sort_by = \"{}\"",
                        time_text(times[row]),
                        time_text(latest),
                        self.config.time
                    ),
                };
                let past = entry(&mut self.users, &user);
                if times[row] < past.latest {
                    return Err(late(past.latest));
                }
                past.arrive(times[row]);
                let (first, last) = past.visible(width, self.config.max_length);
                for (list, at) in lists.iter_mut().zip(0..) {
                    for event in first..last {
                        list.values().append_option(self.words.word(past.events[event * width + at]));
                    }
                }
                if counts[row] {
                    for values in &collected {
                        past.events.push_back(self.words.number(values.text(row).as_deref()));
                    }
                    past.fresh += 1;
                    past.forget(width, self.config.max_length);
                }
            }
            lists.iter_mut().for_each(|list| list.append(true));
        }
        self.with_lists(batch, wanted, lists)
    }

    /// Which rows enter the histories of later ones.
    fn counts(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
        values: &dyn Fn(&str) -> Result<Values, DataError>,
    ) -> Result<Vec<bool>, DataError> {
        match &self.config.only {
            None => Ok(vec![true; batch.num_rows()]),
            Some(only) => {
                let values = values(&only.column)?;
                let counts = |row: usize| match values.number(row) {
                    // A value that is not known yet does not count.
                    Ok(value) => Ok(value.is_some_and(|x| x >= only.at_least)),
                    Err(value) => Err(DataError::Value {
                        location: source.locate(positions(batch)[row]).to_string(),
                        column: only.column.clone(),
                        problem: format!(
                            "`{value}` is not a number, and data.history.only compares it with {}",
                            only.at_least
                        ),
                    }),
                };
                (0..batch.num_rows()).map(counts).collect()
            }
        }
    }

    fn with_lists(
        &self,
        batch: &RecordBatch,
        wanted: &[String],
        mut lists: Vec<ListBuilder<StringBuilder>>,
    ) -> Result<RecordBatch, DataError> {
        let built: Vec<ArrayRef> = lists.iter_mut().map(|list| Arc::new(list.finish()) as ArrayRef).collect();
        with_columns(batch, wanted, |name| match self.config.columns.keys().position(|k| k == name) {
            Some(number) => Ok(built[number].clone()),
            None => Ok(batch.column(batch.schema().index_of(name)?).clone()),
        })
    }
}

fn entry<'a>(users: &'a mut HashMap<Box<str>, Past>, user: &str) -> &'a mut Past {
    if !users.contains_key(user) {
        users.insert(user.into(), Past { latest: i64::MIN, ..Past::default() });
    }
    users.entry(user.into()).or_default()
}

impl Past {
    /// A moment later than the latest settles what happened then.
    fn arrive(&mut self, time: i64) {
        if time > self.latest {
            self.fresh = 0;
            self.latest = time;
        }
    }

    /// The events that a row of this moment sees.
    fn visible(&self, width: usize, most: usize) -> (usize, usize) {
        let last = self.events.len() / width - self.fresh;
        (last.saturating_sub(most), last)
    }

    /// Drops what no later row can see.
    fn forget(&mut self, width: usize, most: usize) {
        let events = self.events.len() / width;
        // While a moment lasts, its rows still see what was settled before it.
        let keep = most + self.fresh;
        drop(self.events.drain(..events.saturating_sub(keep) * width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{Reads, open_path};
    use arrow::array::AsArray;

    fn histories(rows: &[(&str, u64, &str, u8)], most: usize, only: bool) -> Result<Vec<String>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let lines: String = rows.iter().map(|(u, t, i, y)| format!("{u},{t},{i},{y}\n")).collect();
        std::fs::write(&path, format!("user,time,item,y\n{lines}")).unwrap();
        let source = open_path(&path, &Reads::default()).unwrap();
        let only = if only { serde_json::json!({"column": "y", "at_least": 1.0}) } else { serde_json::Value::Null };
        let config = serde_json::json!({
            "user": "user", "time": "time", "columns": {"past": "item"}, "max_length": most, "only": only,
        });
        let source = Historied::new(source, &serde_json::from_value(config).unwrap()).unwrap();
        let mut found = Vec::new();
        for batch in source.stream(&["past".to_string(), "item".to_string()])? {
            let batch = batch?;
            for list in batch.column(0).as_list::<i32>().iter() {
                let list = list.unwrap();
                found.push(list.as_string::<i32>().iter().map(|i| i.unwrap_or("-")).collect::<Vec<_>>().join(" "));
            }
        }
        Ok(found)
    }

    #[test]
    fn rows_see_what_their_user_did_strictly_before_them_the_latest_last() {
        let rows = [
            ("a", 1, "p", 1),
            ("b", 1, "q", 1),
            ("a", 2, "r", 1),
            ("a", 2, "s", 1),
            ("a", 3, "t", 1),
            ("b", 4, "", 1),
            ("b", 5, "u", 1),
        ];
        let found = histories(&rows, 10, false).unwrap();
        assert_eq!(found, ["", "", "p", "p", "p r s", "q", "q -"]);
    }

    #[test]
    fn the_cap_keeps_the_latest_and_a_long_moment_hides_nothing_of_the_past() {
        let rows = [
            ("a", 1, "p", 1),
            ("a", 2, "q", 1),
            ("a", 3, "r", 1),
            ("a", 4, "s", 1),
            ("a", 4, "t", 1),
            ("a", 4, "u", 1),
            ("a", 5, "v", 1),
        ];
        let found = histories(&rows, 2, false).unwrap();
        assert_eq!(found, ["", "p", "p q", "q r", "q r", "q r", "t u"]);
    }

    #[test]
    fn only_rows_that_count_enter() {
        let rows = [("a", 1, "p", 0), ("a", 2, "q", 1), ("a", 3, "r", 0), ("a", 4, "s", 1)];
        assert_eq!(histories(&rows, 5, true).unwrap(), ["", "", "q", "q"]);
    }

    #[test]
    fn a_log_out_of_order_is_refused_since_it_would_leak() {
        let error = histories(&[("a", 5, "p", 1), ("b", 1, "q", 1), ("a", 4, "r", 1)], 5, false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("log.csv:4") && text.contains("future") && text.contains("sort_by"), "{text}");
    }
}
