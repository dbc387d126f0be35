//! The kernels against a plain reference on the host, on whatever adapter answers; llvmpipe in CI.
#![expect(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;

use super::pack::Packer;
use super::*;
use crate::{DeviceName, open};

const BATCH: usize = 12;
const COUNT: usize = 3;
const TOTAL: usize = 4;

pub(super) fn adapter() -> Option<Device> {
    let opened = open(DeviceName::Wgpu).ok();
    if opened.is_none() {
        eprintln!("SKIPPED: no wgpu adapter answers; nothing was tested");
    }
    opened.map(|o| o.device)
}

/// Numbers in -1..1 that differ.
pub(super) fn noise(length: usize, seed: u32) -> Vec<f32> {
    (0..length as u32)
        .map(|i| ((i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) % 2001) as f32 / 1000.0 - 1.0)
        .collect()
}

/// Equal to 1e-5 of the largest number that went into them: FTRL's z is what is left of larger terms.
pub(super) fn close(found: &[f32], expected: &[f32], terms: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-5 * e.abs().max(terms), "{what} at {i}: {f} {e}");
    }
}

pub(super) fn settings(rule: u32) -> RowStep {
    RowStep {
        rule,
        rate: 0.05,
        base_rate: 0.1,
        beta_1: 0.9,
        beta_2: 0.99,
        epsilon: 1e-6,
        beta: 1.0,
        l1: 0.01,
        l21: 0.04,
        l2: 0.02,
        mba_l2: 0.5,
        correction: 0.7,
        batch_rows: BATCH as f32,
        step: 5,
        counted: false,
    }
}

fn state_width(rule: u32, dim: usize) -> usize {
    match rule {
        rule::SGD => 0,
        rule::ADAGRAD | rule::FOBOS => dim,
        rule::ROW_WISE => 1,
        _ => 2 * dim,
    }
}

/// The rows of a table, plainly.
#[derive(Clone)]
struct Plain {
    weights: Vec<f32>,
    state: Vec<f32>,
    counters: Vec<i32>,
}

/// One row's step by the textbook, in f64.
fn plain_step(t: &mut Plain, row: usize, dim: usize, sum: &[f64], touches: i32, s: &RowStep) {
    let f = |x: f32| f64::from(x);
    let width = state_width(s.rule, dim);
    let previous = t.counters[row * 2 + 1];
    let rested = if previous > 0 { f64::from(s.step - previous - 1) } else { 0.0 };
    t.counters[row * 2] += touches;
    t.counters[row * 2 + 1] = s.step;
    let seen = f64::from(t.counters[row * 2]);
    if s.rule == rule::FOBOS {
        group(t, row, dim, rested, s);
    }
    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
    let shrink = |w: f64, by: f64| sign(w) * (w.abs() - by).max(0.0);
    let g: Vec<f64> = (0..dim)
        .map(|d| {
            let w = f(t.weights[row * dim + d]);
            let penalty = f(s.mba_l2) / seen.max(1.0) * w;
            match s.rule >= rule::FTRL {
                true => sum[d] * f(s.batch_rows) + penalty,
                false => sum[d] + f(s.l2) * w + f(s.l1) * sign(w) + penalty,
            }
        })
        .collect();
    if s.rule == rule::ROW_WISE {
        t.state[row] += (g.iter().map(|g| g * g).sum::<f64>() / dim as f64) as f32;
    }
    for (d, g) in g.into_iter().enumerate() {
        let (w, one, two) = (f(t.weights[row * dim + d]), row * width + d, row * width + dim + d);
        t.weights[row * dim + d] = match s.rule {
            rule::SGD => w - f(s.rate) * g,
            rule::ADAGRAD => {
                t.state[one] += (g * g) as f32;
                w - f(s.rate) * g / (f(t.state[one]).sqrt() + f(s.epsilon))
            }
            rule::ROW_WISE => w - f(s.rate) * g / (f(t.state[row]).sqrt() + f(s.epsilon)),
            rule::ADAM => {
                let m = f(s.beta_1) * f(t.state[one]) + (1.0 - f(s.beta_1)) * g;
                let v = f(s.beta_2) * f(t.state[two]) + (1.0 - f(s.beta_2)) * g * g;
                (t.state[one], t.state[two]) = (m as f32, v as f32);
                w - f(s.rate) * f(s.correction) * m / (v.sqrt() + f(s.epsilon))
            }
            rule::FTRL => {
                let n = f(t.state[two]);
                let squares = n + g * g;
                let z = f(t.state[one]) + g - (squares.sqrt() - n.sqrt()) / f(s.base_rate) * w;
                (t.state[one], t.state[two]) = (z as f32, squares as f32);
                let curvature = (f(s.beta) + squares.sqrt()) / f(s.base_rate) + f(s.l2);
                if z.abs() <= f(s.l1) { 0.0 } else { -(z - sign(z) * f(s.l1)) / curvature }
            }
            rule::FOBOS => {
                let n = f(t.state[one]);
                let resting = f(s.rate) / (f(s.beta) + n.sqrt());
                let start = shrink(w, rested * resting * f(s.l1)) * (1.0 + resting * f(s.l2)).powf(-rested);
                t.state[one] = (n + g * g) as f32;
                let moving = f(s.rate) / (f(s.beta) + f(t.state[one]).sqrt());
                shrink(start - moving * g, moving * f(s.l1)) / (1.0 + moving * f(s.l2))
            }
            _ => {
                t.state[one] += g as f32;
                let root = f64::from(s.step).sqrt() * f(s.base_rate);
                let mean = f(t.state[one]) / f64::from(s.step);
                f(t.state[two]) - root * shrink(mean, f(s.l1)) / (1.0 + f(s.l2) * root)
            }
        } as f32;
    }
    if s.rule == rule::FOBOS {
        group(t, row, dim, 1.0, s);
    }
}

