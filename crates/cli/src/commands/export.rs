//! `burnrec export`

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field};
use arrow::ipc::writer::FileWriter;
use burnrec_models::{Reads, named};
use burnrec_train::{Retriever, SavedModel};

use super::output::Place;
use super::recommend::{SIDES, without_items};
use super::saved::{latest, open, own_data, plain};
use crate::args::{ApplyArgs, ExportArgs};
use crate::error::CliError;
use crate::{out, setup};

/// Ids with their vectors, all of one width.
struct Vectors {
    ids: Vec<String>,
    values: Vec<f32>,
    /// Training rows of each item; none of users.
    rows: Option<Vec<u32>>,
}

impl Vectors {
    fn dim(&self) -> usize {
        self.values.len() / self.ids.len().max(1)
    }
}

/// Exports.
pub fn run(args: &ExportArgs) -> Result<(), CliError> {
    if let Some(folder) = &args.deltas {
        return deltas(&latest(&args.run), folder);
    }
    let path = args.embeddings.as_deref().unwrap_or(Path::new(""));
    let as_text = match path.extension().and_then(|e| e.to_str()) {
        Some("arrow") => false,
        Some("txt" | "vec") => true,
        _ => {
            let what = format!("--embeddings {}: give a name that ends in .arrow, .txt or .vec", path.display());
            return Err(CliError::Usage(what));
        }
    };
    if args.items.is_some() && args.of == "users" {
        return Err(CliError::Usage("--items names items; leave --of users out".into()));
    }
    let place = Place::of(path, "--embeddings")?;
    let saved = open(&args.run, &args.place)?;
    if saved.encoder.catalogue().is_none() {
        return Err(without_items(&args.run));
    }
    let vectors = match &args.items {
        Some(items) => of_file(&saved, items, &args.place.data_dir)?,
        None => of_run(&saved, args.of == "users")?,
    };
    let temporary = place.temporary("export")?;
    let file = BufWriter::new(temporary.as_file().try_clone().map_err(|e| place.failed(e.to_string()))?);
    if let Some(id) = vectors.ids.iter().find(|id| as_text && id.contains(char::is_whitespace)) {
        let what = format!(
            "id `{id}` has a space, which word2vec's text cannot express; give --embeddings a name that ends in .arrow"
        );
        return Err(CliError::Usage(what));
    }
    if as_text { word2vec(file, &vectors) } else { arrow(file, &vectors) }.map_err(|e| place.failed(e))?;
    place.finish(temporary)?;
    tracing::info!("{} vectors of width {} written to {}", vectors.ids.len(), vectors.dim(), path.display());
    Ok(())
}

fn no_vectors(saved: &SavedModel) -> CliError {
    let model = saved.checked.experiment().model.name();
    let others = named(Reads::retrieves);
    CliError::Usage(format!(
        "model.{model} scores pairs of a user and an item and has no vectors that stand for them; {others} have"
    ))
}

fn retriever(saved: &SavedModel) -> Result<Retriever<'_>, CliError> {
    Retriever::new(&saved.weights, &saved.checked, &saved.encoder)?.ok_or_else(|| no_vectors(saved))
}

fn of_run(saved: &SavedModel, users: bool) -> Result<Vectors, CliError> {
    let none = || no_vectors(saved);
    let retriever = retriever(saved)?;
    let items = retriever.item_vectors().ok_or_else(none)?;
    let catalogue = saved.encoder.catalogue().ok_or_else(none)?;
    if !users {
        let (ids, rows) = (catalogue.ids.clone(), Some(catalogue.rows.clone()));
        return Ok(Vectors { ids, values: burnrec_train::values(items), rows });
    }
    let all: Vec<u32> = (0..catalogue.user_ids.len() as u32).collect();
    let values = burnrec_train::values(retriever.ranking_users(&all, SIDES, items));
    Ok(Vectors { ids: catalogue.user_ids.clone(), values, rows: None })
}

