//! Arrow files that may be damaged, or made by somebody who means harm: what they say of sizes is checked before it is believed,
//! and a decoder that panics on them gives an error.

use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, read_footer_length};
use arrow::ipc::{Block, root_as_footer};

/// Bytes behind the footer: its length and the magic word.
const TAIL: u64 = 10;

/// The record batches of an Arrow file.
pub struct Batches<R: Read + Seek> {
    reader: FileReader<R>,
    ended: bool,
}

fn damaged(what: &str) -> ArrowError {
    ArrowError::IpcError(format!("the file is damaged: {what}"))
}

/// What `work` gives; an error where it panics.
fn guarded<T>(work: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged("its decoder failed")))
}

/// Refuses a file whose parts do not lie within it.
fn check<R: Read + Seek>(file: &mut R) -> Result<(), ArrowError> {
    let length = file.seek(SeekFrom::End(0))?;
    if length < TAIL {
        return Err(damaged("it is too short"));
    }
    let mut tail = [0; TAIL as usize];
    file.seek(SeekFrom::Start(length - TAIL))?;
    file.read_exact(&mut tail)?;
    let footer = read_footer_length(tail)? as u64;
    let start = (length - TAIL).checked_sub(footer).ok_or_else(|| damaged("its footer is larger than it"))?;
    let mut bytes = vec![0; footer as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    let footer = root_as_footer(&bytes).map_err(|e| damaged(&e.to_string()))?;
    let inside = |block: &Block| {
        let sizes = [block.offset(), i64::from(block.metaDataLength()), block.bodyLength()].map(u64::try_from);
        let [Ok(offset), Ok(meta), Ok(body)] = sizes else { return false };
        offset.checked_add(meta).and_then(|end| end.checked_add(body)).is_some_and(|end| end <= length)
    };
    let blocks = || footer.recordBatches().into_iter().chain(footer.dictionaries()).flatten();
    match blocks().all(inside) {
        true => Ok(()),
        false => Err(damaged("a part of it does not lie within it")),
    }
}

impl<R: Read + Seek> Batches<R> {
    /// Opens a file.
    ///
    /// # Errors
    /// What is no Arrow file, or has parts that do not lie within it.
    pub fn open(mut file: R) -> Result<Self, ArrowError> {
        guarded(|| check(&mut file))?;
        file.seek(SeekFrom::Start(0))?;
        let reader = guarded(|| FileReader::try_new(file, None))?;
        Ok(Self { reader, ended: false })
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

impl<R: Read + Seek> Iterator for Batches<R> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = guarded(|| self.reader.next().transpose()).transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        // Nothing that is written here has a value that is missing.
        let whole = |batch: &RecordBatch| batch.columns().iter().all(|c| c.null_count() == 0);
        match next {
            Some(Ok(batch)) if !whole(&batch) => {
                self.ended = true;
                Some(Err(damaged("values are missing in it")))
            }
            next => next,
        }
    }
}
