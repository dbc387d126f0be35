//! What a model needs to know of its inputs and outputs to make its weights.

use burnrec_embedding::{Slots, slot_order};
use burnrec_features::Schema;

/// One sequence of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceShape {
    /// Which of [`InputShapes::groups`] its positions are of.
    pub group: usize,
    /// The slot of the field that shares its table: what the row is asked of.
    pub candidate: Option<usize>,
}

/// What a model needs to know of its inputs to make its weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputShapes {
    /// Slots and width of each lookup.
    pub lookups: Vec<(usize, usize)>,
    /// The sequences of each lookup, in the order it declared them.
    pub sequences: Vec<Vec<SequenceShape>>,
    /// Their fields.
    pub sequence_names: Vec<Vec<String>>,
    /// The sequences that say which positions there are, by their place in the schema: one entry a group of sequences that
    /// go along with each other.
    pub groups: Vec<usize>,
    /// The slot of the item's id in each lookup, where the schema says what an item is.
    pub item: Vec<Option<usize>>,
    /// The fields of each lookup's slots, in their order.
    pub slots: Vec<Vec<String>>,
    /// The fields of the numeric inputs, in their order.
    pub numbers: Vec<String>,
    /// Numeric inputs.
    pub numeric: usize,
    /// Where the biases of each task's outputs start: one number, or one a class. Those of a probability are the log-odds of
    /// the training rows' base rate.
    pub outputs: Vec<Vec<f32>>,
    /// The names of the tasks.
    pub tasks: Vec<String>,
    /// The task that each hangs on.
    pub parents: Vec<Option<usize>>,
}

impl InputShapes {
    /// Shapes of a model's lookups over a schema.
    pub fn new(slots: &Slots, schema: &Schema, outputs: Vec<Vec<f32>>) -> Self {
        let lookups = slots.0.iter().map(|l| (l.features.len(), l.dim)).collect();
        let groups = schema.groups();
        let shape = |lookup: usize| {
            let order = slot_order(schema, slots, lookup);
            let of = |&place: &usize| SequenceShape {
                group: schema.categorical[place]
                    .sequence
                    .and_then(|s| groups.iter().position(|g| *g == s.leader))
                    .unwrap_or(0),
                candidate: schema.candidate_of(place).and_then(|c| order.iter().position(|o| *o == c)),
            };
            slots.0[lookup].sequences.iter().map(of).collect()
        };
        let sequences = (0..slots.0.len()).map(shape).collect();
        let named = |place: &usize| schema.categorical[*place].name.clone();
        let sequence_names = slots.0.iter().map(|lookup| lookup.sequences.iter().map(named).collect()).collect();
        let id = schema.items.as_ref().map(|i| i.id);
        let item = |lookup| slot_order(schema, slots, lookup).iter().position(|f| Some(*f) == id);
        let item = (0..slots.0.len()).map(item).collect();
        let name = |place: usize| schema.categorical[place].name.clone();
        let names = |lookup| slot_order(schema, slots, lookup).into_iter().map(name).collect();
        let slots = (0..slots.0.len()).map(names).collect();
        let numbers: Vec<String> = schema.numeric.iter().map(|number| number.field.clone()).collect();
        let tasks = schema.targets.iter().map(|target| target.name.clone()).collect();
        let parents = schema.targets.iter().map(|target| target.parent).collect();
        Self {
            lookups,
            sequences,
            sequence_names,
            groups,
            item,
            slots,
            numeric: numbers.len(),
            numbers,
            outputs,
            tasks,
            parents,
        }
    }

    /// The outputs of each task.
    pub fn widths(&self) -> Vec<usize> {
        self.outputs.iter().map(Vec::len).collect()
    }

    /// Where the biases of all outputs start, task after task.
    pub fn biases(&self) -> Vec<f32> {
        self.outputs.concat()
    }

    /// Where the bias of the only output starts, for models of one.
    pub fn bias(&self) -> f32 {
        self.outputs.first().and_then(|biases| biases.first()).copied().unwrap_or(0.0)
    }

    /// Width of [`super::Inputs::stacked`].
    pub fn stacked(&self, lookup: usize) -> usize {
        let (slots, dim) = self.lookups[lookup];
        slots * dim + self.numeric
    }
}
