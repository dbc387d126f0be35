//! The encoder: fitted once on the training rows, then a pure function of a record batch.

mod fit;
mod unseen;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, Source, positions};

use crate::batch::{Batch, Keys};
use crate::columns::{Columns, Curve, Fitted, Purpose, Reader};
use crate::error::FeatureError;
use crate::items::{Catalogue, Given};
use crate::schema::Schema;
use crate::trees::Trees;

/// Rows of each side, by its name.
pub type SideRows = BTreeMap<&'static str, u64>;

/// Turns record batches into [`Batch`]es.
#[derive(Clone, Debug)]
pub struct Encoder {
    columns: Columns,
    catalogue: Option<Arc<Catalogue>>,
    trees: Option<Arc<Trees>>,
}

impl Encoder {
    /// An encoder as it was saved.
    pub fn restore(schema: Schema, fitted: Fitted, catalogue: Option<Catalogue>, trees: Option<Trees>) -> Self {
        let columns = Columns { schema, fitted };
        Self { columns, catalogue: catalogue.map(Arc::new), trees: trees.map(Arc::new) }
    }

    /// The trees, where the schema asks for some.
    pub fn trees(&self) -> Option<&Trees> {
        self.trees.as_deref()
    }

    /// The items and users, where the schema says what an item is.
    pub fn catalogue(&self) -> Option<&Arc<Catalogue>> {
        self.catalogue.as_ref()
    }

    /// Whether the rows of a side are those that were there when the encoder was fitted.
    ///
    /// # Errors
    /// Unreadable rows.
    pub fn is_as_fitted(&self, dataset: &Dataset, side: Side) -> Result<bool, FeatureError> {
        let (mut sum, source) = (0u64, &**dataset.source(side));
        for batch in dataset.stream(side, &self.columns.schema.columns(true))? {
            let batch = batch?;
            let (targets, _) = self.columns.targets(&batch, source)?;
            sum = sum.wrapping_add(fit::checksum(&targets, &self.columns.keys(&batch, source)?));
            sum = sum.wrapping_add(self.columns.numbers_sum(&batch, source)?);
        }
        // A side without rows has no sum.
        let known = self.columns.fitted.sides.get(side.name());
        Ok(known.map_or(sum == 0, |known| *known == format!("{sum:016x}")))
    }

    /// The places of the users of some rows; nothing for those that the catalogue does not know.
    pub(crate) fn users(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Option<u32>>, FeatureError> {
        let (Some(items), Some(catalogue)) = (&self.columns.schema.items, &self.catalogue) else {
            return Ok(Vec::new());
        };
        let reader = Reader { batch, source, feature: "items.user", column: &items.user };
        Ok(reader.texts()?.iter().map(|id| catalogue.user(id)).collect())
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.columns.schema
    }

    /// The same, with other calibrations.
    #[must_use]
    pub fn with_curves(&self, curves: BTreeMap<String, Curve>) -> Self {
        let mut other = self.clone();
        other.columns.fitted.curves = curves;
        other
    }

    /// The same, with the scales of numbers that another encoder of the same schema was fitted with.
    #[must_use]
    pub fn with_scales_of(&self, other: &Self) -> Self {
        let mut own = self.clone();
        own.columns.fitted.numeric.clone_from(&other.columns.fitted.numeric);
        own
    }

    /// What was fitted.
    pub fn fitted(&self) -> &Fitted {
        &self.columns.fitted
    }

    /// Encodes a record batch.
    ///
    /// # Errors
    /// The first value that cannot be read, with file, line or row, column and feature.
    pub fn encode(&self, batch: &RecordBatch, source: &dyn Source, purpose: Purpose) -> Result<Batch, FeatureError> {
        let mut all = self.columns.encode(batch, source, purpose)?;
        all.item = self.items(&all.keys);
        let (Some(trees), Some((_, place))) = (&self.trees, &self.columns.schema.trees) else { return Ok(all) };
        let matrix = trees.inputs().matrix(batch, source, &self.columns.schema, &all.keys)?;
        all.keys[*place] = trees.keys(&matrix, self.columns.schema.categorical[*place].key_seed);
        Ok(match purpose {
            Purpose::Train => all.take(&trees.rows_left(positions(batch))),
            _ => all,
        })
    }

    /// The ids of an input that reads a column, by its place in the schema, row after row, once each on a row, with their keys.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub fn ids_of(
        &self,
        place: usize,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<Vec<(u64, String)>, FeatureError> {
        self.columns.ids_of(place, batch, source)
    }

    /// What a row did before, in words: of each group of sequences the leader's ids, the oldest first. A batch may have the latest
    /// of them alone.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub fn histories(
        &self,
        row: usize,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<Vec<(String, Vec<String>)>, FeatureError> {
        let of = |place: usize| {
            let name = self.columns.schema.categorical[place].name.clone();
            Ok((name, self.columns.texts_of(place, row, batch, source)?))
        };
        self.columns.schema.groups().into_iter().map(of).collect()
    }

    /// Encodes what is of the item, from its columns alone; everything else is missing.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub fn encode_items(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Batch, FeatureError> {
        let Some(items) = &self.columns.schema.items else { return Ok(Batch::default()) };
        let mut out = self.encode_some(batch, source, &items.fields, &items.numeric)?;
        out.item = self.items(&out.keys);
        Ok(out)
    }

