//! One workload at one size on one device: a training loop as `burnrec train` runs it, timed step by step.
//!
//! Batches are in memory; a thread prepares them ahead of the steps (key → row, sort, packing), as the loader does.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use burnrec_backend::traffic::{Traffic, traffic};
use burnrec_backend::{LaunchCounter, Opened, has_own_memory};
use burnrec_embedding::{Placement, Tables};
use burnrec_models::{Initial, InputShapes};
use burnrec_train::{Learner, LossKind, TrainConfig, TrainError, prepare, table_device};
use serde::Serialize;

use super::bench_ceiling::{Ceilings, Product};
use super::bench_workload::{BATCHES, Work, batches, is_of_histories, schema, workload};
use crate::args::BenchArgs;
use crate::error::CliError;

const WARM_UP: usize = 5;
const AHEAD: usize = 4;
/// Steps from one product that is timed among them to the next.
const STEPS_A_PRODUCT: usize = 8;

/// What to measure.
pub struct Case<'a> {
    /// The arguments.
    pub args: &'a BenchArgs,
    /// The workload.
    pub name: &'a str,
    /// Rows of the table.
    pub rows: u64,
    /// The device.
    pub opened: &'a Opened,
    /// Where tables live.
    pub placement: Placement,
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
    vector_gb: f64,
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

/// Measures.
pub fn one(case: &Case<'_>) -> Result<Figure, CliError> {
    let Case { args, name, rows, opened, placement } = *case;
    let (_, work) = workload(name, args.history)?;
    let (schema, sizes) = schema(name, rows)?;
    let size = args.batch.unwrap_or(if is_of_histories(name) { 1024 } else { 4096 });
    let batches = batches(&schema, &sizes, size, args.history);
    let base_memory = resident("VmRSS:");
    reset_peak();
    let mut learner = learner(name, schema, opened, placement)?;
    let (ready, (send, receive)) = (prepare(learner.tables.indexer()), sync_channel(AHEAD));
    let steps = WARM_UP + args.steps;
    let producer = std::thread::spawn(move || {
        (0..steps).all(|step| send.send(ready(batches[step % BATCHES].clone())).is_ok());
    });
    let mut times = Vec::with_capacity(args.steps);
    let mut turns = Turns::new(opened);
    let (counter, mut before) = (LaunchCounter::start(), (0, Traffic::default()));
    for (step, prepared) in receive.iter().enumerate() {
        if step == WARM_UP {
            learner.seconds = [0.0; 4];
            before = (counter.count(), traffic());
        }
        let start = Instant::now();
        learner.step(prepared, 1.0)?;
        drop(opened.device.sync());
        if step >= WARM_UP {
            times.push(start.elapsed().as_secs_f64());
            turns.after(&times);
        }
    }
    drop(producer.join());
    let after = (counter.count(), traffic());
    let a_step = |total: u64| total as f64 / args.steps as f64;
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let at_home = learner.tables.placement() == "host";
    Ok(Figure {
        workload: name.to_string(),
        rows,
        batch: size,
        device: opened.facts.kind.clone(),
        placement: learner.tables.placement(),
        median_step_ms: median * 1e3,
        rows_per_second: size as f64 / median,
        gflop_per_step: work.gflop(size),
        times_matrix_products: 0.0,
        times_products_in_turn: turns.ratio(work.gflop(size)),
        share_of_roofline: 0.0,
        peak_memory_bytes: resident("VmHWM:"),
        base_memory_bytes: base_memory,
        table_bytes: if at_home { learner.tables.facts().bytes } else { 0 },
        launches: a_step(after.0 - before.0),
        bytes_up: a_step(after.1.bytes_up - before.1.bytes_up),
        bytes_down: a_step(after.1.bytes_down - before.1.bytes_down),
        waits: a_step(after.1.waits - before.1.waits),
        parts_ms: learner.seconds.map(|s| s / args.steps as f64 * 1e3),
        vector_gb: Work::vector_gb(&work, size),
    })
}

/// Products timed in turn with the steps.
struct Turns {
    product: Option<Product>,
    /// Seconds a step, over seconds a GFLOP of the product right behind.
    ratios: Vec<f64>,
}

impl Turns {
    /// None on a device with memory of its own, which would have to be waited for.
    fn new(opened: &Opened) -> Self {
        let on_host = !has_own_memory(&opened.device);
        Self { product: on_host.then(|| Product::new(&opened.device)), ratios: Vec::new() }
    }

    fn after(&mut self, times: &[f64]) {
        let Some(product) = self.product.as_ref().filter(|_| times.len().is_multiple_of(STEPS_A_PRODUCT)) else {
            return;
        };
        let mut latest = times[times.len() - STEPS_A_PRODUCT..].to_vec();
        latest.sort_by(f64::total_cmp);
        let step = (latest[STEPS_A_PRODUCT / 2 - 1] + latest[STEPS_A_PRODUCT / 2]) / 2.0;
        self.ratios.push(step * product.gflops());
    }

    fn ratio(mut self, gflop: f64) -> Option<f64> {
        self.ratios.sort_by(f64::total_cmp);
        self.ratios.get(self.ratios.len() / 2).map(|r| r / gflop)
    }
}

fn learner(
    name: &str,
    schema: burnrec_features::Schema,
    opened: &Opened,
    placement: Placement,
) -> Result<Learner, CliError> {
    burnrec_train::check_placement(opened, placement)?;
    let (model, _) = workload(name, 1)?;
    let slots = Arc::new(model.slots(&schema));
    let shapes = InputShapes::new(&slots, &schema, -1.1);
    let config = TrainConfig::default();
    let device = table_device(opened, placement);
    let module = model.init(&shapes, &mut Initial::new(1), &opened.device.clone().inner().autodiff());
    let tables = Tables::new(Arc::new(schema), &slots, &[], &config.sparse, 1, device.as_ref());
    let tables = tables.map_err(TrainError::from)?;
    Ok(Learner::new(module, tables, slots, &opened.device, &config, LossKind::Bce, 1))
}

/// A line of `/proc/self/status` in bytes; 0 where there is none.
fn resident(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(key));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Forgets the peak so far, where the system allows it, so that every workload has its own.
fn reset_peak() {
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}
