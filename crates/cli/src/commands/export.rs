//! `burnrec export`

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field};
use arrow::ipc::writer::FileWriter;
use burnrec_record::counted;
use burnrec_train::SavedModel;

use super::output::Place;
use super::recommend::without_items;
use super::saved::{latest, open};
use super::vectors::{Vectors, of_field, of_file, of_run};
use crate::args::{ApplyArgs, ExportArgs};
use crate::error::CliError;
use crate::{out, setup};

/// Exports.
pub fn run(args: &ExportArgs) -> Result<(), CliError> {
    if let Some(folder) = &args.deltas {
        return deltas(&latest(&args.run), folder);
    }
    if let Some(client) = &args.client {
        let saved = open(&args.run, &args.place)?;
        if saved.encoder.catalogue().is_none() {
            return Err(without_items(&args.run));
        }
        return super::client::export(&saved, client, args.items.as_deref(), &args.place.data_dir);
    }
    if args.items.is_some() && args.of != "items" {
        return Err(CliError::Usage(format!("--items names items; leave --of {} out", args.of)));
    }
    match (&args.projector, &args.embeddings) {
        (Some(folder), _) => {
            setup::probe_folder(folder, "--projector")?;
            let saved = open(&args.run, &args.place)?;
            super::projector::write(folder, args, &saved, &vectors(args, &saved)?)
        }
        (None, path) => embeddings(args, path.as_deref().unwrap_or(Path::new(""))),
    }
}

/// The vectors that are asked for.
fn vectors(args: &ExportArgs, saved: &SavedModel) -> Result<Vectors, CliError> {
    let data_dir = &args.place.data_dir;
    let is_field = || saved.encoder.schema().categorical.iter().any(|field| field.name == args.of);
    // Fields may be called so too, where there is no catalogue of items.
    let kept = ["items", "users"].contains(&args.of.as_str());
    if !kept || (saved.encoder.catalogue().is_none() && is_field()) {
        return of_field(saved, &args.of, data_dir);
    }
    if saved.encoder.catalogue().is_none() {
        return Err(without_items(&args.run));
    }
    match &args.items {
        Some(items) => of_file(saved, items, data_dir),
        None => of_run(saved, args.of == "users"),
    }
}

/// Writes vectors to a file.
fn embeddings(args: &ExportArgs, path: &Path) -> Result<(), CliError> {
    let as_text = match path.extension().and_then(|e| e.to_str()) {
        Some("arrow") => false,
        Some("txt" | "vec") => true,
        _ => {
            let what = format!("--embeddings {}: give a name that ends in .arrow, .txt or .vec", path.display());
            return Err(CliError::Usage(what));
        }
    };
    let place = Place::of(path, "--embeddings")?;
    let saved = open(&args.run, &args.place)?;
    let vectors = vectors(args, &saved)?;
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
    out::line(&format!("{}: {} taken in, stands at {at}", args.to.display(), counted(taken, "export")))
}
