//! What an encoder was fitted to, in a file: a run on data that did not change need not read all of it before the first step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_features::{Encoder, Fitted, SideRows, Vocabulary, used};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::key::Kept;
use crate::checked::Checked;
use crate::run::write_whole;

/// How a file begins, before its key.
const MARK: &[u8] = b"burnrec fit 1 ";

/// Bytes of the checksum at the end.
const SUM: usize = 16;

/// What a pass over the data found.
type Found = (Encoder, Vec<Vocabulary>, SideRows);

/// Where it is kept.
pub(crate) struct FitCache {
    path: PathBuf,
    key: String,
}

/// All but the vocabularies, which may be millions of ids.
#[derive(Serialize, Deserialize)]
struct Head {
    fitted: Fitted,
    rows: BTreeMap<String, u64>,
    vocabularies: Vec<u64>,
}

impl FitCache {
    /// Where the fit of an experiment is kept; none where none is asked for, for trees, which are of their rows, and for schedules,
    /// whose windows come and go.
    pub(crate) fn of(checked: &Checked, dataset: &Dataset) -> Option<Self> {
        let schema = checked.schema();
        if schema.trees.is_some() || schema.items.is_some() || checked.experiment().schedule.is_some() {
            return None;
        }
        let (path, key) = Kept::of(checked, dataset, Side::Train)?.file("fit", &format!("{schema:?}"), "bin");
        Some(Self { path, key })
    }

    /// What is kept; none where there is nothing, or the file is of something else or damaged.
    pub(crate) fn read(&self, checked: &Checked) -> Option<Found> {
        let bytes = std::fs::read(&self.path).ok()?;
        let found = self.parse(&bytes, checked);
        match &found {
            Some(_) => {
                used(&self.path);
                tracing::info!("data.cache: the encoder is that of {}", self.path.display());
            }
            None => tracing::warn!("data.cache: {} is damaged; it is made again from the data", self.path.display()),
        }
        found
    }

    fn parse(&self, bytes: &[u8], checked: &Checked) -> Option<Found> {
        let (body, sum) = bytes.split_last_chunk::<SUM>()?;
        if xxh3_128(body).to_le_bytes() != *sum {
            return None;
        }
        let body = body.strip_prefix(MARK)?.strip_prefix(self.key.as_bytes())?;
        let (length, body) = body.split_first_chunk::<8>()?;
        let (head, mut body) = body.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let schema = (**checked.schema()).clone();
        if head.vocabularies.len() != schema.categorical.len() {
            return None;
        }
        let mut vocabularies = Vec::with_capacity(head.vocabularies.len());
        for ids in head.vocabularies {
            let (own, rest) = body.split_at_checked(usize::try_from(ids).ok()?.checked_mul(12)?)?;
            let id = |cell: &[u8]| {
                let (key, count) = cell.split_first_chunk::<8>()?;
                Some((u64::from_le_bytes(*key), u32::from_le_bytes(count.try_into().ok()?)))
            };
            vocabularies.push(own.chunks_exact(12).map(id).collect::<Option<Vocabulary>>()?);
            body = rest;
        }
        let sides = [Side::Train, Side::Valid, Side::Test];
        let rows = sides.iter().filter_map(|side| Some((side.name(), *head.rows.get(side.name())?))).collect();
        body.is_empty().then(|| (Encoder::restore(schema, head.fitted, None, None), vocabularies, rows))
    }

    /// Keeps what was found. A disk that does not take it is warned of: the run goes on.
    pub(crate) fn write(&self, (encoder, vocabularies, rows): (&Encoder, &[Vocabulary], &SideRows)) {
        let head = Head {
            fitted: encoder.fitted().clone(),
            rows: rows.iter().map(|(side, rows)| ((*side).to_string(), *rows)).collect(),
            vocabularies: vocabularies.iter().map(|ids| ids.len() as u64).collect(),
        };
        let Ok(head) = serde_json::to_vec(&head) else { return };
        let mut bytes = [MARK, self.key.as_bytes(), &(head.len() as u64).to_le_bytes(), &head].concat();
        for (key, count) in vocabularies.iter().flatten() {
            bytes.extend(key.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        bytes.extend(xxh3_128(&bytes).to_le_bytes());
        let folder = self.path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = folder.map_err(|e| e.to_string());
        if let Err(error) = written.and_then(|()| write_whole(&self.path, &bytes).map_err(|e| e.to_string())) {
            tracing::warn!("data.cache: {} cannot be written ({error}); training goes on without", self.path.display());
        }
    }
}
