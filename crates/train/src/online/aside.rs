//! Lines that are no events, put aside with their place and the reason: a line of JSON each in `rejected.jsonl`.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use burnrec_data::events::Rejected;

use crate::error::TrainError;

/// Their file in a run folder.
const ASIDE: &str = "rejected.jsonl";

/// The file.
pub(super) struct Aside {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    last: Option<(u64, String)>,
}

impl Aside {
    /// Opens it at so many bytes; what was put there later is put there again.
    pub(super) fn open(run: &Path, bytes: u64) -> Result<Self, TrainError> {
        let path = run.join(ASIDE);
        if path.exists() {
            let file = OpenOptions::new().write(true).open(&path).map_err(TrainError::io(&path))?;
            let length = file.metadata().map_err(TrainError::io(&path))?.len();
            file.set_len(bytes.min(length)).map_err(TrainError::io(&path))?;
            return Ok(Self { path, file: None, bytes: bytes.min(length), last: None });
        }
        Ok(Self { path, file: None, bytes: 0, last: None })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn add(&mut self, one: &Rejected) -> Result<(), TrainError> {
        let io = |e| TrainError::Io { path: self.path.clone(), source: e };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file =
                    OpenOptions::new().create(true).truncate(false).write(true).open(&self.path).map_err(io)?;
                file.seek(SeekFrom::Start(self.bytes)).map_err(io)?;
                none.insert(file)
            }
        };
        let place = match one.line.entry {
            Some(entry) => ("entry", entry.to_string().into()),
            None => ("offset", one.line.start.into()),
        };
        let fields: [(&str, serde_json::Value); 4] = [
            ("line", one.line.number.into()),
            place,
            ("reason", one.reason.clone().into()),
            ("text", String::from_utf8_lossy(&one.line.text).into()),
        ];
        let line: serde_json::Map<_, _> = fields.map(|(name, value)| (name.to_string(), value)).into_iter().collect();
        let line = serde_json::Value::Object(line);
        let text = format!("{line}\n");
        file.write_all(text.as_bytes()).map_err(io)?;
        self.bytes += text.len() as u64;
        self.last = Some((one.line.number, one.reason.clone()));
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), TrainError> {
        self.file.as_ref().map_or(Ok(()), File::sync_data).map_err(TrainError::io(&self.path))
    }

    /// That the limit is passed.
    pub(super) fn too_many(&self, input: &Path, most: u64) -> TrainError {
        let (line, reason) = self.last.clone().unwrap_or_default();
        TrainError::TooManyRejected { path: input.to_path_buf(), line, reason, aside: self.path.clone(), most }
    }
}
