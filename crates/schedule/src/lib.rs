//! Schedules: how a model is kept fresh over a log of events. A plan is data: a list of phases, made of the config and of the
//! windows that the log has; a session of `burnrec-train` runs it, a ledger says what was done. Knows nothing of tensors.

mod folder;
mod ledger;
mod log;
mod plan;
mod replay;
mod run;
mod sync;
mod update;

pub use burnrec_record::{Entry, Gate, LEDGER, Read};
pub use folder::{begin_as, begin_with};
pub use ledger::Ledger;
pub use log::{Log, open};
pub use plan::{Kind, Plan, Planned, plan};
pub use replay::{Replay, replay};
pub use run::{Outcome, check_parts};
pub use sync::{Exported, apply, export};
pub use update::{Update, Updated, update};
