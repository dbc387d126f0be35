//! Who is asked about: users of the catalogue, and users as a file describes them.

use crate::batch::Batch;

/// Users as a file describes them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// A row a user, in which only the inputs below hold something.
    pub rows: Batch,
    /// Categorical inputs that the file has columns of.
    pub fields: Vec<usize>,
    /// Numeric inputs that the file has columns of, and on which rows there is a number.
    pub numeric: Vec<(usize, Vec<bool>)>,
}

/// A user that is asked about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Who<'a> {
    /// The place in the catalogue; none of a user that training never saw.
    pub user: Option<u32>,
    /// What a file says, and the row where it does.
    pub given: Option<(&'a Given, u32)>,
}

impl Who<'_> {
    /// A user of the catalogue, as its rows describe it.
    pub fn known(user: u32) -> Self {
        Self { user: Some(user), given: None }
    }
}
