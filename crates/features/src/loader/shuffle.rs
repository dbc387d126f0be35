//! Shuffling through a buffer: while one full buffer is given out in random order, the next one fills.

use hashbrown::HashMap;
use rand::seq::SliceRandom;

use crate::batch::Batch;
use crate::stream::Stream;

/// Rebatches encoded chunks, in random order within buffers of `capacity` rows.
pub(crate) struct Shuffler {
    capacity: usize,
    batch_size: usize,
    rng: Option<Stream>,
    current: Option<Batch>,
    order: Vec<u32>,
    at: usize,
    next: Option<Batch>,
    /// The most rows of a list, where lists stay together.
    lists: Option<usize>,
    /// Where the lists of `order` end.
    ends: Vec<usize>,
    /// The list of each row of `order`, where rows are of lists.
    list: Vec<u32>,
}

impl Shuffler {
    /// Without a generator the order stays, and the buffer is one batch, unless it holds lists.
    pub(crate) fn new(capacity: usize, batch_size: usize, rng: Option<Stream>, lists: Option<usize>) -> Self {
        let capacity = if rng.is_some() || lists.is_some() { capacity.max(batch_size) } else { batch_size };
        let lists = lists.map(|most| most.clamp(1, batch_size));
        Self {
            capacity,
            batch_size,
            rng,
            current: None,
            order: Vec::new(),
            at: 0,
            next: None,
            lists,
            ends: Vec::new(),
            list: Vec::new(),
        }
    }

    fn pending(&self) -> usize {
        self.next.as_ref().map_or(0, |b| b.rows)
    }

    /// Whether more rows should come in before the next batch goes out.
    pub(crate) fn is_hungry(&self) -> bool {
        match &self.current {
            None => self.pending() < self.capacity,
            // The next buffer fills at the pace at which this one empties.
            Some(_) => self.pending() < self.capacity.min(self.at + self.batch_size),
        }
    }

    /// Takes rows in.
    pub(crate) fn absorb(&mut self, chunk: Batch) {
        match &mut self.next {
            Some(next) => next.append(&chunk),
            None => self.next = Some(chunk),
        }
    }

    /// The next batch; `last` says that no more rows will come in.
    pub(crate) fn emit(&mut self, last: bool) -> Option<Batch> {
        loop {
            if let Some(current) = &self.current {
                let end = self.at + self.batch_size;
                if end <= self.order.len() {
                    // Up to the last list that is whole.
                    let end = match self.ends.partition_point(|e| *e <= end) {
                        0 => end,
                        n => self.ends[n - 1].max(self.at + 1),
                    };
                    let list = self.list.get(self.at..end).unwrap_or(&[]).to_vec();
                    let batch = Batch { list, ..current.take(&self.order[self.at..end]) };
                    self.at = end;
                    return Some(batch);
                }
                self.keep_rest();
            }
            let next = self.next.take()?;
            if last && next.rows <= self.batch_size {
                self.rotate(next);
                let list = std::mem::take(&mut self.list);
                let rest = self.current.take().map(|b| Batch { list, ..b.take(&self.order) });
                self.order.clear();
                return rest.filter(|b| b.rows > 0);
            }
            if next.rows < self.batch_size {
                self.next = Some(next);
                return None;
            }
            self.rotate(next);
        }
    }

    /// The rows that did not fill a batch go to the front of the next buffer.
    fn keep_rest(&mut self) {
        let Some(current) = self.current.take() else { return };
        if self.at < self.order.len() {
            let mut rest = current.take(&self.order[self.at..]);
            if let Some(next) = &self.next {
                rest.append(next);
            }
            self.next = Some(rest);
        }
    }

    fn rotate(&mut self, next: Batch) {
        self.order = (0..next.rows as u32).collect();
        if let Some(rng) = &mut self.rng {
            self.order.shuffle(rng);
        }
        if let Some(most) = self.lists.filter(|_| !next.group.is_empty()) {
            self.gather_lists(&next.group, most);
        }
        self.at = 0;
        self.current = Some(next);
    }

