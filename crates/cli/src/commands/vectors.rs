//! The vectors of a run's items and users.

use std::path::Path;

use burnrec_models::{Reads, named};
use burnrec_train::{Retriever, SavedModel};

use super::saved::{own_data, plain};
use crate::error::CliError;

/// Sides of the data that users are known by: all of them.
pub(super) const SIDES: usize = 3;

/// Ids with their vectors, all of one width.
pub(super) struct Vectors {
    pub(super) ids: Vec<String>,
    pub(super) values: Vec<f32>,
    /// Training rows of each item; none of users.
    pub(super) rows: Option<Vec<u32>>,
}

impl Vectors {
    /// Their width.
    pub(super) fn dim(&self) -> usize {
        self.values.len() / self.ids.len().max(1)
    }
}

pub(super) fn no_vectors(saved: &SavedModel) -> CliError {
    let model = saved.checked.experiment().model.name();
    let others = named(Reads::retrieves);
    CliError::Usage(format!(
        "model.{model} scores pairs of a user and an item and has no vectors that stand for them; {others} have"
    ))
}

pub(super) fn retriever(saved: &SavedModel) -> Result<Retriever<'_>, CliError> {
    Retriever::new(&saved.weights, &saved.checked, &saved.encoder)?.ok_or_else(|| no_vectors(saved))
}

pub(super) fn of_run(saved: &SavedModel, users: bool) -> Result<Vectors, CliError> {
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
pub(super) fn of_file(saved: &SavedModel, path: &Path, data_dir: &Path) -> Result<Vectors, CliError> {
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
