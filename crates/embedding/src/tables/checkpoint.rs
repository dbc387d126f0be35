//! Tables as Arrow files.
//!
//! `bloom-S.bin` has the counters of a filter of sightings, where there is one. `tables.json` has the step and the rows of each space; `index-S.arrow` the key → row map of space S
//! (`table`, `key`, `row`, `count`; row 0 = waiting for admission; table 65535 = a row whose id was forgotten); `LOOKUP-S.arrow` the rows of one table:
//! `key`, `row`, `weights`, `state`, `count` (touches), `last_seen` (step of the last touch).

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, FixedSizeListArray, Float32Array, RecordBatch, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Float32Type, Schema as ArrowSchema, UInt16Type, UInt32Type, UInt64Type};
use arrow::ipc::writer::FileWriter;
use burnrec_features::ipc::Batches;
use burnrec_features::{Schema, Vocabulary};
use serde::{Deserialize, Serialize};

use super::{Bloom, Tables, keys_by_row};
use crate::error::EmbeddingError;
use crate::lookups::Slots;
use crate::optimizer::SparseOptimizer;
use crate::placement::TableDevice;
use crate::space::{FeatureRows, Growing, Indexer, Space};
use crate::table::{ROWS_A_MOVE, RowsPart, Table};

/// The table of entries that are no key's: rows of ids that were forgotten.
const FREE: u16 = u16::MAX;

#[derive(Serialize, Deserialize)]
struct Facts {
    step: u64,
    rows: Vec<u32>,
}

fn arrow_error(path: &Path) -> impl Fn(arrow::error::ArrowError) -> EmbeddingError + '_ {
    |source| EmbeddingError::Arrow { path: path.to_path_buf(), source }
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> EmbeddingError + '_ {
    |source| EmbeddingError::Io { path: path.to_path_buf(), source }
}

fn mismatch(path: &Path, problem: impl Into<String>) -> EmbeddingError {
    EmbeddingError::Mismatch { path: path.to_path_buf(), problem: problem.into() }
}

/// Writes record batches and makes them durable.
fn write(path: &Path, schema: ArrowSchema, batches: impl Iterator<Item = Vec<ArrayRef>>) -> Result<(), EmbeddingError> {
    let schema = Arc::new(schema);
    let file = File::create(path).map_err(io_error(path))?;
    let mut writer = FileWriter::try_new(BufWriter::new(file), &schema).map_err(arrow_error(path))?;
    for columns in batches {
        let batch = RecordBatch::try_new(schema.clone(), columns).map_err(arrow_error(path))?;
        writer.write(&batch).map_err(arrow_error(path))?;
    }
    writer.finish().map_err(arrow_error(path))?;
    let buffer = writer.into_inner().map_err(arrow_error(path))?;
    let file = buffer.into_inner().map_err(|e| io_error(path)(e.into_error()))?;
    file.sync_all().map_err(io_error(path))
}

fn read(path: &Path) -> Result<impl Iterator<Item = Result<RecordBatch, EmbeddingError>> + '_, EmbeddingError> {
    let file = File::open(path).map_err(io_error(path))?;
    let reader = Batches::open(BufReader::new(file)).map_err(arrow_error(path))?;
    Ok(reader.map(|batch| batch.map_err(arrow_error(path))))
}

fn list(values: Vec<f32>, width: usize) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(DataType::Float32, false));
    let rows = values.len().checked_div(width).unwrap_or(0);
    let array =
        FixedSizeListArray::try_new_with_length(field, width as i32, Arc::new(Float32Array::from(values)), None, rows);
    array.map_or_else(|_| Arc::new(arrow::array::NullArray::new(rows)) as ArrayRef, |a| Arc::new(a))
}

fn list_type(width: usize) -> DataType {
    DataType::FixedSizeList(Arc::new(Field::new_list_field(DataType::Float32, false)), width as i32)
}

fn table_schema(table: &Table) -> ArrowSchema {
    let mut fields = vec![
        Field::new("key", DataType::UInt64, false),
        Field::new("row", DataType::UInt32, false),
        Field::new("weights", list_type(table.layout.dim), false),
    ];
    if table.layout.state > 0 {
        fields.push(Field::new("state", list_type(table.layout.state), false));
    }
    fields.push(Field::new("count", DataType::UInt32, false));
    fields.push(Field::new("last_seen", DataType::UInt32, false));
    ArrowSchema::new(fields)
}

/// Rows `from..to` of a table as columns.
fn rows_of(table: &Table, keys: &[u64], from: u32, to: u32) -> Vec<ArrayRef> {
    let layout = table.layout;
    let RowsPart { weights, state, count, last } = table.part(from, to);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(keys[from as usize..to as usize].to_vec())),
        Arc::new(UInt32Array::from_iter_values(from..to)),
        list(weights, layout.dim),
    ];
    if layout.state > 0 {
        columns.push(list(state, layout.state));
    }
    columns.push(Arc::new(UInt32Array::from(count)));
    columns.push(Arc::new(UInt32Array::from(last)));
    columns
}

