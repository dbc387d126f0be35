//! What a trained model makes one doubt: likely mistakes that its figures show.

use burnrec_record::{Details, FieldImportance};

use crate::checked::Checked;

/// A share of positives below which they are rare.
const RARE: f64 = 0.01;

/// A share of ids that training did not know, from which on a side asks about strangers.
const STRANGE: f64 = 0.5;

/// Ids without which nothing is said of them.
const FEW: u64 = 200;

/// Each in words, with what to do.
pub(super) fn doubts(details: &Details, checked: &Checked) -> Vec<String> {
    let mut found = Vec::new();
    for task in &details.tasks {
        if let Some(rate) = task.positive_rate.filter(|rate| *rate > 0.0 && *rate < RARE) {
            found.push(format!(
                "{}: {:.2}% of the rows are positive: accuracy says little of so few; look at auc, ne and the intervals of the report",
                task.task,
                rate * 100.0
            ));
        }
        let fields: Vec<&FieldImportance> = details.importance.iter().filter(|field| field.task == task.task).collect();
        let whole = task.draws.iter().find(|draws| draws.metric == "auc").map(|draws| draws.value);
        if let (Some(whole), [first, rest @ ..]) = (whole, fields.as_slice()) {
            let second = rest.first().map_or(0.0, |field| field.loss);
            if first.metric == "auc" && whole > 0.95 && whole - first.loss < 0.65 && second < 0.02 {
                found.push(format!(
                    "{}: without `{}` the model is near chance (AUC {:.3} of {whole:.3}); make sure that the field is known before the label is, or remove it",
                    task.task,
                    first.field,
                    whole - first.loss
                ));
            }
        }
    }
    let group = checked.schema().group.as_deref();
    for unseen in details.unseen.iter().filter(|unseen| unseen.ids >= FEW) {
        let share = unseen.unseen as f64 / unseen.ids as f64;
        if share > STRANGE {
            let user =
                if group == Some(unseen.field.as_str()) { "; a split by user_last asks about known ones" } else { "" };
            found.push(format!(
                "`{}`: {:.0}% of its ids on the {} side were not in training, so that the model knows nothing of them{user}",
                unseen.field,
                share * 100.0,
                details.side
            ));
        }
    }
    found
}
