//! What an agent saves, and how it goes on.

use std::path::Path;

use burnrec_backend::Opened;
use burnrec_train::Apart;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::config::AgentConfig;
use super::network::{Kept, Network, State};
use crate::error::RlError;
use crate::explore::{read, write};
use crate::memory::Memory;

/// The file beside the weights.
const FILE: &str = "agent.bin";

/// The form of what is saved, before it: bytes of another one could be read as something else.
const FORM: [u8; 4] = *b"rl 2";

/// As bytes.
pub(crate) fn to_bytes<T: Serialize>(value: &T, what: &str) -> Result<Vec<u8>, RlError> {
    postcard::to_extend(value, FORM.to_vec()).map_err(|e| RlError::State { path: what.into(), problem: e.to_string() })
}

/// From bytes.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, RlError> {
    let state = |problem: String| RlError::State { path: what.into(), problem };
    let own = bytes.strip_prefix(&FORM[..]).ok_or_else(|| state("was saved by another version of burnrec".into()))?;
    postcard::from_bytes(own).map_err(|e| state(format!("is damaged ({e})")))
}

/// Bytes of a checksum.
const SUM: usize = 32;

/// Bytes with a checksum behind them.
pub(crate) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// What [`sealed`] sealed.
pub(crate) fn opened<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a [u8], RlError> {
    let whole = bytes.len().checked_sub(SUM).map(|at| bytes.split_at(at));
    match whole {
        Some((own, sum)) if Sha256::digest(own)[..] == *sum => Ok(own),
        _ => Err(RlError::State { path: path.display().to_string(), problem: "is damaged".into() }),
    }
}

impl Network {
    pub(super) fn write(&mut self, beside: Vec<u8>) -> Result<(), RlError> {
        let bytes = to_bytes(&(&self.state, &self.memory, read(&self.target), beside), FILE)?;
        Ok(self.apart.save(FILE, bytes)?)
    }

    /// The agent that a folder holds, and what was saved beside it; none where nothing was yet.
    ///
    /// # Errors
    /// Damaged files, and those of other settings.
    pub fn resume(
        run: &Path,
        config: AgentConfig,
        opened: &Opened,
        seed: u64,
    ) -> Result<Option<(Self, Vec<u8>)>, RlError> {
        let Some(apart) = Apart::resume(run, opened)? else { return Ok(None) };
        let path = run.display().to_string();
        let bytes = apart.beside(FILE)?;
        let (state, memory, target, beside): (State, Memory<Kept>, Vec<Vec<f32>>, Vec<u8>) = from_bytes(&bytes, &path)?;
        let mut network = Self::new(config, apart, seed)?;
        (network.state, network.memory) = (state, memory);
        let networks = network.state.credit.len();
        let wrong = || RlError::State { path: path.clone(), problem: "is of other settings".into() };
        network.target = write(&network.target, target).ok_or_else(wrong)?;
        let seeds = if network.config.explore.kind == super::ExploreKind::Es {
            2 * network.state.seeds.len()
        } else {
            network.state.seeds.len()
        };
        if networks != network.state.lists.len() || networks != 1 + seeds {
            return Err(wrong());
        }
        network.renew_members()?;
        Ok(Some((network, beside)))
    }
}
