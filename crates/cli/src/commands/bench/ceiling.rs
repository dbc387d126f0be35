//! What the machine can do at most, measured in the same process.

use std::time::Instant;

use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// Sides of the square matrices, the largest first.
const GEMM_SIDES: [usize; 3] = [4096, 2048, 1024];
/// Seconds that one product may take.
const SECONDS: f64 = 4.0;
/// Floats of the arrays that are copied and gathered from: 256 MiB.
const FLOATS: usize = 1 << 26;
/// Floats of a gathered row: one cache line.
const ROW: usize = 16;

/// The machine's ceilings.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceilings {
    /// Best rate of a matrix product in f32.
    pub gemm_gflops: f64,
    /// Side of its square matrices: 4096, or less where that would take more than some seconds.
    pub gemm_side: usize,
    /// Bytes read and written a second by a copy over all cores.
    pub copy_gb_per_s: f64,
    /// Bytes a second of 64-byte rows gathered at random.
    pub gather_gb_per_s: f64,
}

fn best(times: usize, mut work: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..times).map(time).fold(f64::INFINITY, f64::min)
}

/// A square product small enough to be timed among the steps of a run.
pub struct Product {
    factors: [Tensor<2>; 2],
}

impl Product {
    const SIDE: usize = 2048;

    /// Its factors on a device.
    pub fn new(device: &Device) -> Self {
        let ones = || Tensor::ones([Self::SIDE; 2], &device.clone().inner());
        Self { factors: [ones(), ones()] }
    }

    /// The better rate of two.
    pub fn gflops(&self) -> f64 {
        let [a, b] = &self.factors;
        let seconds = best(2, || drop(a.clone().matmul(b.clone())));
        2.0 * (Self::SIDE as f64).powi(3) / seconds / 1e9
    }
}

/// The best time of a square product, at the largest side that is done in time.
fn product(device: &Device) -> (usize, f64) {
    let time = |side: usize, times: usize| {
        let a = Tensor::<2>::ones([side, side], device);
        let b = Tensor::<2>::ones([side, side], device);
        best(times, || {
            let c = a.clone().matmul(b.clone());
            drop(c);
            drop(device.sync());
        })
    };
    let small = time(512, 3);
    let fits = |side: &usize| small * (*side as f64 / 512.0).powi(3) < SECONDS;
    let side = GEMM_SIDES.into_iter().find(fits).unwrap_or(512);
    (side, time(side, 6))
}

/// Measures them; some seconds.
pub fn measure(device: &Device) -> Ceilings {
    let (gemm_side, gemm) = product(device);
    let from = vec![1.0f32; FLOATS];
    let mut to = vec![0.0f32; FLOATS];
    let copy =
        best(4, || to.par_chunks_mut(1 << 16).zip(from.par_chunks(1 << 16)).for_each(|(t, f)| t.copy_from_slice(f)));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let rows: Vec<u32> = (0..1 << 20).map(|_| rng.random_range(0..(FLOATS / ROW) as u32)).collect();
    let gather = best(4, || {
        to[..rows.len() * ROW].par_chunks_mut(ROW * 1024).zip(rows.par_chunks(1024)).for_each(|(out, rows)| {
            out.chunks_mut(ROW)
                .zip(rows)
                .for_each(|(o, r)| o.copy_from_slice(&from[*r as usize * ROW..*r as usize * ROW + ROW]));
        });
    });
    Ceilings {
        gemm_gflops: 2.0 * (gemm_side as f64).powi(3) / gemm / 1e9,
        gemm_side,
        copy_gb_per_s: 2.0 * 4.0 * FLOATS as f64 / copy / 1e9,
        gather_gb_per_s: 4.0 * (rows.len() * ROW) as f64 / gather / 1e9,
    }
}
