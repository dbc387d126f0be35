//! `burnrec recommend`

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt32Array};
use burnrec_client::Message;
use burnrec_data::{DataConfig, Source};
use burnrec_features::{Catalogue, Who};
use burnrec_train::{Retriever, SavedModel, TopK, TrainError};

use super::asked::Asked;
use super::client::ClientSide;
use super::output::{Place, Writer, refuse_input};
use super::saved::{open, own_data, plain};
use super::vectors::SIDES;
use crate::args::RecommendArgs;
use crate::error::CliError;
use crate::out;
use crate::progress::Answered;

/// Users that are looked for at once, where items have vectors and where every item is scored.
const USERS: [usize; 2] = [4096, 256];

/// Recommends.
pub fn run(args: &RecommendArgs) -> Result<(), CliError> {
    let who = args.users.as_deref().or(args.vectors.as_deref()).unwrap_or(Path::new(""));
    args.output.as_deref().map_or(Ok(()), |output| refuse_input(who, output))?;
    let writer = args.output.as_deref().map(writer).transpose()?;
    let saved = open(&args.run, &args.place)?;
    if let Some(vectors) = &args.vectors {
        return of_clients(args, &saved, vectors, writer);
    }
    let encoder = &saved.encoder;
    let (Some(items), Some(catalogue)) = (&encoder.schema().items, encoder.catalogue()) else {
        return Err(without_items(&args.run));
    };
    let own = own_data(&saved, &args.place.data_dir)?;
    let source = users_of(who, &own, &items.user)?;
    if let Some(taken) = ["rank", "item", "score"].into_iter().find(|name| *name == items.user) {
        return Err(CliError::Usage(format!(
            "the column of users is called `{taken}`, as one of the output is; rename it in the data and train again"
        )));
    }
    let asked = Asked::read(&*source, encoder, &items.user)?;
    let unknown: Vec<&str> = asked.users.iter().filter(|u| u.place.is_none()).map(|u| &*u.id).collect();
    if !asked.described || args.skip_unknown {
        tell_unknown(args, who, &unknown)?;
    } else if !unknown.is_empty() {
        tracing::info!(
            "{}: {} users are not in the run's data, and are answered by what the file says of them",
            who.display(),
            unknown.len()
        );
    }
    let users: Vec<(&str, Who<'_>)> = asked.known(!args.skip_unknown).collect();
    let mut sink = Sink { writer, user: &items.user, catalogue };
    let retriever = Retriever::new(&saved.weights, &saved.checked, encoder)?.ok_or_else(|| without_items(&args.run))?;
    let mut answered = Answered::new(users.len(), "users");
    for some in users.chunks(USERS[usize::from(!retriever.has_vectors())]) {
        let who: Vec<Who<'_>> = some.iter().map(|(_, who)| *who).collect();
        let found = retriever.top(&who, args.k, SIDES, args.exclude_seen);
        sink.take(some, &found)?;
        answered.add(some.len());
    }
    sink.writer.map_or(Ok(()), Writer::finish)
}

/// Answers users whose vectors their clients kept, if these are of the item vectors that the run has.
fn of_clients(args: &RecommendArgs, saved: &SavedModel, path: &Path, writer: Option<Writer>) -> Result<(), CliError> {
    let encoder = &saved.encoder;
    let (Some(items), Some(catalogue)) = (&encoder.schema().items, encoder.catalogue()) else {
        return Err(without_items(&args.run));
    };
    let client = ClientSide::new(saved)?;
    let text =
        std::fs::read_to_string(path).map_err(|_| burnrec_data::DataError::Missing { path: path.to_path_buf() })?;
    let mut users: Vec<(String, Vec<f32>)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
        let told = |problem: String| CliError::Usage(format!("{}:{number}: {problem}", path.display()));
        let message = Message::read(line, number).map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))?;
        if message.version != client.version {
            return Err(told(format!(
                "the vector of `{}` is of item vectors {}, and the run has {}; let its client start anew with a slate of this run (export --client)",
                message.user, message.version, client.version
            )));
        }
        if message.vector.len() != client.dim {
            return Err(told(format!("{} numbers, where the run's vectors have {}", message.vector.len(), client.dim)));
        }
        users.push((message.user, message.vector));
    }
    let mut sink = Sink { writer, user: &items.user, catalogue };
    for some in users.chunks(USERS[0]) {
        let found = client.retriever.top_of(some.iter().flat_map(|(_, vector)| vector.clone()).collect(), args.k);
        sink.take(&some.iter().map(|(user, _)| (user.as_str(), ())).collect::<Vec<_>>(), &found)?;
    }
    sink.writer.map_or(Ok(()), Writer::finish)
}

