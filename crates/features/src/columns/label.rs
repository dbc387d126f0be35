//! Labels of a batch, and what is known of them.

use burnrec_data::value::{Values, is_null_token, number_of};

use crate::batch::Targets;
use crate::columns::reader::Reader;
use crate::error::FeatureError;
use crate::same::same;
use crate::schema::{Compare, Condition, Of, Rule, Target, in_order};

/// The labels of all tasks, `[B·T]`.
///
/// # Errors
/// The first value that is no label, and a row with label 1 of a task whose parent has 0.
pub(crate) fn read<'a>(
    targets: &'a [Target],
    reader: &dyn Fn(&'a str, &'a str) -> Reader<'a>,
) -> Result<Targets, FeatureError> {
    let mut columns = Vec::with_capacity(targets.len());
    for target in targets {
        columns.push(one(target, &reader(&target.name, &target.column))?);
    }
    infer(targets, &mut columns);
    // A task that another's rows hang on goes first: a label that is not known fulfils nothing.
    for task in in_order(targets) {
        if let Some(inside) = space(&targets[task], &columns, reader)? {
            let own = columns[task].iter_mut().zip(inside);
            own.filter(|(_, inside)| !inside).for_each(|(label, _)| *label = None);
        }
    }
    check_parents(targets, &columns, reader)?;
    let weights = targets.iter().map(|t| weights(t, reader)).collect::<Result<Vec<_>, _>>()?;
    Ok(by_row(targets.len(), &columns, &weights))
}

type Labels = Vec<Option<f32>>;

/// The labels of one task.
fn one(target: &Target, reader: &Reader<'_>) -> Result<Labels, FeatureError> {
    match &target.rule {
        Rule::Values { positive, negative } => return values(reader, positive, negative.as_deref()),
        Rule::Classes(classes) => return class_places(reader, classes),
        Rule::Binary => {
            if let Values::Text(a) = reader.values()?
                && a.iter().flatten().any(|t| number_of(t).is_none())
            {
                let texts = |words: [&str; 3]| words.map(str::to_string);
                return values(reader, &texts(["1", "true", "True"]), Some(&texts(["0", "false", "False"])));
            }
        }
        Rule::Always => return Ok(vec![Some(1.0); reader.batch.num_rows()]),
        Rule::Threshold(_) | Rule::Number => {}
    }
    let label = |(row, x): (usize, Option<f64>)| match (&target.rule, x) {
        (_, None) => Ok(None),
        (Rule::Threshold(t), Some(x)) => Ok(Some(f32::from(u8::from(x >= *t)))),
        (Rule::Number, Some(x)) => match target.limits {
            Some((low, high, by)) if !(f64::from(low)..=f64::from(high)).contains(&x) => {
                let most = if high == f32::MAX { "at least 0".to_string() } else { format!("in {low}..={high}") };
                Err(reader.error(row, format!("label {x} must be {most} for {by}; shift or scale the labels")))
            }
            _ => Ok(Some(x as f32)),
        },
        (_, Some(x)) if x == 0.0 || x == 1.0 => Ok(Some(x as f32)),
        (_, Some(x)) => {
            let key = format!("tasks.{}.label", target.name);
            Err(reader.error(row, format!("label {x} is neither 0 nor 1; set {key}.threshold or {key}.positive")))
        }
    };
    reader.numbers()?.into_iter().enumerate().map(label).collect()
}

/// The column as text; missing values are none.
fn texts(reader: &Reader<'_>) -> Result<Vec<Option<String>>, FeatureError> {
    let values = reader.values()?;
    let text = |row: usize| values.text(row).filter(|t| !is_null_token(t)).map(|t| t.into_owned());
    Ok((0..values.len()).map(text).collect())
}

fn values(reader: &Reader<'_>, positive: &[String], negative: Option<&[String]>) -> Result<Labels, FeatureError> {
    let class = |(row, text): (usize, Option<String>)| match text {
        None => Ok(None),
        Some(t) if positive.iter().any(|p| same(p, &t)) => Ok(Some(1.0)),
        Some(t) => match negative {
            Some(n) if !n.iter().any(|n| same(n, &t)) => Err(reader.error(
                row,
                format!(
                    "label `{t}` is in neither list of values; allowed are {} and {}",
                    positive.join(", "),
                    n.join(", ")
                ),
            )),
            _ => Ok(Some(0.0)),
        },
    };
    texts(reader)?.into_iter().enumerate().map(class).collect()
}

fn class_places(reader: &Reader<'_>, classes: &[String]) -> Result<Labels, FeatureError> {
    let place = |(row, text): (usize, Option<String>)| match text {
        None => Ok(None),
        Some(t) => match classes.iter().position(|class| same(class, &t)) {
            Some(place) => Ok(Some(place as f32)),
            None => Err(reader.error(row, format!("label `{t}` is no class; there are {}", classes.join(", ")))),
        },
    };
    texts(reader)?.into_iter().enumerate().map(place).collect()
}