    /// Encodes what rows of users say of them: all inputs that are not of the item and whose columns are there.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub fn encode_users(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Given, FeatureError> {
        let there = |column: &String| batch.schema().index_of(column).is_ok();
        let schema = &self.columns.schema;
        let all = |columns: &[&String]| !columns.is_empty() && columns.iter().all(|c| there(c));
        let fields: Vec<usize> =
            schema.user_fields().into_iter().filter(|&place| all(&schema.columns_of(place))).collect();
        let numeric: Vec<usize> =
            schema.user_numeric().into_iter().filter(|&n| there(&schema.numeric[n].column)).collect();
        let mut rows = self.encode_some(batch, source, &fields, &numeric)?;
        self.columns.settle_sequences(&mut rows.keys, batch, source)?;
        let known = |n: usize| {
            let numbers = schema.numeric[n].read(batch, source)?;
            Ok::<_, FeatureError>((n, numbers.iter().map(Option::is_some).collect()))
        };
        let numeric = numeric.into_iter().map(known).collect::<Result<_, _>>()?;
        Ok(Given { rows, fields, numeric })
    }

    /// Encodes some inputs; others are missing.
    fn encode_some(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
        fields: &[usize],
        numeric: &[usize],
    ) -> Result<Batch, FeatureError> {
        let rows = batch.num_rows();
        let mut out = Batch { rows, ..Batch::default() };
        for place in 0..self.columns.schema.categorical.len() {
            out.keys.push(match fields.contains(&place) {
                true => self.columns.keys_of(place, batch, source)?,
                false => Keys::none(self.columns.schema.is_list(place), rows),
            });
        }
        let missing = self.columns.schema.missing_numbers();
        out.numeric = (0..rows).flat_map(|_| missing.iter().copied()).collect();
        for &n in numeric {
            let (numeric, fit) = (&self.columns.schema.numeric[n], &self.columns.fitted.numeric[n]);
            for (row, x) in numeric.read(batch, source)?.into_iter().enumerate().filter_map(|(r, x)| Some((r, x?))) {
                out.numeric[row * missing.len() + n] = numeric.raise(fit.apply(numeric.transform, x));
            }
        }
        Ok(out)
    }

    /// The place of each row's item; nothing without a catalogue.
    fn items(&self, keys: &[Keys]) -> Vec<u32> {
        match (&self.catalogue, &self.columns.schema.items) {
            (Some(catalogue), Some(items)) => match &keys[items.id] {
                Keys::One(keys) => keys.iter().map(|k| catalogue.place(*k)).collect(),
                Keys::Many { .. } => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}
