//! The vectors of a run's items, users, and ids of fields.

use std::collections::HashMap;
use std::path::Path;

use burnrec_data::Side;
use burnrec_features::CategoricalSource;
use burnrec_models::{Reads, named};
use burnrec_train::{Retriever, SavedModel};

use super::saved::{own_data, own_rows, plain};
use crate::error::CliError;
use crate::nearest::nearest;
use crate::reading::Reading;

/// Sides of the data that users are known by: all of them.
pub(super) const SIDES: usize = 3;

/// Ids with their vectors, all of one width.
pub(super) struct Vectors {
    pub(super) ids: Vec<String>,
    pub(super) values: Vec<f32>,
    /// Training rows of each item or id; none of users.
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
        "model.{model} scores pairs of a user and an item and has no vectors that stand for them; {others} have; what the ids of a field look up: --of FIELD"
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

/// What the ids of a field look up: the widest vectors that the model has of it, for every id of the training rows, the most
/// frequent first.
pub(super) fn of_field(saved: &SavedModel, field: &str, data_dir: &Path) -> Result<Vectors, CliError> {
    let (encoder, slots) = (&saved.encoder, &saved.checked.slots().0);
    let fields = &encoder.schema().categorical;
    let reads = |place: usize| {
        let reads =
            |lookup: &usize| slots[*lookup].features.iter().chain(&slots[*lookup].sequences).any(|f| *f == place);
        (0..slots.len()).filter(reads).max_by_key(|lookup| slots[*lookup].dim)
    };
    let of_ids = |place: &usize| {
        use CategoricalSource::{Many, One, Time};
        matches!(fields[*place].source, One { .. } | Many { .. } | Time { .. })
    };
    let known: Vec<usize> = (0..fields.len()).filter(of_ids).filter(|place| reads(*place).is_some()).collect();
    let found =
        known.iter().find(|place| fields[**place].name == field).and_then(|place| Some((*place, reads(*place)?)));
    let Some((place, lookup)) = found else {
        let names = || known.iter().map(|place| fields[*place].name.as_str());
        let meant = nearest(field, names()).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
        return Err(CliError::Usage(format!(
            "--of {field}: is no field whose ids have vectors to export{meant}; there are {}, and items and users",
            names().collect::<Vec<_>>().join(", ")
        )));
    };
    let rows = own_rows(saved, data_dir)?;
    let source = rows.source(Side::Train).clone();
    let columns: Vec<String> = encoder.schema().columns_of(place).into_iter().cloned().collect();
    let mut ids: HashMap<u64, (String, u32)> = HashMap::new();
    let reading = Reading::new("reading ids");
    for batch in rows.stream(Side::Train, &columns)? {
        for (key, text) in encoder.ids_of(place, &batch?, &*source)? {
            ids.entry(key).or_insert((text, 0)).1 += 1;
        }
    }
    drop(reading);
    let mut ids: Vec<(u64, (String, u32))> = ids.into_iter().collect();
    ids.sort_by(|(_, a), (_, b)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut out = Vectors { ids: Vec::new(), values: Vec::new(), rows: Some(Vec::new()) };
    for (key, (text, count)) in ids {
        let Some(vector) = saved.weights.tables.vector_of(lookup, place, key) else { continue };
        out.ids.push(text);
        out.values.extend(vector);
        out.rows.get_or_insert_default().push(count);
    }
    match out.ids.is_empty() {
        true => Err(CliError::Usage(format!("--of {field}: no id of the training rows has a vector of its own"))),
        false => Ok(out),
    }
}
