//! A prepared batch as tensors on the device that computes.

use burn::tensor::{Device, Tensor, TensorData};
use burnrec_backend::{Segments, traffic};
use burnrec_embedding::{Gathered, Packing, Slots, SpaceBatch, Tables, Uploaded};
use burnrec_features::{Batch, Following as Places, Near};
use burnrec_models::{Following, Inputs, Squares};

use crate::objective::{HostTarget, Target, column};

/// The tensors of a batch.
pub(crate) struct Feed {
    /// The gathered vectors, one leaf a lookup `[B, slots, dim]`, not yet tracked.
    pub(crate) leaves: Vec<Tensor<3>>,
    /// The sequences of each lookup, `[positions, dim]`, not yet tracked.
    pub(crate) sequences: Vec<Vec<Tensor<2>>>,
    /// Which positions belong to which row, one entry a group of sequences.
    pub(crate) segments: Vec<Segments>,
    /// Which rows are of one request; none where nothing tells.
    pub(crate) requests: Option<Segments>,
    /// `[B, N]`; none where N is 0.
    pub(crate) numeric: Option<Tensor<2>>,
    /// What each task's scores should have been.
    pub(crate) targets: Vec<Target>,
    /// What stays on a device of its own memory until the update.
    pub(crate) uploaded: Option<Uploaded>,
}

impl Feed {
    /// A batch as a model reads it, off the graph.
    pub(crate) fn inputs(self, tables: &Tables) -> Inputs {
        let Self { leaves, sequences, segments, requests, numeric, .. } = self;
        let (lookups, squares) = divided(&leaves, tables);
        Inputs {
            lookups,
            squares,
            sequences,
            segments,
            one_history: false,
            scored: Vec::new(),
            following: Vec::new(),
            numeric,
            sharing: None,
            requests,
        }
    }
}

/// The vectors of leaves, and the sums of squares behind them.
pub(crate) fn divided(leaves: &[Tensor<3>], tables: &Tables) -> (Vec<Tensor<3>>, Vec<Option<Squares>>) {
    let part = |(lookup, leaf): (usize, &Tensor<3>)| {
        let runs = tables.squares(lookup).to_vec();
        if runs.is_empty() {
            return (leaf.clone(), None);
        }
        let [rows, all, dim] = leaf.dims();
        let own = tables.slot_order(lookup).len();
        let sums = leaf.clone().slice([0..rows, own..all, 0..dim]);
        (leaf.clone().slice([0..rows, 0..own, 0..dim]), Some(Squares { runs, sums }))
    };
    leaves.iter().enumerate().map(part).unzip()
}

/// Gathers, and brings everything to the device: in one upload where it has memory of its own.
pub(crate) fn feed(
    tables: &Tables,
    slots: &Slots,
    device: &Device,
    batch: &Batch,
    spaces: &[SpaceBatch],
    packing: Option<Packing>,
    targets: &[HostTarget],
) -> (Feed, Gathered) {
    let mut gathered = tables.gather(batch.rows, spaces);
    let shape = |lookup: usize| [batch.rows, tables.leaf_slots(lookup), slots.0[lookup].dim];
    let of_device = |tensor: Tensor<3>| if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor };
    let flat = |tensor: Tensor<2>| if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor };
    let mut from_host = sequences(tables, &mut gathered, device);
    let segments = segments(tables, batch, device);
    let requests = (!batch.requests.is_empty()).then(|| Segments::new(&batch.requests, device));
    let feed = match packing.and_then(|p| tables.upload(spaces, p, &mut gathered)) {
        Some(uploaded) => Feed {
            leaves: (0..slots.0.len()).map(|l| of_device(uploaded.leaf(tables, l, shape(l)))).collect(),
            sequences: (0..slots.0.len())
                .map(|l| {
                    let count = slots.0[l].sequences.len();
                    let there: Vec<_> = (0..count).filter_map(|n| uploaded.sequence(tables, l, n).map(flat)).collect();
                    if there.len() == count { there } else { std::mem::take(&mut from_host[l]) }
                })
                .collect(),
            segments,
            requests,
            numeric: uploaded.numeric().map(flat),
            targets: {
                let mut at = 0;
                let mut next = |_: &[f32]| {
                    at += 1;
                    flat(uploaded.column(at - 1))
                };
                targets.iter().map(|target| target.target(device, &mut next)).collect()
            },
            uploaded: Some(uploaded),
        },
        None => Feed {
            leaves: (0..slots.0.len())
                .map(|l| {
                    let length = shape(l).iter().product();
                    Tensor::from_data(TensorData::new(gathered.take(l, length), shape(l)), device)
                })
                .collect(),
            sequences: from_host,
            segments,
            requests,
            numeric: numeric(batch, device),
            targets: targets.iter().map(|target| target.target(device, |values| column(values, device))).collect(),
            uploaded: None,
        },
    };
    (feed, gathered)
}

/// The vectors of every lookup's sequences.
fn sequences(tables: &Tables, gathered: &mut Gathered, device: &Device) -> Vec<Vec<Tensor<2>>> {
    let all = std::mem::take(&mut gathered.sequences).into_iter().enumerate();
    let tensor = |dim: usize, values: Vec<f32>| {
        let positions = values.len() / dim;
        traffic::up_to(device, values.len() * 4);
        Tensor::from_data(TensorData::new(values, [positions, dim]), device)
    };
    // Those of the device are gathered there.
    let own = |(lookup, own): (usize, Vec<Vec<f32>>)| match tables.is_on_device(lookup) {
        true => Vec::new(),
        false => own.into_iter().map(|values| tensor(tables.dim(lookup), values)).collect(),
    };
    all.map(own).collect()
}

/// The positions of every group of sequences.
fn segments(tables: &Tables, batch: &Batch, device: &Device) -> Vec<Segments> {
    let schema = tables.schema();
    let of = |group: usize| Segments::new(&schema.segments(batch, group).offsets, device);
    schema.groups().into_iter().map(of).collect()
}

/// What follows each position of every group of sequences, drawn at a step of a seed.
pub(crate) fn following(
    tables: &Tables,
    batch: &Batch,
    device: &Device,
    near: Near,
    seed: u64,
    step: u64,
) -> Vec<Option<Following>> {
    let schema = tables.schema();
    let ints = |values: Vec<u32>| {
        let length = values.len();
        traffic::up_to(device, length * 4);
        let values: Vec<i32> = values.into_iter().map(u32::cast_signed).collect();
        Tensor::from_data(TensorData::new(values, [length]), device)
    };
    let of = |group: usize| {
        let Places { from, to, other } = schema.following(batch, group, near, seed, step);
        (!from.is_empty()).then(|| Following { from: ints(from), to: ints(to), other: ints(other) })
    };
    schema.groups().into_iter().map(of).collect()
}

fn numeric(batch: &Batch, device: &Device) -> Option<Tensor<2>> {
    let width = batch.numeric.len() / batch.rows.max(1);
    (width > 0).then(|| Tensor::from_data(TensorData::new(batch.numeric.clone(), [batch.rows, width]), device))
}
