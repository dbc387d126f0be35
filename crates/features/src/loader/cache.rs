//! Encoded rows on disk, as an Arrow file that is read in the place of the data: the chunks of a pass in their order, each with a
//! checksum. A file is whole or not there; one that is damaged is an error that names it.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, ListArray, RecordBatch, UInt32Array, UInt64Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Float32Type, Schema as ArrowSchema, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use burnrec_data::ipc::Batches;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::Xxh3;

use crate::batch::{Batch, Keys, Targets};
use crate::error::FeatureError;
use crate::loader::disused::{TEMPORARY, clear, used};

/// Name of the column with a chunk's checksum, on its first row.
const SUM: &str = "sum";

/// What a file is of.
const KEY: &str = "burnrec.cache";

/// Where the encoded rows of a pass are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The file.
    pub path: PathBuf,
    /// What it is of: the data, how it is read and encoded. Rows of anything else are not read from it.
    pub key: String,
}

fn failed(path: &Path) -> impl Fn(ArrowError) -> FeatureError + '_ {
    |error| {
        let reason = match error {
            ArrowError::IpcError(reason) => reason,
            other => other.to_string(),
        };
        FeatureError::Cache { path: path.to_path_buf(), reason }
    }
}

/// Rows that are read from a file.
pub(super) struct Cached {
    path: PathBuf,
    batches: Batches<BufReader<File>>,
}

impl Cached {
    /// Opens the file of a cache; none where there is none, or it is of something else.
    pub(super) fn open(cache: &Cache) -> Option<Self> {
        let file = File::open(&cache.path).ok()?;
        let batches = Batches::open(BufReader::with_capacity(1 << 20, file)).ok()?;
        let own = batches.schema().metadata().get(KEY) == Some(&cache.key);
        own.then(|| {
            used(&cache.path);
            Self { path: cache.path.clone(), batches }
        })
    }
}

impl Iterator for Cached {
    type Item = Result<Batch, FeatureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |batch: Result<RecordBatch, ArrowError>| {
            let (batch, sum) = decode(&batch?).ok_or_else(|| ArrowError::IpcError("has other columns".into()))?;
            match checksum(&batch) == sum {
                true => Ok(batch),
                false => Err(ArrowError::IpcError("rows do not have their checksum".into())),
            }
        };
        let next = read(self.batches.next()?);
        if next.is_err() {
            // It would stop every run that comes.
            drop(std::fs::remove_file(&self.path));
        }
        Some(next.map_err(failed(&self.path)))
    }
}

/// A file that is being written; dropped before its end it leaves nothing.
pub(super) struct Writer {
    path: PathBuf,
    key: String,
    file: NamedTempFile,
    writer: Option<FileWriter<BufWriter<File>>>,
}

impl Writer {
    /// Begins a file beside its place; none, with a warning, where nothing can be written there.
    pub(super) fn new(cache: &Cache) -> Option<Self> {
        let folder = cache.path.parent()?;
        clear(folder);
        let begun = std::fs::create_dir_all(folder).and_then(|()| {
            tempfile::Builder::new().prefix(TEMPORARY).permissions(burnrec_data::readable()).tempfile_in(folder)
        });
        match begun {
            Ok(file) => Some(Self { path: cache.path.clone(), key: cache.key.clone(), file, writer: None }),
            Err(error) => {
                tracing::warn!(
                    "data.cache: {} cannot be written ({error}); training goes on without",
                    folder.display()
                );
                None
            }
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), ArrowError> {
        let encoded = encode(batch, &self.key)?;
        if self.writer.is_none() {
            let file = BufWriter::with_capacity(1 << 20, self.file.reopen()?);
            self.writer = Some(FileWriter::try_new(file, &encoded.schema())?);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write(&encoded))
    }

    /// Adds a chunk; false, with a warning, where the disk does not take it.
    pub(super) fn add(&mut self, batch: &Batch) -> bool {
        let written = self.write(batch);
        if let Err(error) = &written {
            tracing::warn!("data.cache: {} cannot be written ({error}); training goes on without", self.path.display());
        }
        written.is_ok()
    }

    /// Puts the file in its place.
    pub(super) fn finish(self) {
        let Self { path, file, writer, .. } = self;
        let Some(mut writer) = writer else { return };
        let written = writer.finish().map_err(|e| e.to_string()).and_then(|()| {
            file.as_file().sync_all().map_err(|e| e.to_string())?;
            let length = file.as_file().metadata().map_or(0, |m| m.len());
            file.persist(&path).map_err(|e| e.to_string())?;
            Ok(length)
        });
        match written {
            Ok(length) => {
                tracing::info!("data.cache: {} MiB of encoded rows in {}", length.div_ceil(1 << 20), path.display())
            }
            Err(error) => tracing::warn!("data.cache: {} cannot be written ({error})", path.display()),
        }
    }
}

/// What a chunk holds, in one number.
fn checksum(batch: &Batch) -> u64 {
    fn words<const N: usize, T: Copy>(hash: &mut Xxh3, values: &[T], bytes: fn(T) -> [u8; N]) {
        let mut block = [0u8; 4096];
        for part in values.chunks(4096 / N) {
            for (at, value) in part.iter().enumerate() {
                block[at * N..(at + 1) * N].copy_from_slice(&bytes(*value));
            }
            hash.update(&block[..part.len() * N]);
        }
        hash.update(&(values.len() as u64).to_le_bytes());
    }
    let mut hash = Xxh3::new();
    for keys in &batch.keys {
        match keys {
            Keys::One(keys) => words(&mut hash, keys, u64::to_le_bytes),
            Keys::Many { keys, weights, offsets } => {
                words(&mut hash, keys, u64::to_le_bytes);
                words(&mut hash, weights.as_deref().unwrap_or(&[]), f32::to_le_bytes);
                words(&mut hash, offsets, u32::to_le_bytes);
            }
        }
    }
    words(&mut hash, &batch.numeric, f32::to_le_bytes);
    words(&mut hash, &batch.targets.values, f32::to_le_bytes);
    words(&mut hash, batch.targets.weights.as_deref().unwrap_or(&[]), f32::to_le_bytes);
    words(&mut hash, batch.targets.known.as_deref().unwrap_or(&[]), |known: bool| [u8::from(known)]);
    words(&mut hash, &batch.weight, f32::to_le_bytes);
    words(&mut hash, &batch.group, u64::to_le_bytes);
    hash.digest()
}

fn floats(values: &[f32], rows: usize) -> Result<ArrayRef, ArrowError> {
    let width = values.len() / rows.max(1);
    let field = Arc::new(Field::new_list_field(DataType::Float32, false));
    let values = Arc::new(Float32Array::from(values.to_vec()));
    Ok(Arc::new(FixedSizeListArray::try_new_with_length(field, width as i32, values, None, rows)?))
}

fn lists(values: ArrayRef, offsets: &[u32]) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), false));
    let offsets: Vec<i32> = offsets.iter().map(|o| *o as i32).collect();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
}