/// The key → row map of a space, by table and row; keys that wait come last, by key.
fn index_columns(space: &Space, growing: &Growing) -> Vec<ArrayRef> {
    let mut entries: Vec<(u16, u32, u64, u32)> = Vec::new();
    for (number, (_, table)) in space.tables.iter().enumerate() {
        if let FeatureRows::Vocabulary(map) = table {
            let count = |row: u32| space.frequency.get(row as usize).copied().unwrap_or(1);
            entries.extend(map.iter().map(|(key, row)| (number as u16, *row, *key, count(*row))));
        }
    }
    entries.extend(growing.rows.iter().map(|(key, row)| (0, *row, *key, 0)));
    entries.sort_unstable();
    let mut waiting: Vec<_> = growing.waiting.iter().map(|(key, n)| (0, 0, *key, *n)).collect();
    waiting.sort_unstable();
    entries.extend(waiting);
    // Rows of forgotten ids, in the order in which they became free.
    entries.extend(growing.free.iter().enumerate().map(|(at, row)| (FREE, *row, at as u64, 0)));
    vec![
        Arc::new(UInt16Array::from_iter_values(entries.iter().map(|e| e.0))),
        Arc::new(UInt64Array::from_iter_values(entries.iter().map(|e| e.2))),
        Arc::new(UInt32Array::from_iter_values(entries.iter().map(|e| e.1))),
        Arc::new(UInt32Array::from_iter_values(entries.iter().map(|e| e.3))),
    ]
}

fn index_schema() -> ArrowSchema {
    ArrowSchema::new(vec![
        Field::new("table", DataType::UInt16, false),
        Field::new("key", DataType::UInt64, false),
        Field::new("row", DataType::UInt32, false),
        Field::new("count", DataType::UInt32, false),
    ])
}

fn table_path(folder: &Path, slots: &Slots, table: &Table) -> PathBuf {
    folder.join(format!("{}-{}.arrow", slots.0[table.lookup].name, table.space))
}

impl Tables {
    /// Writes all tables into a folder that exists, every file durable when this returns.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save(&self, folder: &Path, slots: &Slots) -> Result<(), EmbeddingError> {
        let facts = Facts { step: self.step(), rows: self.grown.clone() };
        let path = folder.join("tables.json");
        let mut file = File::create(&path).map_err(io_error(&path))?;
        file.write_all(serde_json::to_string(&facts).unwrap_or_default().as_bytes()).map_err(io_error(&path))?;
        file.sync_all().map_err(io_error(&path))?;
        for (which, space) in self.indexer.spaces.iter().enumerate() {
            let path = folder.join(format!("index-{which}.arrow"));
            write(&path, index_schema(), std::iter::once(index_columns(space, &self.growing[which])))?;
            if let Some(Bloom(counters)) = &self.growing[which].bloom {
                let path = folder.join(format!("bloom-{which}.bin"));
                let mut file = File::create(&path).map_err(io_error(&path))?;
                file.write_all(counters).and_then(|()| file.sync_all()).map_err(io_error(&path))?;
            }
            let keys = keys_by_row(space, &self.growing[which], self.grown[which]);
            for table in self.tables.iter().filter(|t| t.space == which) {
                let rows = self.grown[which];
                let pieces = (0..rows).step_by(ROWS_A_MOVE as usize);
                let columns = pieces.map(|from| rows_of(table, &keys, from, rows.min(from + ROWS_A_MOVE)));
                write(&table_path(folder, slots, table), table_schema(table), columns)?;
            }
        }
        Ok(())
    }

    /// Reads tables that [`Tables::save`] wrote for the same schema, slots and optimisers.
    ///
    /// # Errors
    /// Missing or damaged files, and files of another model.
    pub fn load(
        folder: &Path,
        schema: Arc<Schema>,
        slots: &Slots,
        default: &SparseOptimizer,
        seed: u64,
        device: Option<&TableDevice>,
    ) -> Result<Self, EmbeddingError> {
        let path = folder.join("tables.json");
        let text = std::fs::read_to_string(&path).map_err(io_error(&path))?;
        let facts: Facts = serde_json::from_str(&text).map_err(|e| mismatch(&path, e.to_string()))?;
        let layout = Indexer::new(schema.clone(), slots, &[])?;
        if facts.rows.len() != layout.spaces.len() {
            return Err(mismatch(&path, "belongs to another model; give the config that it was trained with"));
        }
        let mut vocabularies: Vec<Vocabulary> = vec![Vec::new(); schema.categorical.len()];
        let mut growing = Vec::new();
        for (which, space) in layout.spaces.iter().enumerate() {
            let mut own = read_index(&folder.join(format!("index-{which}.arrow")), space, &mut vocabularies)?;
            let path = folder.join(format!("bloom-{which}.bin"));
            if path.exists() {
                let counters = std::fs::read(&path).map_err(io_error(&path))?;
                own.bloom = Some(Bloom(counters)).filter(|bloom| !bloom.0.is_empty());
            }
            growing.push(own);
        }
        let mut tables = Self::without_rows(Indexer::new(schema, slots, &vocabularies)?, slots, default, seed);
        for (space, (growing, rows)) in tables.indexer.spaces.iter().zip(growing.iter().zip(&facts.rows)) {
            // Every row behind the fixed ones is of one key, so that no file can ask for more rows than it has keys.
            let mut own: Vec<u32> = growing.rows.values().chain(&growing.free).copied().collect();
            own.sort_unstable();
            let numbered = own.iter().copied().eq(space.rows..*rows);
            if *rows < space.rows || !numbered {
                return Err(mismatch(&path, "has other numbers of rows than the index files"));
            }
        }
        tables.growing = growing;
        tables.grown = facts.rows;
        tables.set_step(facts.step);
        tables.place(device);
        let keys: Vec<Vec<u64>> = (0..tables.grown.len())
            .map(|s| keys_by_row(&tables.indexer.spaces[s], &tables.growing[s], tables.grown[s]))
            .collect();
        for table in &mut tables.tables {
            table.make_room(tables.grown[table.space]);
            read_table(&table_path(folder, slots, table), table, &keys[table.space])?;
        }
        Ok(tables)
    }
}