/// FOBOS's group penalty for so many steps.
fn group(t: &mut Plain, row: usize, dim: usize, steps: f64, s: &RowStep) {
    let f = |x: f32| f64::from(x);
    let weights = &mut t.weights[row * dim..(row + 1) * dim];
    let mean = t.state[row * dim..(row + 1) * dim].iter().map(|n| f(*n)).sum::<f64>() / dim as f64;
    let norm = weights.iter().map(|w| f(*w).powi(2)).sum::<f64>().sqrt();
    let by = steps * f(s.rate) / (f(s.beta) + mean.sqrt()) * f(s.l21);
    let scale = if by == 0.0 { 1.0 } else { (1.0 - by / norm).max(0.0) };
    weights.iter_mut().for_each(|w| *w = (f(*w) * scale) as f32);
}

struct Case {
    /// The row of each cell; 0 is padding.
    ids: Vec<u32>,
    dim: usize,
    rows: usize,
    /// Rows of a buffer, at most.
    most: usize,
}

impl Case {
    fn columns(&self) -> Columns {
        Columns { first: 1, count: COUNT, total: TOTAL, squares: None, dim: self.dim }
    }

    fn table(&self, rule: u32) -> Plain {
        let width = state_width(rule, self.dim);
        let state = noise(self.rows * width, 2)
            .iter()
            .map(|x| if rule == rule::FTRL { *x } else { x.abs() })
            .collect::<Vec<_>>();
        // Second halves hold squares.
        let state =
            state.iter().enumerate().map(|(i, x)| if width > 0 && i % width >= self.dim { x.abs() } else { *x });
        let counters = (0..self.rows as i32 * 2).map(|i| if i % 2 == 0 { i } else { (i / 2) % 4 }).collect();
        Plain { weights: noise(self.rows * self.dim, 1), state: state.collect(), counters }
    }

    fn pack(&self) -> (Vec<i32>, Plan) {
        let mut packer = Packer::default();
        let mut plan = Plan { cells: self.ids.len(), ..Plan::default() };
        plan.parts.rows = packer.whole(self.ids.iter().copied());
        let mut pairs: Vec<(u32, u32)> = self.ids.iter().copied().zip(0..).filter(|(r, _)| *r > 0).collect();
        pairs.sort_unstable();
        packer.segments(pairs.into_iter(), &mut plan);
        (packer.finish(), plan)
    }

    /// Gathered vectors and the table after a step, on the device.
    fn on_device(&self, rule: u32, gradient: &[f32], device: &Device) -> Option<(Vec<f32>, Plain)> {
        let start = self.table(rule);
        let width = state_width(rule, self.dim);
        let mut rows = DeviceRows::new(self.dim, width, &[], self.most, device);
        // In two parts, the second after the buffers grew.
        let half = self.rows / 2;
        for (from, to) in [(0, half), (half, self.rows)] {
            rows.reserve(to);
            let part = |v: &[f32], w: usize| v[from * w..to * w].to_vec();
            let counters = start.counters[from * 2..to * 2].to_vec();
            rows.write(from, part(&start.weights, self.dim), part(&start.state, width), counters);
        }
        let (numbers, plan) = self.pack();
        let batch = PackedBatch::upload(numbers, device);
        let Gather { vectors: leaf, winners, .. } = rows.gather(&batch, plan, self.columns())?;
        let shape = [self.ids.len() / COUNT, TOTAL, self.dim];
        let gradient = Tensor::<3>::from_data(TensorData::new(gradient.to_vec(), shape), device);
        let sums = rows.sums(&batch, (Some(&gradient), None), &winners, plan, self.columns())?;
        rows.step(&batch, sums, None, plan, settings(rule));
        let (weights, state, counters) = rows.read(0, self.rows);
        Some((crate::traffic::read(leaf), Plain { weights, state, counters }))
    }

