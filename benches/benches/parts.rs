//! The parts of a step and of the loader: `cargo bench -p burnrec-benches --bench parts`.
#![expect(clippy::unwrap_used, reason = "benches")]

use std::sync::Arc;

use burnrec_benches::{BATCH, batch, experiment, tables};
use burnrec_data::Side;
use burnrec_data::split::Dataset;
use burnrec_data::synthetic::{SyntheticConfig, generate};
use burnrec_embedding::{Gathered, Gradients, LookupGradient, SpaceBatch, SparseOptimizer, SparseRule, Update};
use burnrec_features::{Cache, Encoder, FeaturesConfig, LoaderConfig, Schema, TargetConfig, load};
use burnrec_models::registered;
use burnrec_train::Checked;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn update<'a>(spaces: &'a [SpaceBatch], gathered: &'a Gathered, gradients: Gradients) -> Update<'a> {
    Update { step: 1, rows: BATCH, spaces, gathered, uploaded: None, gradients, scale: None, rate: 1.0 }
}

fn tables_and_sort(c: &mut Criterion) {
    // The first model of one lookup of vectors of all fields.
    let of_vectors = |checked: &Checked| matches!(checked.slots().0.as_slice(), [only] if only.dim == 16);
    let checked = registered().iter().map(|model| experiment(&model.default)).find(of_vectors).unwrap();
    let (schema, slots) = (checked.schema(), checked.slots());
    let one = batch(schema);
    let mut group = c.benchmark_group("host tables, 26 x 16");
    group.throughput(Throughput::Elements(BATCH as u64)).sample_size(20);
    let first = tables(schema, slots, &SparseOptimizer::default());
    let indexer = first.indexer();
    group.bench_function("key to row and sort", |b| b.iter(|| indexer.prepare(&one)));
    let prepared = indexer.prepare(&one);
    group.bench_function("pack for a device", |b| b.iter(|| indexer.pack(&one, &prepared, &[])));
    group.bench_function("gather", |b| b.iter(|| first.gather(BATCH, &prepared)));
    drop(first);
    for rule in SparseRule::ALL {
        let mut tables = tables(schema, slots, &SparseOptimizer::new(rule, 1e-3));
        let gathered = tables.gather(BATCH, &prepared);
        let leaf = gathered.leaves[0].iter().map(|w| w * 0.1).collect();
        let host = vec![LookupGradient { leaf, sequences: Vec::new() }];
        let gradients = Gradients { host, device: vec![None] };
        group.bench_function(format!("apply {rule:?}"), |b| {
            b.iter_batched(
                || gradients.clone(),
                |gradients| tables.apply(update(&prepared, &gathered, gradients)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn encoder_and_loader(c: &mut Criterion) {
    const ROWS: u64 = 65_536;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    generate(&SyntheticConfig { rows: ROWS, ..SyntheticConfig::default() }, &path).unwrap();
    let dataset = Dataset::whole(burnrec_data::open_path(&path, &burnrec_data::Reads::default()).unwrap());
    let fields: serde_json::Map<_, _> = (1..=26)
        .map(|f| (format!("C{f}"), serde_json::json!("categorical")))
        .chain((1..=13).map(|n| (format!("I{n}"), serde_json::json!({"kind": "numeric", "transform": "log1p"}))))
        .collect();
    let config: FeaturesConfig = serde_json::from_value(serde_json::json!({ "fields": fields })).unwrap();
    let schema = Schema::new(&config, &[TargetConfig::of("label")]).unwrap();
    let columns = schema.columns(true);
    let (encoder, _, _) = Encoder::fit(schema, &dataset, &columns).unwrap();
    let encoder = Arc::new(encoder);
    let source = dataset.source(Side::Train).clone();
    let chunks: Vec<_> = dataset.stream(Side::Train, &columns).unwrap().map(Result::unwrap).collect();
    let mut group = c.benchmark_group("39 columns");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    group.bench_function("encoder", |b| {
        b.iter(|| {
            chunks
                .iter()
                .map(|chunk| encoder.encode(chunk, &*source, burnrec_features::Purpose::Train).unwrap().rows)
                .sum::<usize>()
        });
    });
    let settings = LoaderConfig {
        batch_size: BATCH,
        shuffle: Some(1),
        epoch: 0,
        buffer_rows: 32_768,
        prefetch: 4,
        skip: 0,
        purpose: burnrec_features::Purpose::Train,
        ..LoaderConfig::default()
    };
    group.bench_function("loader from Parquet, shuffled", |b| {
        b.iter_batched(
            || dataset.stream(Side::Train, &columns).unwrap(),
            |rows| load(rows, source.clone(), encoder.clone(), settings.clone(), |batch| batch.rows).count(),
            BatchSize::PerIteration,
        );
    });
    let folder = tempfile::tempdir().unwrap();
    let cache = Some(Cache { path: folder.path().join("rows.arrow"), key: "bench".into() });
    let settings = LoaderConfig { cache, ..settings };
    let pass = |rows| load(rows, source.clone(), encoder.clone(), settings.clone(), |batch| batch.rows).count();
    // The first pass writes the file.
    pass(dataset.stream(Side::Train, &columns).unwrap());
    group.bench_function("loader from its cache, shuffled", |b| {
        b.iter_batched(|| dataset.stream(Side::Train, &columns).unwrap(), pass, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, tables_and_sort, encoder_and_loader);
criterion_main!(benches);
