//! The embedding path against the obvious way to do it, on random batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use burnrec_embedding::{
    Gathered, Gradients, Init, Lookup, LookupGradient, Slots, SpaceBatch, SparseOptimizer, SparseRule, Tables, Update,
};
use burnrec_features::{Batch, FeaturesConfig, Keys, Schema, TargetConfig, Targets, Vocabulary};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIM: usize = 3;
const IDS: u64 = 200;

fn schema(fields: &str) -> Arc<Schema> {
    let text = format!("[fields]\n{fields}");
    Arc::new(Schema::new(&toml::from_str::<FeaturesConfig>(&text).unwrap(), &[TargetConfig::of("y")]).unwrap())
}

fn slots(schema: &Schema) -> Slots {
    let features = (0..schema.categorical.len()).collect();
    Slots(vec![Lookup {
        name: "v",
        features,
        sequences: Vec::new(),
        squares: Vec::new(),
        dim: DIM,
        optimizer: None,
        init: Init::Normal(1.0),
    }])
}

fn vocabulary() -> Vocabulary {
    (1..=IDS).map(|k| (k, 1)).collect()
}

fn batch(keys: Vec<Keys>, rows: usize) -> Batch {
    Batch { rows, keys, targets: Targets::one(vec![0.0; rows]), ..Batch::default() }
}

/// One SGD step of rate 1 by hand: what each key's vector should be.
fn by_hand(
    before: &BTreeMap<u64, Vec<f32>>,
    occurrences: &[(u64, f32, usize)],
    gradient: &[f32],
) -> BTreeMap<u64, Vec<f32>> {
    let mut after = before.clone();
    for (key, weight, slot) in occurrences {
        let vector = after.get_mut(key).unwrap();
        for d in 0..DIM {
            vector[d] -= weight * gradient[slot * DIM + d];
        }
    }
    after
}

/// A step of a tables' own clock.
fn apply(tables: &mut Tables, rows: usize, spaces: &[SpaceBatch], gathered: &Gathered, gradient: LookupGradient) {
    let gradients = Gradients { host: vec![gradient], device: vec![None] };
    let step = tables.step() + 1;
    tables.apply(Update { step, rows, spaces, gathered, uploaded: None, gradients, scale: None, rate: 1.0 });
}

fn leaf(gradient: &[f32]) -> LookupGradient {
    LookupGradient { leaf: gradient.to_vec(), sequences: Vec::new() }
}

fn vectors(tables: &mut Tables, keys: impl Iterator<Item = u64>, pooled: bool) -> BTreeMap<u64, Vec<f32>> {
    keys.map(|key| {
        let one = match pooled {
            false => Keys::One(vec![key]),
            true => Keys::Many { keys: vec![key], weights: None, offsets: vec![0, 1] },
        };
        let one = batch(vec![one], 1);
        let mut prepared = tables.indexer().prepare(&one);
        tables.resolve(&one, &mut prepared);
        (key, tables.gather(1, &prepared).leaves[0].clone())
    })
    .collect()
}

