//! What a model asks of the tables: which fields, how wide, under which optimiser.

mod init;

use crate::optimizer::SparseOptimizer;
pub use init::Init;

/// One lookup: the vectors of some fields, gathered into one leaf `[B, slots, dim]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// Its name inside the model: `deep`, `wide`.
    pub name: &'static str,
    /// Categorical inputs, by their place in the schema. The slots come out in the tables' order,
    /// see [`crate::Tables::slot_order`].
    pub features: Vec<usize>,
    /// Sequences, by their place in the schema: their vectors come out position by position, `[positions, dim]` each.
    pub sequences: Vec<usize>,
    /// Features of several ids a row, among `features`, of which the leaf has also the sums of squares, `Σ x_i² v_i²` where
    /// the slot itself is `Σ x_i v_i`: behind all slots, one for every slot of the tables that have such features.
    pub squares: Vec<usize>,
    /// Width of the vectors.
    pub dim: usize,
    /// The optimiser; the run's own (`train.sparse`) when absent.
    pub optimizer: Option<SparseOptimizer>,
    /// How new rows start.
    pub init: Init,
}

impl Lookup {
    /// Whether a field is looked up.
    pub(crate) fn uses(&self, place: usize) -> bool {
        self.features.contains(&place) || self.sequences.contains(&place)
    }
}

/// All lookups of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slots(pub Vec<Lookup>);
