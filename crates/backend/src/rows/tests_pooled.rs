//! Pooled cells against a plain reference on the host.
#![expect(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;

use super::pack::Packer;
use super::tests::{adapter, close, noise, settings};
use super::*;

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
        [usize::MAX, 5].into_iter().for_each(|most| self.check_in(most, device));
    }

    /// In buffers of so many rows at most.
    fn check_in(&self, most: usize, device: &Device) {
        let table = noise(Self::ROWS * self.dim, 1);
        let gradient = noise(self.cells.len() * self.dim, 3);
        let mut rows = DeviceRows::new(self.dim, 0, &[], most, device);
        rows.reserve(Self::ROWS);
        rows.write(0, table.clone(), Vec::new(), vec![0; Self::ROWS * 2]);
        let (numbers, plan) = self.pack();
        let batch = PackedBatch::upload(numbers, device);
        let columns = Columns { first: 0, count: Self::SLOTS, total: Self::SLOTS, squares: None, dim: self.dim };
        let Gather { vectors: leaf, winners, .. } = rows.gather(&batch, plan, columns).unwrap();
        let shape = [self.cells.len() / Self::SLOTS, Self::SLOTS, self.dim];
        let pull = Tensor::<3>::from_data(TensorData::new(gradient.clone(), shape), device);
        let sums = rows.sums(&batch, (Some(&pull), None), &winners, plan, columns).unwrap();
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
fn of_equals_the_first_wins_though_a_later_buffer_holds_it() {
    let Some(device) = adapter() else { return };
    // Column 7 of rows 9 and 1 of the noise is the same; five rows a buffer put row 1 into the first and row 9 into the second.
    let cell = vec![(9, 1.0), (1, 1.0)];
    Pooled { cells: vec![cell.clone(), cell], dim: 15 }.check(&device);
}

#[test]
fn pooled_cells_sum_weigh_and_take_the_maximum_on_wgpu() {
    let Some(device) = adapter() else { return };
    // Two slots: the first a weighted sum, the second a maximum; the second row of the batch is empty in both.
    let weights = vec![0.0, 0.0, 1.0, -5.0, 2.0, 4.0, 3.0, -1.0];
    let mut rows = DeviceRows::new(2, 0, &[], 3, &device);
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
    let columns = Columns { first: 0, count: 2, total: 2, squares: None, dim: 2 };
    let batch = PackedBatch::upload(packer.finish(), &device);
    let Gather { vectors: leaf, winners, .. } = rows.gather(&batch, plan, columns).unwrap();
    assert_eq!(crate::traffic::read(leaf), [4.5, 5.5, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    let gradient =
        Tensor::<3>::from_data(TensorData::new((1..=8).map(|x| x as f32).collect::<Vec<_>>(), [2, 2, 2]), &device);
    let sums = rows.sums(&batch, (Some(&gradient), None), &winners, plan, columns).unwrap();
    // Row 1: half of (1, 2), and no maximum; row 2: twice (1, 2), and the second column's maximum; row 3: the first's.
    assert_eq!(crate::traffic::read(sums.clone()), [0.5, 1.0, 2.0, 8.0, 3.0, 0.0]);
    let norm = crate::traffic::read(rows.squared_norm(&batch, &sums, plan, columns))[0];
    assert_eq!(norm, 0.25 + 1.0 + 4.0 + 64.0 + 9.0);
    let half = Tensor::<1>::from_floats([0.5], &device);
    let plain = RowStep { rate: 1.0, l1: 0.0, l21: 0.0, l2: 0.0, mba_l2: 0.0, ..settings(rule::SGD) };
    rows.step(&batch, sums, Some(&half), plan, plain);
    assert_eq!(rows.read(0, 4).0, [0.0, 0.0, 0.75, -5.5, 1.0, 0.0, 1.5, -1.0]);
}