#[test]
fn duplicates_are_summed_and_padding_rests() {
    for (rows, spread) in [(1, IDS), (500, IDS), (500, 1), (300, 3)] {
        let schema = schema("a = \"categorical\"");
        let sgd = SparseOptimizer::new(SparseRule::Sgd, 1.0);
        let mut tables = Tables::new(schema.clone(), &slots(&schema), &[vocabulary()], &sgd, 1, None).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(rows as u64);
        let keys: Vec<u64> = (0..rows).map(|r| if r % 10 == 9 { 0 } else { rng.random_range(1..=spread) }).collect();
        let gradient: Vec<f32> = (0..rows * DIM).map(|_| rng.random_range(-1.0..1.0)).collect();
        let before = vectors(&mut tables, 1..=IDS, false);
        let batch = batch(vec![Keys::One(keys.clone())], rows);
        let prepared = tables.indexer().prepare(&batch);
        let gathered = tables.gather(rows, &prepared);
        for (row, key) in keys.iter().enumerate() {
            let expected = before.get(key).cloned().unwrap_or(vec![0.0; DIM]);
            assert_eq!(gathered.leaves[0][row * DIM..(row + 1) * DIM], expected);
        }
        apply(&mut tables, rows, &prepared, &gathered, leaf(&gradient));
        let occurrences: Vec<_> =
            keys.iter().enumerate().filter(|(_, k)| **k != 0).map(|(r, k)| (*k, 1.0, r)).collect();
        let expected = by_hand(&before, &occurrences, &gradient);
        for (key, vector) in vectors(&mut tables, 1..=IDS, false) {
            let close = vector.iter().zip(&expected[&key]).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(close, "key {key}: {vector:?} {:?}", expected[&key]);
        }
        assert_eq!(tables.vector(0, 0), Some(vec![0.0; DIM]));
    }
}

#[test]
fn sums_of_squares_stand_behind_all_slots_and_their_gradient_reaches_the_ids() {
    let schema = schema("a = \"categorical\"\nb = { kind = \"multi\", weights = \"w\", pooling = \"sum\" }");
    let lookup = Lookup { squares: vec![1], ..slots(&schema).0.remove(0) };
    let sgd = SparseOptimizer::new(SparseRule::Sgd, 1.0);
    let vocabularies = [vocabulary(), vocabulary()];
    let mut tables = Tables::new(schema.clone(), &Slots(vec![lookup]), &vocabularies, &sgd, 1, None).unwrap();
    let (ids, weights) = ([3u64, 4, 5], [0.5f32, 2.0, 1.0]);
    let several = Keys::Many { keys: ids.to_vec(), weights: Some(weights.to_vec()), offsets: vec![0, 0, 3] };
    let rows = batch(vec![Keys::One(vec![1, 2]), several], 2);
    let (place, at, count) = tables.squares(0)[0];
    assert_eq!((tables.leaf_slots(0), tables.slot_order(0)[at], place, count), (3, 1, 0, 1));
    let gather = |tables: &Tables| {
        let prepared = tables.indexer().prepare(&rows);
        let gathered = tables.gather(2, &prepared);
        (prepared, gathered)
    };
    let squares =
        |gathered: &Gathered, row: usize| gathered.leaves[0][(row * 3 + 2) * DIM..(row * 3 + 3) * DIM].to_vec();
    let (prepared, gathered) = gather(&tables);
    assert_eq!(squares(&gathered, 0), [0.0; DIM]);
    let before = squares(&gathered, 1);
    // d Σ (x v)² = 2 x² v: with a rate of 1 and a small gradient g each v shrinks by 1 - 2 x² g.
    let g = 0.01;
    let mut gradient = vec![0.0; 2 * 3 * DIM];
    gradient[5 * DIM..6 * DIM].fill(g);
    let one = |keys: u64| Keys::Many { keys: vec![keys], weights: Some(vec![1.0]), offsets: vec![0, 1] };
    let vector = |tables: &Tables, id: u64| {
        let alone = batch(vec![Keys::One(vec![0]), one(id)], 1);
        let gathered = tables.gather(1, &tables.indexer().prepare(&alone));
        gathered.leaves[0][at * DIM..(at + 1) * DIM].to_vec()
    };
    let old: Vec<Vec<f32>> = ids.iter().map(|id| vector(&tables, *id)).collect();
    for d in 0..DIM {
        let sum: f32 = old.iter().zip(weights).map(|(v, x)| (x * v[d]).powi(2)).sum();
        assert!((before[d] - sum).abs() < 1e-5, "{} {sum}", before[d]);
    }
    apply(&mut tables, 2, &prepared, &gathered, leaf(&gradient));
    for ((id, x), old) in ids.iter().zip(weights).zip(old) {
        for (new, old) in vector(&tables, *id).iter().zip(old) {
            assert!((new - old * (1.0 - 2.0 * x * x * g)).abs() < 1e-5, "{id}: {new} {old}");
        }
    }
}

