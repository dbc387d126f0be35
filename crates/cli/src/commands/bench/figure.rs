//! A measurement, relative to the machine's ceilings, as a line of a table.

use burnrec_backend::KernelUse;
use serde::Serialize;

use super::ceiling::Ceilings;

/// What one kernel did in a step.
#[derive(Clone, Debug, Serialize)]
pub struct Kernel {
    pub name: String,
    pub launches: f64,
    pub ms: f64,
    /// Whether by the device's own clock; else by the host's around a wait.
    pub by_device: bool,
}

impl Kernel {
    /// A kernel's part of each of some steps.
    pub fn of(kernel: KernelUse, steps: usize) -> Self {
        let each = 1.0 / steps.max(1) as f64;
        let KernelUse { name, launches, ms, by_device } = kernel;
        Self { name, launches: launches as f64 * each, ms: ms * each, by_device }
    }
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub workload: String,
    pub rows: u64,
    pub batch: usize,
    pub device: String,
    pub placement: &'static str,
    pub median_step_ms: f64,
    /// Mean time of steps that nobody waits for one by one; none on the CPU, where each is done when it returns.
    pub pipelined_step_ms: Option<f64>,
    pub rows_per_second: f64,
    pub gflop_per_step: f64,
    pub times_matrix_products: f64,
    /// The same against square products timed in turn with the steps, so that a machine whose speed drifts does not
    /// change it; none on a GPU.
    pub times_products_in_turn: Option<f64>,
    /// The least time that products and vectors need at the ceilings, as a share of the step.
    pub share_of_roofline: f64,
    pub peak_memory_bytes: u64,
    /// Resident memory before the tables were made.
    pub base_memory_bytes: u64,
    /// Rows and optimiser state, counters included, where they are in host memory.
    pub table_bytes: u64,
    /// Kernel launches, bytes to and from the device, and waits for it, a step.
    pub launches: f64,
    pub bytes_up: f64,
    pub bytes_down: f64,
    pub waits: f64,
    /// What tensors take of a device's own memory behind the last step, and what its runtime holds; none on the CPU.
    pub device_bytes_in_use: Option<u64>,
    pub device_bytes_reserved: Option<u64>,
    /// Mean milliseconds of gather, forward, backward, update; of queueing them on a GPU.
    pub parts_ms: [f64; 4],
    /// What each kernel took, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<Kernel>,
    #[serde(skip)]
    pub vector_gb: f64,
}

impl Figure {
    /// Sets what is relative to the machine.
    pub fn against(&mut self, ceilings: &Ceilings) {
        let products = self.gflop_per_step / ceilings.gemm_gflops;
        let vectors = self.vector_gb / ceilings.copy_gb_per_s;
        self.times_matrix_products = self.median_step_ms / 1e3 / products;
        // Copies were timed in host memory: a device's own are unknown.
        let vectors = if self.bytes_up > 0.0 { 0.0 } else { vectors };
        self.share_of_roofline = products.max(vectors) * 1e3 / self.median_step_ms;
    }

    /// A line of the Markdown table.
    pub fn row(&self) -> String {
        let mib = |b: u64| b >> 20;
        let [gather, forward, backward, update] = self.parts_ms;
        format!(
            "| {} | {} | {} | {}, {} | {:.1} | {} | {:.0} | {:.0} | {:.2} | {} | {:.0}% | {gather:.1}, {forward:.1}, {backward:.1}, {update:.1} | {} | {} | {:.0} | {:.0} | {:.0} | {:.1} | {} |",
            self.workload,
            self.rows,
            self.batch,
            self.device,
            self.placement,
            self.median_step_ms,
            self.pipelined_step_ms.map_or("–".to_string(), |ms| format!("{ms:.1}")),
            self.rows_per_second,
            self.gflop_per_step / self.median_step_ms * 1e3,
            self.times_matrix_products,
            self.times_products_in_turn.map_or("–".to_string(), |t| format!("{t:.2}")),
            self.share_of_roofline * 100.0,
            mib(self.peak_memory_bytes),
            mib(self.peak_memory_bytes.saturating_sub(self.table_bytes)),
            self.launches,
            self.bytes_up / 1024.0,
            self.bytes_down / 1024.0,
            self.waits,
            self.device_bytes_reserved.map_or("–".to_string(), |b| mib(b).to_string()),
        )
    }

    /// A Markdown table of the kernels, those that took most first.
    pub fn profile(&self) -> String {
        let all: f64 = self.kernels.iter().map(|k| k.ms).sum();
        let launches: f64 = self.kernels.iter().map(|k| k.launches).sum();
        let clock = match self.kernels.iter().all(|k| k.by_device) {
            true => "by the device's clock",
            false => "by the host's clock in part, which counts waits",
        };
        let line = |k: &Kernel| {
            format!("| {} | {:.1} | {:.3} | {:.1}% |\n", k.name, k.launches, k.ms, 100.0 * k.ms / all.max(1e-12))
        };
        let lines: String = self.kernels.iter().map(line).collect();
        format!(
            "kernels of a step of {}: {launches:.1} launches, {all:.3} ms {clock}\n\n| kernel | launches | ms | share |\n|---|---|---|---|\n{lines}",
            self.workload
        )
    }
}
