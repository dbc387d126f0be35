//! What a config must hold for a model, made of what the model reads.

use burnrec_embedding::Slots;
use burnrec_features::{CategoricalSource, Schema};

use crate::contract::{Fields, Heads, Reads, Sequences, TaskKind};
use crate::error::ModelError;

/// Refuses a schema that the model cannot read whole.
pub(super) fn check_reads(model: &'static str, reads: &Reads, schema: &Schema) -> Result<(), ModelError> {
    check_tasks(model, reads, schema)?;
    check_draws(model, reads, schema)?;
    if let Some(place) = schema.sequences().first().filter(|_| !reads.reads_sequences()) {
        return Err(ModelError::Sequence { model, field: schema.categorical[*place].name.clone() });
    }
    match reads.sequences {
        Sequences::Asked => check_histories(model, schema)?,
        Sequences::Ordered if schema.sequences().is_empty() => {
            let problem = "reads what users did in its order, and no field is of kind \"sequence\"; declare one";
            return Err(ModelError::Field { model, problem: problem.into() });
        }
        _ => {}
    }
    match reads.trees && schema.trees.is_none() {
        true => Err(ModelError::Trees { model }),
        false => Ok(()),
    }
}

/// Tasks that the model has heads for, of kinds that it predicts.
fn check_tasks(model: &'static str, reads: &Reads, schema: &Schema) -> Result<(), ModelError> {
    let kind = |target: &burnrec_features::Target| match target.classes() {
        _ if target.is_binary() => TaskKind::Binary,
        Some(_) => TaskKind::MultiClass,
        None => TaskKind::Regression,
    };
    if let Some(target) = schema.targets.iter().find(|target| !reads.kinds.contains(&kind(target))) {
        let what = match kind(target) {
            TaskKind::MultiClass => "one of several classes",
            _ => "a number",
        };
        return Err(ModelError::Task { model, task: target.name.clone(), what });
    }
    let tasks = schema.targets.len();
    let heads = |problem: String| Err(ModelError::Heads { model, problem });
    match reads.heads {
        Heads::One if tasks > 1 => heads(format!(
            "has one head, and there are {tasks} tasks; keep one [tasks.NAME], or take a model of several tasks ({})",
            super::named(|reads| reads.heads != Heads::One)
        )),
        Heads::Chain if tasks < 2 => heads(
            "learns tasks that follow each other, such as a click and a conversion behind it; declare two or more"
                .into(),
        ),
        Heads::Branches if tasks != 3 || (1..3).any(|task| schema.targets[task].parent != Some(0)) => heads(
            "learns three tasks: an event, such as a click; one that follows it, such as a cart; and one that follows it by way of the second or not, such as a buy. Declare them in this order, with parent = the first in the second and the third".into(),
        ),
        Heads::Branches => match schema.targets.iter().find(|target| target.space().is_some()) {
            Some(target) => heads(format!("learns events over all rows; remove tasks.{}.where", target.name)),
            None => Ok(()),
        },
        Heads::Chain => match (1..tasks).find(|&task| schema.targets[task].parent != Some(task - 1)) {
            Some(task) => heads(format!(
                "multiplies along a chain of tasks; set tasks.{}.parent = \"{}\", in the order in which they follow each other",
                schema.targets[task].name,
                schema.targets[task - 1].name
            )),
            None => match schema.targets.iter().find(|target| target.space().is_some()) {
                Some(target) => heads(format!(
                    "learns a chain of events over all rows; remove tasks.{}.where: what follows what is said by parent",
                    target.name
                )),
                None => Ok(()),
            },
        },
        _ => Ok(()),
    }
}

/// What is drawn must be of use to the model.
fn check_draws(model: &'static str, reads: &Reads, schema: &Schema) -> Result<(), ModelError> {
    let field = |problem: String| Err(ModelError::Field { model, problem });
    let items = schema.items.as_ref();
    let pairs = items.is_some_and(|i| i.pairs.is_some());
    match items {
        None if reads.retrieves() => field(
            "looks for items, and nothing says what an item is; add [features.items] with its id and its user".into(),
        ),
        Some(_) if reads.pairs() && !pairs => field("learns from pairs of items; add [features.pairs]".into()),
        Some(_) if pairs && !reads.pairs() => field(format!(
            "learns from rows; remove [features.pairs], or take a model of pairs ({})",
            super::named(Reads::pairs)
        )),
        Some(items) if !reads.retrieves() && items.draws_beside().is_some() => field(
            "scores rows, and items that a batch shares are none; use features.negatives.per_positive with a sampler other than in_batch for all".into(),
        ),
        _ => Ok(()),
    }
}

/// Every field must be of use to the model: looked up, or read by trees whose leaves are.
pub(super) fn check_unread(
    model: &'static str,
    reads: &Reads,
    schema: &Schema,
    slots: &Slots,
) -> Result<(), ModelError> {
    let looked_up = |place: usize| slots.0.iter().any(|l| l.features.contains(&place) || l.sequences.contains(&place));
    let grown = schema.trees.as_ref().is_some_and(|t| looked_up(t.1));
    let unread = |place: &usize| !looked_up(*place) && (!grown || schema.is_cross(*place));
    if reads.fields == Fields::UserAndItem {
        // The model's own check names what it has no use for.
        return Ok(());
    }
    let Some(place) = schema.slots().into_iter().chain(schema.sequences()).find(unread) else { return Ok(()) };
    let kind = match schema.categorical[place].source {
        CategoricalSource::Cross { .. } => "crosses, which weights of ids read",
        CategoricalSource::Leaves => "the leaves of trees, which weights of ids read",
        _ => "it",
    };
    Err(ModelError::Ignored { model, field: schema.categorical[place].name.clone(), kind })
}

/// A model of histories needs one, and for each sequence the field that it is a history of.
fn check_histories(model: &'static str, schema: &Schema) -> Result<(), ModelError> {
    let sequences = schema.sequences();
    if sequences.is_empty() {
        let problem = "reads what users did, and no field is of kind \"sequence\"; declare one with the table of its candidate, for example history = { kind = \"sequence\", table = \"item_id\" }";
        return Err(ModelError::Field { model, problem: problem.into() });
    }
    match sequences.into_iter().find(|s| schema.candidate_of(*s).is_none()) {
        Some(place) => {
            let field = &schema.categorical[place];
            let names: Vec<&str> =
                schema.candidates_of(place).into_iter().map(|c| schema.categorical[c].name.as_str()).collect();
            let problem = match names.as_slice() {
                [] => format!(
                    "weighs sequence `{}` by a candidate, and no field of one id a row has its table `{}`; set table to the field that it is a history of",
                    field.name, field.table
                ),
                names => format!(
                    "cannot tell which of {} sequence `{}` is a history of; name the table `{}` after one of them, or give the others tables of their own",
                    names.join(", "),
                    field.name,
                    field.table
                ),
            };
            Err(ModelError::Field { model, problem })
        }
        None => Ok(()),
    }
}