#[test]
fn pooling_by_sum_mean_and_max_gathers_and_spreads_the_gradient() {
    for pooling in ["sum", "mean", "max"] {
        let schema = schema(&format!("a = {{ kind = \"multi\", pooling = \"{pooling}\" }}"));
        let sgd = SparseOptimizer::new(SparseRule::Sgd, 1.0);
        let mut tables = Tables::new(schema.clone(), &slots(&schema), &[vocabulary()], &sgd, 1, None).unwrap();
        let rows: [&[u64]; 4] = [&[1, 2, 3], &[], &[4, 0], &[1, 9]];
        let ends = rows.iter().scan(0, |at, r| {
            *at += r.len() as u32;
            Some(*at)
        });
        let offsets = std::iter::once(0).chain(ends).collect();
        let batch = batch(vec![Keys::Many { keys: rows.concat(), weights: None, offsets }], 4);
        let before = vectors(&mut tables, 1..=9, true);
        let prepared = tables.indexer().prepare(&batch);
        let gathered = tables.gather(4, &prepared);
        let gradient: Vec<f32> = (0..4 * DIM).map(|i| 0.1 * (i as f32 + 1.0)).collect();
        let mut expected = before.clone();
        for (row, ids) in rows.iter().enumerate() {
            let ids: Vec<u64> = ids.iter().copied().filter(|i| *i != 0).collect();
            for d in 0..DIM {
                let of = |id: &u64| before[id][d];
                let sum: f32 = ids.iter().map(of).sum();
                let best = ids.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
                let pooled = match pooling {
                    "sum" => sum,
                    "mean" => sum / ids.len().max(1) as f32,
                    _ => best.map_or(0.0, of),
                };
                assert!((gathered.leaves[0][row * DIM + d] - pooled).abs() < 1e-6, "{pooling} row {row}");
                for id in &ids {
                    let share = match pooling {
                        "sum" => 1.0,
                        "mean" => 1.0 / ids.len() as f32,
                        _ => f32::from(u8::from(Some(id) == best)),
                    };
                    expected.get_mut(id).unwrap()[d] -= share * gradient[row * DIM + d];
                }
            }
        }
        apply(&mut tables, 4, &prepared, &gathered, leaf(&gradient));
        for (key, vector) in vectors(&mut tables, 1..=9, true) {
            assert!(vector.iter().zip(&expected[&key]).all(|(a, b)| (a - b).abs() < 1e-6), "{pooling} key {key}");
        }
    }
}

#[test]
fn lazy_adam_leaves_untouched_rows_alone() {
    let schema = schema("a = \"categorical\"");
    let adam = SparseOptimizer::new(SparseRule::Adam, 0.1);
    let mut tables = Tables::new(schema.clone(), &slots(&schema), &[vocabulary()], &adam, 1, None).unwrap();
    let step = |tables: &mut Tables, key: u64| {
        let batch = batch(vec![Keys::One(vec![key])], 1);
        let prepared = tables.indexer().prepare(&batch);
        let gathered = tables.gather(1, &prepared);
        apply(tables, 1, &prepared, &gathered, leaf(&[0.5, -0.5, 1.0]));
    };
    step(&mut tables, 1);
    let after_one = vectors(&mut tables, 1..=1, false);
    (0..10).for_each(|_| step(&mut tables, 2));
    assert_eq!(vectors(&mut tables, 1..=1, false), after_one);
}