    /// Brings the rows of each group together, cut into lists, in the order in which groups come first.
    fn gather_lists(&mut self, groups: &[u64], most: usize) {
        let mut first = HashMap::new();
        // Rows without a group are lists of their own.
        let of = |row: u32| match groups[row as usize] {
            0 => (row, 0),
            group => (0, group),
        };
        for row in &self.order {
            let next = first.len();
            first.entry(of(*row)).or_insert(next);
        }
        self.order.sort_by_key(|row| first[&of(*row)]);
        let mut lists: Vec<&[u32]> =
            self.order.chunk_by(|a, b| of(*a) == of(*b)).flat_map(|l| l.chunks(most)).collect();
        if let Some(rng) = &mut self.rng {
            lists.shuffle(rng);
        }
        let ends = lists.iter().scan(0, |end, list| {
            *end += list.len();
            Some(*end)
        });
        self.ends = ends.collect();
        self.list = lists.iter().zip(0..).flat_map(|(list, number)| std::iter::repeat_n(number, list.len())).collect();
        self.order = lists.concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Keys;
    use crate::stream::stream;

    fn chunk(range: std::ops::Range<u64>) -> Batch {
        let keys: Vec<u64> = range.collect();
        Batch {
            rows: keys.len(),
            keys: vec![Keys::One(keys)],
            numeric: vec![],
            weight: vec![],
            group: vec![],
            ..Batch::default()
        }
    }

    fn run(capacity: usize, batch: usize, rng: Option<Stream>) -> Vec<Vec<u64>> {
        let mut shuffler = Shuffler::new(capacity, batch, rng, None);
        let mut chunks = (0..10).map(|c| chunk(c * 10..(c + 1) * 10));
        let (mut out, mut done) = (Vec::new(), false);
        loop {
            while shuffler.is_hungry() && !done {
                match chunks.next() {
                    Some(c) => shuffler.absorb(c),
                    None => done = true,
                }
            }
            match shuffler.emit(done) {
                Some(Batch { keys, .. }) => match &keys[0] {
                    Keys::One(k) => out.push(k.clone()),
                    Keys::Many { .. } => panic!(),
                },
                None if done => return out,
                None => {}
            }
        }
    }

    #[test]
    fn every_row_comes_out_once_in_batches_of_the_size() {
        for (capacity, batch) in [(30, 7), (1000, 16), (5, 9), (100, 100), (64, 1)] {
            let out = run(capacity, batch, Some(stream(1, "shuffle", 0)));
            let (last, full) = out.split_last().unwrap();
            assert!(full.iter().all(|b| b.len() == batch) && last.len() <= batch, "{capacity} {batch}");
            let mut all: Vec<u64> = out.concat();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>(), "{capacity} {batch}");
        }
    }

    #[test]
    fn lists_stay_together_and_are_cut_where_they_are_too_long() {
        for rng in [None, Some(stream(1, "shuffle", 0))] {
            let mut shuffler = Shuffler::new(1000, 16, rng, Some(6));
            let mut rows = chunk(0..100);
            // 0 is no group.
            rows.group = (0..100).map(|r| 1 + r % 11).collect();
            shuffler.absorb(rows);
            let mut seen = 0;
            while let Some(batch) = shuffler.emit(true) {
                assert!(batch.rows <= 16, "{}", batch.rows);
                // Groups of 9 or 10 rows make lists of 6 and of what is left.
                for group in 1..12 {
                    let rows = batch.group.iter().filter(|g| **g == group).count();
                    assert!([0, 3, 4, 6, 9, 10].contains(&rows), "{rows} of {group}");
                }
                // No list is longer than asked for, and each is of one group.
                let pairs: Vec<(u32, u64)> = batch.list.iter().copied().zip(batch.group.iter().copied()).collect();
                assert_eq!(pairs.len(), batch.rows);
                for list in pairs.chunk_by(|a, b| a.0 == b.0) {
                    assert!(list.len() <= 6 && list.iter().all(|row| row.1 == list[0].1), "{list:?}");
                }
                seen += batch.rows;
            }
            assert_eq!(seen, 100);
        }
    }

    #[test]
    fn without_a_generator_the_order_stays() {
        assert_eq!(run(1000, 7, None).concat(), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides_the_order() {
        let order = |epoch| run(50, 8, Some(stream(1, "shuffle", epoch)));
        assert_eq!(order(0), order(0));
        assert_ne!(order(0), order(1));
        assert_ne!(order(0).concat(), (0..100).collect::<Vec<_>>());
    }
}
