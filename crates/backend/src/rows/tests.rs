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

fn adapter() -> Option<Device> {
    let opened = open(DeviceName::Wgpu).ok();
    if opened.is_none() {
        eprintln!("SKIPPED: no wgpu adapter answers; nothing was tested");
    }
    opened.map(|o| o.device)
}

/// Numbers in -1..1 that differ.
fn noise(length: usize, seed: u32) -> Vec<f32> {
    (0..length as u32)
        .map(|i| ((i.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) % 2001) as f32 / 1000.0 - 1.0)
        .collect()
}

/// Equal to 1e-5 of the largest number that went into them: FTRL's z is what is left of larger terms.
fn close(found: &[f32], expected: &[f32], terms: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-5 * e.abs().max(terms), "{what} at {i}: {f} {e}");
    }
}

fn settings(rule: u32) -> RowStep {
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
        mba_l2: 0.03,
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
}

impl Case {
    fn columns(&self) -> Columns {
        Columns { first: 1, count: COUNT, total: TOTAL, dim: self.dim }
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
        let mut rows = DeviceRows::new(self.dim, width, &[], device);
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
        let (leaf, winners) = rows.gather(&batch, plan, self.columns())?;
        let shape = [self.ids.len() / COUNT, TOTAL, self.dim];
        let gradient = Tensor::<3>::from_data(TensorData::new(gradient.to_vec(), shape), device);
        let sums = rows.sums(&batch, &gradient, &winners, plan, self.columns());
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
        let mixed = (0..cells as u32).map(|i| i * i % 11).collect();
        Case { ids: mixed, dim, rows: 11 }.check(&device);
    }
}

