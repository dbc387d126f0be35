//! Pages and comparisons out of run folders: one HTML file that opens anywhere, Markdown, JSON. Knows nothing of Burn or of
//! training; everything that a page shows is in the folder.

mod comparison;
mod curves;
mod error;
mod folder;
mod intervals;
mod listing;
mod page;
mod plain;
mod run;
mod tensorboard;

pub use comparison::{Cell, Comparison, differing};
pub use error::ReportError;
pub use folder::Folder;
pub use intervals::{Interval, difference, interval};
pub use listing::{Listed, list};
pub use page::{live_page, page, update};
pub use plain::{as_json, as_markdown};
pub use run::{Run, is_held};
pub use tensorboard::event_file;
