//! The third stage: gradients, divided into those of dense weights, of tables in host memory and of tables on the device.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burnrec_backend::traffic;
use burnrec_embedding::{DeviceGradient, Gradients as Sparse, LookupGradient};

use super::Stepper;
use super::gather::Gathered;
use super::mixer::Walked;

/// The gradients of a step.
pub(super) struct Divided {
    pub(super) dense: GradientsParams,
    pub(super) sparse: Sparse,
}

impl Stepper {
    /// Takes the leaves' gradients out: those of host tables are read, those of tables on the device summed there.
    pub(super) fn divide(&self, walked: Walked, gathered: &Gathered) -> Divided {
        let Walked { dense, leaves, sequences } = walked;
        let tables = &self.weights.tables;
        let own_memory = gathered.uploaded.is_some();
        let mut host = Vec::with_capacity(leaves.len());
        let mut device = Vec::with_capacity(leaves.len());
        for (lookup, (leaf, sequences)) in leaves.into_iter().zip(sequences).enumerate() {
            if tables.is_on_device(lookup) {
                host.push(LookupGradient::default());
                device.push(DeviceGradient { leaf, sequences });
                continue;
            }
            let read = |of: Option<Tensor<2>>| of.map_or_else(Vec::new, |g| traffic::read_from(g, own_memory));
            host.push(LookupGradient {
                sequences: sequences.into_iter().map(read).collect(),
                leaf: leaf.map_or_else(Vec::new, |g| traffic::read_from(g, own_memory)),
            });
            device.push(DeviceGradient::default());
        }
        let device = gathered.uploaded.as_ref().map_or_else(Vec::new, |u| tables.sum_on_device(u, &device));
        Divided { dense, sparse: Sparse { host, device } }
    }
}