/// Vectors of the items of a file, by what describes them there.
fn of_file(saved: &SavedModel, path: &Path, data_dir: &Path) -> Result<Vectors, CliError> {
    let none = || no_vectors(saved);
    let encoder = &saved.encoder;
    let schema = encoder.schema();
    let own = own_data(saved, data_dir)?;
    let source = burnrec_data::open(path, &plain(path, &own))?;
    let column = schema.item_column().ok_or_else(none)?;
    let columns = schema.item_columns();
    for name in &columns {
        source.column(name)?;
    }
    let retriever = retriever(saved)?;
    let mut out = Vectors { ids: Vec::new(), values: Vec::new(), rows: Some(Vec::new()) };
    let mut new = 0;
    for rows in source.stream(&columns)? {
        let rows = rows?;
        out.ids.extend(burnrec_features::ids(&rows, &*source, column)?);
        let encoded = encoder.encode_items(&rows, &*source)?;
        let known =
            |item: &&u32| encoder.catalogue().is_some_and(|c| c.rows.get(**item as usize).is_some_and(|n| *n > 0));
        let rows_of = |item: &u32| encoder.catalogue().and_then(|c| c.rows.get(*item as usize).copied()).unwrap_or(0);
        out.rows.get_or_insert_default().extend(encoded.item.iter().map(rows_of));
        new += encoded.rows - encoded.item.iter().filter(known).count();
        out.values.extend(burnrec_train::values(retriever.vectors_of(encoded).ok_or_else(none)?));
    }
    let described = schema.items.as_ref().is_some_and(|i| i.fields.len() > 1);
    if new > 0 {
        let how = if described { "what describes them, as far as it is known" } else { "unknown items, all the same" };
        tracing::warn!("{}: {new} items are in no training row; their vectors are of {how}", path.display());
    }
    Ok(out)
}

fn arrow(mut file: BufWriter<std::fs::File>, vectors: &Vectors) -> Result<(), String> {
    let field = Arc::new(Field::new_list_field(DataType::Float32, false));
    let values = Arc::new(Float32Array::from(vectors.values.clone()));
    let lists = FixedSizeListArray::try_new(field, vectors.dim() as i32, values, None).map_err(|e| e.to_string())?;
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(&vectors.ids));
    let mut columns = vec![("id", ids), ("vector", Arc::new(lists) as ArrayRef)];
    // Items that training never touched have vectors that say little: they are marked by a 0.
    columns.extend(vectors.rows.as_ref().map(|r| ("rows", Arc::new(UInt32Array::from(r.clone())) as ArrayRef)));
    let rows = RecordBatch::try_from_iter(columns).map_err(|e| e.to_string())?;
    let mut writer = FileWriter::try_new(&mut file, &rows.schema()).map_err(|e| e.to_string())?;
    writer.write(&rows).and_then(|()| writer.finish()).map_err(|e| e.to_string())?;
    drop(writer);
    file.flush().map_err(|e| e.to_string())
}

/// A line with the number of vectors and their width, then one a vector.
fn word2vec(mut file: BufWriter<std::fs::File>, vectors: &Vectors) -> Result<(), String> {
    let mut write = || -> std::io::Result<()> {
        writeln!(file, "{} {}", vectors.ids.len(), vectors.dim())?;
        for (id, vector) in vectors.ids.iter().zip(vectors.values.chunks(vectors.dim().max(1))) {
            write!(file, "{id}")?;
            vector.iter().try_for_each(|x| write!(file, " {x}"))?;
            writeln!(file)?;
        }
        file.flush()
    };
    write().map_err(|e| e.to_string())
}

/// Writes what changed since the last export for copies that serve.
fn deltas(run: &Path, folder: &Path) -> Result<(), CliError> {
    setup::probe_folder(folder, "--deltas")?;
    match burnrec_schedule::export(run, folder)? {
        None => out::line(&format!("nothing changed since the last export in {}", folder.display())),
        Some(export) => out::line(&format!(
            "export {}: {} rows of {}, {} gone; {}",
            export.sequence,
            export.rows,
            export.of,
            export.removed,
            export.folder.display()
        )),
    }
}

/// Takes exports in.
pub fn apply(args: &ApplyArgs) -> Result<(), CliError> {
    setup::probe_folder(&args.to, "--to")?;
    let (at, taken) = burnrec_schedule::apply(&args.exports, &args.to)?;
    out::line(&format!("{}: {taken} exports taken in, stands at {at}", args.to.display()))
}
