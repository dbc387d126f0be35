//! A measurement, relative to the machine's ceilings, as a line of a table.

use serde::Serialize;

use super::ceiling::Ceilings;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub workload: String,
    pub rows: u64,
    pub batch: usize,
    pub device: String,
    pub placement: &'static str,
    pub median_step_ms: f64,
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
    /// Mean milliseconds of gather, forward, backward, update; of queueing them on a GPU.
    pub parts_ms: [f64; 4],
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
            "| {} | {} | {} | {}, {} | {:.1} | {:.0} | {:.0} | {:.2} | {} | {:.0}% | {gather:.1}, {forward:.1}, {backward:.1}, {update:.1} | {} | {} | {:.0} | {:.0} | {:.0} | {:.1} |",
            self.workload,
            self.rows,
            self.batch,
            self.device,
            self.placement,
            self.median_step_ms,
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
        )
    }
}
