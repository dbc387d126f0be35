//! What every model takes and gives.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use burnrec_backend::Segments;
use burnrec_embedding::{Slots, SparseOptimizer, slot_order};
use burnrec_features::{Schema, Sharing};

use crate::error::ModelError;
use crate::initial::Initial;

/// The inputs of a batch of B rows.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// One leaf a lookup of the model, in the order it declared them: `[B, slots, dim]`.
    pub lookups: Vec<Tensor<3>>,
    /// The sequences of each lookup, in the order it declared them: `[positions, dim]` each.
    pub sequences: Vec<Vec<Tensor<2>>>,
    /// Which positions belong to which row, one entry a group of [`InputShapes::groups`].
    pub segments: Vec<Segments>,
    /// What follows each position, one entry a group, in training and for models that want it; else none.
    pub following: Vec<Option<Following>>,
    /// The numeric inputs `[B, N]`; none where N is 0.
    pub numeric: Option<Tensor<2>>,
    /// How what was drawn belongs to the rows, in training and where something was.
    pub sharing: Option<Sharing>,
}

/// Pairs of positions that follow each other in a row, with a position of the batch that holds another id; each
/// `[pairs]`.
#[derive(Clone, Debug)]
pub struct Following {
    /// The positions that something follows.
    pub from: Tensor<1, Int>,
    /// What follows them.
    pub to: Tensor<1, Int>,
    /// Positions whose id is another than that of `to`.
    pub other: Tensor<1, Int>,
}

impl Inputs {
    /// Inputs without sequences.
    pub fn slots(lookups: Vec<Tensor<3>>, numeric: Option<Tensor<2>>) -> Self {
        Self {
            sequences: vec![Vec::new(); lookups.len()],
            lookups,
            segments: Vec::new(),
            following: Vec::new(),
            numeric,
            sharing: None,
        }
    }

    /// The products of a vector a row with those of what was drawn: `[B, S]`, or `[B, k]` where each row has its own.
    ///
    /// # Shapes
    /// - `query`: `[B, d]`; `own`: the vectors of the rows' own items `[B, d]`
    /// - `drawn`: vectors of what was drawn, `[S, d]` or `[B·k, d]`; none where the batch's own items are it
    pub fn sampled(&self, query: &Tensor<2>, own: &Tensor<2>, drawn: Option<&Tensor<2>>) -> Option<Tensor<2>> {
        let [rows, dim] = query.dims();
        Some(match (self.sharing?, drawn) {
            (Sharing::Batch, _) => query.clone().matmul(own.clone().transpose()),
            (Sharing::All, drawn) => query.clone().matmul(drawn?.clone().transpose()),
            (Sharing::Own(k), drawn) => {
                let drawn = drawn?.clone().reshape([rows, k, dim]);
                (drawn * query.clone().unsqueeze_dim::<3>(1)).sum_dim(2).reshape([rows, k])
            }
        })
    }

    /// One slot of a lookup: `[B, dim]`.
    pub fn slot(&self, lookup: usize, slot: usize) -> Tensor<2> {
        let [rows, _, dim] = self.lookups[lookup].dims();
        self.lookups[lookup].clone().slice([0..rows, slot..slot + 1, 0..dim]).flatten(1, 2)
    }

    /// A lookup with its slots side by side: `[B, slots · dim]`.
    pub fn flat(&self, lookup: usize) -> Tensor<2> {
        self.lookups[lookup].clone().flatten(1, 2)
    }

    /// A lookup and the numbers side by side: `[B, slots · dim + N]`.
    pub fn stacked(&self, lookup: usize) -> Tensor<2> {
        match &self.numeric {
            Some(numeric) => Tensor::cat(vec![self.flat(lookup), numeric.clone()], 1),
            None => self.flat(lookup),
        }
    }
}

/// What a model gives.
#[derive(Clone, Debug)]
pub struct Output {
    /// Log-odds (or the number itself, in regression) of each task: `[B, T]`, no sigmoid.
    pub logits: Tensor<2>,
    /// Losses of the model's own, each `[1]`, added to the objective.
    pub auxiliary: Vec<Tensor<1>>,
    /// Logits of what was drawn, see [`Inputs::sampled`].
    pub sampled: Option<Tensor<2>>,
}

impl Output {
    /// Logits alone.
    pub fn logits(logits: Tensor<2>) -> Self {
        Self { logits, auxiliary: Vec::new(), sampled: None }
    }
}

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
    /// The sequences that say which positions there are, by their place in the schema: one entry a group of sequences that
    /// go along with each other.
    pub groups: Vec<usize>,
    /// The slot of the item's id in each lookup, where the schema says what an item is.
    pub item: Vec<Option<usize>>,
    /// Numeric inputs.
    pub numeric: usize,
    /// Where the output's bias starts: the log-odds of the training rows' base rate, or their mean.
    pub output_bias: f32,
}

impl InputShapes {
    /// Shapes of a model's lookups over a schema.
    pub fn new(slots: &Slots, schema: &Schema, output_bias: f32) -> Self {
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
        let id = schema.items.as_ref().map(|i| i.id);
        let item = |lookup| slot_order(schema, slots, lookup).iter().position(|f| Some(*f) == id);
        let item = (0..slots.0.len()).map(item).collect();
        Self { lookups, sequences, groups, item, numeric: schema.numeric.len(), output_bias }
    }

    /// Width of [`Inputs::stacked`].
    pub fn stacked(&self, lookup: usize) -> usize {
        let (slots, dim) = self.lookups[lookup];
        slots * dim + self.numeric
    }
}

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A click, a conversion: 0 or 1.
    Binary,
    /// A number.
    Regression,
}

/// A model's settings: what it looks up, and how its weights are made.
pub trait Architecture {
    /// The module that these settings make.
    type Model: Ranker;

    /// What the model can predict.
    const TASKS: &'static [TaskKind] = &[TaskKind::Binary, TaskKind::Regression];

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the key.
    fn check(&self, schema: &Schema) -> Result<(), ModelError>;

    /// Which vectors the model looks up.
    fn slots(&self, schema: &Schema) -> Slots;

    /// The module, with every weight drawn from `initial`.
    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Self::Model;

    /// Whether the model reads sequences; others refuse them.
    fn reads_sequences(&self) -> bool {
        false
    }

    /// Whether the model gives vectors of items, so that items can be looked for.
    fn retrieves(&self) -> bool {
        false
    }

    /// Whether the model learns from pairs of items and not from rows.
    fn reads_pairs(&self) -> bool {
        false
    }

    /// The optimisers of its own that the settings name, with their keys.
    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        Vec::new()
    }
}

/// A model.
pub trait Ranker: Module {
    /// Inputs to logits.
    ///
    /// # Shapes
    /// - `inputs`: see [`Inputs`]
    /// - output: logits `[B, T]`
    fn forward(&self, inputs: &Inputs) -> Output;

    /// Whether training needs [`Inputs::following`].
    fn wants_following(&self) -> bool {
        false
    }

    /// The vectors of the rows' users `[B, d]`; none where a user is the mean of the items that the user liked, or where
    /// the model gives no vectors.
    fn user_vectors(&self, _inputs: &Inputs) -> Option<Tensor<2>> {
        None
    }

    /// The vectors of the rows' items `[B, d]`, whose products with those of users are the scores. `cold` `[B, 1]` is 1
    /// for items that no training row has.
    fn item_vectors(&self, _inputs: &Inputs, _cold: Tensor<2>) -> Option<Tensor<2>> {
        None
    }
}
