//! The rows that a batch touches in one space, and the order in which gradients are summed.

use burnrec_features::{Batch, Keys, Pooling, Schema};
use rayon::prelude::*;

use crate::shards::{SHARDS, rotate};
use crate::space::numbering::Space;
use crate::space::radix::sort_by_row;

/// The occurrences of a space's rows in a batch. An occurrence is one id of one slot of one row of the
/// batch; `slot position` = batch row · features + feature. Behind those of all rows stand the positions of the space's
/// sequences, each one id.
#[derive(Clone, Debug, Default)]
pub struct SpaceBatch {
    /// The table row of each occurrence; 0 is padding.
    pub(crate) rows: Vec<u32>,
    /// Pooled spaces: where the occurrences of each slot position start, and the end.
    pub(crate) starts: Vec<u32>,
    /// Pooled spaces: the slot position and the weight of each occurrence.
    pub(crate) places: Vec<(u32, f32)>,
    /// Pooling of each feature; empty for spaces of one id a slot.
    pub(crate) pooling: Vec<Pooling>,
    /// Slot positions of all rows: the first position of the first sequence.
    pub(crate) slots: usize,
    /// How many positions each sequence has.
    pub(crate) sequences: Vec<usize>,
    /// Occurrences that are not padding, by rotated row and then by occurrence: `rotated << 32 | occurrence`.
    pub(crate) order: Vec<u64>,
    /// Where each shard starts in `order`, and the end.
    pub(crate) shards: Vec<usize>,
}

impl SpaceBatch {
    /// Looks all keys of the space up with `row(slot, key)`; [`SpaceBatch::sort`] puts their rows in order.
    pub(crate) fn new(schema: &Schema, space: &Space, batch: &Batch, row: &(dyn Fn(usize, u64) -> u32 + Sync)) -> Self {
        let mut out = Self::default();
        match space.pooled {
            false => out.rows = one_a_slot(space, batch, row),
            true => out.fill_pooled(schema, space, batch, row),
        }
        out.slots = batch.rows * space.features.len();
        out.sequences =
            space.sequences.iter().enumerate().map(|(i, s)| out.lay(schema, space, batch, i, *s, row)).collect();
        out
    }

    /// Lays the ids of a sequence behind what is there; returns how many there are.
    fn lay(
        &mut self,
        schema: &Schema,
        space: &Space,
        batch: &Batch,
        number: usize,
        sequence: usize,
        row: &dyn Fn(usize, u64) -> u32,
    ) -> usize {
        let segments = schema.segments(batch, sequence);
        let slot = space.features.len() + number;
        for key in segments.keys(batch, sequence) {
            self.rows.push(if key == 0 { 0 } else { row(slot, key) });
            if space.pooled {
                self.places.push((self.starts.len() as u32 - 1, 1.0));
                self.starts.push(self.rows.len() as u32);
            }
        }
        segments.positions()
    }

    /// The mean divides by the number of ids, never by a padded length.
    fn fill_pooled(&mut self, schema: &Schema, space: &Space, batch: &Batch, row: &dyn Fn(usize, u64) -> u32) {
        self.pooling = space.features.iter().map(|&f| schema.categorical[f].pooling.unwrap_or_default()).collect();
        self.starts.push(0);
        for b in 0..batch.rows {
            for (slot, &feature) in space.features.iter().enumerate() {
                let (keys, weights) = keys_of_row(&batch.keys[feature], b);
                let known = keys.iter().filter(|k| **k != 0).count();
                let share = if self.pooling[slot] == Pooling::Mean { 1.0 / known.max(1) as f32 } else { 1.0 };
                for (i, &key) in keys.iter().enumerate().filter(|(_, k)| **k != 0) {
                    let weight = weights.map_or(1.0, |w| w[i]);
                    self.rows.push(row(slot, key));
                    self.places.push(((b * space.features.len() + slot) as u32, weight * share));
                }
                self.starts.push(self.rows.len() as u32);
            }
        }
    }

    /// Finds the order in which gradients are summed.
    pub(crate) fn sort(&mut self) {
        let packed = |(at, row): (usize, &u32)| (u64::from(rotate(*row)) << 32) | at as u64;
        self.order = self.rows.iter().enumerate().filter(|(_, r)| **r != 0).map(packed).collect();
        sort_by_row(&mut self.order);
        let start = |shard: usize| self.order.partition_point(|o| ((o >> 58) as usize) < shard);
        self.shards = (0..=SHARDS).map(start).collect();
    }
}

fn keys_of_row(keys: &Keys, row: usize) -> (&[u64], Option<&[f32]>) {
    match keys {
        Keys::One(k) => (&k[row..=row], None),
        Keys::Many { keys, weights, offsets } => {
            let span = offsets[row] as usize..offsets[row + 1] as usize;
            (&keys[span.clone()], weights.as_ref().map(|w| &w[span]))
        }
    }
}

fn one_a_slot(space: &Space, batch: &Batch, row: &(dyn Fn(usize, u64) -> u32 + Sync)) -> Vec<u32> {
    let width = space.features.len();
    if width == 0 {
        return Vec::new();
    }
    let columns: Vec<&[u64]> = space
        .features
        .iter()
        .map(|&f| match &batch.keys[f] {
            Keys::One(k) | Keys::Many { keys: k, .. } => k.as_slice(),
        })
        .collect();
    let mut rows = vec![0; batch.rows * width];
    rows.par_chunks_mut(width * 256).enumerate().for_each(|(chunk, out)| {
        for (slot, column) in columns.iter().enumerate() {
            let keys = &column[chunk * 256..];
            out.chunks_mut(width).zip(keys).for_each(|(o, key)| o[slot] = row(slot, *key));
        }
    });
    rows
}
