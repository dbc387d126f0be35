//! Vectors for the projector of TensorBoard.

use std::fmt::Write;
use std::path::Path;

use burnrec_train::{SavedModel, write_whole};

use super::output::as_text;
use super::saved::{own_data, plain};
use super::vectors::Vectors;
use crate::args::ExportArgs;
use crate::error::CliError;
use crate::out;

const VECTORS: &str = "vectors.tsv";
const NAMES: &str = "metadata.tsv";

/// What the projector looks for in a folder.
const CONFIG: &str = "projector_config.pbtxt";

/// Writes the vectors, what each is called, and the file that names both.
pub(super) fn write(folder: &Path, args: &ExportArgs, saved: &SavedModel, all: &Vectors) -> Result<(), CliError> {
    let failed = |e: std::io::Error| CliError::Disk { path: folder.display().to_string(), reason: e.to_string() };
    let described = match &args.items {
        Some(items) => described(saved, items, &args.place.data_dir)?,
        None => Vec::new(),
    };
    let mut values = String::new();
    for vector in all.values.chunks(all.dim().max(1)) {
        let cells: Vec<String> = vector.iter().map(f32::to_string).collect();
        writeln!(values, "{}", cells.join("\t")).unwrap_or_default();
    }
    // The configuration last: what it names is there.
    std::fs::create_dir_all(folder).map_err(failed)?;
    write_whole(&folder.join(VECTORS), values.as_bytes())?;
    write_whole(&folder.join(NAMES), names(all, &described).as_bytes())?;
    let of = args.of.replace(['"', '\\', '\n'], " ");
    let config = format!(
        "embeddings {{\n  tensor_name: \"{of}\"\n  tensor_path: \"{VECTORS}\"\n  metadata_path: \"{NAMES}\"\n}}\n"
    );
    write_whole(&folder.join(CONFIG), config.as_bytes())?;
    tracing::info!("{} vectors of width {}", all.ids.len(), all.dim());
    out::line(&format!("{}: tensorboard --logdir {}", folder.join(CONFIG).display(), folder.display()))
}

/// A column of what is known of the vectors.
struct Column {
    name: String,
    cells: Vec<String>,
}

/// The columns of a file of items.
fn described(saved: &SavedModel, items: &Path, data_dir: &Path) -> Result<Vec<Column>, CliError> {
    let source = burnrec_data::open(items, &plain(items, &own_data(saved, data_dir)?))?;
    let id = saved.encoder.schema().item_column();
    let names: Vec<String> =
        source.columns().iter().map(|c| c.name.clone()).filter(|name| Some(name.as_str()) != id).collect();
    let mut columns: Vec<Column> = names.iter().map(|name| Column { name: name.clone(), cells: Vec::new() }).collect();
    for batch in source.stream(&names)? {
        let batch = batch?;
        for (column, name) in columns.iter_mut().zip(&names) {
            let at = batch.schema().index_of(name).map_err(burnrec_data::DataError::from)?;
            let text = as_text(batch.column(at), name).map_err(CliError::Usage)?;
            column.cells.extend(text.iter().map(|cell| cell.unwrap_or_default().to_string()));
        }
    }
    Ok(columns)
}

/// A line a vector; with a header, unless ids are all there is, as the projector reads it.
fn names(all: &Vectors, described: &[Column]) -> String {
    let plain = |cell: &str| cell.replace(['\t', '\n', '\r'], " ");
    let mut header = vec!["id".to_string()];
    header.extend(all.rows.as_ref().map(|_| "rows".to_string()));
    header.extend(described.iter().map(|column| plain(&column.name)));
    let mut out = String::new();
    if header.len() > 1 {
        out.push_str(&(header.join("\t") + "\n"));
    }
    for (at, id) in all.ids.iter().enumerate() {
        let mut cells = vec![plain(id)];
        cells.extend(all.rows.as_ref().map(|rows| rows[at].to_string()));
        cells.extend(described.iter().map(|column| plain(column.cells.get(at).map_or("", String::as_str))));
        out.push_str(&(cells.join("\t") + "\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_vector_and_a_header_where_there_is_more_than_ids() {
        let all = |rows| Vectors { ids: vec!["a\tb".into(), "c".into()], values: vec![0.0; 4], rows };
        assert_eq!(names(&all(None), &[]), "a b\nc\n");
        let title = Column { name: "title".into(), cells: vec!["One".into(), "Two\nlines".into()] };
        assert_eq!(names(&all(Some(vec![3, 0])), &[title]), "id\trows\ttitle\na b\t3\tOne\nc\t0\tTwo lines\n");
    }
}
