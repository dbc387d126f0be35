//! Which rows of a batch form a list.

use burnrec_features::Batch;

/// One list: its rows that are known, with their labels.
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) length: usize,
    /// Places in the list, and labels there.
    pub(super) known: Vec<(usize, f32)>,
}

impl Span {
    pub(super) fn labels(&self) -> Vec<f32> {
        self.known.iter().map(|(_, label)| *label).collect()
    }
}

pub(super) fn spans(batch: &Batch, task: usize) -> Vec<Span> {
    let mut start = 0;
    let of = |list: &[(u32, u64)]| {
        let at = start;
        start += list.len();
        let known = (0..list.len()).filter(|i| batch.targets.is_known(at + i, task));
        let known = known.map(|i| (i, batch.targets.value(at + i, task))).collect();
        Span { start: at, length: list.len(), known }
    };
    let rows: Vec<(u32, u64)> = match batch.list.is_empty() {
        // Rows without a group are lists of their own.
        true => batch.group.iter().zip(0..).map(|(group, row)| (if *group == 0 { row } else { 0 }, *group)).collect(),
        false => batch.list.iter().map(|list| (*list, 0)).collect(),
    };
    rows.chunk_by(|a, b| a == b).map(of).collect()
}
