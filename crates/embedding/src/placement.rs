//! Where tables live: in host memory, or on the device that computes.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::index::Space;
use crate::tables::Tables;

/// Where tables live, as a config asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// On a GPU where one computes and a table's buffers fit its limits, else in host memory.
    #[default]
    Auto,
    /// On the device that computes, a software adapter too; a table above its limits in host memory.
    Device,
    /// In host memory.
    Host,
}

/// A device with memory of its own.
#[derive(Clone, Debug)]
pub struct TableDevice {
    /// The device.
    pub device: Device,
    /// The largest buffer that it can bind, in bytes.
    pub limit: u64,
    /// Whether tables are put there; else only batches go there.
    pub holds_tables: bool,
}

impl Tables {
    /// Decides where each lookup's tables live, before they have rows.
    pub(crate) fn place(&mut self, device: Option<&TableDevice>) {
        self.device = device.cloned();
        let Some(device) = device else { return };
        let spaces = std::sync::Arc::clone(&self.indexer.spaces);
        for lookup in 0..self.lookups() {
            let own = || self.tables.iter().filter(|t| t.lookup == lookup);
            let fits = own().all(|t| t.fits(self.grown[t.space].max(spaces[t.space].rows), device.limit));
            let whole = own().all(|t| t.sequences.is_empty());
            match () {
                () if !device.holds_tables => continue,
                () if !whole => {
                    tracing::warn!(
                        "lookup {lookup}: it reads sequences, and the device has no kernel for them yet; its tables live in host memory"
                    );
                    continue;
                }
                () if !fits => {
                    self.note_too_large(lookup, &spaces, device.limit);
                    continue;
                }
                () => {}
            }
            for table in self.tables.iter_mut().filter(|t| t.lookup == lookup) {
                table.send_away(&spaces[table.space].frequency, &device.device, device.limit);
            }
        }
        self.note_packs();
    }

    fn note_too_large(&self, lookup: usize, spaces: &[Space], limit: u64) {
        let rows: u64 = self
            .tables
            .iter()
            .filter(|t| t.lookup == lookup)
            .map(|t| u64::from(self.grown[t.space].max(spaces[t.space].rows)))
            .sum();
        tracing::warn!(
            "lookup {lookup}: {rows} rows need a buffer above the device's limit of {} MiB; they live in host memory",
            limit >> 20
        );
    }

    /// Takes lookups home that a space's growth drives above the device's limit.
    pub(crate) fn keep_within_limits(&mut self, space: usize) {
        let Some(limit) = self.device.as_ref().map(|d| d.limit) else { return };
        let rows = self.grown[space];
        let grown = |t: &&crate::table::Table| t.space == space && t.away.is_some() && !t.fits(rows, limit);
        let lookups: Vec<usize> = self.tables.iter().filter(grown).map(|t| t.lookup).collect();
        for lookup in lookups {
            tracing::warn!(
                "lookup {lookup}: at {rows} rows it outgrows the device's limit of {} MiB; it moves to host memory",
                limit >> 20
            );
            self.tables.iter_mut().filter(|t| t.lookup == lookup).for_each(crate::table::Table::bring_home);
        }
    }

    fn note_packs(&mut self) {
        let away = |space: usize| self.tables.iter().any(|t| t.space == space && t.away.is_some());
        let packs = (0..self.indexer.spaces.len()).map(away).collect();
        self.indexer.packs = Some(std::sync::Arc::new(packs));
    }

    /// Rows that fit on the device before a lookup's buffers grow; none for lookups in host memory.
    pub fn capacity_away(&self, lookup: usize) -> Option<usize> {
        let own = self.tables.iter().filter(|t| t.lookup == lookup);
        own.filter_map(|t| Some(t.away.as_ref()?.capacity())).reduce(|a, b| a + b)
    }

    /// Whether a lookup's tables are on a device.
    pub fn is_away(&self, lookup: usize) -> bool {
        self.tables.iter().any(|t| t.lookup == lookup && t.away.is_some())
    }

    /// `host`, `device`, or `mixed`.
    pub fn placement(&self) -> &'static str {
        let away = self.tables.iter().filter(|t| t.away.is_some()).count();
        match away {
            0 => "host",
            n if n == self.tables.len() => "device",
            _ => "mixed",
        }
    }
}
