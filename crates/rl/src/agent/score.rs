//! Scores of candidates: the state's half once a request, the candidates of all requests as one batch.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};
use burnrec_backend::traffic;
use burnrec_features::Batch;
use burnrec_models::{AnyModel, Inputs, Model, Trunk};
use burnrec_train::{TrainError, Weights, prepare};

/// The candidates of some requests.
pub(super) struct Candidates<'a> {
    /// One row a candidate.
    pub(super) batch: &'a Batch,
    /// The rows of each request.
    pub(super) spans: &'a [Range<usize>],
    /// Whether scores are about the mean of a request's.
    pub(super) centred: bool,
}

/// The inputs of both halves, on the device.
pub(super) struct Halves<'a> {
    states: &'a Inputs,
    rows: &'a Inputs,
    /// The state of each row.
    of: Tensor<1, Int>,
}

impl Halves<'_> {
    fn trunk(&self, model: &AnyModel) -> Trunk {
        match model.trunk_is_of_state() {
            true => Trunk(model.trunk(self.states).0.into_iter().map(|half| half.select(0, self.of.clone())).collect()),
            false => model.trunk(self.rows),
        }
    }

    /// Whether the state's half tells the rows apart, though it is to be made of one row a request.
    pub(super) fn states_differ(&self, model: &AnyModel) -> bool {
        if !model.trunk_is_of_state() {
            return false;
        }
        model.trunk(self.rows).0.into_iter().any(|half| {
            let width = half.dims()[1];
            let values = traffic::read(half);
            let near = |a: &f32, b: &f32| (a - b).abs() <= 1e-4 * (1.0 + a.abs());
            values.chunks(width).any(|row| row.iter().zip(&values).any(|(a, b)| !near(a, b)))
        })
    }

    /// Scores of all rows.
    pub(super) fn scores(&self, model: &AnyModel) -> Vec<f32> {
        traffic::read(model.heads(self.trunk(model), self.rows).scores())
    }

    /// The last hidden layer of all rows; empty where the model has none.
    pub(super) fn hidden(&self, model: &AnyModel) -> Vec<f32> {
        model.last_hidden(self.trunk(model), self.rows).map_or_else(Vec::new, traffic::read)
    }
}

/// What the weights as they stand, and models beside them over the same tables, make of candidates.
pub(super) fn infer<T: Send>(
    weights: &Weights,
    candidates: &Candidates<'_>,
    what: impl FnOnce(&AnyModel, &Halves<'_>) -> T + Send,
) -> Result<T, TrainError> {
    let frozen = weights.frozen()?;
    let ready = prepare(weights.tables.indexer(), None);
    let firsts: Vec<u32> = candidates.spans.iter().map(|span| span.start as u32).collect();
    let of = candidates.spans.iter().enumerate().flat_map(|(number, span)| span.clone().map(move |_| number as i32));
    let of: Vec<i32> = of.collect();
    let count = of.len();
    let of = Tensor::from_data(TensorData::new(of, [count]), &frozen.device());
    let states = ready(candidates.batch.take(&firsts));
    let mut rows = candidates.batch.clone();
    if candidates.centred {
        rows.requests = offsets(candidates.spans);
    }
    Ok(frozen.infer_both(states, ready(rows), |model, states, rows| what(model, &Halves { states, rows, of })))
}

/// The rows of requests that stand one after another.
pub(super) fn spans(lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut end = 0;
    let span = |length| {
        end += length;
        end - length..end
    };
    lengths.map(span).collect()
}

/// Where each of some spans that stand one after another starts, and the end.
pub(super) fn offsets(spans: &[Range<usize>]) -> Vec<u32> {
    std::iter::once(0).chain(spans.iter().map(|span| span.end as u32)).collect()
}

/// Rows of several batches as one.
pub(super) fn joined<'a>(mut batches: impl Iterator<Item = &'a Batch>) -> Batch {
    let mut all = batches.next().cloned().unwrap_or_default();
    batches.for_each(|batch| all.append(batch));
    all
}