/// Whether each row is one that a task is of; none where it is of all.
fn space<'a>(
    target: &'a Target,
    labels: &[Labels],
    reader: &dyn Fn(&'a str, &'a str) -> Reader<'a>,
) -> Result<Option<Vec<bool>>, FeatureError> {
    let mut inside: Option<Vec<bool>> = None;
    for condition in &target.space {
        let holds: Vec<bool> = match &condition.of {
            Of::Task(task) => labels[*task].iter().map(|y| y.is_some_and(|y| condition.holds(f64::from(y)))).collect(),
            Of::Column(column) => of_column(condition, &reader("where", column))?,
        };
        inside = Some(match inside {
            Some(before) => before.into_iter().zip(holds).map(|(a, b)| a && b).collect(),
            None => holds,
        });
    }
    Ok(inside)
}

fn of_column(condition: &Condition, reader: &Reader<'_>) -> Result<Vec<bool>, FeatureError> {
    if !matches!(condition.how, Compare::Equal | Compare::NotEqual) {
        return Ok(reader.numbers()?.into_iter().map(|x| x.is_some_and(|x| condition.holds(x))).collect());
    }
    let equal = condition.how == Compare::Equal;
    Ok(texts(reader)?.into_iter().map(|t| t.is_some_and(|t| same(&t, &condition.value) == equal)).collect())
}

/// A label that is missing where its parent's is 0 is 0: nobody writes down that what was not clicked was not bought.
fn infer(targets: &[Target], labels: &mut [Labels]) {
    // As often as a chain may be long: what was found of one task may tell of the next.
    for _ in 1..targets.len() {
        for (task, target) in targets.iter().enumerate() {
            let Some(parent) = target.parent.filter(|_| labels[task].contains(&None)) else { continue };
            let above: Vec<bool> = labels[parent].iter().map(|label| *label == Some(0.0)).collect();
            let own = labels[task].iter_mut().zip(above);
            own.filter(|(label, zero)| *zero && label.is_none()).for_each(|(label, _)| *label = Some(0.0));
        }
    }
}

/// A label 1 without that of the parent is a contradiction in the data.
fn check_parents<'a>(
    targets: &'a [Target],
    labels: &[Labels],
    reader: &dyn Fn(&'a str, &'a str) -> Reader<'a>,
) -> Result<(), FeatureError> {
    for (target, own) in targets.iter().zip(labels) {
        let Some(parent) = target.parent else { continue };
        let contradicts = |(own, above): (&Option<f32>, &Option<f32>)| *own == Some(1.0) && *above == Some(0.0);
        if let Some(row) = own.iter().zip(&labels[parent]).position(contradicts) {
            let above = &targets[parent];
            let problem = format!(
                "label 1 of task `{}` where its parent `{}` has 0 (column `{}`); mend the row, or take tasks.{}.parent away",
                target.name, above.name, above.column, target.name
            );
            return Err(reader(&target.name, &target.column).error(row, problem));
        }
    }
    Ok(())
}

/// What a task's rows weigh; none where all weigh 1.
fn weights<'a>(
    target: &'a Target,
    reader: &dyn Fn(&'a str, &'a str) -> Reader<'a>,
) -> Result<Option<Vec<f32>>, FeatureError> {
    let Some(column) = &target.weight else { return Ok(None) };
    sample_weights(&reader("row_weight", column)).map(Some)
}

/// A column of weights: numbers of at least 0, none missing.
pub(crate) fn sample_weights(reader: &Reader<'_>) -> Result<Vec<f32>, FeatureError> {
    let check = |(row, w): (usize, Option<f64>)| match w {
        Some(w) if w >= 0.0 => Ok(w as f32),
        Some(w) => Err(reader.error(row, format!("sample weight {w} is below 0"))),
        None => Err(reader.error(row, "the sample weight is missing; every training row needs one")),
    };
    reader.numbers()?.into_iter().enumerate().map(check).collect()
}

/// Columns as rows.
fn by_row(tasks: usize, columns: &[Labels], weights: &[Option<Vec<f32>>]) -> Targets {
    let rows = columns.first().map_or(0, Vec::len);
    let cells = || (0..rows).flat_map(move |row| (0..tasks).map(move |task| (row, task)));
    let all_known = columns.iter().flatten().all(Option::is_some);
    let weigh = weights.iter().any(Option::is_some);
    Targets {
        tasks,
        values: cells().map(|(row, task)| columns[task][row].unwrap_or(0.0)).collect(),
        known: (!all_known).then(|| cells().map(|(row, task)| columns[task][row].is_some()).collect()),
        weights: weigh.then(|| cells().map(|(row, task)| weights[task].as_ref().map_or(1.0, |w| w[row])).collect()),
    }
}
