//! The forward pass and the whole step of every registered model: `cargo bench -p burnrec-benches --bench models`.
#![expect(clippy::unwrap_used, reason = "benches")]

use burnrec_benches::{BATCH, batch, flex, learner, schema_of};
use burnrec_embedding::Placement;
use burnrec_models::registered;
use burnrec_train::prepare;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn models(c: &mut Criterion) {
    let opened = flex();
    let mut group = c.benchmark_group("flex");
    group.throughput(Throughput::Elements(BATCH as u64)).sample_size(10);
    for model in registered() {
        let schema = schema_of(&model.default);
        let one = batch(&schema);
        let mut learner = learner(&model.default, &schema, &opened, Placement::Host);
        let ready = prepare(learner.tables.indexer());
        let frozen = learner.frozen().unwrap();
        group.bench_function(format!("{} forward", model.name), |b| {
            b.iter_batched(|| ready(one.clone()), |p| learner.predict(&frozen, p).unwrap(), BatchSize::LargeInput);
        });
        group.bench_function(format!("{} step", model.name), |b| {
            b.iter_batched(
                || ready(one.clone()),
                |p| {
                    let loss = learner.step(p, 1.0).unwrap();
                    opened.device.sync().unwrap();
                    loss
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, models);
criterion_main!(benches);
