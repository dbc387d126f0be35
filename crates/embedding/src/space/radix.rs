//! Sorting occurrences by row: counting passes instead of comparisons.

use crate::shards::SHARD_BITS;

/// Bits that one pass sorts by: its counters fit the first cache.
const DIGIT: u32 = 11;

/// Sorts `rotated row << 32 | occurrence` by rotated row. Stable: equal rows keep their order.
pub(crate) fn sort_by_row(order: &mut Vec<u64>) {
    let low_bits = 32 - SHARD_BITS;
    let local = |packed: u64| (packed >> 32) as u32 & (u32::MAX >> SHARD_BITS);
    let largest = order.iter().map(|p| local(*p)).max().unwrap_or(0);
    // The shard and the place in it stand apart in a rotated row; the zeros between them need no pass.
    let bits = u32::BITS - largest.leading_zeros();
    let key = |packed: u64| (u64::from((packed >> (32 + low_bits)) as u32) << bits) | u64::from(local(packed));
    let mut other = vec![0u64; order.len()];
    for pass in 0..(bits + SHARD_BITS).div_ceil(DIGIT) {
        let digit = |packed: u64| (key(packed) >> (pass * DIGIT)) as usize & ((1 << DIGIT) - 1);
        let mut places = [0u32; 1 << DIGIT];
        order.iter().for_each(|p| places[digit(*p)] += 1);
        let mut start = 0;
        for place in &mut places {
            start += std::mem::replace(place, start);
        }
        for &packed in order.iter() {
            let place = &mut places[digit(packed)];
            other[*place as usize] = packed;
            *place += 1;
        }
        std::mem::swap(order, &mut other);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shards::rotate;

    proptest! {
        #[test]
        fn it_sorts_as_a_comparison_sort_does(rows in proptest::collection::vec(any::<u32>(), 0..500), small in any::<bool>()) {
            let row = |r: &u32| rotate(if small { r % 100 } else { *r });
            let mut order: Vec<u64> =
                rows.iter().enumerate().map(|(i, r)| (u64::from(row(r)) << 32) | i as u64).collect();
            let mut expected = order.clone();
            expected.sort_unstable();
            sort_by_row(&mut order);
            prop_assert_eq!(order, expected);
        }
    }
}
