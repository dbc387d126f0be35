//! What was predicted of rows before they were learned from, in `judged.bin`: 16 bytes a prediction (task as u32, score, label
//! and weight as f32, little endian), in the order in which they were made. A checkpoint says how many of them belong to it.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::TrainError;
use crate::metrics::Predictions;

/// Its name in a run folder.
const JOURNAL: &str = "judged.bin";
/// Bytes of a prediction.
const RECORD: u64 = 16;

/// The predictions of a run.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    records: u64,
    /// A hash over all of them.
    sum: u64,
}

impl Journal {
    /// Opens the journal of a run folder at so many predictions; later ones are forgotten.
    /// `sum` is what they came to when they were written.
    pub(super) fn open(run: &Path, records: u64, sum: &str) -> Result<Self, TrainError> {
        let path = run.join(JOURNAL);
        let at = path.clone();
        let io = TrainError::io(&at);
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(&io)?;
        let (bytes, wanted) = (file.metadata().map_err(&io)?.len(), records.saturating_mul(RECORD));
        if bytes < wanted {
            let problem = format!("holds {} predictions, and the checkpoint goes on after {records}", bytes / RECORD);
            return Err(TrainError::Checkpoint { path, problem });
        }
        file.set_len(wanted).and_then(|()| file.seek(SeekFrom::End(0))).map_err(&io)?;
        let mut journal = Self { path, file, records, sum: 0 };
        let mut reader = BufReader::new(File::open(&journal.path).map_err(&io)?);
        let mut record = [0; RECORD as usize];
        for _ in 0..records {
            reader.read_exact(&mut record).map_err(&io)?;
            journal.hash(&record);
        }
        match records == 0 || journal.sum() == sum {
            true => Ok(journal),
            false => Err(TrainError::Checkpoint {
                path: journal.path,
                problem: "holds other predictions than those that were written".into(),
            }),
        }
    }

    fn hash(&mut self, record: &[u8]) {
        self.sum = self.sum.rotate_left(7) ^ xxhash_rust::xxh3::xxh3_64(record);
    }

    /// A hash over all predictions.
    pub(super) fn sum(&self) -> String {
        format!("{:016x}", self.sum)
    }

    /// Predictions in it.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Adds the predictions of every task.
    pub(super) fn add(&mut self, tasks: &[Predictions]) -> Result<(), TrainError> {
        let mut bytes = Vec::new();
        for (task, known) in tasks.iter().enumerate() {
            for (row, (score, label)) in known.scores.iter().zip(&known.labels).enumerate() {
                bytes.extend((task as u32).to_le_bytes());
                let weight = known.weights.get(row).copied().unwrap_or(1.0);
                [*score, *label, weight].iter().for_each(|x| bytes.extend(x.to_le_bytes()));
            }
        }
        bytes.chunks(RECORD as usize).for_each(|record| self.hash(record));
        self.records += bytes.len() as u64 / RECORD;
        self.file.write_all(&bytes).map_err(TrainError::io(&self.path))
    }

    /// Makes them durable.
    pub(super) fn sync(&self) -> Result<(), TrainError> {
        self.file.sync_data().map_err(TrainError::io(&self.path))
    }

    /// The predictions of each of so many tasks, out of a range.
    pub(super) fn read(&self, range: Range<u64>, tasks: usize) -> Result<Vec<Predictions>, TrainError> {
        let io = TrainError::io(&self.path);
        let mut file = BufReader::new(File::open(&self.path).map_err(&io)?);
        file.seek(SeekFrom::Start(range.start * RECORD)).map_err(&io)?;
        let mut all = vec![Predictions::default(); tasks];
        let mut record = [0; RECORD as usize];
        for _ in range {
            file.read_exact(&mut record).map_err(&io)?;
            let word = |at: usize| [record[at], record[at + 1], record[at + 2], record[at + 3]];
            let Some(own) = all.get_mut(u32::from_le_bytes(word(0)) as usize) else {
                return Err(TrainError::Checkpoint {
                    path: self.path.clone(),
                    problem: "names a task that is not there".into(),
                });
            };
            own.scores.push(f32::from_le_bytes(word(4)));
            own.labels.push(f32::from_le_bytes(word(8)));
            own.weights.push(f32::from_le_bytes(word(12)));
        }
        all.iter_mut().filter(|p| p.weights.iter().all(|w| *w == 1.0)).for_each(|p| p.weights.clear());
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_come_back_and_those_behind_a_checkpoint_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let of = |scores: &[f32], weights: &[f32]| Predictions {
            scores: scores.to_vec(),
            labels: scores.iter().map(|s| s.signum()).collect(),
            weights: weights.to_vec(),
            ..Predictions::default()
        };
        let mut journal = Journal::open(folder.path(), 0, "").unwrap();
        journal.add(&[of(&[0.5, -1.5], &[]), of(&[2.0], &[3.0])]).unwrap();
        let sum = journal.sum();
        journal.add(&[of(&[9.0], &[]), of(&[], &[])]).unwrap();
        assert_eq!(journal.records(), 4);
        let again = Journal::open(folder.path(), 3, &sum).unwrap();
        let read = again.read(0..3, 2).unwrap();
        assert_eq!((&read[0].scores, &read[1].scores), (&vec![0.5, -1.5], &vec![2.0]));
        assert_eq!((read[0].weights.len(), read[1].weights[0]), (0, 3.0));
        assert!(Journal::open(folder.path(), 4, &sum).is_err());
        assert!(Journal::open(folder.path(), 3, "00").is_err());
    }
}
