//! What a run says of itself: events, the summary, metrics by task. The types that write these files read them, so that
//! reports, ledgers and tests share one understanding of a run folder. Knows nothing of Burn or of training.

mod details;
mod event;
mod ledger;
mod metrics;
mod replay;
mod summary;
mod words;

pub use details::{
    CalibrationBin, DETAILS, Details, FieldImportance, GroupBin, MetricDraws, ScoreHistogram, Setting, TableDetails,
    TaskDetails, UnseenIds,
};
pub use event::{EVENTS, Event};
pub use ledger::{Entry, Gate, LEDGER, Read};
pub use metrics::{Metrics, Reasons, TaskMetrics, Values};
pub use replay::{ReplaySummary, Way};
pub use summary::{DeviceFacts, Parameters, SUMMARY, Summary, Throughput};
pub use words::{civil, counted, with_commas};
