//! Trying settings out: what is tried next, given what was; what was found. Nothing here trains.

mod front;
mod ledger;
mod next;
mod space;
mod table;
mod tpe;

pub use front::front;
pub use ledger::{Ledger, Tried};
pub use next::{Trial, next};
pub use space::Point;
pub use table::{Mean, Row, rows};
