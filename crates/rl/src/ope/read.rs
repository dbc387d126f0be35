//! A log from its file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use arrow::array::RecordBatch;
use burnrec_data::DataConfig;
use burnrec_data::value::{Values, lists};

use super::config::{OpeConfig, RewardConfig};
use super::logged::{Logged, Modelled};
use crate::error::{RlError, bad};

/// Folds of the rows: the means that a row is judged by are of the others.
const FOLDS: usize = 3;

/// What an action is chosen for: the action, and the position.
type Choice = (String, String);

/// The rows of a file, column by column.
struct Table {
    path: String,
    batches: Vec<RecordBatch>,
}

impl Table {
    fn open(path: &Path, data: &DataConfig, columns: &[String]) -> Result<Self, RlError> {
        let source = burnrec_data::open(path, data)?;
        columns.iter().try_for_each(|column| source.column(column).map(drop))?;
        let batches = source.stream(columns)?.collect::<Result<_, _>>()?;
        Ok(Self { path: path.display().to_string(), batches })
    }

    fn error(&self, row: usize, column: &str, problem: impl std::fmt::Display) -> RlError {
        RlError::Log { path: self.path.clone(), row: row + 1, problem: format!("column {column} {problem}") }
    }

    /// One value a row, by what `read` makes of it.
    fn each<T>(
        &self,
        column: &str,
        mut read: impl FnMut(&Values, usize) -> Result<T, String>,
    ) -> Result<Vec<T>, RlError> {
        let mut all = Vec::new();
        for batch in &self.batches {
            let array = batch.column_by_name(column).ok_or_else(|| self.error(0, column, "is not there"))?;
            let values = Values::of(array)
                .map_err(|e| self.error(all.len(), column, format!("holds {}, no single values", e.0)))?;
            for row in 0..values.len() {
                let one = read(&values, row).map_err(|problem| self.error(all.len(), column, problem))?;
                all.push(one);
            }
        }
        Ok(all)
    }

    fn numbers(&self, column: &str) -> Result<Vec<f64>, RlError> {
        self.each(column, |values, row| {
            // What is missing is told where it matters.
            Ok(values.number(row).map_err(|text| format!("holds `{text}`, which is no number"))?.unwrap_or(f64::NAN))
        })
    }

    fn texts(&self, column: &str) -> Result<Vec<String>, RlError> {
        self.each(column, |values, row| {
            values.text(row).map(|text| text.into_owned()).ok_or_else(|| "is missing; every row needs one".to_string())
        })
    }

    /// A list of numbers a row.
    fn lists(&self, column: &str) -> Result<Vec<Vec<f64>>, RlError> {
        let mut all = Vec::new();
        for batch in &self.batches {
            let array = batch.column_by_name(column).ok_or_else(|| self.error(0, column, "is not there"))?;
            let found = lists(array).map_err(|e| self.error(all.len(), column, format!("holds {}", e.0)))?;
            let Some((values, offsets)) = found else { return Err(self.error(all.len(), column, "holds no lists")) };
            for span in offsets.windows(2) {
                let number = |at: u32| values.number(at as usize).ok().flatten().unwrap_or(f64::NAN);
                all.push((span[0]..span[1]).map(number).collect());
            }
        }
        Ok(all)
    }
}

/// Reads a log. Relative places are beside `base`.
///
/// # Errors
/// Columns that are not there, values that are none.
pub fn read_log(path: &Path, data: &DataConfig, config: &OpeConfig, base: &Path) -> Result<Logged, RlError> {
    config.check()?;
    let model = config.model.clone().unwrap_or_default();
    let more = [&config.position, &config.slate, &config.embedding, &config.policy.column, &config.policy.distribution];
    let of_model = [&model.logged, &model.policy, &model.rewards];
    let mut columns = vec![config.action.clone(), config.reward.clone(), config.propensity.clone()];
    columns.extend(more.into_iter().chain(of_model).flatten().cloned());
    let columns: Vec<String> = columns.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let table = Table::open(path, data, &columns)?;
    let actions = table.texts(&config.action)?;
    let positions = match &config.position {
        Some(column) => table.texts(column)?,
        None => vec![String::new(); actions.len()],
    };
    let choices: Vec<Choice> = actions.into_iter().zip(positions).collect();
    let reward = table.numbers(&config.reward)?;
    let keys = |column: &Option<String>| column.as_ref().map(|column| numbered(&table, column)).transpose();
    let mut logged = Logged {
        path: table.path.clone(),
        propensity: table.numbers(&config.propensity)?,
        embedding: keys(&config.embedding)?,
        slate: keys(&config.slate)?,
        ..Logged::default()
    };
    if let Some(column) = &config.policy.column {
        logged.target = table.numbers(column)?;
    } else if let Some(column) = &config.policy.distribution {
        let all = table.lists(column)?;
        let sums = all.iter().map(|list| list.iter().sum::<f64>());
        if let Some((row, sum)) = sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > 1e-6 || sum.is_nan()) {
            return Err(table.error(row, column, format!("holds probabilities that sum to {sum}, and not to 1")));
        }
        let own = choices.iter().zip(&all).enumerate().map(|(row, ((action, _), all))| {
            let at = action.parse::<usize>().ok().and_then(|action| all.get(action)).copied();
            at.ok_or_else(|| {
                table.error(
                    row,
                    &config.action,
                    format!("holds `{action}`, which is no place in a list of {} actions", all.len()),
                )
            })
        });
        logged.target = own.collect::<Result<_, _>>()?;
        if let Some(column) = &model.rewards {
            let rewards = table.lists(column)?;
            let place = |row: usize| choices[row].0.parse::<usize>().unwrap_or_default();
            let short = (0..all.len()).find(|row| rewards[*row].len() != all[*row].len());
            if let Some(row) = short {
                return Err(table.error(
                    row,
                    column,
                    format!("has {} rewards, and the policy {} actions", rewards[row].len(), all[row].len()),
                ));
            }
            logged.model = Some(Modelled {
                logged: (0..all.len()).map(|row| rewards[row][place(row)]).collect(),
                policy: all.iter().zip(&rewards).map(|(pi, r)| pi.iter().zip(r).map(|(p, r)| p * r).sum()).collect(),
            });
        }
    } else {
        let policy = policy(config, &choices, base)?;
        logged.target = choices.iter().map(|choice| policy.get(choice).copied().unwrap_or(0.0)).collect();
        if config.model.is_some() && model.logged.is_none() {
            logged.model = Some(by_means(&choices, &reward, &policy, model.means.unwrap_or(10.0)));
        }
    }
    if let RewardConfig { logged: Some(own), policy: Some(all), .. } = &model {
        logged.model = Some(Modelled { logged: table.numbers(own)?, policy: table.numbers(all)? });
    }
    logged.reward = reward;
    Ok(logged)
}

