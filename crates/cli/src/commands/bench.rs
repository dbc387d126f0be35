//! `burnrec bench`: training steps on generated batches, against the machine's ceilings.
//!
//! 26 categorical fields with Zipf ids (exponent 1.05) over tables of the given rows, 13 numbers, embedding
//! width 16, lazy Adam; MLP 400×3, or five residual units of 512, 512, 256, 128, 64. A step is everything
//! that training does: key → row, sort, gather, forward, backward, dense and sparse update. Batches are in
//! memory.

use std::sync::Arc;
use std::time::Instant;

use burnrec_data::Zipf;
use burnrec_embedding::Tables;
use burnrec_features::{Batch, FeaturesConfig, FieldConfig, FieldKind, IndexPolicy, Keys, LabelConfig, Schema};
use burnrec_models::{Initial, InputShapes, ModelConfig};
use burnrec_train::{Learner, LossKind, TrainConfig, prepare};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::bench_ceiling::measure;
use super::bench_disk;
use crate::args::BenchArgs;
use crate::error::CliError;
use crate::{out, setup};

const FIELDS: usize = 26;
const NUMBERS: usize = 13;
const DIM: usize = 16;
const ZIPF: f64 = 1.05;
const WARM_UP: usize = 5;
const BATCHES: usize = 8;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    workload: String,
    rows: u64,
    batch: usize,
    device: String,
    placement: &'static str,
    median_step_ms: f64,
    rows_per_second: f64,
    gflop_per_step: f64,
    times_matrix_products: f64,
    peak_memory_bytes: u64,
    /// Resident memory before the tables were made.
    base_memory_bytes: u64,
    /// Rows and optimiser state, counters included.
    table_bytes: u64,
    /// Mean milliseconds of gather, forward, backward, update.
    parts_ms: [f64; 4],
}

/// Measures.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    setup::threads(args.threads)?;
    let opened = setup::device(args.device)?;
    if let Some(rows) = args.from_disk {
        return bench_disk::run(args, rows, &opened);
    }
    let names: Vec<&str> = match args.workload.as_str() {
        "all" => vec!["mlp", "wide_deep", "deep_crossing", "fm", "lr"],
        one => vec![one],
    };
    let mut figures = Vec::new();
    for name in names {
        for &rows in &args.rows {
            tracing::info!("{name}, {rows} rows");
            figures.push(one(args, name, rows as u64, &opened.device)?);
        }
    }
    // Behind the workloads, whose peak memory would hold the arrays otherwise.
    let ceilings = measure(&opened.device);
    out::line(&format!(
        "ceilings: gemm {:.0} GFLOP/s, copy {:.1} GB/s, gather {:.1} GB/s of 64-byte rows\n",
        ceilings.gemm_gflops, ceilings.copy_gb_per_s, ceilings.gather_gb_per_s
    ))?;
    out::line(
        "| workload | table rows | batch | median step ms | rows/s | GFLOP a step | x matrix products | gather, forward, backward, update ms | peak MiB | over tables MiB |",
    )?;
    out::line("|---|---|---|---|---|---|---|---|---|---|")?;
    for figure in &mut figures {
        figure.times_matrix_products = figure.median_step_ms / 1e3 / (figure.gflop_per_step / ceilings.gemm_gflops);
        out::line(&row(figure))?;
    }
    if let Some(path) = &args.json {
        let text = serde_json::json!({ "ceilings": ceilings, "results": figures }).to_string();
        std::fs::write(path, text).map_err(|e| CliError::Output {
            path: path.display().to_string(),
            reason: e.to_string(),
            option: "--json",
        })?;
    }
    Ok(())
}

fn row(f: &Figure) -> String {
    let mib = |b: u64| b >> 20;
    let [gather, forward, backward, update] = f.parts_ms;
    format!(
        "| {} | {} | {} | {:.1} | {:.0} | {:.2} | {:.2} | {gather:.1}, {forward:.1}, {backward:.1}, {update:.1} | {} | {} |",
        f.workload,
        f.rows,
        f.batch,
        f.median_step_ms,
        f.rows_per_second,
        f.gflop_per_step,
        f.times_matrix_products,
        mib(f.peak_memory_bytes),
        mib(f.peak_memory_bytes.saturating_sub(f.table_bytes)),
    )
}