#[test]
fn unseen_ids_share_a_row_and_growing_tables_admit_after_min_count() {
    let fixed = schema("a = \"categorical\"");
    let sgd = SparseOptimizer::new(SparseRule::Sgd, 1.0);
    let mut tables = Tables::new(fixed.clone(), &slots(&fixed), &[vocabulary()], &sgd, 1, None).unwrap();
    let step = |tables: &mut Tables, key: u64| {
        let batch = batch(vec![Keys::One(vec![key])], 1);
        let mut prepared = tables.indexer().prepare(&batch);
        tables.admit(&batch).unwrap();
        tables.resolve(&batch, &mut prepared);
        let gathered = tables.gather(1, &prepared);
        apply(tables, 1, &prepared, &gathered, leaf(&[1.0, 1.0, 1.0]));
    };
    step(&mut tables, 5000);
    assert_eq!(vectors(&mut tables, 6000..=6000, false)[&6000], [-1.0; DIM]);

    let growing = schema("a = { kind = \"categorical\", index = \"growing\", min_count = 3 }");
    let mut tables = Tables::new(growing.clone(), &slots(&growing), &[], &sgd, 1, None).unwrap();
    let mut other = Tables::new(growing.clone(), &slots(&growing), &[], &sgd, 1, None).unwrap();
    for sighting in 1..=3 {
        // Until it is admitted it shares the row of unseen ids, which its steps move.
        let shared = 1.0 - sighting as f32;
        assert_eq!(vectors(&mut tables, 77..=77, false)[&77], [shared; DIM], "before sighting {sighting}");
        assert_eq!(vectors(&mut tables, 78..=78, false)[&78], [shared; DIM], "another, before sighting {sighting}");
        step(&mut tables, 77);
    }
    let admitted = vectors(&mut tables, 77..=77, false)[&77].clone();
    assert_ne!(admitted, [0.0; DIM]);
    // The first value depends on seed, table and key, not on who came before.
    (0..3).for_each(|_| step(&mut other, 1234));
    (0..3).for_each(|_| step(&mut other, 77));
    assert_eq!(vectors(&mut other, 77..=77, false)[&77], admitted);
}

#[test]
fn a_new_id_starts_as_the_mean_of_the_fields_that_describe_it() {
    for index in ["growing", "vocabulary"] {
        let described = format!(
            "a = {{ kind = \"categorical\", index = \"growing\", starts_as = [\"b\", \"c\"] }}\n\
             b = {{ kind = \"categorical\", index = \"{index}\" }}\nc = {{ kind = \"categorical\", index = \"{index}\" }}"
        );
        let schema = schema(&described);
        let adagrad = SparseOptimizer::new(SparseRule::Adagrad, 1.0);
        let vocabularies = [vec![], vocabulary(), vocabulary()];
        let mut tables = Tables::new(schema.clone(), &slots(&schema), &vocabularies, &adagrad, 1, None).unwrap();
        let mut of = |item: u64, topic: u64, brand: u64| -> Vec<Vec<f32>> {
            // The first row is missing everything: the row that an id was seen in counts.
            let keys = [item, topic, brand].map(|key| Keys::One(vec![0, key])).to_vec();
            let batch = batch(keys, 2);
            let mut prepared = tables.indexer().prepare(&batch);
            tables.admit(&batch).unwrap();
            tables.resolve(&batch, &mut prepared);
            let order = tables.slot_order(0).to_vec();
            let gathered = tables.gather(2, &prepared);
            let second = &gathered.leaves[0][3 * DIM..];
            let slot = |field: usize| order.iter().position(|f| *f == field).unwrap();
            (0..3).map(|f| second[slot(f) * DIM..(slot(f) + 1) * DIM].to_vec()).collect()
        };
        let found = of(501, 3, 4);
        let mean: Vec<f32> = (0..DIM).map(|d| (found[1][d] + found[2][d]) / 2.0).collect();
        assert_eq!(found[0], mean, "{index}");
        assert!(mean.iter().any(|w| *w != 0.0));
        // What describes it in part, and nothing at all: then its key decides.
        assert_eq!(of(502, 3, 0)[0], found[1], "{index}");
        assert_ne!(of(503, 0, 0)[0], [0.0; DIM], "{index}");
        // It starts so once: other fields beside it later change nothing.
        assert_eq!(of(501, 5, 6)[0], mean, "{index}");
    }
    for (fields, problem) in [
        ("i = { kind = \"categorical\", starts_as = [\"a\"] }\na = \"categorical\"", "growing"),
        ("i = { kind = \"categorical\", index = \"growing\", starts_as = [\"x\"] }", "no field of one id"),
        ("i = { kind = \"categorical\", index = \"growing\", starts_as = [\"i\"] }", "itself"),
        ("i = { kind = \"categorical\", index = \"growing\", starts_as = [] }", "names no field"),
    ] {
        let config: FeaturesConfig = toml::from_str(&format!("[fields]\n{fields}")).unwrap();
        let error = Schema::new(&config, &[TargetConfig::of("y")]).unwrap_err().to_string();
        assert!(error.contains("starts_as") && error.contains(problem), "{error}");
    }
}

