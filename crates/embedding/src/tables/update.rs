//! One optimiser step on every row that a batch touched, wherever its table lives.

use burn::tensor::Tensor;

use super::{Gathered, Tables};
use crate::optimizer::SparseRule;
use crate::space::SpaceBatch;
use crate::table::{Gradient, LookupGradient, ROWS_A_MOVE, Table};
use crate::tables::packing::Uploaded;

/// Gradients of the looked-up vectors.
#[derive(Clone, Default)]
pub struct Gradients {
    /// Of tables in host memory, one entry a lookup.
    pub host: Vec<LookupGradient>,
    /// Of tables on a device, summed there by pieces, one entry a table.
    pub device: Vec<Option<Tensor<2>>>,
}

/// What a step changes.
pub struct Update<'a> {
    /// The step, from 1: what bias corrections and counters go by.
    pub step: u64,
    /// Rows of the batch.
    pub rows: usize,
    /// The rows of each space.
    pub spaces: &'a [SpaceBatch],
    /// What was gathered.
    pub gathered: &'a Gathered,
    /// The batch on a device with memory of its own.
    pub uploaded: Option<&'a Uploaded>,
    /// The gradients; tables without any stay as they are, their optimiser state too.
    pub gradients: Gradients,
    /// What gradients on the device are multiplied by, not read.
    pub scale: Option<&'a Tensor<1>>,
    /// A factor of every learning rate.
    pub rate: f32,
}

impl Tables {
    /// Multiplies what Adagrad and its row-wise form have gathered of squared gradients: they only grow otherwise, so that what is
    /// learned for long hardly moves any more. Other rules keep their state.
    pub fn decay(&mut self, factor: f32) {
        for table in &mut self.tables {
            if !matches!(table.optimizer.kind, SparseRule::Adagrad | SparseRule::RowwiseAdagrad) {
                continue;
            }
            let rows = self.grown[table.space];
            for from in (0..rows).step_by(ROWS_A_MOVE as usize) {
                let mut part = table.part(from, rows.min(from + ROWS_A_MOVE));
                part.state.iter_mut().for_each(|sum| *sum *= factor);
                table.write(from, &part);
            }
        }
    }

    /// Applies an update.
    pub fn apply(&mut self, mut update: Update<'_>) {
        self.step = update.step;
        let host = self.tables.iter_mut().zip(&update.gathered.winners).filter(|(t, _)| t.device_rows.is_none());
        for (table, winners) in host {
            let gradient = &update.gradients.host[table.lookup];
            if gradient.is_empty() {
                continue;
            }
            let context = table.optimizer.context(update.step, update.rate, update.rows as f32);
            let frequency = &self.indexer.spaces[table.space].frequency;
            let space = &update.spaces[table.space];
            table.apply(space, &Gradient::new(table, space, gradient), winners, &context, frequency);
        }
        if let Some(uploaded) = update.uploaded {
            let sums = std::mem::take(&mut update.gradients.device);
            self.apply_on_device(uploaded, sums, update.scale, update.rate);
        }
    }

    /// Takes the gradients of lookups that do not learn away; `learns` has one entry a lookup, or none where all do.
    pub fn leave_out(&self, gradients: &mut Gradients, learns: &[bool]) {
        let rests = |lookup: usize| learns.get(lookup).is_some_and(|learns| !learns);
        let host = gradients.host.iter_mut().enumerate().filter(|(lookup, _)| rests(*lookup));
        host.for_each(|(_, gradient)| *gradient = LookupGradient::default());
        let device = self.tables.iter().zip(&mut gradients.device).filter(|(table, _)| rests(table.lookup));
        device.for_each(|(_, sums)| *sums = None);
    }

    /// Sum of squares of the gradients of all touched rows in host memory, for clipping by the global norm.
    pub fn squared_norm(&self, spaces: &[SpaceBatch], gathered: &Gathered, gradients: &Gradients) -> f64 {
        let here = |table: &Table| table.device_rows.is_none() && !gradients.host[table.lookup].is_empty();
        let each = self.tables.iter().zip(&gathered.winners).filter(|(table, _)| here(table));
        each.map(|(table, winners)| {
            let space = &spaces[table.space];
            table.squared_norm(space, &Gradient::new(table, space, &gradients.host[table.lookup]), winners)
        })
        .sum()
    }
}
