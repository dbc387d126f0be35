//! A row whose score is explained.

use burnrec_features::Batch;

/// A row that is asked about, and others of its file.
pub(super) struct Asked {
    pub(super) row: Batch,
    pub(super) others: Batch,
    /// Where it stands.
    pub(super) place: String,
    /// What it did before, a list a group of sequences, each under its leader's name.
    pub(super) histories: Vec<(String, Vec<String>)>,
}

impl Asked {
    /// How many other rows there are.
    pub(super) fn beside(&self) -> usize {
        self.others.rows
    }
}
