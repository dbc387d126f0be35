//! Packing a batch into one buffer of whole numbers, on the host.

use super::{ALIGN, PIECE, Parts, Plan};

/// A batch that is being packed.
#[derive(Clone, Debug, Default)]
pub struct Packer {
    numbers: Vec<i32>,
}

impl Packer {
    /// Appends whole numbers; returns where they start.
    pub fn whole(&mut self, values: impl IntoIterator<Item = u32>) -> usize {
        let at = self.numbers.len();
        self.numbers.extend(values.into_iter().map(u32::cast_signed));
        at
    }

    /// Appends floats as their bits, where a device can bind them; returns where they start.
    pub fn floats(&mut self, values: impl IntoIterator<Item = f32>) -> usize {
        self.numbers.resize(self.numbers.len().next_multiple_of(ALIGN), 0);
        let at = self.numbers.len();
        self.numbers.extend(values.into_iter().map(|x| x.to_bits().cast_signed()));
        at
    }

    /// Appends the (row, occurrence) pairs of a space, grouped by row, cut into pieces of at most [`PIECE`].
    pub fn segments(&mut self, pairs: impl Iterator<Item = (u32, u32)>, plan: &mut Plan) {
        let (mut order, mut pieces, mut row_pieces, mut unique) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (row, occurrence) in pairs {
            let new = unique.last() != Some(&row);
            if new {
                unique.push(row);
                row_pieces.push(pieces.len() as u32);
            }
            let full = pieces.last().is_some_and(|start| order.len() - *start as usize >= PIECE);
            if new || full {
                pieces.push(order.len() as u32);
            }
            order.push(occurrence);
        }
        (plan.pieces, plan.unique) = (pieces.len(), unique.len());
        row_pieces.push(pieces.len() as u32);
        plan.longest = row_pieces.windows(2).map(|two| (two[1] - two[0]) as usize).max().unwrap_or(0);
        pieces.push(order.len() as u32);
        let order = self.whole(order);
        let (pieces, row_pieces) = (self.whole(pieces), self.whole(row_pieces));
        plan.parts = Parts { order, pieces, row_pieces, unique: self.whole(unique), ..plan.parts };
    }

    /// The buffer, padded so that every float part ends before it does.
    pub fn finish(mut self) -> Vec<i32> {
        self.numbers.resize((self.numbers.len() + 1).next_multiple_of(ALIGN), 0);
        self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_are_cut_and_no_piece_spans_two_rows() {
        let mut packer = Packer::default();
        let pairs = (0..150).map(|i| (7, i)).chain([(9, 150)]).chain((151..151 + 64).map(|i| (2, i)));
        let mut plan = Plan::default();
        packer.segments(pairs, &mut plan);
        let numbers = packer.finish();
        assert_eq!((plan.pieces, plan.unique, plan.longest), (5, 3, 3));
        let part = |at: usize, n: usize| &numbers[at..at + n];
        assert_eq!(part(plan.parts.pieces, 6), [0, 64, 128, 150, 151, 215]);
        assert_eq!(part(plan.parts.row_pieces, 4), [0, 3, 4, 5]);
        assert_eq!(part(plan.parts.unique, 3), [7, 9, 2]);
    }

    #[test]
    fn floats_stand_where_a_device_can_bind_them() {
        let mut packer = Packer::default();
        packer.whole([1, 2, 3]);
        let at = packer.floats([1.5, -2.0]);
        assert_eq!(at % ALIGN, 0);
        assert_eq!(packer.finish()[at], 1.5f32.to_bits().cast_signed());
    }
}
