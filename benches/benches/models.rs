//! The forward pass and the whole step of every registered model: `cargo bench -p burnrec-benches --bench models`.
#![expect(clippy::unwrap_used, reason = "benches")]

use burn::tensor::{Int, Tensor};
use burnrec_benches::{BATCH, batch, experiment, flex, stepper};
use burnrec_features::Batch;
use burnrec_models::{Model, ModelConfig, Trunk, registered};
use burnrec_train::prepare;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn models(c: &mut Criterion) {
    let opened = flex();
    let mut group = c.benchmark_group("flex");
    group.throughput(Throughput::Elements(BATCH as u64)).sample_size(10);
    for model in registered() {
        let checked = experiment(&model.default);
        let one = batch(checked.schema());
        let mut stepper = stepper(&checked, &opened);
        let ready = prepare(stepper.weights.tables.indexer(), Some(checked.tasks().clone()));
        let frozen = stepper.weights.frozen().unwrap();
        group.bench_function(format!("{} forward", model.name), |b| {
            b.iter_batched(|| ready(one.clone()), |p| frozen.scores(p), BatchSize::LargeInput);
        });
        group.bench_function(format!("{} step", model.name), |b| {
            b.iter_batched(
                || ready(one.clone()),
                |p| {
                    let losses = stepper.step(p, 1.0).unwrap();
                    opened.device.sync().unwrap();
                    losses
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// 200 candidates of one request by DRN's network: at once, with the state's half once, and one by one.
fn request(c: &mut Criterion) {
    const CANDIDATES: u32 = 200;
    let opened = flex();
    let drn: ModelConfig =
        serde_json::from_value(serde_json::json!({"drn": {"state": ["c00", "c01", "c02", "n00", "n01"]}})).unwrap();
    let checked = experiment(&drn);
    let all = batch(checked.schema()).take(&(0..CANDIDATES).collect::<Vec<_>>());
    let stepper = stepper(&checked, &opened);
    let ready = prepare(stepper.weights.tables.indexer(), None);
    let frozen = stepper.weights.frozen().unwrap();
    let mut group = c.benchmark_group("request");
    group.throughput(Throughput::Elements(u64::from(CANDIDATES))).sample_size(10);
    group.bench_function("drn 200 candidates at once", |b| {
        b.iter(|| {
            let places = Tensor::<1, Int>::zeros([CANDIDATES as usize], &frozen.device());
            frozen.infer_both(ready(all.take(&[0])), ready(all.clone()), |model, state, rows| {
                let halves = model.trunk(state).0.into_iter().map(|half| half.select(0, places.clone()));
                model.heads(Trunk(halves.collect()), rows).scores().into_data()
            })
        });
    });
    let rows: Vec<Batch> = (0..CANDIDATES).map(|row| all.take(&[row])).collect();
    group.bench_function("drn 200 candidates one by one", |b| {
        b.iter(|| rows.iter().map(|row| frozen.scores(ready(row.clone())).into_data()).collect::<Vec<_>>());
    });
    group.finish();
}

criterion_group!(benches, models, request);
criterion_main!(benches);
