//! The rows of a table as they are served: by slot and key, those of zeros left out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use burnrec_data::ipc::Batches;
use burnrec_train::TrainError;

/// A row's name: its number where it is of unseen ids or a bucket, its key else.
type Name = (u32, u64);

/// Rows by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    width: usize,
    rows: BTreeMap<Name, Vec<f32>>,
}

fn failed(path: &Path) -> impl Fn(ArrowError) -> TrainError + '_ {
    |e| TrainError::Checkpoint { path: path.to_path_buf(), problem: e.to_string() }
}

fn other(path: &Path) -> TrainError {
    TrainError::Checkpoint { path: path.to_path_buf(), problem: "has other columns than a table".into() }
}

/// The files of a checkpoint's tables, in their order.
pub(super) fn tables_of(checkpoint: &Path) -> Result<Vec<String>, TrainError> {
    let folder = checkpoint.join("tables");
    let entries = std::fs::read_dir(&folder).map_err(TrainError::io(&folder))?.flatten();
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".arrow") && !name.starts_with("index-"));
    names.sort();
    Ok(names)
}

/// Reads the rows of a checkpoint's table.
pub(super) fn read_checkpoint(checkpoint: &Path, table: &str) -> Result<Rows, TrainError> {
    let path = checkpoint.join("tables").join(table);
    // Row 0 is padding; a row without a key is of unseen ids.
    read(&path, |batch| {
        let (rows, keys) = (column::<UInt32Type>(batch, "row")?, column::<UInt64Type>(batch, "key")?);
        Some(rows.iter().zip(keys).map(|(row, key)| if key == 0 { (*row, 0) } else { (0, key) }).collect())
    })
}

fn column<T: arrow::array::ArrowPrimitiveType>(batch: &RecordBatch, name: &str) -> Option<Vec<T::Native>> {
    Some(batch.column_by_name(name)?.as_primitive_opt::<T>()?.values().to_vec())
}

fn read(path: &Path, names: impl Fn(&RecordBatch) -> Option<Vec<Name>>) -> Result<Rows, TrainError> {
    let file = File::open(path).map_err(TrainError::io(path))?;
    let mut out = Rows::default();
    for batch in Batches::open(BufReader::new(file)).map_err(failed(path))? {
        let batch = batch.map_err(failed(path))?;
        let names = names(&batch).ok_or_else(|| other(path))?;
        let lists = batch.column_by_name("weights").and_then(|c| c.as_fixed_size_list_opt());
        let Some(lists) = lists else {
            out.rows.extend(names.into_iter().map(|name| (name, Vec::new())));
            continue;
        };
        out.width = lists.value_length() as usize;
        let weights = lists.values().as_primitive_opt::<Float32Type>().ok_or_else(|| other(path))?;
        for (name, row) in names.into_iter().zip(weights.values().chunks(out.width.max(1))) {
            if name != (0, 0) && row.iter().any(|w| *w != 0.0) {
                out.rows.insert(name, row.to_vec());
            }
        }
    }
    Ok(out)
}

impl Rows {
    /// Reads what [`Rows::write`] wrote; nothing where there is no file.
    pub(super) fn read(path: &Path) -> Result<Self, TrainError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        read(path, |batch| {
            let (slots, keys) = (column::<UInt32Type>(batch, "slot")?, column::<UInt64Type>(batch, "key")?);
            Some(slots.into_iter().zip(keys).collect())
        })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that are others than before, and the names of those that went.
    pub(super) fn since(&self, was: &Self) -> (Self, Self) {
        let bits = |row: &[f32]| row.iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        let changed = |name: &Name, row: &[f32]| was.rows.get(name).is_none_or(|old| bits(old) != bits(row));
        let more = self.rows.iter().filter(|(name, row)| changed(name, row)).map(|(n, r)| (*n, r.clone())).collect();
        let gone = was.rows.keys().filter(|name| !self.rows.contains_key(*name)).map(|n| (*n, Vec::new())).collect();
        (Self { width: self.width, rows: more }, Self { width: 0, rows: gone })
    }

    /// Takes changes in.
    pub(super) fn change(&mut self, more: Self, gone: &Self) {
        gone.rows.keys().for_each(|name| drop(self.rows.remove(name)));
        self.width = self.width.max(more.width);
        self.rows.extend(more.rows);
    }

    /// Writes them in the order of their names: the same rows are the same bytes.
    pub(super) fn write(&self, path: &Path) -> Result<(), TrainError> {
        let mut fields = vec![Field::new("slot", DataType::UInt32, false), Field::new("key", DataType::UInt64, false)];
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(self.rows.keys().map(|name| name.0))),
            Arc::new(UInt64Array::from_iter_values(self.rows.keys().map(|name| name.1))),
        ];
        if self.width > 0 {
            let item = Arc::new(Field::new_list_field(DataType::Float32, false));
            let values = Float32Array::from_iter_values(self.rows.values().flatten().copied());
            let lists = FixedSizeListArray::try_new(item, self.width as i32, Arc::new(values), None);
            let lists = lists.map_err(failed(path))?;
            fields.push(Field::new("weights", lists.data_type().clone(), false));
            columns.push(Arc::new(lists));
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(failed(path))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        }
        let mut writer = FileWriter::try_new(Vec::new(), &schema).map_err(failed(path))?;
        writer.write(&batch).map_err(failed(path))?;
        let bytes = writer.into_inner().map_err(failed(path))?;
        burnrec_train::write_whole(path, &bytes)
    }
}
