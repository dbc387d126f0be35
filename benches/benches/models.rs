//! The forward pass and the whole step of every registered model: `cargo bench -p burnrec-benches --bench models`.
#![expect(clippy::unwrap_used, reason = "benches")]

use burnrec_benches::{BATCH, batch, experiment, flex, stepper};
use burnrec_models::registered;
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

criterion_group!(benches, models);
criterion_main!(benches);
