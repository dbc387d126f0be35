//! What a device with memory of its own can do at most: copies, random rows, layers of the workloads' own shapes, launches.

use std::time::Instant;

use burn::tensor::{Device, Int, Tensor, TensorData};
use burnrec_backend::{Activation, Opened, dense};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Bytes of the array that is copied and gathered from, where the device binds so much.
const BYTES: u64 = 256 << 20;
/// Floats of a gathered row.
const ROW: usize = 16;
/// Rows that are gathered.
const GATHERED: usize = 1 << 20;
/// Inputs and outputs of the layer.
const LAYER: (usize, usize) = (429, 400);
/// Rows of its batches.
const BATCHES: [usize; 2] = [4096, 65_536];
/// Seconds that one timing may take, about.
const SECONDS: f64 = 3.0;
/// Launches that are timed together.
const LAUNCHES: usize = 200;

/// A device's ceilings.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceCeilings {
    /// Bytes read and written a second by `x + 1` over an array.
    pub copy_gb_per_s: f64,
    /// Bytes a second of 64-byte rows gathered at random.
    pub gather_gb_per_s: f64,
    /// GFLOP/s of a layer of 429 inputs and 400 outputs, forward, by rows of the batch; sizes that take too long are left out.
    pub layer_gflops: Vec<(usize, f64)>,
    /// Microseconds of a launch that computes next to nothing, queued behind others like it.
    pub launch_us: f64,
}

/// The best of some times, in seconds; one alone where that took long.
fn best(device: &Device, mut work: impl FnMut()) -> f64 {
    let mut time = || {
        let start = Instant::now();
        work();
        drop(device.sync());
        start.elapsed().as_secs_f64()
    };
    // The first one compiles.
    let first = time();
    let times = if first > SECONDS { 0 } else { ((SECONDS / first.max(1e-6)) as usize).clamp(1, 10) };
    (0..times).map(|_| time()).fold(first, f64::min)
}

/// Measures them; some seconds.
pub fn measure(opened: &Opened) -> DeviceCeilings {
    let device = opened.device.clone().inner();
    let floats = (BYTES.min(opened.facts.max_binding_bytes.unwrap_or(BYTES)) / 4) as usize / ROW * ROW;
    let array = Tensor::<1>::ones([floats], &device);
    let copy = best(&device, || drop(array.clone() + 1.0));
    let rows = floats / ROW;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let places: Vec<i32> = (0..GATHERED).map(|_| rng.random_range(0..rows as i32)).collect();
    let places = Tensor::<1, Int>::from_data(TensorData::from(places.as_slice()), &device);
    let table = array.reshape([rows, ROW]);
    let gather = best(&device, || drop(table.clone().select(0, places.clone())));
    drop(table);
    let layer = |batch: usize| {
        let (inputs, outputs) = LAYER;
        let x = Tensor::<2>::ones([batch, inputs], &device);
        let (weight, bias) = (Tensor::<2>::ones([inputs, outputs], &device), Tensor::<1>::zeros([outputs], &device));
        let seconds = best(&device, || drop(dense(x.clone(), weight.clone(), bias.clone(), Activation::Relu)));
        (batch, 2.0 * (batch * inputs * outputs) as f64 / seconds / 1e9)
    };
    let small = layer(BATCHES[0]);
    let seconds = |batch: usize| 2.0 * (batch * LAYER.0 * LAYER.1) as f64 / 1e9 / small.1;
    let larger = BATCHES.into_iter().skip(1).filter(|batch| seconds(*batch) < SECONDS).map(layer);
    let layer_gflops = std::iter::once(small).chain(larger).collect();
    let one = Tensor::<1>::ones([1], &device);
    let launches = best(&device, || drop((0..LAUNCHES).fold(one.clone(), |x, _| x + 1.0)));
    DeviceCeilings {
        copy_gb_per_s: 2.0 * 4.0 * floats as f64 / copy / 1e9,
        gather_gb_per_s: 4.0 * (GATHERED * ROW) as f64 / gather / 1e9,
        layer_gflops,
        launch_us: launches / LAUNCHES as f64 * 1e6,
    }
}

impl DeviceCeilings {
    /// A line of the benchmark's block.
    pub fn line(&self, kind: &str) -> String {
        let layers: Vec<String> =
            self.layer_gflops.iter().map(|(batch, rate)| format!("{rate:.0} GFLOP/s at {batch} rows")).collect();
        format!(
            "in the memory of {kind}: copy {:.1} GB/s, gather {:.1} GB/s of 64-byte rows, a layer 429 × 400 in f32 {}, a launch {:.1} µs",
            self.copy_gb_per_s,
            self.gather_gb_per_s,
            layers.join(" and "),
            self.launch_us
        )
    }
}
