//! What a model takes: the tensors of a batch.

use burn::tensor::{Int, Tensor};
use burnrec_backend::Segments;
use burnrec_features::Sharing;

/// The inputs of a batch of B rows.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// One leaf a lookup of the model, in the order it declared them: `[B, slots, dim]`.
    pub lookups: Vec<Tensor<3>>,
    /// The sums of squares that a lookup asked for, one entry a lookup.
    pub squares: Vec<Option<Squares>>,
    /// The sequences of each lookup, in the order it declared them: `[positions, dim]` each.
    pub sequences: Vec<Vec<Tensor<2>>>,
    /// Which positions belong to which row, one entry a group of [`super::InputShapes::groups`].
    pub segments: Vec<Segments>,
    /// Whether sequences and segments are of a single row whose histories all rows have: what is asked about one user. Only
    /// of models whose [`super::Model::takes_one_history`] says so.
    pub one_history: bool,
    /// What [`super::Model::behaviour_scores`] gave for these rows and histories, where it was asked before: by the number of the
    /// history, `[positions, B]`.
    pub scored: Vec<(usize, Tensor<2>)>,
    /// What follows each position, one entry a group, in training and for models that want it; else none.
    pub following: Vec<Option<Following>>,
    /// The numeric inputs `[B, N]`; none where N is 0.
    pub numeric: Option<Tensor<2>>,
    /// How what was drawn belongs to the rows, in training and where something was.
    pub sharing: Option<Sharing>,
    /// Which rows are of one request, where agents ask for candidates that are told from each other.
    pub requests: Option<Segments>,
}

/// `Σ x_i² v_i²` of slots that are `Σ x_i v_i`.
#[derive(Clone, Debug)]
pub struct Squares {
    /// Runs: the first place among the sums, the slot that it is of, and how many there are.
    pub runs: Vec<(usize, usize, usize)>,
    /// The sums `[B, places, dim]`.
    pub sums: Tensor<3>,
}

/// Pairs of positions that follow each other in a row, with a position of the batch that holds another id; each
/// `[pairs]`.
#[derive(Clone, Debug)]
pub struct Following {
    /// The positions that something follows.
    pub from: Tensor<1, Int>,
    /// What follows them.
    pub to: Tensor<1, Int>,
    /// Positions whose id is another than that of `to`, some for each pair.
    pub other: Tensor<1, Int>,
}

impl Inputs {
    /// Inputs without sequences.
    pub fn slots(lookups: Vec<Tensor<3>>, numeric: Option<Tensor<2>>) -> Self {
        Self {
            squares: vec![None; lookups.len()],
            sequences: vec![Vec::new(); lookups.len()],
            lookups,
            segments: Vec::new(),
            one_history: false,
            scored: Vec::new(),
            following: Vec::new(),
            numeric,
            sharing: None,
            requests: None,
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

    /// The pairs within the fields of several ids of a lookup, `½ Σ_k [(Σ_i x_i v_ik)² - Σ_i x_i² v_ik²]` over them, `[B, 1]`;
    /// none where no field has them.
    pub fn pairs_within(&self, lookup: usize) -> Option<Tensor<2>> {
        let Squares { runs, sums } = self.squares.get(lookup)?.as_ref()?;
        let [rows, _, dim] = sums.dims();
        let part = |of: &Tensor<3>, from: usize, count: usize| of.clone().slice([0..rows, from..from + count, 0..dim]);
        let of = |(place, slot, count): &(usize, usize, usize)| -> Tensor<2> {
            let sum = part(&self.lookups[lookup], *slot, *count); // [B, count, k]
            let pairs: Tensor<2> = (sum.clone() * sum - part(sums, *place, *count)).flatten(1, 2);
            pairs.sum_dim(1) * 0.5 // [B, 1]
        };
        runs.iter().map(of).reduce(|a, b| a + b)
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