/// A number for each value of a column.
fn numbered(table: &Table, column: &str) -> Result<Vec<u64>, RlError> {
    let mut known: HashMap<String, u64> = HashMap::new();
    let mut number = |text: String| {
        let next = known.len() as u64;
        *known.entry(text).or_insert(next)
    };
    Ok(table.texts(column)?.into_iter().map(&mut number).collect())
}

/// What a policy does that does not look at who asks.
fn policy(config: &OpeConfig, choices: &[Choice], base: &Path) -> Result<BTreeMap<Choice, f64>, RlError> {
    let Some(path) = &config.policy.table else {
        let actions: BTreeSet<&String> = choices.iter().map(|(action, _)| action).collect();
        let positions: BTreeSet<&String> = choices.iter().map(|(_, position)| position).collect();
        let each = 1.0 / actions.len() as f64;
        let all = positions.iter().flat_map(|p| actions.iter().map(move |a| ((*a).clone(), (*p).clone())));
        return Ok(all.map(|choice| (choice, each)).collect());
    };
    let beside = base.join(path);
    let path = if beside.exists() { beside } else { path.into() };
    let columns: Vec<String> = [Some(&config.action), config.position.as_ref(), Some(&"probability".to_string())]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let table = Table::open(&path, &DataConfig::of(path.display().to_string()), &columns)?;
    let actions = table.texts(&config.action)?;
    let positions = match &config.position {
        Some(column) => table.texts(column)?,
        None => vec![String::new(); actions.len()],
    };
    let mut policy = BTreeMap::new();
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    let rows = actions.into_iter().zip(positions).zip(table.numbers("probability")?);
    for (row, ((action, position), p)) in rows.enumerate() {
        if !(0.0..=1.0).contains(&p) {
            return Err(table.error(row, "probability", format!("holds {p}, which is no probability")));
        }
        *sums.entry(position.clone()).or_default() += p;
        if policy.insert((action.clone(), position), p).is_some() {
            return Err(table.error(row, &config.action, format!("has `{action}` twice")));
        }
    }
    match sums.iter().find(|(_, sum)| (**sum - 1.0).abs() > 1e-6) {
        Some((position, sum)) => {
            let of = if position.is_empty() { String::new() } else { format!(" of position {position}") };
            Err(bad(
                "ope.policy.table",
                format!("has probabilities{of} that sum to {sum}, and not to 1: {}", path.display()),
            ))
        }
        None => {
            let lacks = |position: &&String| !sums.contains_key(*position);
            match choices.iter().map(|(_, position)| position).find(lacks) {
                Some(position) => {
                    let problem = format!("says nothing of position {position}, which the log has: {}", path.display());
                    Err(bad("ope.policy.table", problem))
                }
                None => Ok(policy),
            }
        }
    }
}

/// Rewards by the mean of each choice over the other folds.
fn by_means(choices: &[Choice], reward: &[f64], policy: &BTreeMap<Choice, f64>, prior: f64) -> Modelled {
    let mut by_position: HashMap<&String, Vec<(&Choice, f64)>> = HashMap::new();
    for (choice, p) in policy.iter().filter(|(_, p)| **p > 0.0) {
        by_position.entry(&choice.1).or_default().push((choice, *p));
    }
    let (mut logged, mut value) = (vec![0.0; choices.len()], vec![0.0; choices.len()]);
    for fold in 0..FOLDS {
        let mut sums: HashMap<&Choice, (f64, f64)> = HashMap::new();
        let (mut sum, mut count) = (0.0, 0.0);
        for (choice, r) in choices.iter().zip(reward).enumerate().filter(|(row, _)| row % FOLDS != fold).map(|(_, x)| x)
        {
            let own = sums.entry(choice).or_default();
            *own = (own.0 + r, own.1 + 1.0);
            (sum, count) = (sum + r, count + 1.0);
        }
        let mean = if count > 0.0 { sum / count } else { 0.0 };
        let of = |choice: &Choice| {
            let (sum, count) = sums.get(choice).copied().unwrap_or_default();
            if count + prior > 0.0 { (sum + prior * mean) / (count + prior) } else { mean }
        };
        let expected = |all: &Vec<(&Choice, f64)>| all.iter().map(|(choice, p)| p * of(choice)).sum::<f64>();
        let values: HashMap<&String, f64> =
            by_position.iter().map(|(position, all)| (*position, expected(all))).collect();
        for row in (fold..choices.len()).step_by(FOLDS) {
            logged[row] = of(&choices[row]);
            value[row] = values.get(&choices[row].1).copied().unwrap_or(0.0);
        }
    }
    Modelled { logged, policy: value }
}
