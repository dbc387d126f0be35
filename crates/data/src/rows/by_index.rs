//! The features of libsvm and libfm lines as fields of their own, told apart by ranges of their indices.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder};

use crate::clock::Clock;
use crate::error::DataError;
use crate::formats::list_of_text;
use crate::source::{Column, Location, RowStream, Source, positions, with_columns};
use crate::value::lists;

/// What stands behind the name of a field in the column of its values.
pub(super) const VALUES: &str = "_values";

/// A source with columns of lists for ranges of indices.
pub(crate) struct ByIndex {
    inner: Arc<dyn Source>,
    ranges: BTreeMap<String, [u64; 2]>,
    columns: Vec<Column>,
}

impl ByIndex {
    /// Checks that the ranges have no index in common.
    pub(crate) fn new(inner: Arc<dyn Source>, ranges: &BTreeMap<String, [u64; 2]>) -> Result<Self, DataError> {
        let bad =
            |name: &str, problem: String| Err(DataError::Setting { key: format!("fields_by_index.{name}"), problem });
        inner.column("features")?;
        inner.column("values")?;
        for (name, [from, to]) in ranges {
            if from > to {
                return bad(name, format!("[{from}, {to}] ends before it starts"));
            }
            let meets = |(other, [start, end]): &(&String, &[u64; 2])| *other != name && from <= end && start <= to;
            if let Some((other, _)) = ranges.iter().find(meets) {
                return bad(name, format!("shares indices with `{other}`"));
            }
            if inner.columns().iter().any(|c| c.name == *name) {
                return bad(name, "is a column of the data already; give it another name".into());
            }
        }
        let made =
            |name: &String| [name.clone(), format!("{name}{VALUES}")].map(|name| Column::new(name, list_of_text()));
        let columns = inner.columns().iter().cloned().chain(ranges.keys().flat_map(made)).collect();
        Ok(Self { inner, ranges: ranges.clone(), columns })
    }
}

impl Source for ByIndex {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        for name in columns {
            self.column(name)?;
        }
        let own = |name: &&String| self.inner.columns().iter().any(|c| c.name == **name);
        let mut inner: Vec<String> = columns.iter().filter(own).cloned().collect();
        if inner.len() == columns.len() {
            return self.inner.stream(columns);
        }
        inner.extend(["features", "values"].map(String::from).into_iter().filter(|n| !columns.contains(n)));
        let (source, ranges, wanted) = (self.inner.clone(), self.ranges.clone(), columns.to_vec());
        let rows = self.inner.stream(&inner)?;
        Ok(Box::new(rows.map(move |batch| {
            let batch = batch?;
            let made = divide(&batch, &ranges, &*source)?;
            with_columns(&batch, &wanted, |name| {
                made.get(name).cloned().ok_or_else(|| DataError::Setting {
                    key: "fields_by_index".into(),
                    problem: format!("has no field `{name}`"),
                })
            })
        })))
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

/// The lists of every field.
fn divide(
    batch: &RecordBatch,
    ranges: &BTreeMap<String, [u64; 2]>,
    source: &dyn Source,
) -> Result<BTreeMap<String, ArrayRef>, DataError> {
    let column = |name: &str| -> Result<_, DataError> {
        let array = batch.column(batch.schema().index_of(name)?);
        lists(array).ok().flatten().ok_or_else(|| DataError::Type {
            path: source.path().to_path_buf(),
            column: name.to_string(),
            found: array.data_type().to_string(),
            needed: "a list",
        })
    };
    let ((ids, offsets), (values, _)) = (column("features")?, column("values")?);
    let builder = || (ListBuilder::new(StringBuilder::new()), ListBuilder::new(StringBuilder::new()));
    let mut built: Vec<_> = ranges.iter().map(|(name, range)| (name, range, builder())).collect();
    for (row, span) in offsets.windows(2).enumerate() {
        for at in span[0] as usize..span[1] as usize {
            let text = ids.text(at).unwrap_or_default();
            let index: u64 = text.parse().map_err(|_| DataError::Value {
                location: source.locate(positions(batch)[row]).to_string(),
                column: "features".into(),
                problem: format!("`{text}` is no whole number, and data.fields_by_index goes by those"),
            })?;
            match built.iter_mut().find(|(_, [from, to], _)| (*from..=*to).contains(&index)) {
                Some((_, _, (own, of))) => {
                    // 05 is 5 here.
                    own.values().append_value(index.to_string());
                    of.values().append_option(values.text(at));
                }
                None => source.clock().tell_once(|| {
                    format!(
                        "{}: index {index} is in no range of data.fields_by_index, and is left out; so are others like it",
                        source.locate(positions(batch)[row])
                    )
                }),
            }
        }
        built.iter_mut().for_each(|(_, _, (own, of))| {
            own.append(true);
            of.append(true);
        });
    }
    let mut made: BTreeMap<String, ArrayRef> = BTreeMap::new();
    for (name, _, (mut own, mut of)) in built {
        made.insert(name.clone(), Arc::new(own.finish()));
        made.insert(format!("{name}{VALUES}"), Arc::new(of.finish()));
    }
    Ok(made)
}
