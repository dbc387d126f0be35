//! The loader: one thread reads, one encodes (over all cores), shuffles and prepares, the caller trains.

mod cache;
mod disused;
mod shuffle;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use burnrec_data::{DataError, RowStream, Source};

use arrow::array::RecordBatch;

use crate::batch::{Batch, NO_USER};
use crate::columns::Purpose;
use crate::encoder::Encoder;
use crate::error::FeatureError;
use crate::items::{ItemPairs, Negatives};
use crate::stream::stream;
pub use cache::Cache;
use cache::{Cached, Writer};
pub use disused::used;
use shuffle::Shuffler;

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
    /// What the rows are for.
    pub purpose: Purpose,
    /// What is drawn to them.
    pub draws: Draws,
    /// Where the encoded rows are kept; nowhere by default, and where items are drawn.
    pub cache: Option<Cache>,
    /// Rows of one group stay together, this many of them at most: lists, for losses over lists.
    pub lists: Option<usize>,
}

/// What is drawn to the rows, by a run's seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Draws {
    /// Nothing.
    #[default]
    Nothing,
    /// The negatives of training, if the schema asks for them.
    Negatives(u64),
    /// For each positive row the items that it is ranked among.
    Lists(u64),
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_size: 1024,
            shuffle: None,
            epoch: 0,
            buffer_rows: 1024,
            prefetch: 2,
            skip: 0,
            purpose: Purpose::Predict,
            draws: Draws::Nothing,
            cache: None,
            lists: None,
        }
    }
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
    let (send, receiver) = sync_channel(config.prefetch.max(1));
    if let Some(mut cached) = config.cache.as_ref().and_then(Cached::open) {
        thread::spawn(move || {
            let work = || give_out(|| cached.next(), &encoder, &config, &prepare, &send);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            if let Err(error) = outcome.unwrap_or(Err(FeatureError::LoaderDied)) {
                let _ = send.send(Err(error));
            }
        });
        return Loader { receiver, failed: false };
    }
    let (read, chunks) = sync_channel(READ_AHEAD);
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
    let mut negatives = negatives(encoder, config)?;
    let mut first = 0;
    let mut encode = |chunk: RecordBatch| -> Result<Batch, FeatureError> {
        let rows = encoder.encode(&chunk, source, config.purpose)?;
        let users = || encoder.users(&chunk, source);
        let (schema, catalogue) = (encoder.schema(), encoder.catalogue());
        let items = schema.items.as_ref();
        match (config.draws, catalogue, &mut negatives) {
            (Draws::Lists(seed), Some(catalogue), _) => {
                let n = items.and_then(|i| i.negatives.as_ref()).map_or(0, |n| n.evaluate);
                let count = rows.rows as u64;
                let lists = catalogue.lists(schema, rows, &users()?, n, seed, first);
                first += count;
                Ok(lists)
            }
            (_, Some(catalogue), Some(negatives)) if items.is_some_and(|i| i.adds_rows().is_some()) => {
                Ok(negatives.add_rows(schema, catalogue, rows, &users()?))
            }
            (Draws::Negatives(_), Some(_), Some(_)) if items.is_some_and(|i| i.draws_beside().is_some()) => {
                let user = users()?.into_iter().map(|u| u.unwrap_or(NO_USER)).collect();
                Ok(Batch { user, ..rows })
            }
            _ => Ok(rows),
        }
    };
    let mut writer = config.cache.as_ref().and_then(Writer::new);
    let next = || loop {
        match chunks.recv() {
            Ok(Ok(chunk)) if chunk.num_rows() == 0 => {}
            Ok(Ok(chunk)) => {
                let chunk = encode(chunk);
                writer = writer.take().and_then(|writer| kept(writer, &chunk));
                return Some(chunk);
            }
            Ok(Err(error)) => {
                writer = None;
                return Some(Err(error.into()));
            }
            Err(_) => {
                writer.take().into_iter().for_each(Writer::finish);
                return None;
            }
        }
    };
    give_out(next, encoder, config, prepare, to)
}

