//! The loader: one thread reads, one encodes (over all cores), shuffles and prepares, the caller trains.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use burnrec_data::{DataError, RowStream, Source};

use arrow::array::RecordBatch;

use crate::batch::Batch;
use crate::encoder::Encoder;
use crate::error::FeatureError;
use crate::shuffle::Shuffler;
use crate::stream::stream;

/// Record batches read ahead of the encoder.
const READ_AHEAD: usize = 4;

/// How rows become batches.
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// Rows a batch; the last of a pass may have fewer.
    pub batch_size: usize,
    /// Seed of the shuffle; the order of the file when absent.
    pub shuffle: Option<u64>,
    /// Which pass this is: every pass has its own order.
    pub epoch: u64,
    /// Rows in the shuffle buffer.
    pub buffer_rows: usize,
    /// Batches prepared ahead of the caller.
    pub prefetch: usize,
    /// Batches to leave out at the start, as a resumed pass does.
    pub skip: usize,
    /// Whether labels and weights are read.
    pub with_label: bool,
}

/// Prepared batches, in order. Dropping it stops the threads.
pub struct Loader<T> {
    receiver: Receiver<Result<T, FeatureError>>,
    failed: bool,
}

impl<T> Iterator for Loader<T> {
    type Item = Result<T, FeatureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.receiver.recv().ok()?;
        self.failed = item.is_err();
        Some(item)
    }
}

/// Starts the threads. `prepare` runs on the encoding thread, ahead of the caller, in batch order.
pub fn load<T: Send + 'static>(
    rows: RowStream,
    source: Arc<dyn Source>,
    encoder: Arc<Encoder>,
    config: LoaderConfig,
    prepare: impl Fn(Batch) -> T + Send + 'static,
) -> Loader<T> {
    let (read, chunks) = sync_channel(READ_AHEAD);
    let (send, receiver) = sync_channel(config.prefetch.max(1));
    let path = source.path().to_path_buf();
    thread::spawn(move || read_all(rows, &path, &read));
    thread::spawn(move || {
        let work = std::panic::AssertUnwindSafe(|| encode_all(&chunks, &*source, &encoder, &config, &prepare, &send));
        let outcome = std::panic::catch_unwind(work).unwrap_or(Err(FeatureError::LoaderDied));
        if let Err(error) = outcome {
            // The caller may have gone; then nobody wants the error.
            let _ = send.send(Err(error));
        }
    });
    Loader { receiver, failed: false }
}

/// Reads until the end, an error, or the encoder's leave. A decoder that panics on a damaged file is an error too.
fn read_all(mut rows: RowStream, path: &Path, to: &SyncSender<Result<RecordBatch, DataError>>) {
    loop {
        let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rows.next()));
        let damaged =
            || DataError::Corrupt { path: path.to_path_buf(), format: "data", reason: "its decoder failed".into() };
        let Some(batch) = next.unwrap_or_else(|_| Some(Err(damaged()))) else { return };
        let failed = batch.is_err();
        if to.send(batch).is_err() || failed {
            return;
        }
    }
}

fn encode_all<T>(
    chunks: &Receiver<Result<RecordBatch, DataError>>,
    source: &dyn Source,
    encoder: &Encoder,
    config: &LoaderConfig,
    prepare: &dyn Fn(Batch) -> T,
    to: &SyncSender<Result<T, FeatureError>>,
) -> Result<(), FeatureError> {
    let rng = config.shuffle.map(|seed| stream(seed, "shuffle", config.epoch));
    let mut shuffler = Shuffler::new(config.buffer_rows, config.batch_size, rng);
    let (mut done, mut number) = (false, 0);
    loop {
        while !done && shuffler.is_hungry() {
            match chunks.recv() {
                Ok(chunk) => {
                    let chunk = chunk?;
                    if chunk.num_rows() > 0 {
                        shuffler.absorb(encoder.encode(&chunk, source, config.with_label)?);
                    }
                }
                Err(_) => done = true,
            }
        }
        match shuffler.emit(done) {
            Some(batch) => {
                number += 1;
                if number > config.skip && to.send(Ok(prepare(batch))).is_err() {
                    return Ok(());
                }
            }
            None if done => return Ok(()),
            None => {}
        }
    }
}
