//! An agent with a small network: what it hears, what it learns, what leaves it alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_backend::{DeviceName, open};
use burnrec_data::POSITION;
use burnrec_data::split::Dataset;
use burnrec_train::{Apart, Experiment, Job, Stop, train};

use super::*;
use crate::explore::{Noise, read};
use crate::made::Made;

/// A run that learned a few rows, and an agent that begins with it.
struct Small {
    _folder: tempfile::TempDir,
    network: Network,
    source: Made,
}

fn small(settings: &str) -> Small {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    let row = |n: usize| format!("{},{},{:.2},{}\n", n % 5, n % 7, n as f64 % 1.3, u8::from(n % 7 < 2));
    std::fs::write(&log, format!("user,item,age,click\n{}", (0..200).map(row).collect::<String>())).unwrap();
    let experiment: Experiment = toml::from_str(&format!(
        "[data]\nsource = \"{}\"\nsplit = {{ kind = \"random\", valid = 0.1, test = 0.0 }}\n\
         [features]\nindex = \"growing\"\n[features.fields]\nuser = \"categorical\"\nitem = \"categorical\"\nage = \"numeric\"\n\
         [tasks.return]\nlabel = {{ column = \"click\", numeric = true }}\n\
         [model.drn]\nstate = [\"user\"]\nembedding_dim = 4\nvalue_hidden = [8]\nadvantage_hidden = [8]\n\
         [train]\nepochs = 2\nbatch_size = 32\nlearning_rate = 0.01\n",
        log.display()
    ))
    .unwrap();
    let dataset = Dataset::open(&log, &experiment.data).unwrap();
    let opened = open(DeviceName::Flex).unwrap();
    let (out, to) = (folder.path().join("run"), folder.path().join("agent"));
    let checked = experiment.check().unwrap();
    let job = Job { checked, dataset, opened: opened.clone(), out: out.clone(), resume: false, stop: Stop::default() };
    train(job, &mut ()).unwrap();
    let config: AgentConfig = toml::from_str(settings).unwrap();
    config.check("agent").unwrap();
    let network = Network::new(config, Apart::from_run(&out, &to, &opened).unwrap(), 7).unwrap();
    Small { _folder: folder, network, source: Made::new("requests", Vec::new()) }
}

fn request(id: u64, time: f64, user: u64, candidates: &[u64]) -> Request {
    Request { id, time, user, candidates: candidates.to_vec() }
}

fn rows(requests: &[Request]) -> RecordBatch {
    let each = || requests.iter().flat_map(|r| r.candidates.iter().map(move |item| (r.user as i64, *item as i64)));
    let count = each().count();
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        ("user", DataType::Int64, Arc::new(each().map(|(user, _)| user).collect::<Int64Array>())),
        ("item", DataType::Int64, Arc::new(each().map(|(_, item)| item).collect::<Int64Array>())),
        ("age", DataType::Float64, Arc::new(each().map(|(_, item)| item as f64 * 0.1).collect::<Float64Array>())),
        (POSITION, DataType::UInt64, Arc::new((0..count as u64).collect::<UInt64Array>())),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, of, _)| Field::new(*name, of.clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, _, array)| array).collect())
        .unwrap()
}

impl Small {
    fn push(&mut self, now: f64, places: usize, requests: &[Request]) -> Result<Vec<Vec<usize>>, RlError> {
        let rows = rows(requests);
        self.network.push(&Asked { now, places, requests, rows: &rows, source: &self.source, truth: &[] })
    }

    fn hear(&mut self, request: u64, time: f64, clicks: &[bool]) {
        self.network.hear(&[Feedback { request, time, clicks: clicks.to_vec(), propensity: None }]).unwrap();
    }
}

#[test]
fn feedback_is_taken_in_once_in_time_and_of_lists_that_were_pushed() {
    let mut small = small("wait_minutes = 10.0");
    let lists = small.push(0.0, 3, &[request(1, 0.0, 1, &[1, 2, 3, 4]), request(2, 0.0, 9, &[5])]).unwrap();
    assert_eq!((lists[0].len(), lists[1].len()), (3, 1), "fewer candidates than places are all shown");
    small.push(30.0, 3, &[request(3, 30.0, 2, &[1, 2, 3])]).unwrap();
    small.hear(3, 40.0, &[true, false, false]);
    small.hear(1, 50.0, &[false, true, false]);
    small.hear(1, 51.0, &[true, true, true]);
    small.hear(99, 52.0, &[true]);
    small.hear(2, 700.0, &[true]);
    let heard = small.network.heard();
    assert_eq!(heard, Heard { taken: 2, unknown: 1, twice: 1, late: 1, malformed: 0 });
    small.push(800.0, 3, &[request(4, 800.0, 2, &[1, 2, 3])]).unwrap();
    small.hear(4, 810.0, &[true]);
    assert_eq!(small.network.heard().malformed, 1);
    assert_eq!(small.network.memory.get(1).unwrap().clicks, Some(vec![false, true, false]), "the first one counts");
}