#[test]
fn one_id_for_all_all_distinct_and_only_padding_on_wgpu() {
    let Some(device) = adapter() else { return };
    let cells = 600;
    for ids in [vec![3; cells], (1..=cells as u32).collect(), vec![0; cells]] {
        Case { ids, dim: 5, rows: cells + 1 }.check(&device);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn random_batches_equal_the_reference_on_wgpu(
        ids in proptest::collection::vec(0u32..40, 1..80),
        dim in prop_oneof![1usize..40, Just(64), Just(128)],
    ) {
        if let Some(device) = adapter() {
            let ids = ids.iter().flat_map(|id| [*id; COUNT]).collect();
            Case { ids, dim, rows: 40 }.check(&device);
        }
    }
}

/// A batch of two pooled slots, a weighted sum and a maximum, as cells of occurrences `(row, share)`.
struct Pooled {
    cells: Vec<Vec<(u32, f32)>>,
    dim: usize,
}

impl Pooled {
    const ROWS: usize = 12;
    const SLOTS: usize = 2;

    fn occurrences(&self) -> impl Iterator<Item = (usize, u32, f32)> {
        self.cells.iter().enumerate().flat_map(|(cell, all)| all.iter().map(move |(row, share)| (cell, *row, *share)))
    }

    fn pack(&self) -> (Vec<i32>, Plan) {
        let mut packer = Packer::default();
        let mut plan = Plan { cells: self.cells.len(), pooled: true, ..Plan::default() };
        let ends = self.cells.iter().scan(0, |end, cell| {
            *end += cell.len() as u32;
            Some(*end)
        });
        plan.parts.rows = packer.whole(self.occurrences().map(|o| o.1).collect::<Vec<_>>());
        plan.parts.starts = packer.whole(std::iter::once(0).chain(ends).collect::<Vec<_>>());
        plan.parts.places = packer.whole(self.occurrences().map(|o| o.0 as u32).collect::<Vec<_>>());
        plan.parts.shares = packer.floats(self.occurrences().map(|o| o.2).collect::<Vec<_>>());
        plan.parts.maxima = packer.whole([0, 1]);
        let mut pairs: Vec<(u32, u32)> = self.occurrences().map(|o| o.1).zip(0..).collect();
        pairs.sort_unstable();
        packer.segments(pairs.into_iter(), &mut plan);
        (packer.finish(), plan)
    }

    /// The leaf, and the table after a step of SGD at rate 1.
    fn on_host(&self, table: &[f32], gradient: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let dim = self.dim;
        let mut leaf = vec![0.0f64; self.cells.len() * dim];
        let mut sums = std::collections::BTreeMap::<u32, Vec<f64>>::new();
        for (cell, all) in self.cells.iter().enumerate() {
            all.iter().for_each(|(row, _)| _ = sums.entry(*row).or_insert_with(|| vec![0.0; dim]));
            for d in 0..dim {
                let value = |row: u32| f64::from(table[row as usize * dim + d]);
                let pull = f64::from(gradient[cell * dim + d]);
                if cell % Self::SLOTS == 0 {
                    for (row, share) in all {
                        leaf[cell * dim + d] += f64::from(*share) * value(*row);
                        sums.get_mut(row).unwrap()[d] += f64::from(*share) * pull;
                    }
                } else if let Some((first, rest)) = all.split_first() {
                    // The first of equals wins.
                    let won =
                        rest.iter().fold(first.0, |won, (row, _)| if value(*row) > value(won) { *row } else { won });
                    leaf[cell * dim + d] = value(won);
                    sums.get_mut(&won).unwrap()[d] += pull;
                }
            }
        }
        let mut stepped = table.to_vec();
        for (row, sum) in sums {
            let weights = stepped[row as usize * dim..][..dim].iter_mut();
            weights.zip(sum).for_each(|(w, g)| *w = (f64::from(*w) - g) as f32);
        }
        (leaf.into_iter().map(|x| x as f32).collect(), stepped)
    }

    fn check(&self, device: &Device) {
        let table = noise(Self::ROWS * self.dim, 1);
        let gradient = noise(self.cells.len() * self.dim, 3);
        let mut rows = DeviceRows::new(self.dim, 0, &[], device);
        rows.reserve(Self::ROWS);
        rows.write(0, table.clone(), Vec::new(), vec![0; Self::ROWS * 2]);
        let (numbers, plan) = self.pack();
        let batch = PackedBatch::upload(numbers, device);
        let columns = Columns { first: 0, count: Self::SLOTS, total: Self::SLOTS, dim: self.dim };
        let (leaf, winners) = rows.gather(&batch, plan, columns).unwrap();
        let shape = [self.cells.len() / Self::SLOTS, Self::SLOTS, self.dim];
        let pull = Tensor::<3>::from_data(TensorData::new(gradient.clone(), shape), device);
        let sums = rows.sums(&batch, &pull, &winners, plan, columns);
        let plain = RowStep { rate: 1.0, l1: 0.0, l21: 0.0, l2: 0.0, mba_l2: 0.0, ..settings(rule::SGD) };
        rows.step(&batch, sums, None, plan, plain);
        let (expected_leaf, expected) = self.on_host(&table, &gradient);
        // Terms of up to eight occurrences cancel; the cell of 300 is compared relatively.
        close(&crate::traffic::read(leaf), &expected_leaf, 16.0, "pooled gather");
        close(&rows.read(0, Self::ROWS).0, &expected, 16.0, "pooled step");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn random_pooled_batches_equal_the_reference_on_wgpu(
        cells in proptest::collection::vec(proptest::collection::vec((1u32..12, -2.0f32..2.0), 0..9), 1..30),
        dim in prop_oneof![1usize..40, Just(64), Just(128)],
    ) {
        if let Some(device) = adapter() {
            let cells: Vec<_> = cells.iter().flat_map(|cell| [cell.clone(), cell.clone()]).chain([vec![(5, 1.0); 300], vec![(5, 1.0); 300]]).collect();
            Pooled { cells, dim }.check(&device);
        }
    }
}

#[test]
fn pooled_cells_sum_weigh_and_take_the_maximum_on_wgpu() {
    let Some(device) = adapter() else { return };
    // Two slots: the first a weighted sum, the second a maximum; the second row of the batch is empty in both.
    let weights = vec![0.0, 0.0, 1.0, -5.0, 2.0, 4.0, 3.0, -1.0];
    let mut rows = DeviceRows::new(2, 0, &[], &device);
    rows.reserve(4);
    rows.write(0, weights, Vec::new(), vec![0; 8]);
    let (occurrences, places, shares) = ([1, 2, 2, 3, 1], [0, 0, 1, 1, 1], [0.5, 2.0, 1.0, 1.0, 1.0]);
    let mut packer = Packer::default();
    let mut plan = Plan { cells: 4, pooled: true, ..Plan::default() };
    plan.parts.rows = packer.whole(occurrences);
    plan.parts.starts = packer.whole([0, 2, 5, 5, 5]);
    plan.parts.places = packer.whole(places);
    plan.parts.shares = packer.floats(shares);
    plan.parts.maxima = packer.whole([0, 1]);
    packer.segments([(1, 0), (1, 4), (2, 1), (2, 2), (3, 3)].into_iter(), &mut plan);
    let columns = Columns { first: 0, count: 2, total: 2, dim: 2 };
    let batch = PackedBatch::upload(packer.finish(), &device);
    let (leaf, winners) = rows.gather(&batch, plan, columns).unwrap();
    assert_eq!(crate::traffic::read(leaf), [4.5, 5.5, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    let gradient =
        Tensor::<3>::from_data(TensorData::new((1..=8).map(|x| x as f32).collect::<Vec<_>>(), [2, 2, 2]), &device);
    let sums = rows.sums(&batch, &gradient, &winners, plan, columns);
    // Row 1: half of (1, 2), and no maximum; row 2: twice (1, 2), and the second column's maximum; row 3: the first's.
    assert_eq!(crate::traffic::read(sums.clone()), [0.5, 1.0, 2.0, 8.0, 3.0, 0.0]);
    let norm = crate::traffic::read(rows.squared_norm(&batch, &sums, plan, columns))[0];
    assert_eq!(norm, 0.25 + 1.0 + 4.0 + 64.0 + 9.0);
    let half = Tensor::<1>::from_floats([0.5], &device);
    let plain = RowStep { rate: 1.0, l1: 0.0, l21: 0.0, l2: 0.0, mba_l2: 0.0, ..settings(rule::SGD) };
    rows.step(&batch, sums, Some(&half), plan, plain);
    assert_eq!(rows.read(0, 4).0, [0.0, 0.0, 0.75, -5.5, 1.0, 0.0, 1.5, -1.0]);
}
