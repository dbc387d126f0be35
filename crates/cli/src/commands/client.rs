//! What clients that keep their user's vector need of a run.

use std::path::Path;

use burnrec_client::{Rule, Slate};
use burnrec_train::{Retriever, SavedModel};

use super::output::Place;
use super::vectors::{no_vectors, of_file, retriever};
use crate::error::CliError;

/// A run whose users are means of items.
pub struct ClientSide<'a> {
    /// What looks for items.
    pub retriever: Retriever<'a>,
    /// The version of the items' vectors: a hash of all of them.
    pub version: String,
    /// Their width.
    pub dim: usize,
    rule: Rule,
    ids: Vec<String>,
    values: Vec<f32>,
}

impl<'a> ClientSide<'a> {
    /// Of a run.
    pub fn new(saved: &'a SavedModel) -> Result<Self, CliError> {
        let retriever = retriever(saved)?;
        let items = retriever.unit_items().ok_or_else(|| no_vectors(saved))?;
        let Some((decay, latest)) = retriever.user_rule() else {
            return Err(CliError::Usage(format!(
                "model.{} makes users by a network, which a client does not have; item2vec and eges make them of the items that they liked",
                saved.checked.experiment().model.name()
            )));
        };
        let catalogue = saved.encoder.catalogue().ok_or_else(|| no_vectors(saved))?;
        let (ids, values) = (catalogue.ids.clone(), burnrec_train::values(items));
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).chain(ids.join("\n").into_bytes()).collect();
        let version = burnrec_data::sha256(&bytes)[..16].to_string();
        let dim = values.len() / ids.len().max(1);
        Ok(Self { retriever, version, dim, rule: Rule { decay, latest }, ids, values })
    }

    /// A slate of some items, or of all.
    fn slate(&self, saved: &SavedModel, items: Option<&Path>, data_dir: &Path) -> Result<Slate, CliError> {
        let (ids, values) = match items {
            None => (self.ids.clone(), self.values.clone()),
            Some(path) => {
                let own = of_file(saved, path, data_dir)?;
                let unit = |row: &[f32]| {
                    let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
                    row.iter().map(|v| v / norm).collect::<Vec<f32>>()
                };
                let values = own.values.chunks(self.dim).flat_map(unit).collect();
                (own.ids, values)
            }
        };
        if let Some(id) = ids.iter().find(|id| id.contains(['\t', '\n', '\r'])) {
            return Err(CliError::Usage(format!(
                "id `{}` holds a tab or a line's end, which a slate cannot",
                id.escape_debug()
            )));
        }
        Slate::new(&self.version, self.rule, &ids, values).map_err(|e| CliError::Usage(e.to_string()))
    }
}

/// Writes a slate.
pub fn export(saved: &SavedModel, to: &Path, items: Option<&Path>, data_dir: &Path) -> Result<(), CliError> {
    let place = Place::of(to, "--client")?;
    let slate = ClientSide::new(saved)?.slate(saved, items, data_dir)?;
    let temporary = place.temporary("export")?;
    std::io::Write::write_all(&mut temporary.as_file(), slate.text().as_bytes())
        .map_err(|e| place.failed(e.to_string()))?;
    place.finish(temporary)?;
    tracing::info!("a slate of version {} written to {}", slate.version(), to.display());
    Ok(())
}