#[test]
fn requests_that_cannot_be_answered_are_refused_and_clocks_only_go_forward() {
    let mut small = small("");
    let refused = |small: &mut Small, candidates: &[u64], word: &str| {
        let error = small.push(0.0, 3, &[request(1, 0.0, 1, candidates)]).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("request 1 of user 1"), "{error}");
    };
    refused(&mut small, &[], "no candidates");
    refused(&mut small, &[1, 2, 1], "candidate 1 twice");
    small.network.tick(100.0).unwrap();
    assert!(matches!(small.network.tick(99.0), Err(RlError::Clock { .. })));
    assert!(matches!(small.push(50.0, 3, &[]), Err(RlError::Clock { .. })));
}

#[test]
fn what_is_next_is_worth_what_the_target_says_of_the_best_action() {
    let mut small = small("gamma = 0.4\nactiveness = { weight = 0.05 }");
    small.push(0.0, 2, &[request(1, 0.0, 1, &[1, 2, 3])]).unwrap();
    small.push(86_400.0, 2, &[request(2, 86_400.0, 1, &[4, 5, 6])]).unwrap();
    small.network.memory.get_mut(1).unwrap().clicks = Some(vec![true, false]);
    small.network.memory.get_mut(2).unwrap().clicks = Some(vec![false, false]);
    // Targets of other weights, until who chooses and who judges are told apart.
    let (best, later) = (1..50)
        .find_map(|seed| {
            let weights = &small.network.apart.stepper.weights;
            let noisy = Noise { seed, relative: 0.0, additive: 1.0 }.on(weights.model().unwrap(), 1.0);
            let target = burn::module::Module::valid(&noisy);
            let next = &small.network.memory.get(2).unwrap().rows;
            let spans = score::spans(std::iter::once(3));
            let candidates = score::Candidates { batch: next, spans: &spans, centred: false };
            let both = |own: &_, halves: &score::Halves<'_>| (halves.scores(own), halves.scores(&target));
            let (own, later) = score::infer(weights, &candidates, both).unwrap();
            small.network.target = target;
            (ranked(&own)[0] != ranked(&later)[0]).then(|| (ranked(&own)[0], later))
        })
        .unwrap();
    let network = &small.network;
    let kept = [network.memory.get(1).unwrap(), network.memory.get(2).unwrap()];
    let batch = network.lesson(&kept, None).unwrap();
    let active = 0.5 * (-1.2e-5 * 86_400.0f64).exp() + 0.32;
    let wanted = 0.05 * active + 0.4 * f64::from(later[best]);
    let found = &batch.targets.values;
    assert!(
        (f64::from(found[0]) - (1.0 + wanted)).abs() < 1e-6 && (f64::from(found[1]) - wanted).abs() < 1e-6,
        "{found:?} {wanted}"
    );
    // Who did not come again has no next list.
    let last = 0.05 * network.state.activeness.at(1, 86_400.0);
    assert!((f64::from(found[2]) - last).abs() < 1e-6);
}

#[test]
fn a_duel_that_the_other_network_wins_moves_weights_towards_it_and_others_leave_them_alone() {
    for literal in [false, true] {
        let mut small =
            small(&format!("explore = {{ kind = \"dbgd\", alpha = 0.1, eta = 0.05, literal = {literal} }}"));
        let before = small.network.weights().unwrap();
        let (noise, _) = small.network.noise(0);
        let other = read(&noise.on(small.network.apart.stepper.weights.model().unwrap(), 1.0));
        let rows = small.network.apart.stepper.weights.tables.facts().rows;
        for credit in [[2.0, 1.0], [1.5, 1.5], [0.0, 0.0]] {
            let old = small.network.state.generation;
            small.network.state.credit = credit.to_vec();
            small.network.minor().unwrap();
            assert_eq!(small.network.weights().unwrap(), before, "{credit:?}");
            assert_eq!(small.network.state.generation, old + 1);
        }
        small.network.state.seeds = vec![noise.seed];
        small.network.state.credit = vec![1.0, 2.0];
        small.network.minor().unwrap();
        let (mut moved, base) = (0.0, if literal { 1.05 } else { 1.0 });
        for ((now, before), other) in small.network.weights().unwrap().iter().zip(&before).zip(&other) {
            for ((now, before), other) in now.iter().zip(before).zip(other) {
                // Weights that are 0 have no noise of their own size.
                assert!((now - (before * base + 0.05 * (other - before))).abs() < 1e-6, "{now} {before} {other}");
                moved += (now - before).abs();
            }
        }
        assert!(moved > 1e-3);
        assert_eq!(small.network.apart.stepper.weights.tables.facts().rows, rows, "tables are no part of it");
    }
}