fn read_index(path: &Path, space: &Space, vocabularies: &mut [Vocabulary]) -> Result<Growing, EmbeddingError> {
    let mut growing = Growing::default();
    for batch in read(path)? {
        let batch = batch?;
        if batch.num_columns() != 4 {
            return Err(mismatch(path, "is not an index file"));
        }
        let columns = (
            batch.column(0).as_primitive_opt::<UInt16Type>(),
            batch.column(1).as_primitive_opt::<UInt64Type>(),
            batch.column(2).as_primitive_opt::<UInt32Type>(),
            batch.column(3).as_primitive_opt::<UInt32Type>(),
        );
        let (Some(tables), Some(keys), Some(rows), Some(counts)) = columns else {
            return Err(mismatch(path, "is not an index file"));
        };
        for i in 0..batch.num_rows() {
            let (key, row, count) = (keys.value(i), rows.value(i), counts.value(i));
            let table = usize::from(tables.value(i));
            match (space.grows, row) {
                (true, row) if tables.value(i) == FREE => growing.free.push(row),
                (true, 0) => drop(growing.waiting.insert(key, count)),
                (true, _) => drop(growing.rows.insert(key, row)),
                (false, _) => {
                    let owner = space.table_of.iter().position(|t| *t == table);
                    let owner = owner.ok_or_else(|| mismatch(path, "names a table that the model does not have"))?;
                    let fields = space.features.len();
                    let place = if owner < fields { space.features[owner] } else { space.sequences[owner - fields] };
                    vocabularies[place].push((key, count));
                }
            }
        }
    }
    Ok(growing)
}

/// Reads the rows of a table; `keys` has the key that each row must have.
fn read_table(path: &Path, table: &mut Table, keys: &[u64]) -> Result<(), EmbeddingError> {
    let rows = keys.len() as u32;
    let width = table.layout.state;
    let other =
        || mismatch(path, "has other columns or widths than the model needs; give the config that it was trained with");
    let mut read_rows = 0u32;
    for batch in read(path)? {
        let batch = batch?;
        let floats = |name: &str, width: usize| -> Option<Float32Array> {
            let list = batch.column_by_name(name)?.as_fixed_size_list_opt()?;
            let fits = list.value_length() as usize == width;
            fits.then(|| list.values().as_primitive_opt::<Float32Type>().cloned()).flatten()
        };
        let whole = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<UInt32Type>().cloned();
        let weights = floats("weights", table.layout.dim).ok_or_else(other)?;
        let state = if width > 0 { Some(floats("state", width).ok_or_else(other)?) } else { None };
        let (Some(row), Some(count), Some(last)) = (whole("row"), whole("count"), whole("last_seen")) else {
            return Err(other());
        };
        let from = read_rows;
        read_rows += batch.num_rows() as u32;
        if read_rows > rows || row.values().iter().zip(from..).any(|(found, expected)| *found != expected) {
            return Err(mismatch(path, format!("its rows are not 0 to {rows} in order")));
        }
        let found = batch.column_by_name("key").and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(other)?;
        if let Some(at) = found.values().iter().zip(&keys[from as usize..]).position(|(found, key)| found != key) {
            let row = from as usize + at;
            return Err(mismatch(path, format!("row {row} belongs to another key than the index file says")));
        }
        let part = RowsPart {
            weights: weights.values().to_vec(),
            state: state.map_or_else(Vec::new, |s| s.values().to_vec()),
            count: count.values().to_vec(),
            last: last.values().to_vec(),
        };
        table.write(from, &part);
    }
    match read_rows == rows {
        true => Ok(()),
        false => Err(mismatch(path, format!("has {read_rows} rows, but the table has {rows}"))),
    }
}
