//! Rows of several items each, as one row an item: impressions with a flag an item, lines of a user and items.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};

use crate::clock::Clock;
use crate::config::ExplodeConfig;
use crate::error::DataError;
use crate::source::{Column, Location, RowStream, Source, positions};
use crate::value::{Values, cell_items, lists};

/// A source with a row for every item of a row.
pub(crate) struct Exploded {
    inner: Arc<dyn Source>,
    config: ExplodeConfig,
    columns: Vec<Column>,
}

impl Exploded {
    /// Checks the columns; reads nothing yet.
    pub(crate) fn new(inner: Arc<dyn Source>, config: &ExplodeConfig) -> Result<Self, DataError> {
        let bad = |key: &str, problem: String| Err(DataError::Setting { key: format!("explode.{key}"), problem });
        for name in std::iter::once(&config.column).chain(&config.along) {
            inner.column(name)?;
        }
        if config.separator.is_empty() {
            return bad("separator", "is empty; give the text between two items".into());
        }
        match (&config.by, &config.into) {
            (Some(by), Some(into)) if !by.is_empty() && into.len() == 2 => {}
            (None, None) => {}
            _ => {
                return bad(
                    "by",
                    "and `into` go together: `by = \"-\"` and `into = [\"item\", \"clicked\"]` take N1-0 apart".into(),
                );
            }
        }
        let names = config.into.clone().unwrap_or_else(|| vec![config.column.clone()]);
        let mut columns = Vec::new();
        for column in inner.columns() {
            match column.name == config.column {
                true => columns.extend(names.iter().map(|name| Column::new(name, DataType::Utf8))),
                false if config.along.contains(&column.name) => columns.push(Column::new(&column.name, DataType::Utf8)),
                false => columns.push(column.clone()),
            }
        }
        if let Some(twice) = (1..columns.len()).find(|&i| columns[..i].iter().any(|c| c.name == columns[i].name)) {
            return bad("into", format!("names `{}`, which is a column of the data already", columns[twice].name));
        }
        Ok(Self { inner, config: config.clone(), columns })
    }
}

impl Source for Exploded {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        for name in columns {
            self.column(name)?;
        }
        let config = self.config.clone();
        let made = |name: &String| config.into.as_ref().is_some_and(|into| into.contains(name));
        let mut inner: Vec<String> = columns.iter().filter(|name| !made(name)).cloned().collect();
        for name in std::iter::once(&config.column).chain(&config.along) {
            if !inner.contains(name) {
                inner.push(name.clone());
            }
        }
        let (source, wanted) = (self.inner.clone(), columns.to_vec());
        let rows = self.inner.stream(&inner)?;
        Ok(Box::new(rows.map(move |batch| explode(&batch?, &config, &wanted, &*source))))
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

/// The items of each row of a column: a list, or text between separators.
fn items(
    batch: &RecordBatch,
    column: &str,
    config: &ExplodeConfig,
    source: &dyn Source,
) -> Result<Vec<Vec<Option<String>>>, DataError> {
    let array = batch.column(batch.schema().index_of(column)?);
    let refused = |found: crate::value::NoValue| DataError::Type {
        path: source.path().to_path_buf(),
        column: column.to_string(),
        found: found.0.to_string(),
        needed: "a list of items, or text of several",
    };
    if let Some((values, offsets)) = lists(array).map_err(refused)? {
        let own = |at: u32| values.text(at as usize).map(|text| text.into_owned());
        return Ok(offsets.windows(2).map(|span| (span[0]..span[1]).map(own).collect()).collect());
    }
    let values = Values::of(array).map_err(refused)?;
    let parts = |row: usize| {
        let Some(text) = values.text(row) else { return Ok(Vec::new()) };
        let items = cell_items(&text, &config.separator).map_err(|problem| DataError::Value {
            location: source.locate(positions(batch)[row]).to_string(),
            column: column.to_string(),
            problem: format!("`{text}` {problem}"),
        })?;
        // An empty item counts where others go along with it; blanks may stand twice.
        let counts = !config.along.is_empty() && !config.separator.trim().is_empty();
        let kept = items.into_iter().filter(|item| item.is_some() || counts);
        Ok(kept.map(|item| item.map(Cow::into_owned)).collect())
    };
    (0..values.len()).map(parts).collect()
}

fn explode(
    batch: &RecordBatch,
    config: &ExplodeConfig,
    wanted: &[String],
    source: &dyn Source,
) -> Result<RecordBatch, DataError> {
    let failed = |row: usize, column: &str, problem: String| DataError::Value {
        location: source.locate(positions(batch)[row]).to_string(),
        column: column.to_string(),
        problem,
    };
    let own = items(batch, &config.column, config, source)?;
    let repeat: UInt32Array =
        (0u32..).zip(&own).flat_map(|(row, items)| std::iter::repeat_n(row, items.len())).collect();
    let mut made: Vec<(String, ArrayRef)> = Vec::new();
    match (&config.by, &config.into) {
        (Some(by), Some(into)) => {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for (row, items) in own.iter().enumerate() {
                for item in items {
                    let item = item.as_deref().unwrap_or("");
                    let (a, b) = match item.rsplit_once(by.as_str()) {
                        Some((a, b)) => (a, Some(b.to_string())),
                        None if config.lenient => (item, None),
                        None => {
                            let problem = format!("`{item}` has no `{by}` that takes it apart (data.explode.by)");
                            return Err(failed(row, &config.column, problem));
                        }
                    };
                    first.push(a.to_string());
                    second.push(b);
                }
            }
            if config.lenient && second.iter().any(Option::is_some) {
                source.clock().tell_once(|| {
                    format!(
                        "{}: items are taken apart at `{by}`, what stands behind it being the outcome; give rows whose items have none as a column `{}`, if the items' own ids hold `{by}`",
                        source.path().display(),
                        into[0]
                    )
                });
            }
            made.push((into[0].clone(), Arc::new(StringArray::from(first))));
            made.push((into[1].clone(), Arc::new(StringArray::from(second))));
        }
        _ => made.push((config.column.clone(), Arc::new(own.iter().flatten().cloned().collect::<StringArray>()))),
    }
    for name in &config.along {
        let along = items(batch, name, config, source)?;
        if let Some(row) = (0..own.len()).find(|row| own[*row].len() != along[*row].len()) {
            let problem = format!("{} values along {} items of `{}`", along[row].len(), own[row].len(), config.column);
            return Err(failed(row, name, problem));
        }
        made.push((name.clone(), Arc::new(along.into_iter().flatten().collect::<StringArray>())));
    }
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for name in wanted {
        let array = match made.iter().find(|(own, _)| own == name) {
            Some((_, array)) => array.clone(),
            None => take(batch.column(batch.schema().index_of(name)?), &repeat, None)?,
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let last = batch.num_columns() - 1;
    fields.push(batch.schema().field(last).clone());
    arrays.push(take(batch.column(last), &repeat, None)?);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