    fn on_host(&self, rule: u32, gradient: &[f32]) -> (Vec<f32>, Plain, f32) {
        let mut table = self.table(rule);
        let mut terms = 1.0f64;
        let dim = self.dim;
        let leaf = self.ids.iter().flat_map(|id| table.weights[*id as usize * dim..][..dim].to_vec()).collect();
        for row in 1..self.rows {
            let cells: Vec<usize> = (0..self.ids.len()).filter(|c| self.ids[*c] as usize == row).collect();
            let piece = |c: usize, d: usize| f64::from(gradient[((c / COUNT) * TOTAL + 1 + c % COUNT) * dim + d]);
            let sum: Vec<f64> = (0..dim).map(|d| cells.iter().map(|c| piece(*c, d)).sum()).collect();
            if !cells.is_empty() {
                let by = if rule >= rule::FTRL { BATCH as f64 } else { 1.0 };
                terms = sum.iter().fold(terms, |most, s| most.max(s.abs() * by));
                plain_step(&mut table, row, dim, &sum, cells.len() as i32, &settings(rule));
            }
        }
        (leaf, table, terms as f32)
    }

    fn check(&self, device: &Device) {
        let gradient = noise(self.ids.len() / COUNT * TOTAL * self.dim, 3);
        for rule in rule::SGD..=rule::RDA {
            let what = |part: &str| format!("rule {rule}, dim {}, {part}", self.dim);
            let (leaf, found) = self.on_device(rule, &gradient, device).unwrap();
            let (expected_leaf, expected, terms) = self.on_host(rule, &gradient);
            assert_eq!(leaf, expected_leaf, "{}", what("gather"));
            close(&found.weights, &expected.weights, 1.0, &what("weights"));
            close(&found.state, &expected.state, terms, &what("state"));
            assert_eq!(found.counters, expected.counters, "{}", what("counters"));
            let (_, again) = self.on_device(rule, &gradient, device).unwrap();
            assert_eq!(again.weights, found.weights, "{}", what("two runs"));
        }
    }
}

#[test]
fn every_rule_at_every_width_equals_the_reference_on_wgpu() {
    let Some(device) = adapter() else { return };
    for dim in [1, 4, 16, 17, 64, 128] {
        let cells = BATCH * COUNT;
        let mixed: Vec<u32> = (0..cells as u32).map(|i| i * i % 11).collect();
        for most in [usize::MAX, 4] {
            Case { ids: mixed.clone(), dim, rows: 11, most }.check(&device);
        }
    }
}

#[test]
fn one_id_for_all_all_distinct_and_only_padding_on_wgpu() {
    let Some(device) = adapter() else { return };
    let cells = 600;
    for ids in [vec![3; cells], (1..=cells as u32).collect(), vec![0; cells]] {
        Case { ids, dim: 5, rows: cells + 1, most: 100 }.check(&device);
    }
}

#[test]
fn a_row_of_very_many_occurrences_is_folded_beside_others_on_wgpu() {
    let Some(device) = adapter() else { return };
    // A quarter of the cells is one id; it has over two folds of pieces, with others before and behind it.
    let cells = 12 * PIECE * FOLD;
    let ids: Vec<u32> = (0..cells as u32).map(|cell| if cell % 4 == 0 { 5 } else { 1 + cell % 13 }).collect();
    let case = Case { ids, dim: 3, rows: 14, most: 5 };
    assert!(case.pack().1.folds());
    case.check(&device);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn random_batches_equal_the_reference_on_wgpu(
        ids in proptest::collection::vec(0u32..40, 1..80),
        dim in prop_oneof![1usize..40, Just(64), Just(128)],
        most in prop_oneof![3usize..30, Just(usize::MAX)],
    ) {
        if let Some(device) = adapter() {
            let ids = ids.iter().flat_map(|id| [*id; COUNT]).collect();
            Case { ids, dim, rows: 40, most }.check(&device);
        }
    }
}
