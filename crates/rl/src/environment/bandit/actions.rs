//! The items of a log, each with what is told of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use burnrec_data::Source;
use burnrec_data::value::{Values, lists};

use super::config::BanditConfig;
use crate::environment::log::{bad_row, keys};
use crate::error::{RlError, bad};

/// The items, in the order in which the log first has them.
pub(super) struct Actions {
    /// The keys of their ids.
    pub(super) keys: Vec<u64>,
    /// Where each stands.
    pub(super) places: HashMap<u64, u32>,
    /// What is told of them, a row each.
    pub(super) rows: RecordBatch,
    /// What each is about.
    pub(super) about: Vec<u64>,
    /// What looks as if it were meant otherwise.
    pub(super) doubts: Vec<String>,
}

/// The values of a column of the first row of each item, as text.
type Firsts = Vec<Option<String>>;

impl Actions {
    /// Of all rows of a log.
    ///
    /// # Errors
    /// Columns that are not there; what is told of an item in two ways.
    pub(super) fn read(source: &dyn Source, config: &BanditConfig, features: &[String]) -> Result<Self, RlError> {
        let own = config.of_items();
        let more = features.iter().filter(|column| !own.contains(column));
        let columns: Vec<String> = own.iter().chain(more).cloned().collect();
        columns.iter().try_for_each(|column| source.column(column).map(drop))?;
        let mut found = Self {
            keys: Vec::new(),
            places: HashMap::new(),
            rows: RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty())),
            about: Vec::new(),
            doubts: Vec::new(),
        };
        let (mut parts, mut firsts) = (Vec::new(), vec![Firsts::new(); own.len()]);
        let mut alike = Alike::new(&columns[own.len()..]);
        for batch in source.stream(&columns)? {
            let batch = batch?;
            let items = keys(&batch, source, &config.item)?;
            let (mut new, known) = (Vec::new(), found.keys.len());
            for (row, item) in items.iter().enumerate() {
                found.places.entry(*item).or_insert_with(|| {
                    found.keys.push(*item);
                    new.push(row as u32);
                    found.keys.len() as u32 - 1
                });
            }
            let places: Vec<usize> = items.iter().map(|item| found.places[item] as usize).collect();
            for (column, firsts) in own.iter().zip(&mut firsts).skip(1) {
                let key = if config.item_columns.contains(column) { "item_columns" } else { "about" };
                one_of_each(&batch, source, column, &places, firsts, &format!("environment.bandit.{key}"))?;
            }
            alike.see(&batch, &places);
            if found.keys.len() > known {
                let only: Vec<usize> = own.iter().filter_map(|column| batch.schema().index_of(column).ok()).collect();
                parts.push(take_record_batch(&batch.project(&only)?, &UInt32Array::from(new))?);
            }
        }
        let Some(first) = parts.first() else {
            return Err(bad("data.source", "has no rows; there is nothing to choose from"));
        };
        found.rows = concat_batches(&first.schema(), &parts)?;
        if let Some(column) = &config.about {
            found.about = keys(&found.rows, source, column)?;
        }
        found.doubts = alike.doubts(found.keys.len());
        Ok(found)
    }
}

/// What a column says on each row, as text: single values, or lists of them.
fn cells<'a>(batch: &'a RecordBatch, column: &'a str) -> Result<Box<dyn Fn(usize) -> Option<String> + 'a>, String> {
    let array = batch.column_by_name(column).ok_or_else(|| format!("column {column} is not there"))?;
    let wrong =
        |what: &arrow::datatypes::DataType| format!("column {column} holds {what}, which cannot be told of an item");
    if let Some((values, offsets)) = lists(array).map_err(|e| wrong(&e.0))? {
        let one = move |at: u32| values.text(at as usize).map(std::borrow::Cow::into_owned);
        let all = move |row: usize| (offsets[row]..offsets[row + 1]).map(&one).collect::<Vec<_>>();
        return Ok(Box::new(move |row| Some(format!("{:?}", all(row)))));
    }
    let values = Values::of(array).map_err(|e| wrong(&e.0))?;
    Ok(Box::new(move |row| values.text(row).map(std::borrow::Cow::into_owned)))
}

/// Sees that a column says the same of an item on every row.
fn one_of_each(
    batch: &RecordBatch,
    source: &dyn Source,
    column: &str,
    places: &[usize],
    firsts: &mut Firsts,
    key: &str,
) -> Result<(), RlError> {
    let cells = cells(batch, column).map_err(|problem| bad_row(batch, 0, source, problem))?;
    for (row, place) in places.iter().enumerate() {
        let text = cells(row);
        match firsts.get(*place) {
            None => firsts.push(text),
            Some(first) if *first == text => {}
            Some(first) => {
                let say =
                    |text: &Option<String>| text.as_ref().map_or("nothing".to_string(), |text| format!("`{text}`"));
                let problem = format!(
                    "column {column} says {} of an item of which it said {} before: it is of the request; remove it from {key}",
                    say(&text),
                    say(first)
                );
                return Err(bad_row(batch, row, source, problem));
            }
        }
    }
    Ok(())
}

/// Columns of requests that might be of items: those that have said the same of an item on every row.
struct Alike(BTreeMap<String, (Firsts, usize)>);

impl Alike {
    fn new(columns: &[String]) -> Self {
        Self(columns.iter().map(|column| (column.clone(), (Firsts::new(), 0))).collect())
    }

    fn see(&mut self, batch: &RecordBatch, places: &[usize]) {
        self.0.retain(|column, (firsts, again)| {
            let Some(values) = batch.column_by_name(column).and_then(|array| Values::of(array).ok()) else {
                return false;
            };
            places.iter().enumerate().all(|(row, place)| {
                let text = values.text(row).map(std::borrow::Cow::into_owned);
                if *place >= firsts.len() {
                    firsts.push(text);
                    return true;
                }
                *again += 1;
                firsts[*place] == text
            })
        });
    }

    /// Those that tell items apart, in words.
    fn doubts(self, items: usize) -> Vec<String> {
        let doubtful = |(column, (firsts, again)): (String, (Firsts, usize))| {
            let different = firsts.iter().collect::<HashSet<_>>().len();
            let words = format!(
                "column {column} says the same of an item wherever it stands: if it is of the item, name it in environment.bandit.item_columns; else all candidates have what the chosen one has"
            );
            (different > 1 && again >= items).then_some(words)
        };
        self.0.into_iter().filter_map(doubtful).collect()
    }
}
