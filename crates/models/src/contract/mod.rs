//! What every model takes and gives.

mod inputs;
mod outputs;
mod reads;
mod shapes;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burnrec_embedding::{Slots, SparseOptimizer};
use burnrec_features::Schema;

use crate::error::ModelError;
use crate::initial::Initial;

pub use burnrec_features::Near;
pub use inputs::{Following, Inputs, Squares};
pub use outputs::{Beside, Head, Outputs};
pub(crate) use outputs::{rate, share};
pub use reads::{Fields, Heads, Learns, Reads, Sequences, TaskKind};
pub use shapes::{InputShapes, SequenceShape};

/// A run whose weights training starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRule {
    /// The key below the model's table that names it.
    pub key: &'static str,
    /// Its folder.
    pub run: String,
    /// The lookup of this model that takes its vectors over.
    pub lookup: usize,
    /// The name of that run's only lookup.
    pub from: &'static str,
    /// The setting that such a run is trained with.
    pub trained_with: &'static str,
}

/// A model's settings: what it looks up, and how its weights are made.
pub trait Architecture {
    /// The module that these settings make.
    type Model: Model;

    /// What the model reads and predicts.
    const READS: Reads;

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the key.
    fn check(&self, schema: &Schema) -> Result<(), ModelError>;

    /// Which vectors the model looks up.
    fn slots(&self, schema: &Schema) -> Slots;

    /// The module, with every weight drawn from `initial`.
    fn init(&self, shapes: &InputShapes, initial: &mut Initial, device: &Device) -> Self::Model;

    /// The runs that training starts from.
    fn starts(&self) -> Vec<StartRule> {
        Vec::new()
    }

    /// Whether activations are normalised over the batch.
    fn normalises(&self) -> bool {
        false
    }

    /// Whether what the model gives while it learns is what it predicts: no dropout, no statistics of the batch.
    fn learns_as_it_predicts(&self) -> bool {
        false
    }

    /// Fields that are read in training alone: rows that are asked about need not have them.
    fn unasked(&self) -> Vec<String> {
        Vec::new()
    }

    /// The optimisers of its own that the settings name, with their keys.
    fn optimizers(&self) -> Vec<(&'static str, &SparseOptimizer)> {
        Vec::new()
    }
}

/// What stands between the part of a model that tasks share and their heads: tensors `[B, d]`, empty where nothing is
/// cut. Gradients a task can be taken here, and what is the same for many rows be computed once.
#[derive(Clone, Debug, Default)]
pub struct Trunk(pub Vec<Tensor<2>>);

/// A model.
pub trait Model: Module {
    /// The part that tasks share.
    fn trunk(&self, _inputs: &Inputs) -> Trunk {
        Trunk::default()
    }

    /// A head a task, and what else the model gives.
    ///
    /// # Shapes
    /// - `trunk`: what [`Model::trunk`] gave for the same `inputs`
    fn heads(&self, trunk: Trunk, inputs: &Inputs) -> Outputs;

    /// Inputs to heads.
    fn forward(&self, inputs: &Inputs) -> Outputs {
        self.heads(self.trunk(inputs), inputs)
    }

    /// Whether [`Model::trunk`] reads what is the same for all candidates of a request, and nothing else: it may then be made of
    /// one row a request, and be spread over the candidates.
    fn trunk_is_of_state(&self) -> bool {
        false
    }

    /// The last hidden layer `[B, h]`, whose products with the last weights are the scores, for models that explore by it.
    ///
    /// # Shapes
    /// - `trunk`: what [`Model::trunk`] gave for the same `inputs`
    fn last_hidden(&self, _trunk: Trunk, _inputs: &Inputs) -> Option<Tensor<2>> {
        None
    }

    /// Which positions training needs as [`Inputs::following`]; none where it needs nothing.
    fn wants_following(&self) -> Option<Near> {
        None
    }

    /// Whether [`Model::forward`] takes [`Inputs::one_history`], and does once what is the same for all rows.
    fn takes_one_history(&self) -> bool {
        false
    }

    /// What the model says of each behaviour of [`Inputs::one_history`] for each row, where that hangs on nothing but the
    /// behaviour and the row's item: `[positions, B]` with the number of the history among [`Inputs::segments`]. It is then asked
    /// once a pair of a behaviour and an item for all users, and handed back as [`Inputs::scored`]. Nothing from models where
    /// a position, the user or what came before counts too.
    fn behaviour_scores(&self, _inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
        Vec::new()
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

    /// How much each position of a history counts for its row, `[positions, 1]`, with the number of the history among
    /// [`Inputs::segments`]; nothing from models that attend to none. It is of single scores that are explained.
    fn attention(&self, _inputs: &Inputs) -> Vec<(usize, Tensor<2>)> {
        Vec::new()
    }

    /// Takes over the weights of the models that [`Architecture::starts`] names, in its order. False where they are of other
    /// settings.
    fn start_from(&mut self, _others: &[&Self]) -> bool {
        false
    }

    /// Multiply-adds of the matrix products of one row's forward pass, for rows with `positions` in each history: what
    /// benchmarks measure a step against. Every matrix works once a row, unless the model says otherwise.
    fn products(&self, _positions: f64) -> f64 {
        matrix_weights(self)
    }
}

/// Numbers in all weight matrices of a module.
pub fn matrix_weights<M: Module>(module: &M) -> f64 {
    struct Count(f64);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if D >= 2 {
                self.0 += param.val().dims().iter().product::<usize>() as f64;
            }
        }
    }
    let mut count = Count(0.0);
    module.visit(&mut count);
    count.0
}