/// A chunk as columns. The columns of all chunks of a pass are the same, so that what some chunks lack is spelled out.
fn encode(batch: &Batch, key: &str) -> Result<RecordBatch, ArrowError> {
    let rows = batch.rows;
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (at, keys) in batch.keys.iter().enumerate() {
        match keys {
            Keys::One(keys) => columns.push((format!("key {at}"), Arc::new(UInt64Array::from(keys.clone())))),
            Keys::Many { keys, weights, offsets } => {
                columns.push((format!("keys {at}"), lists(Arc::new(UInt64Array::from(keys.clone())), offsets)?));
                if let Some(weights) = weights {
                    let weights = Arc::new(Float32Array::from(weights.clone()));
                    columns.push((format!("weights {at}"), lists(weights, offsets)?));
                }
            }
        }
    }
    columns.push(("numeric".into(), floats(&batch.numeric, rows)?));
    let Targets { tasks, values, known, weights } = &batch.targets;
    columns.push(("targets".into(), floats(values, rows)?));
    let known: Vec<f32> = match known {
        Some(known) => known.iter().map(|known| f32::from(u8::from(*known))).collect(),
        None => vec![1.0; rows * tasks],
    };
    columns.push(("known".into(), floats(&known, rows)?));
    let weights = weights.clone().unwrap_or_else(|| vec![1.0; rows * tasks]);
    columns.push(("target weights".into(), floats(&weights, rows)?));
    columns.push(("weight".into(), floats(&batch.weight, rows)?));
    let groups = if batch.group.is_empty() { Vec::new() } else { batch.group.clone() };
    let width = usize::from(!groups.is_empty());
    let field = Arc::new(Field::new_list_field(DataType::UInt64, false));
    let groups = Arc::new(UInt64Array::from(groups));
    let groups = FixedSizeListArray::try_new_with_length(field, width as i32, groups, None, rows)?;
    columns.push(("group".into(), Arc::new(groups)));
    let flags = u32::from(batch.targets.known.is_some()) | u32::from(batch.targets.weights.is_some()) << 1;
    columns.push(("flags".into(), Arc::new(UInt32Array::from(vec![flags; rows]))));
    columns.push((SUM.into(), Arc::new(UInt64Array::from(vec![checksum(batch); rows]))));
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), false)).collect();
    let metadata = [(KEY.to_string(), key.to_string())].into_iter().collect();
    let schema = Arc::new(ArrowSchema::new_with_metadata(fields, metadata));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect())
}