#[test]
fn a_sequence_and_its_candidate_share_rows_and_their_gradients_are_one_sum() {
    for pooled in ["", "m = { kind = \"multi\", table = \"a\", pooling = \"sum\" }"] {
        let schema = schema(&format!("a = \"categorical\"\nh = {{ kind = \"sequence\", table = \"a\" }}\n{pooled}"));
        let sgd = SparseOptimizer::new(SparseRule::Sgd, 1.0);
        let mut lookups = slots(&schema);
        lookups.0[0].features = schema.columns_only();
        lookups.0[0].sequences = schema.sequences();
        let vocabularies = vec![vocabulary(); schema.categorical.len()];
        let mut tables = Tables::new(schema.clone(), &lookups, &vocabularies, &sgd, 1, None).unwrap();
        let many =
            |keys: &[u64]| Keys::Many { keys: keys.to_vec(), weights: None, offsets: vec![0, 0, keys.len() as u32] };
        let mut keys = vec![Keys::One(vec![1, 2]), many(&[2, 3, 2])];
        keys.extend((!pooled.is_empty()).then(|| many(&[3])));
        let batch = batch(keys, 2);
        let prepared = tables.indexer().prepare(&batch);
        let before = tables.gather(2, &prepared);
        let of = |key: usize| before.sequences[0][0][(key - 2) * DIM..(key - 1) * DIM].to_vec();
        let order = tables.slot_order(0).to_vec();
        let slots = order.len();
        let a = order.iter().position(|f| *f == 0).unwrap();
        assert_eq!(before.leaves[0][(slots + a) * DIM..(slots + a + 1) * DIM], of(2));
        let mut gradient = LookupGradient { leaf: vec![0.0; 2 * slots * DIM], sequences: vec![vec![0.0; 3 * DIM]] };
        gradient.leaf[(slots + a) * DIM..(slots + a + 1) * DIM].fill(1.0);
        gradient.sequences[0].copy_from_slice(&[[10.0; DIM], [20.0; DIM], [40.0; DIM]].concat());
        if slots > 1 {
            let m = 1 - a;
            gradient.leaf[(slots + m) * DIM..(slots + m + 1) * DIM].fill(100.0);
        }
        apply(&mut tables, 2, &prepared, &before, gradient);
        let after = tables.gather(2, &prepared);
        // Key 2: as candidate, first and third behaviour; key 3: second behaviour, and pooled.
        let moved = [51.0, if slots > 1 { 120.0 } else { 20.0 }];
        for (key, moved) in [2, 3].into_iter().zip(moved) {
            let now = &after.sequences[0][0][(key - 2) * DIM..(key - 1) * DIM];
            assert!(now.iter().zip(of(key)).all(|(n, b)| (b - n - moved).abs() < 1e-4), "{key} {pooled}: {now:?}");
        }
    }
}
