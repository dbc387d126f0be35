//! The kernels: one thread a number, lanes over a row's columns; a row with very many occurrences is summed in
//! pieces, and those by the dozen, so that no thread walks a long list. No atomics: two runs give the same bits.

mod copy;
mod facts;
mod gather;
mod step;
mod sum;

pub(super) use copy::{copy_floats, copy_ints};
pub(super) use facts::{HeldLaunch, LeafLaunch, NumbersLaunch, PartsLaunch};
pub(super) use gather::{gather_one, gather_pooled, gather_squares};
pub(super) use step::{group_rows, step_rows, visit};
pub(super) use sum::{fold_pieces, square, sum_pieces};
