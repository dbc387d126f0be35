//! A prepared batch as tensors on the device that computes.

use burn::tensor::{Device, Tensor, TensorData};
use burnrec_backend::{Segments, traffic};
use burnrec_embedding::{Gathered, Packing, Slots, SpaceBatch, Tables, Uploaded};
use burnrec_features::{Batch, Pairs};
use burnrec_models::Following;

/// The tensors of a batch.
pub(crate) struct Feed {
    /// The gathered vectors, one leaf a lookup `[B, slots, dim]`, not yet tracked.
    pub(crate) leaves: Vec<Tensor<3>>,
    /// The sequences of each lookup, `[positions, dim]`, not yet tracked.
    pub(crate) sequences: Vec<Vec<Tensor<2>>>,
    /// Which positions belong to which row, one entry a group of sequences.
    pub(crate) segments: Vec<Segments>,
    /// `[B, N]`; none where N is 0.
    pub(crate) numeric: Option<Tensor<2>>,
    /// `[B, 1]`; no rows where the batch has no labels.
    pub(crate) label: Tensor<2>,
    /// `[B, 1]`, where rows are weighted.
    pub(crate) weight: Option<Tensor<2>>,
    /// What stays on a device of its own memory until the update.
    pub(crate) uploaded: Option<Uploaded>,
}

/// Gathers, and brings everything to the device: in one upload where it has memory of its own.
pub(crate) fn feed(
    tables: &Tables,
    slots: &Slots,
    device: &Device,
    batch: &Batch,
    spaces: &[SpaceBatch],
    packing: Option<Packing>,
) -> (Feed, Gathered) {
    let mut gathered = tables.gather(batch.rows, spaces);
    let shape = |lookup: usize| [batch.rows, slots.0[lookup].features.len().max(1), slots.0[lookup].dim];
    let of_device = |tensor: Tensor<3>| if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor };
    let flat = |tensor: Tensor<2>| if device.is_autodiff() { Tensor::from_inner(tensor) } else { tensor };
    let sequences = sequences(tables, &mut gathered, device);
    let segments = segments(tables, batch, device);
    let feed = match packing.and_then(|p| tables.upload(spaces, p, &mut gathered)) {
        Some(uploaded) => Feed {
            leaves: (0..slots.0.len()).map(|l| of_device(uploaded.leaf(tables, l, shape(l)))).collect(),
            sequences,
            segments,
            numeric: uploaded.numeric().map(flat),
            label: if batch.label.is_empty() { column(&[], device) } else { flat(uploaded.label()) },
            weight: uploaded.weight().map(flat),
            uploaded: Some(uploaded),
        },
        None => Feed {
            leaves: (0..slots.0.len())
                .map(|l| {
                    let length = shape(l).iter().product();
                    Tensor::from_data(TensorData::new(gathered.take(l, length), shape(l)), device)
                })
                .collect(),
            sequences,
            segments,
            numeric: numeric(batch, device),
            label: column(&batch.label, device),
            weight: (!batch.weight.is_empty()).then(|| column(&batch.weight, device)),
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
    all.map(|(lookup, own)| own.into_iter().map(|values| tensor(tables.dim(lookup), values)).collect()).collect()
}

/// The positions of every group of sequences.
fn segments(tables: &Tables, batch: &Batch, device: &Device) -> Vec<Segments> {
    let schema = tables.schema();
    let of = |group: usize| Segments::new(&schema.segments(batch, group).offsets, device);
    schema.groups().into_iter().map(of).collect()
}

/// What follows each position of every group of sequences, drawn at a step of a seed.
pub(crate) fn following(tables: &Tables, batch: &Batch, device: &Device, seed: u64) -> Vec<Option<Following>> {
    let schema = tables.schema();
    let ints = |values: Vec<u32>| {
        let length = values.len();
        traffic::up_to(device, length * 4);
        let values: Vec<i32> = values.into_iter().map(u32::cast_signed).collect();
        Tensor::from_data(TensorData::new(values, [length]), device)
    };
    let of = |group: usize| {
        let pairs = schema.following(batch, group, seed, tables.step());
        let Pairs { from, to, other } = pairs;
        (!from.is_empty()).then(|| Following { from: ints(from), to: ints(to), other: ints(other) })
    };
    schema.groups().into_iter().map(of).collect()
}

fn numeric(batch: &Batch, device: &Device) -> Option<Tensor<2>> {
    let width = batch.numeric.len() / batch.rows.max(1);
    (width > 0).then(|| Tensor::from_data(TensorData::new(batch.numeric.clone(), [batch.rows, width]), device))
}

fn column(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), device)
}
