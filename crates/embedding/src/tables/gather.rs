//! The vectors of a batch, gathered from all tables in host memory.

use burnrec_backend::filled_by_chunks;
use burnrec_features::Pooling;

use super::{Gathered, Tables};
use crate::space::SpaceBatch;
use crate::table::{NOBODY, Table};

/// Batch rows that one task gathers.
const ROWS_A_TASK: usize = 128;

impl Tables {
    /// Gathers the vectors of a batch.
    pub fn gather(&self, batch_rows: usize, prepared: &[SpaceBatch]) -> Gathered {
        let mut winners: Vec<Vec<u32>> = self.tables.iter().map(|_| Vec::new()).collect();
        let leaves = (0..self.dims.len()).map(|l| self.gather_lookup(l, batch_rows, prepared, &mut winners)).collect();
        let mut sequences: Vec<Vec<Vec<f32>>> = self.sequences.iter().map(|n| vec![Vec::new(); *n]).collect();
        for table in self.tables.iter().filter(|table| table.device_rows.is_none()) {
            let space = &prepared[table.space];
            let mut first = space.slots;
            for (number, positions) in table.sequences.iter().zip(&space.sequences) {
                sequences[table.lookup][*number] = table.gather_positions(space, first, *positions);
                first += positions;
            }
        }
        Gathered { leaves, sequences, winners }
    }

    /// Gathers one lookup's leaf from all of its tables; empty where they live on a device.
    fn gather_lookup(
        &self,
        lookup: usize,
        batch_rows: usize,
        prepared: &[SpaceBatch],
        winners: &mut [Vec<u32>],
    ) -> Vec<f32> {
        let tables = || self.tables.iter().enumerate().filter(|(_, t)| t.lookup == lookup && t.device_rows.is_none());
        let width = self.leaf_slots(lookup) * self.dims[lookup];
        if tables().next().is_none() || self.slot_order[lookup].is_empty() {
            return Vec::new();
        }
        let maxima = |table: &Table| prepared[table.space].pooling.contains(&Pooling::Max);
        let mut leaf = filled_by_chunks(batch_rows * width, width * ROWS_A_TASK, |task, rows| {
            for (_, table) in tables().filter(|(_, t)| !maxima(t)) {
                let space = &prepared[table.space];
                for (i, row) in rows.chunks_mut(width).enumerate() {
                    table.prefetch_row(space, task * ROWS_A_TASK + i + 1);
                    table.gather_row(space, task * ROWS_A_TASK + i, &mut row[table.span()], &mut []);
                    table.gather_squares(space, task * ROWS_A_TASK + i, row);
                }
            }
        });
        for (number, table) in tables().filter(|(_, t)| maxima(t)) {
            let own = table.span().len();
            winners[number] = vec![NOBODY; batch_rows * own];
            let rows = leaf.chunks_mut(width).zip(winners[number].chunks_mut(own)).enumerate();
            let space = &prepared[table.space];
            rows.for_each(|(b, (row, won))| {
                table.gather_row(space, b, &mut row[table.span()], won);
                table.gather_squares(space, b, row);
            });
        }
        leaf
    }
}