/// The writer behind a chunk; none where the chunk or the disk failed.
fn kept(mut writer: Writer, chunk: &Result<Batch, FeatureError>) -> Option<Writer> {
    match chunk {
        Ok(chunk) if chunk.rows == 0 || writer.add(chunk) => Some(writer),
        _ => None,
    }
}

/// The draws of a pass, if it has any.
fn negatives(encoder: &Encoder, config: &LoaderConfig) -> Result<Option<Negatives>, FeatureError> {
    let wanted = encoder.schema().items.as_ref().and_then(|i| i.negatives.as_ref());
    match (config.draws, wanted, encoder.catalogue()) {
        (Draws::Negatives(seed), Some(wanted), Some(catalogue)) => {
            Negatives::new(encoder.schema(), catalogue, wanted, seed, config.epoch).map(Some)
        }
        _ => Ok(None),
    }
}

/// Shuffles chunks into batches, and sends them prepared until nobody wants them.
fn give_out<T>(
    mut next: impl FnMut() -> Option<Result<Batch, FeatureError>>,
    encoder: &Encoder,
    config: &LoaderConfig,
    prepare: &dyn Fn(Batch) -> T,
    to: &SyncSender<Result<T, FeatureError>>,
) -> Result<(), FeatureError> {
    let mut beside = negatives(encoder, config)?;
    let items = encoder.schema().items.as_ref().filter(|i| i.draws_beside().is_some());
    let rng = config.shuffle.map(|seed| stream(seed, "shuffle", config.epoch));
    let mut shuffler = Shuffler::new(config.buffer_rows, config.batch_size, rng, config.lists);
    let (mut done, mut number) = (false, 0);
    loop {
        while !done && shuffler.is_hungry() {
            match next() {
                Some(chunk) => shuffler.absorb(chunk?),
                None => done = true,
            }
        }
        match shuffler.emit(done) {
            Some(mut batch) => {
                number += 1;
                if let (Some(beside), Some(items), Some(catalogue)) = (&mut beside, items, encoder.catalogue()) {
                    beside.stand_beside(items, catalogue, &mut batch);
                }
                if number > config.skip && to.send(Ok(prepare(batch))).is_err() {
                    return Ok(());
                }
            }
            None if done => return Ok(()),
            None => {}
        }
    }
}

impl Encoder {
    /// Refuses draws that cannot be, before anything is written.
    ///
    /// # Errors
    /// Too few items that can be drawn.
    pub fn check_draws(&self) -> Result<(), FeatureError> {
        let config = LoaderConfig { draws: Draws::Negatives(0), ..LoaderConfig::default() };
        negatives(self, &config).map(drop)
    }
}

/// Starts a thread that makes the pairs of a pass, where the schema asks for them.
pub fn load_pairs<T: Send + 'static>(
    encoder: Arc<Encoder>,
    config: LoaderConfig,
    prepare: impl Fn(Batch) -> T + Send + 'static,
) -> Loader<T> {
    let (send, receiver) = sync_channel(config.prefetch.max(1));
    thread::spawn(move || {
        let work = || {
            let asked = encoder.schema().items.as_ref().and_then(|i| i.pairs.as_ref());
            let (Some(pairs), Some(catalogue), Draws::Negatives(seed)) = (asked, encoder.catalogue(), config.draws)
            else {
                return Ok(());
            };
            let mut chunks = ItemPairs::new(encoder.schema(), catalogue, pairs, seed, config.epoch);
            give_out(|| chunks.next().map(Ok), &encoder, &config, &prepare, &send)
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        if let Err(error) = outcome.unwrap_or(Err(FeatureError::LoaderDied)) {
            let _ = send.send(Err(error));
        }
    });
    Loader { receiver, failed: false }
}