#[test]
fn evolution_and_selection_follow_those_who_earn_more() {
    let mut small = small("explore = { kind = \"es\", members = 3 }");
    let before = small.network.weights().unwrap();
    small.network.minor().unwrap();
    assert_eq!(small.network.weights().unwrap(), before, "nobody was served");
    small.network.state.lists = vec![0.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0];
    small.network.state.credit = vec![0.0, 4.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let (noise, _) = small.network.noise(0);
    let other = read(&noise.on(small.network.apart.stepper.weights.model().unwrap(), 1.0));
    small.network.minor().unwrap();
    let along: f64 = small
        .network
        .weights()
        .unwrap()
        .iter()
        .flatten()
        .zip(before.iter().flatten())
        .zip(other.iter().flatten())
        .map(|((now, before), other)| f64::from(now - before) * f64::from(other - before))
        .sum();
    assert!(along > 0.0, "{along}");

    let mut small = self::small("explore = { kind = \"population\", members = 3 }");
    let seeds = small.network.state.seeds.clone();
    small.network.state.credit = vec![3.0, 1.0, 4.0, 2.0];
    let before = small.network.weights().unwrap();
    small.network.minor().unwrap();
    assert_ne!(small.network.weights().unwrap(), before);
    let now = &small.network.state.seeds;
    let stays: Vec<bool> = seeds.iter().map(|seed| now.contains(seed)).collect();
    assert_eq!((now.len(), stays), (3, vec![false, true, false]), "those that earned less than the agent's own go");
    // All above the agent's: the least of them goes all the same.
    let seeds = now.clone();
    small.network.state.credit = vec![1.0, 4.0, 3.0, 2.0];
    small.network.minor().unwrap();
    let stays: Vec<bool> = seeds.iter().map(|seed| small.network.state.seeds.contains(seed)).collect();
    assert_eq!(stays, [true, true, false]);
}

#[test]
fn feedback_of_noise_that_is_gone_decides_nothing() {
    let mut small = small("explore = { kind = \"dbgd\" }");
    small.push(0.0, 2, &[request(1, 0.0, 1, &[1, 2, 3])]).unwrap();
    small.network.minor().unwrap();
    small.hear(1, 5.0, &[true, true]);
    assert_eq!(small.network.state.credit, [0.0, 0.0]);
    assert_eq!(small.network.heard().taken, 1, "it is learned from all the same");
}

#[test]
fn learning_by_replay_follows_clicks() {
    let mut small = small(
        "gamma = 0.0\nactiveness = { weight = 0.0 }\nlearn = { steps = 200, requests = 16 }\nmemory = { priority = 0.6 }",
    );
    for id in 0..40 {
        let time = id as f64;
        let list = small.push(time, 4, &[request(id, time, id % 5, &[1, 2, 3, 4])]).unwrap().remove(0);
        let clicks: Vec<bool> = list.iter().map(|candidate| *candidate == 3).collect();
        small.hear(id, time + 1.0, &clicks);
    }
    small.network.major().unwrap();
    let list = small.push(100.0, 4, &[request(100, 100.0, 3, &[1, 2, 3, 4])]).unwrap().remove(0);
    assert_eq!(list[0], 3, "what was always clicked comes first");
    assert_eq!(small.network.state.updates, 200);
}

#[test]
fn centred_advantages_are_learned_over_all_candidates_that_are_kept() {
    let mut small = small("gamma = 0.4\ncentred = true\nlearn = { steps = 150, requests = 16, huber = true }");
    for id in 0..40 {
        let time = id as f64 * 60.0;
        let list = small.push(time, 2, &[request(id, time, id % 5, &[1, 2, 3, 4])]).unwrap().remove(0);
        let clicks: Vec<bool> = list.iter().map(|candidate| *candidate == 3).collect();
        small.hear(id, time + 1.0, &clicks);
    }
    let kept = small.network.memory.get(7).unwrap();
    let batch = small.network.lesson(&[kept], None).unwrap();
    assert_eq!((batch.rows, &batch.requests[..]), (4, &[0, 4][..]));
    assert_eq!(batch.targets.known, Some(vec![true, true, false, false]), "what was not shown teaches nothing");
    small.network.major().unwrap();
    let list = small.push(4_000.0, 4, &[request(100, 4_000.0, 3, &[1, 2, 3, 4])]).unwrap().remove(0);
    assert!(small.network.weights().unwrap().iter().flatten().all(|w| w.is_finite()));
    assert_eq!(list.len(), 4);
}
