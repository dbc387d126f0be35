//! What a job says of its data before it trains: rows, rates, vocabularies.

use burnrec_features::{Categorical, Fitted, Schema, SideRows, Vocabulary};
use burnrec_models::TaskKind;
use burnrec_record::with_commas;

use crate::task::Task;

/// Fields whose vocabularies are told, the largest first.
const MOST: usize = 6;

/// `rows: train 39,140, valid 4,876, test 4,826; income: 23.9% positive`
pub(super) fn rows(rows: &SideRows, fitted: &Fitted, tasks: &[Task]) -> String {
    let sides = ["train", "valid", "test"].into_iter().filter_map(|side| Some((side, rows.get(side)?)));
    let sides: Vec<String> = sides.map(|(side, rows)| format!("{side} {}", with_commas(*rows))).collect();
    let rate = |task: &Task| {
        let target = fitted.targets.get(task.target)?;
        let known = match target.known < fitted.rows {
            true => format!(", known on {}", with_commas(target.known)),
            false => String::new(),
        };
        Some(match task.kind {
            TaskKind::Binary => format!("{}: {:.2}% positive{known}", task.name, target.mean * 100.0),
            TaskKind::MultiClass => format!("{}: {} classes{known}", task.name, target.shares.len()),
            _ => format!("{}: mean {:.4}{known}", task.name, target.mean),
        })
    };
    let rates: Vec<String> = tasks.iter().filter_map(rate).collect();
    format!("rows: {}; {}", sides.join(", "), rates.join("; "))
}

/// Fields of many ids, nearly all of which stand on a single training row: they can be memorised, and not generalised from.
pub(super) fn of_one_row(schema: &Schema, vocabularies: &[Vocabulary]) -> Vec<String> {
    let of = |(field, ids): (&Categorical, &Vocabulary)| {
        let once = ids.iter().filter(|(_, rows)| *rows == 1).count();
        let all = ids.len();
        (all > 1000 && once * 20 > all * 19).then(|| {
            format!(
                "`{}`: {} of its {} ids stand on one training row each, which a model memorises and cannot generalise from; remove the field, or set its min_count to 2 or more",
                field.name,
                with_commas(once as u64),
                with_commas(all as u64)
            )
        })
    };
    schema.categorical.iter().zip(vocabularies).filter_map(of).collect()
}

/// `ids: user_id 943, item_id 1,650`: how many ids of each field get a row of their own; none without such fields.
pub(super) fn ids(schema: &Schema, vocabularies: &[Vocabulary]) -> Option<String> {
    let sizes = schema.categorical.iter().zip(vocabularies).filter(|(_, ids)| !ids.is_empty());
    let mut sizes: Vec<(&str, u64)> = sizes.map(|(field, ids)| (field.name.as_str(), ids.len() as u64)).collect();
    sizes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let shown: Vec<String> =
        sizes.iter().take(MOST).map(|(name, ids)| format!("{name} {}", with_commas(*ids))).collect();
    let rest = sizes.len().saturating_sub(MOST);
    let more = if rest > 0 { format!(", and {rest} more fields with fewer") } else { String::new() };
    (!shown.is_empty()).then(|| format!("ids of training: {}{more}", shown.join(", ")))
}
