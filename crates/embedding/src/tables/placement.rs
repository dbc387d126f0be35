//! Decides where each lookup's tables live, and takes them home when they outgrow the device.

use super::Tables;
use crate::placement::TableDevice;
use crate::space::Space;
use crate::table::Table;

/// What a table may take of a device, in words.
fn room(on: &TableDevice) -> String {
    let buffers = if on.buffers == 1 { "buffer".to_string() } else { format!("{} buffers", on.buffers) };
    format!("{buffers} of {} MiB", on.limit >> 20)
}

impl Tables {
    /// Decides where each lookup's tables live, before they have rows.
    pub(crate) fn place(&mut self, device: Option<&TableDevice>) {
        self.device = device.cloned();
        let Some(device) = device else { return };
        let spaces = std::sync::Arc::clone(&self.indexer.spaces);
        for lookup in 0..self.lookups() {
            let own = || self.tables.iter().filter(|t| t.lookup == lookup);
            let fits = own().all(|t| t.fits(self.grown[t.space].max(spaces[t.space].rows), device));
            match () {
                () if !device.holds_tables => continue,
                () if !fits => {
                    self.note_too_large(lookup, &spaces, device);
                    continue;
                }
                () => {}
            }
            for table in self.tables.iter_mut().filter(|t| t.lookup == lookup) {
                table.send_to_device(&spaces[table.space].frequency, device);
            }
        }
        self.note_packs();
    }

    fn note_too_large(&self, lookup: usize, spaces: &[Space], on: &TableDevice) {
        let rows: u64 = self
            .tables
            .iter()
            .filter(|t| t.lookup == lookup)
            .map(|t| u64::from(self.grown[t.space].max(spaces[t.space].rows)))
            .sum();
        tracing::warn!(
            "lookup {lookup}: {rows} rows need more than the device's {}; they live in host memory{}",
            room(on),
            if on.buffers == 1 { "; backend.placement = \"device\" gives them several" } else { "" }
        );
    }

    /// Takes lookups home that a space's growth drives above the device's limit.
    pub(crate) fn keep_within_limits(&mut self, space: usize) {
        let Some(on) = self.device.clone() else { return };
        let rows = self.grown[space];
        let grown = |t: &&Table| t.space == space && t.device_rows.is_some() && !t.fits(rows, &on);
        let lookups: Vec<usize> = self.tables.iter().filter(grown).map(|t| t.lookup).collect();
        for lookup in lookups {
            tracing::warn!(
                "lookup {lookup}: at {rows} rows it outgrows the device's {}; it moves to host memory",
                room(&on)
            );
            self.tables.iter_mut().filter(|t| t.lookup == lookup).for_each(Table::bring_home);
        }
    }

    fn note_packs(&mut self) {
        let on_device = |space: usize| self.tables.iter().any(|t| t.space == space && t.device_rows.is_some());
        let packs = (0..self.indexer.spaces.len()).map(on_device).collect();
        self.indexer.packs = Some(std::sync::Arc::new(packs));
    }

    /// Rows that fit on the device before a lookup's buffers grow; none for lookups in host memory.
    pub fn device_capacity(&self, lookup: usize) -> Option<usize> {
        let own = self.tables.iter().filter(|t| t.lookup == lookup);
        own.filter_map(|t| Some(t.device_rows.as_ref()?.capacity())).reduce(|a, b| a + b)
    }

    /// Whether a lookup's tables are on a device.
    pub fn is_on_device(&self, lookup: usize) -> bool {
        self.tables.iter().any(|t| t.lookup == lookup && t.device_rows.is_some())
    }

    /// `host`, `device`, or `mixed`.
    pub fn placement(&self) -> &'static str {
        let on_device = self.tables.iter().filter(|t| t.device_rows.is_some()).count();
        match on_device {
            0 => "host",
            n if n == self.tables.len() => "device",
            _ => "mixed",
        }
    }
}