/// The file of users, with side tables of the run's that go by a column of it.
fn users_of(path: &Path, own: &DataConfig, user: &str) -> Result<Arc<dyn Source>, CliError> {
    let bare = DataConfig { explode: None, fields_by_index: Default::default(), ..plain(path, own) };
    let keys = [user.to_string()];
    let there = burnrec_data::open_to_score(path, &bare, &keys)?;
    let mut join = Vec::new();
    for table in &own.join {
        let side = burnrec_data::open_path(Path::new(&table.source), &table.into())?;
        let brings = |c: &burnrec_data::Column| c.name != table.on && there.column(&c.name).is_ok();
        if there.column(&table.on).is_ok() && !side.columns().iter().any(brings) {
            join.push(table.clone());
        }
    }
    Ok(burnrec_data::open_to_score(path, &DataConfig { join, ..bare }, &keys)?)
}

/// What is said of a run that does not know what an item is.
pub fn without_items(run: &Path) -> CliError {
    TrainError::Setting {
        key: "features.items".into(),
        problem: format!(
            "is not set in {}, so the run does not know what an item is; add it to the config and train again, or export a field's vectors with --of FIELD",
            run.join("config.toml").display()
        ),
    }
    .into()
}

fn tell_unknown(args: &RecommendArgs, path: &Path, unknown: &[&str]) -> Result<(), CliError> {
    let Some(first) = unknown.first() else { return Ok(()) };
    let what = format!("{}: {} users are not in the run's data, the first is `{first}`", path.display(), unknown.len());
    if !args.skip_unknown {
        return Err(CliError::Usage(format!("{what}; leave them out with --skip-unknown, or train on their rows")));
    }
    tracing::warn!("{what}; they are left out");
    Ok(())
}

fn writer(path: &Path) -> Result<Writer, CliError> {
    let kind = super::output::kind(path)?;
    Writer::new(kind, Place::of(path, "--output")?)
}

/// Where rows go: a file, or standard output as tab-separated lines.
struct Sink<'a> {
    writer: Option<Writer>,
    user: &'a str,
    catalogue: &'a Catalogue,
}

impl Sink<'_> {
    fn take<T>(&mut self, users: &[(&str, T)], found: &[TopK]) -> Result<(), CliError> {
        let rows: Vec<(&str, usize, (u32, f32))> = users
            .iter()
            .zip(found)
            .flat_map(|((id, _), top)| top.iter().enumerate().map(move |(at, t)| (*id, at + 1, *t)))
            .collect();
        let item = |i: &u32| &self.catalogue.ids[*i as usize];
        let Some(writer) = &mut self.writer else {
            return rows
                .iter()
                .try_for_each(|(u, rank, (i, score))| out::line(&format!("{u}\t{rank}\t{}\t{score}", item(i))));
        };
        let columns: [(&str, ArrayRef); 4] = [
            (self.user, Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0)))),
            ("rank", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.1 as u32)))),
            ("item", Arc::new(StringArray::from_iter_values(rows.iter().map(|r| item(&r.2.0))))),
            ("score", Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.2.1)))),
        ];
        let batch = RecordBatch::try_from_iter(columns).map_err(|e| CliError::Usage(e.to_string()))?;
        writer.write(&batch)
    }
}
