//! Adam's step as one kernel.

use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use crate::adam::{AdamOps, AdamStep};

#[cube(launch)]
fn adam_kernel(
    w: &mut Tensor<f32>,
    g: &Tensor<f32>,
    m: &mut Tensor<f32>,
    v: &mut Tensor<f32>,
    beta_1: f32,
    beta_2: f32,
    scale: f32,
    floor: f32,
    length: usize,
) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let gradient = g[ABSOLUTE_POS];
    let first = beta_1 * m[ABSOLUTE_POS] + (1.0f32 - beta_1) * gradient;
    let second = beta_2 * v[ABSOLUTE_POS] + (1.0f32 - beta_2) * gradient * gradient;
    m[ABSOLUTE_POS] = first;
    v[ABSOLUTE_POS] = second;
    w[ABSOLUTE_POS] -= scale * first / (second.sqrt() + floor);
}

/// A tensor that may be written: row-major, and held by nobody else.
fn own(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.handle.can_mut() { tensor } else { tensor.copy() }
}

impl AdamOps for CubeBackend {
    fn adam(
        w: CubeTensor,
        g: CubeTensor,
        m: CubeTensor,
        v: CubeTensor,
        step: AdamStep,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let (w, g, m, v) = (own(w), into_contiguous(g), own(m), own(v));
        let length = g.meta.num_elements();
        let (scale, floor) = step.factors();
        if length > 0 {
            let dim = CubeDim::new_1d(64);
            let count = cubecl::calculate_cube_count_elemwise(&w.client, length, dim);
            adam_kernel::launch(
                &w.client.clone(),
                count,
                dim,
                w.clone().into_tensor_arg(),
                g.into_tensor_arg(),
                m.clone().into_tensor_arg(),
                v.clone().into_tensor_arg(),
                step.beta_1,
                step.beta_2,
                scale,
                floor,
                length,
            );
        }
        (w, m, v)
    }
}