/// The workload's model and the multiply-adds of its matrix products for one row, forward.
pub(super) fn workload(name: &str) -> Result<(ModelConfig, f64), CliError> {
    let width = FIELDS * DIM + NUMBERS;
    let mlp =
        |h: &[usize]| -> usize { std::iter::once(&width).chain(h).zip(h.iter().chain([&1])).map(|(a, b)| a * b).sum() };
    let settings = match name {
        "mlp" => serde_json::json!({"mlp": {"hidden": [400, 400, 400], "embedding_dim": DIM}}),
        "wide_deep" => {
            serde_json::json!({"wide_deep": {"hidden": [400, 400, 400], "embedding_dim": DIM, "wide_optimizer": {"kind": "adam"}}})
        }
        "deep_crossing" => {
            serde_json::json!({"deep_crossing": {"hidden": [512, 512, 256, 128, 64], "embedding_dim": DIM}})
        }
        "fm" => serde_json::json!({"fm": {"embedding_dim": DIM}}),
        _ => serde_json::json!({"lr": {}}),
    };
    let products = match name {
        "mlp" | "wide_deep" => mlp(&[400, 400, 400]),
        "deep_crossing" => [512, 512, 256, 128, 64].iter().map(|h| 2 * h * width).sum::<usize>() + width,
        _ => NUMBERS,
    };
    let config = serde_json::from_value(settings).map_err(|e| CliError::Usage(e.to_string()))?;
    Ok((config, products as f64))
}

fn schema(rows: u64) -> Result<(Schema, Vec<u64>), CliError> {
    let total: f64 = (0..FIELDS).map(|f| 0.7f64.powi(f as i32)).sum();
    let sizes: Vec<u64> = (0..FIELDS).map(|f| ((rows as f64 * 0.7f64.powi(f as i32) / total) as u64).max(4)).collect();
    let category = |(f, size): (usize, &u64)| {
        let buckets = u32::try_from(*size).ok();
        (format!("c{f:02}"), FieldConfig { index: Some(IndexPolicy::Modulo), buckets, ..FieldConfig::default() })
    };
    let number = |n: usize| (format!("n{n:02}"), FieldConfig { kind: FieldKind::Numeric, ..FieldConfig::default() });
    let config = FeaturesConfig {
        label: LabelConfig { column: "label".into(), ..LabelConfig::default() },
        weight: None,
        group: None,
        min_count: 1,
        index: IndexPolicy::default(),
        fields: sizes.iter().enumerate().map(category).chain((0..NUMBERS).map(number)).collect(),
    };
    Ok((Schema::new(&config)?, sizes))
}

fn batches(sizes: &[u64], rows: usize) -> Vec<Batch> {
    let mut rng = ChaCha8Rng::seed_from_u64(12_345);
    let laws: Vec<Zipf> = sizes.iter().map(|s| Zipf::new(*s, ZIPF)).collect();
    let batch = |_| Batch {
        rows,
        // Keys that are congruent to their rank give every id a row of its own.
        keys: laws
            .iter()
            .zip(sizes)
            .map(|(law, size)| Keys::One((0..rows).map(|_| law.rank(rng.random()) + size).collect()))
            .collect(),
        numeric: (0..rows * NUMBERS).map(|_| rng.random::<f32>()).collect(),
        label: (0..rows).map(|_| f32::from(u8::from(rng.random::<f64>() < 0.25))).collect(),
        weight: Vec::new(),
        group: Vec::new(),
    };
    (0..BATCHES).map(batch).collect()
}

fn one(args: &BenchArgs, name: &str, rows: u64, device: &burn::tensor::Device) -> Result<Figure, CliError> {
    let (model, products) = workload(name)?;
    let (schema, sizes) = schema(rows)?;
    let batches = batches(&sizes, args.batch);
    let slots = Arc::new(model.slots(&schema));
    let shapes = InputShapes::new(&slots, &schema, -1.1);
    let config = TrainConfig::default();
    let ad = device.clone().inner().autodiff();
    let module = model.init(&shapes, &mut Initial::new(1), &ad);
    let base_memory = resident("VmRSS:");
    reset_peak();
    let tables =
        Tables::new(Arc::new(schema), &slots, &[], &config.sparse, 1, None).map_err(burnrec_train::TrainError::from)?;
    let table_bytes = tables.facts().bytes;
    let ready = prepare(tables.indexer());
    let mut learner = Learner::new(module, tables, slots, device, &config, LossKind::Bce, 1);
    let mut times = Vec::with_capacity(args.steps);
    for step in 0..WARM_UP + args.steps {
        if step == WARM_UP {
            learner.seconds = [0.0; 4];
        }
        let batch = batches[step % BATCHES].clone();
        let start = Instant::now();
        learner.step(ready(batch), 1.0)?;
        drop(device.sync());
        if step >= WARM_UP {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    // Forward once, backward twice: gradients of the weights and of the inputs.
    let gflop = products * args.batch as f64 * 2.0 * 3.0 / 1e9;
    Ok(Figure {
        workload: name.to_string(),
        rows,
        batch: args.batch,
        device: args.device.name().to_string(),
        placement: "host",
        median_step_ms: median * 1e3,
        rows_per_second: args.batch as f64 / median,
        gflop_per_step: gflop,
        times_matrix_products: 0.0,
        peak_memory_bytes: resident("VmHWM:"),
        base_memory_bytes: base_memory,
        table_bytes,
        parts_ms: learner.seconds.map(|s| s / args.steps as f64 * 1e3),
    })
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
