//! An agent of the news site: 200 candidates of one reader at once and one by one, and a duel that its other network wins:
//! `cargo bench --workspace --bench agents`.
#![expect(clippy::unwrap_used, reason = "benches")]

use burnrec_backend::{DeviceName, open};
use burnrec_data::split::Dataset;
use burnrec_rl::agent::{AgentConfig, Asked, Network, Policy};
use burnrec_rl::environment::news::{News, NewsConfig};
use burnrec_rl::environment::{Environment, Request};
use burnrec_rl::explore::Noise;
use burnrec_rl::simulate::Simulation;
use burnrec_train::{Apart, Experiment, Job, Stop, train};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Candidates of a request.
const CANDIDATES: usize = 200;

/// The site, with so many articles alive.
fn site() -> News {
    let config = NewsConfig { users: 500, articles_per_hour: 100.0, candidates: CANDIDATES, ..NewsConfig::default() };
    News::new(config, 1, 100.0).unwrap()
}

/// A request of as many candidates.
fn request(news: &mut News) -> Request {
    let ticks = (1..).map(|tick| f64::from(tick) * 60.0);
    let full = |request: &Request| request.candidates.len() == CANDIDATES;
    ticks.map(|now| news.requests(now).unwrap()).find_map(|all| all.into_iter().find(full)).unwrap()
}

/// The agent of the config, after a training on a few of the site's rows.
fn agent(news: &mut News, folder: &std::path::Path) -> Network {
    let text = include_str!("../../configs/drn/news_simulator.toml");
    let simulation: Simulation = toml::from_str(text).unwrap();
    let agent: AgentConfig = toml::Value::Table(simulation.agent.clone()).try_into().unwrap();
    let one = request(news);
    let rows = news.rows(std::slice::from_ref(&one)).unwrap();
    let log = folder.join("log.csv");
    let schema = rows.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut lines = vec![format!("{},click", names.join(","))];
    for row in 0..rows.num_rows() {
        let cell = |array: &arrow::array::ArrayRef| arrow::util::display::array_value_to_string(array, row).unwrap();
        lines.push(format!("{},{}", rows.columns().iter().map(cell).collect::<Vec<_>>().join(","), row % 3 / 2));
    }
    std::fs::write(&log, lines.join("\n") + "\n").unwrap();
    let text = serde_json::json!({
        "data": { "source": log, "split": { "kind": "random", "valid": 0.1, "test": 0.0 } },
        "features": simulation.features,
        "tasks": { "return": { "label": { "column": "click", "numeric": true } } },
        "model": agent.model,
        "train": { "epochs": 1 },
    });
    let experiment: Experiment = serde_json::from_value(text).unwrap();
    let dataset = Dataset::open(&log, &experiment.data).unwrap();
    let (opened, out) = (open(DeviceName::Flex).unwrap(), folder.join("run"));
    let checked = experiment.check().unwrap();
    train(
        Job { checked, dataset, opened: opened.clone(), out: out.clone(), resume: false, stop: Stop::default() },
        &mut (),
    )
    .unwrap();
    Network::new(agent, Apart::from_run(&out, &folder.join("agent"), &opened).unwrap(), 1).unwrap()
}

fn push(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut news = site();
    let mut network = agent(&mut news, folder.path());
    let whole = request(&mut news);
    let rows = news.rows(std::slice::from_ref(&whole)).unwrap();
    let ask = |network: &mut Network, requests: &[Request], rows: &arrow::array::RecordBatch| {
        let now = whole.time;
        network.push(&Asked { now, places: 5, requests, rows, source: news.source(), truth: &[] }).unwrap()
    };
    let mut group = c.benchmark_group("agent");
    group.throughput(Throughput::Elements(CANDIDATES as u64)).sample_size(10);
    group.bench_function("200 candidates at once", |b| {
        b.iter(|| ask(&mut network, std::slice::from_ref(&whole), &rows));
    });
    let single = |at: usize| Request { candidates: vec![whole.candidates[at]], ..whole.clone() };
    let singles: Vec<(Request, _)> = (0..CANDIDATES).map(|at| (single(at), rows.slice(at, 1))).collect();
    group.bench_function("200 candidates one by one", |b| {
        b.iter(|| {
            for (one, row) in &singles {
                ask(&mut network, std::slice::from_ref(one), row);
            }
        });
    });
    group.finish();
    // A minor update is noise on the dense weights, drawn anew: no table is touched.
    let model = network.model().unwrap().clone();
    let weights: usize = network.weights().unwrap().iter().map(Vec::len).sum();
    let mut group = c.benchmark_group("minor update");
    group.throughput(Throughput::Elements(weights as u64)).sample_size(10);
    group.bench_function("noise on all dense weights", |b| {
        b.iter(|| Noise { seed: 1, relative: 0.1, additive: 0.0 }.on(&model, 0.05));
    });
    group.finish();
}

criterion_group!(benches, push);
criterion_main!(benches);
