//! The spaces of a model: which fields share a numbering, and the rows of a batch in each.

use std::sync::Arc;

use burnrec_features::{Batch, IndexPolicy, Schema, Vocabulary};

use crate::error::EmbeddingError;
use crate::lookups::Slots;
use crate::space::numbering::Space;
use crate::space::occurrences::SpaceBatch;

/// The spaces of a model: pure key → row for fixed policies, usable from the loader's thread.
#[derive(Clone, Debug)]
pub struct Indexer {
    pub(crate) schema: Arc<Schema>,
    pub(crate) spaces: Arc<Vec<Space>>,
    /// Which spaces are packed for a device; none where there is no such device.
    pub(crate) packs: Option<Arc<Vec<bool>>>,
}

/// Fields of one signature share a space: which lookups use them, whether they are pooled, whether they grow.
type Signature = (Vec<bool>, bool, bool);

/// The fields of each space of a model.
fn groups(schema: &Schema, slots: &Slots) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Signature, Vec<usize>)> = Vec::new();
    for place in 0..schema.categorical.len() {
        let users: Vec<bool> = slots.0.iter().map(|l| l.uses(place)).collect();
        if users.iter().all(|u| !u) {
            continue;
        }
        let field = &schema.categorical[place];
        // Fields of one table share its rows, so they are pooled or not together; one id pools to itself.
        let pooled = schema.categorical.iter().any(|c| c.table == field.table && c.pooling.is_some());
        let signature = (users, pooled, field.index == IndexPolicy::Growing);
        match groups.iter_mut().find(|(s, _)| *s == signature) {
            Some((_, features)) => features.push(place),
            None => groups.push((signature, vec![place])),
        }
    }
    groups.into_iter().map(|(_, features)| features).collect()
}

/// The fields of a lookup in the order of its slots.
pub fn slot_order(schema: &Schema, slots: &Slots, lookup: usize) -> Vec<usize> {
    let own = |f: &usize| slots.0[lookup].features.contains(f);
    groups(schema, slots).into_iter().flatten().filter(own).collect()
}

impl Indexer {
    /// Divides the fields of a model into spaces.
    ///
    /// # Errors
    /// More rows than can be numbered.
    pub fn new(schema: Arc<Schema>, slots: &Slots, vocabularies: &[Vocabulary]) -> Result<Self, EmbeddingError> {
        let spaces = groups(&schema, slots).into_iter().map(|features| Space::new(&schema, features, vocabularies));
        let spaces = spaces.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { schema, spaces: Arc::new(spaces), packs: None })
    }

    /// Rows of every space whose rows are fixed; growing spaces come out empty, see [`crate::Tables::resolve`].
    pub fn prepare(&self, batch: &Batch) -> Vec<SpaceBatch> {
        let mut spaces = self.look_up(batch);
        spaces.iter_mut().for_each(SpaceBatch::sort);
        spaces
    }

    /// The same for rows that are only asked about: not in the order in which gradients are summed.
    pub fn look_up(&self, batch: &Batch) -> Vec<SpaceBatch> {
        self.spaces
            .iter()
            .map(|space| match space.grows {
                true => SpaceBatch::default(),
                false => SpaceBatch::new(&self.schema, space, batch, &|slot, key| space.row(slot, key)),
            })
            .collect()
    }
}
