//! One workload at one size on one device: a training loop as `burnrec train` runs it, timed step by step.
//!
//! Batches are in memory; a thread prepares them ahead of the steps (key → row, sort, packing), as the loader does.

use std::sync::mpsc::sync_channel;
use std::time::Instant;

use burnrec_backend::traffic::{Traffic, traffic};
use burnrec_backend::{LaunchCounter, LaunchTimer, Opened, device_memory, has_own_memory};
use burnrec_embedding::{Lookup, Placement};
use burnrec_features::Fitted;
use burnrec_models::Model;
use burnrec_train::{BackendConfig, Stepper, Weights, check_placement, prepare};

use super::batches::{BATCHES, batches};
use super::ceiling::Product;
use super::figure::{Figure, Kernel};
use super::workload::{POSITIVE, Workload};
use crate::args::BenchArgs;
use crate::error::CliError;

const WARM_UP: usize = 5;
const AHEAD: usize = 4;
/// Steps whose kernels are timed.
const PROFILED: usize = 10;
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

/// Measures.
pub fn one(case: &Case<'_>) -> Result<Figure, CliError> {
    let Case { args, name, rows, opened, placement } = *case;
    let workload = Workload::named(name)?;
    let (checked, sizes) = (workload.experiment(rows)?, workload.sizes(rows));
    let size = args.batch.unwrap_or(workload.batch());
    let batches = batches(checked.schema(), &sizes, size, args.history);
    let base_memory = resident("VmRSS:");
    reset_peak();
    check_placement(opened, placement)?;
    let checked = checked.on(BackendConfig { placement, ..BackendConfig::default() });
    let weights = Weights::first(&checked, &Fitted::assumed(checked.tasks().len(), POSITIVE), &[], opened)?;
    let work = Work::of(&weights, workload.positions(args.history), size)?;
    let mut stepper = Stepper::new(weights, &checked);
    let ready = prepare(stepper.weights.tables.indexer(), Some(checked.tasks().clone()));
    let (send, receive) = sync_channel(AHEAD);
    let profiled = if args.profile && has_own_memory(&opened.device) { PROFILED } else { 0 };
    // Once more without a wait behind each, where a step can go on behind its return.
    let pipelined = if has_own_memory(&opened.device) { args.steps } else { 0 };
    let steps = WARM_UP + args.steps + pipelined + profiled;
    let producer = std::thread::spawn(move || {
        (0..steps).all(|step| send.send(ready(batches[step % BATCHES].clone())).is_ok());
    });
    let mut times = Vec::with_capacity(args.steps);
    let mut turns = Turns::new(opened);
    let (counter, mut before) = (LaunchCounter::start(), (0, Traffic::default()));
    for (step, prepared) in receive.iter().take(WARM_UP + args.steps).enumerate() {
        if step == WARM_UP {
            stepper.seconds = [0.0; 4];
            before = (counter.count(), traffic());
        }
        let start = Instant::now();
        stepper.step(prepared, 1.0)?;
        drop(opened.device.sync());
        if step >= WARM_UP {
            times.push(start.elapsed().as_secs_f64());
            turns.after(&times);
        }
    }
    let after = (counter.count(), traffic());
    let parts_ms = stepper.seconds.map(|s| s / args.steps as f64 * 1e3);
    let memory = device_memory(&opened.device);
    drop(counter);
    let start = Instant::now();
    receive.iter().take(pipelined).try_for_each(|prepared| stepper.step(prepared, 1.0).map(drop))?;
    drop(opened.device.sync());
    let pipelined_step_ms = (pipelined > 0).then(|| start.elapsed().as_secs_f64() / pipelined as f64 * 1e3);
    let timer = LaunchTimer::start();
    receive.iter().try_for_each(|prepared| stepper.step(prepared, 1.0).map(drop))?;
    drop(opened.device.sync());
    let kernels = timer.stop().into_iter().map(|kernel| Kernel::of(kernel, profiled)).collect();
    drop(producer.join());
    let a_step = |total: u64| total as f64 / args.steps as f64;
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let tables = &stepper.weights.tables;
    let at_home = tables.placement() == "host";
    Ok(Figure {
        workload: name.to_string(),
        rows,
        batch: size,
        device: opened.facts.kind.clone(),
        placement: tables.placement(),
        median_step_ms: median * 1e3,
        pipelined_step_ms,
        rows_per_second: size as f64 / median,
        gflop_per_step: work.gflop,
        times_matrix_products: 0.0,
        times_products_in_turn: turns.ratio(work.gflop),
        share_of_roofline: 0.0,
        peak_memory_bytes: resident("VmHWM:"),
        base_memory_bytes: base_memory,
        table_bytes: if at_home { tables.facts().bytes } else { 0 },
        launches: a_step(after.0 - before.0),
        bytes_up: a_step(after.1.bytes_up - before.1.bytes_up),
        bytes_down: a_step(after.1.bytes_down - before.1.bytes_down),
        waits: a_step(after.1.waits - before.1.waits),
        device_bytes_in_use: memory.map(|memory| memory.in_use),
        device_bytes_reserved: memory.map(|memory| memory.reserved),
        parts_ms,
        kernels,
        vector_gb: work.vector_gb,
    })
}

/// What a step does at least.
struct Work {
    /// Floating-point operations: forward once, backward twice, for weights and for inputs.
    gflop: f64,
    /// Bytes of looked-up vectors: gathered (read, written), their gradient written and read, and each with both of Adam's
    /// moments read and written.
    vector_gb: f64,
}

impl Work {
    fn of(weights: &Weights, positions: f64, batch: usize) -> Result<Self, CliError> {
        let floats = |lookup: &Lookup| {
            lookup.dim as f64 * (lookup.features.len() as f64 + lookup.sequences.len() as f64 * positions)
        };
        let vectors: f64 = weights.slots().0.iter().map(floats).sum();
        Ok(Self {
            gflop: weights.model()?.products(positions) * batch as f64 * 2.0 * 3.0 / 1e9,
            vector_gb: vectors * batch as f64 * 4.0 * (2.0 + 2.0 + 6.0) / 1e9,
        })
    }
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
