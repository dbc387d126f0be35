//! One or several files of one format as a source: the columns of all of them, whichever come late or go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};

use super::unify::{adapt, unify};
use super::{Reads, parts};
use crate::clock::Clock;
use crate::error::DataError;
use crate::read::count;
use crate::source::{Column, Format, Location, ROW_BITS, RowStream, Source};

/// Hive's name of a missing value.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Files with the columns of all of them.
pub(super) struct Files {
    root: PathBuf,
    parts: Arc<Vec<Part>>,
    columns: Vec<Column>,
    /// Columns that two parts have as types that contradict each other.
    clashes: HashMap<String, (usize, usize)>,
    format: Arc<dyn Format>,
    clock: Clock,
}

/// A file.
struct Part {
    path: PathBuf,
    columns: Vec<Column>,
    /// Columns whose value is that of a folder.
    folders: Vec<(String, String)>,
    rows: bool,
}

impl Part {
    fn type_of(&self, name: &str) -> DataType {
        self.columns.iter().find(|c| c.name == name).map_or(DataType::Null, |c| c.data_type.clone())
    }
}

impl Files {
    /// Looks at every file.
    pub(super) fn open(
        root: &Path,
        paths: Vec<PathBuf>,
        format: Arc<dyn Format>,
        how: &Reads,
    ) -> Result<Self, DataError> {
        let mut found = Vec::with_capacity(paths.len());
        let alone = paths.len() == 1;
        for path in paths {
            let head = match format.head(&path) {
                // A part without a byte is as good as none.
                Err(DataError::Empty { .. }) if !alone => continue,
                head => head?,
            };
            let twice = |i: &usize| head.columns[..*i].iter().any(|c| c.name == head.columns[*i].name);
            if let Some(twice) = (1..head.columns.len()).find(twice) {
                return Err(DataError::DuplicateColumn { path, column: head.columns[twice].name.clone() });
            }
            let mut folders = parts::partitions(root, &path);
            folders.retain(|(key, _)| head.columns.iter().all(|c| c.name != *key));
            found.push(Part { path, columns: head.columns, folders, rows: head.rows });
        }
        if found.is_empty() {
            return Err(DataError::Empty { path: root.to_path_buf() });
        }
        if !how.may_be_empty && found.iter().all(|part| !part.rows) {
            return Err(DataError::HeaderOnly { path: root.to_path_buf() });
        }
        let (columns, clashes) = together(&found);
        let days = found.iter().flat_map(|p| p.folders.iter().map(|f| f.0.clone())).collect();
        let clock = Clock::new(how.time_unit, days);
        Ok(Self { root: root.to_path_buf(), parts: Arc::new(found), columns, clashes, format, clock })
    }
}

/// The columns of all parts in the order in which they come, each of a type that holds the values of all.
fn together(parts: &[Part]) -> (Vec<Column>, HashMap<String, (usize, usize)>) {
    let mut columns: Vec<(Column, usize)> = Vec::new();
    let mut clashes = HashMap::new();
    for (number, part) in parts.iter().enumerate() {
        let folders = part.folders.iter().map(|(name, _)| Column::new(name, DataType::Utf8));
        for column in part.columns.iter().cloned().chain(folders) {
            let Some((known, first)) = columns.iter_mut().find(|c| c.0.name == column.name) else {
                columns.push((column, number));
                continue;
            };
            // What a part without rows says of types has no value to contradict.
            match unify(&known.data_type, &column.data_type) {
                Some(both) => known.data_type = both,
                None if !part.rows => {}
                None if !parts[*first].rows => (known.data_type, *first) = (column.data_type, number),
                None => drop(clashes.entry(column.name).or_insert((*first, number))),
            }
        }
    }
    (columns.into_iter().map(|c| c.0).collect(), clashes)
}

impl Source for Files {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn stream(&self, columns: &[String]) -> Result<RowStream, DataError> {
        let wanted: Vec<Column> = columns.iter().map(|name| self.column(name).cloned()).collect::<Result<_, _>>()?;
        if let Some((column, (one, other))) = columns.iter().find_map(|c| self.clashes.get_key_value(c)) {
            let (one, other) = (&self.parts[*one], &self.parts[*other]);
            return Err(DataError::Parts {
                column: column.as_str().into(),
                one: one.path.clone(),
                one_type: one.type_of(column).to_string().into(),
                other: other.path.clone(),
                other_type: other.type_of(column).to_string().into(),
            });
        }
        let (parts, format) = (self.parts.clone(), self.format.clone());
        let each = (0..parts.len()).filter({
            let parts = parts.clone();
            move |file| parts[*file].rows
        });
        let rows = each.flat_map(move |file| {
            part(&parts, file, &*format, &wanted).unwrap_or_else(|e| Box::new(std::iter::once(Err(e))))
        });
        Ok(Box::new(rows.inspect(|batch| batch.iter().for_each(|batch| count(batch.num_rows())))))
    }

    fn locate(&self, position: u64) -> Location {
        let file = (position >> ROW_BITS) as usize;
        Location {
            path: self.parts.get(file).map_or_else(|| self.root.clone(), |part| part.path.clone()),
            number: (position & ((1 << ROW_BITS) - 1)) + u64::from(!self.format.is_text()),
            is_line: self.format.is_text(),
        }
    }

    fn path(&self) -> &Path {
        &self.root
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// The rows of one file in the columns of all.
fn part(parts: &Arc<Vec<Part>>, file: usize, format: &dyn Format, wanted: &[Column]) -> Result<RowStream, DataError> {
    let own = &parts[file].columns;
    let mut stored: Vec<Column> =
        wanted.iter().filter_map(|w| own.iter().find(|c| c.name == w.name)).cloned().collect();
    if stored.is_empty() {
        // Rows are counted by a column, whichever it is.
        stored.extend(own.first().cloned());
    }
    let rows = format.stream(&parts[file].path, file, &stored)?;
    if stored == *wanted {
        return Ok(rows);
    }
    let (parts, wanted) = (parts.clone(), wanted.to_vec());
    Ok(Box::new(rows.map(move |batch| widen(&batch?, &parts[file], &wanted))))
}

/// A part's columns as those asked for: with the values of its folders, nulls for what it lacks, and the types of all parts.
fn widen(batch: &RecordBatch, part: &Part, wanted: &[Column]) -> Result<RecordBatch, DataError> {
    let rows = batch.num_rows();
    let mut fields = Vec::with_capacity(wanted.len() + 1);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(wanted.len() + 1);
    for column in wanted {
        let folder = part.folders.iter().find(|(key, _)| *key == column.name).map(|(_, value)| value.as_str());
        let array: ArrayRef = match (batch.column_by_name(&column.name), folder) {
            (Some(array), _) => adapt(array, &column.data_type).map_err(|found| DataError::Type {
                path: part.path.clone(),
                column: column.name.clone(),
                found: found.0.to_string(),
                needed: "one value a row",
            })?,
            (None, Some(value)) => Arc::new(StringArray::from(vec![Some(value).filter(|v| *v != HIVE_NULL); rows])),
            (None, None) => new_null_array(&column.data_type, rows),
        };
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let last = batch.num_columns() - 1;
    fields.push(batch.schema().field(last).clone());
    arrays.push(batch.column(last).clone());
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