/// The chunk of some columns and its checksum; none where they are others.
fn decode(read: &RecordBatch) -> Option<(Batch, u64)> {
    let rows = read.num_rows();
    let floats = |name: &str| -> Option<Vec<f32>> {
        let list = read.column_by_name(name)?.as_fixed_size_list_opt()?;
        Some(list.values().as_primitive_opt::<Float32Type>()?.values().to_vec())
    };
    let schema = read.schema();
    let mut keys = Vec::new();
    for (field, column) in schema.fields().iter().zip(read.columns()) {
        if field.name().starts_with("key ") {
            keys.push(Keys::One(column.as_primitive_opt::<UInt64Type>()?.values().to_vec()));
        } else if field.name().starts_with("keys ") {
            let list = column.as_list_opt::<i32>()?;
            let weights = match read.column_by_name(&field.name().replacen("keys", "weights", 1)) {
                Some(weights) => {
                    Some(weights.as_list_opt::<i32>()?.values().as_primitive_opt::<Float32Type>()?.values().to_vec())
                }
                None => None,
            };
            keys.push(Keys::Many {
                keys: list.values().as_primitive_opt::<UInt64Type>()?.values().to_vec(),
                weights,
                offsets: list.value_offsets().iter().map(|o| *o as u32).collect(),
            });
        }
    }
    let numbers = |name: &str| Some(read.column_by_name(name)?.as_primitive_opt::<UInt64Type>()?.values().to_vec());
    let flags = read.column_by_name("flags")?.as_primitive_opt::<UInt32Type>()?.values().first().copied().unwrap_or(0);
    let group = read.column_by_name("group")?.as_fixed_size_list_opt()?;
    let values = floats("targets")?;
    let batch = Batch {
        rows,
        keys,
        numeric: floats("numeric")?,
        targets: Targets {
            tasks: values.len() / rows.max(1),
            known: if flags & 1 == 1 { Some(floats("known")?.iter().map(|x| *x > 0.0).collect()) } else { None },
            weights: if flags & 2 == 2 { Some(floats("target weights")?) } else { None },
            values,
        },
        weight: floats("weight")?,
        group: group.values().as_primitive_opt::<UInt64Type>()?.values().to_vec(),
        ..Batch::default()
    };
    let sum = numbers(SUM)?.first().copied().unwrap_or(0);
    Some((batch, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(from: u64, weighted: bool) -> Batch {
        let rows = 3;
        Batch {
            rows,
            keys: vec![
                Keys::One(vec![from, from + 1, 0]),
                Keys::Many { keys: vec![7, 8, from], weights: Some(vec![0.5, 1.5, 2.0]), offsets: vec![0, 2, 2, 3] },
                Keys::Many { keys: vec![], weights: None, offsets: vec![0, 0, 0, 0] },
            ],
            numeric: vec![0.1, -2.0, 3.5, f32::MIN_POSITIVE, 0.0, -0.0],
            targets: Targets {
                tasks: 2,
                values: vec![0.0, 1.0, 1.0, 0.0, 0.5, 0.25],
                known: weighted.then(|| vec![true, false, true, true, true, false]),
                weights: weighted.then(|| vec![1.0, 2.0, 1.0, 1.0, 1.0, 0.5]),
            },
            weight: vec![1.0, 0.5, 2.0],
            group: vec![9, from, 9],
            ..Batch::default()
        }
    }

    fn written(folder: &Path, chunks: &[Batch]) -> Cache {
        let cache = Cache { path: folder.join("below/rows.arrow"), key: "k".into() };
        let mut writer = Writer::new(&cache).unwrap();
        assert!(chunks.iter().all(|chunk| writer.add(chunk)));
        writer.finish();
        cache
    }

    #[test]
    fn chunks_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let chunks = [chunk(1, false), chunk(50, true), chunk(99, false)];
        let cache = written(folder.path(), &chunks);
        let found: Vec<Batch> = Cached::open(&cache).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, chunks);
        let plain = Batch { weight: vec![], group: vec![], numeric: vec![], ..chunk(5, false) };
        let cache = written(folder.path(), std::slice::from_ref(&plain));
        assert_eq!(Cached::open(&cache).unwrap().map(Result::unwrap).collect::<Vec<_>>(), [plain]);
    }

    #[test]
    fn another_key_is_not_read_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let cache = written(folder.path(), &[chunk(1, true)]);
        assert!(Cached::open(&Cache { key: "other".into(), ..cache.clone() }).is_none());
        let bytes = std::fs::read(&cache.path).unwrap();
        // A key within the file is altered.
        let at = bytes.windows(8).position(|w| w == 8u64.to_le_bytes()).unwrap();
        for bit in 0..3 {
            let mut other = bytes.clone();
            other[at] ^= 1 << bit;
            std::fs::write(&cache.path, other).unwrap();
            let told = Cached::open(&cache).is_none_or(|mut rows| rows.any(|row| row.is_err()));
            assert!(told, "bit {bit} passed");
        }
        std::fs::write(&cache.path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(Cached::open(&cache).is_none());
        drop(Writer::new(&Cache { path: folder.path().join("below/new.arrow"), key: "k".into() }));
        assert_eq!(std::fs::read_dir(folder.path().join("below")).unwrap().count(), 1, "something was left");
    }
}
