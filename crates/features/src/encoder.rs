//! The encoder: fitted once on the training rows, then a pure function of a record batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use burnrec_data::split::Dataset;
use burnrec_data::{Source, positions};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::batch::{Batch, Keys};
use crate::catalogue::Catalogue;
use crate::column::Reader;
use crate::config::Transform;
use crate::error::FeatureError;
use crate::fit::{Fitted, Vocabulary};
use crate::keys;
use crate::schema::{Categorical, CategoricalSource, Schema, bad};
use crate::trees::Trees;

/// Rows of each side, by its name.
pub type SideRows = BTreeMap<&'static str, u64>;

/// What rows are encoded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To learn from: with labels and weights.
    Train,
    /// To measure a model: with labels and weights, and as old as rows that are asked about now.
    Measure,
    /// To predict: inputs alone.
    Predict,
}

/// Turns record batches into [`Batch`]es.
#[derive(Clone, Debug)]
pub struct Encoder {
    pub(crate) schema: Schema,
    pub(crate) fitted: Fitted,
    catalogue: Option<Arc<Catalogue>>,
    trees: Option<Arc<Trees>>,
}

/// The ids of a column as text, as the catalogue has them.
///
/// # Errors
/// A row without one.
pub fn ids(batch: &RecordBatch, source: &dyn Source, column: &str) -> Result<Vec<String>, FeatureError> {
    Reader { batch, source, feature: "id", column }.texts()
}

impl Encoder {
    /// Fits on the training rows, in one pass (two where bucket bounds have to be fitted before their
    /// ids are counted); rows of other sides are read and checked on the way. Returns the vocabulary of each
    /// categorical input, and the rows of each side.
    ///
    /// # Errors
    /// Unreadable rows of any side, no training rows, and a binary label with one class.
    pub fn fit(
        schema: Schema,
        dataset: &Dataset,
        columns: &[String],
    ) -> Result<(Self, Vec<Vocabulary>, SideRows), FeatureError> {
        let empty = Fitted {
            rows: 0,
            keys: String::new(),
            base_rate: 0.0,
            catalogue: None,
            trees: None,
            numeric: Vec::new(),
            bounds: vec![Vec::new(); schema.categorical.len()],
        };
        let mut encoder = Self { schema, fitted: empty, catalogue: None, trees: None };
        encoder.fit_bounds(dataset, columns)?;
        let (mut vocabularies, rows) = encoder.fit_all(dataset, columns)?;
        if let Some((config, place)) = encoder.schema.trees.clone() {
            let trees = Trees::fit(&encoder, dataset, &config)?;
            encoder.fitted.trees = Some(Trees::fingerprint(&trees.save()?));
            encoder.trees = Some(Arc::new(trees));
            vocabularies[place] = encoder.leaf_counts(dataset, place)?;
            if vocabularies[place].is_empty() {
                return Err(bad("features.trees.share", "leaves no row for the model to learn from; lower it"));
            }
        }
        encoder.catalogue = Catalogue::fit(&encoder, dataset)?.map(Arc::new);
        if let Some(catalogue) = &encoder.catalogue {
            encoder.fitted.catalogue = Some(Catalogue::fingerprint(&catalogue.to_arrow(&encoder.schema)?));
        }
        Ok((encoder, vocabularies, rows))
    }

    /// An encoder as it was saved.
    pub fn restore(schema: Schema, fitted: Fitted, catalogue: Option<Catalogue>, trees: Option<Trees>) -> Self {
        Self { schema, fitted, catalogue: catalogue.map(Arc::new), trees: trees.map(Arc::new) }
    }

    /// The trees, where the schema asks for some.
    pub fn trees(&self) -> Option<&Trees> {
        self.trees.as_deref()
    }

    /// The items and users, where the schema says what an item is.
    pub fn catalogue(&self) -> Option<&Arc<Catalogue>> {
        self.catalogue.as_ref()
    }

    /// The places of the users of some rows; nothing for those that the catalogue does not know.
    pub(crate) fn users(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Option<u32>>, FeatureError> {
        let (Some(items), Some(catalogue)) = (&self.schema.items, &self.catalogue) else { return Ok(Vec::new()) };
        let reader = Reader { batch, source, feature: "items.user", column: &items.user };
        Ok(reader.texts()?.iter().map(|id| catalogue.user(id)).collect())
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What was fitted.
    pub fn fitted(&self) -> &Fitted {
        &self.fitted
    }

    /// Encodes a record batch.
    ///
    /// # Errors
    /// The first value that cannot be read, with file, line or row, column and feature.
    pub fn encode(&self, batch: &RecordBatch, source: &dyn Source, purpose: Purpose) -> Result<Batch, FeatureError> {
        let mut all = self.encode_columns(batch, source, purpose)?;
        let (Some(trees), Some((_, place))) = (&self.trees, &self.schema.trees) else { return Ok(all) };
        let matrix = trees.inputs().matrix(batch, source, &self.schema, &all.keys)?;
        all.keys[*place] = trees.keys(&matrix, self.schema.categorical[*place].key_seed);
        Ok(match purpose {
            Purpose::Train => all.take(&trees.rows_left(positions(batch))),
            _ => all,
        })
    }

    /// Encodes what is of the item, from its columns alone; everything else is missing.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub fn encode_items(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Batch, FeatureError> {
        let rows = batch.num_rows();
        let Some(items) = &self.schema.items else { return Ok(Batch::default()) };
        let mut out = Batch { rows, ..Batch::default() };
        for place in 0..self.schema.categorical.len() {
            out.keys.push(match items.fields.contains(&place) {
                true => self.column_keys(place, batch, source)?,
                false => Keys::none(self.schema.is_list(place), rows),
            });
        }
        let missing = self.schema.missing_numbers();
        out.numeric = (0..rows).flat_map(|_| missing.iter().copied()).collect();
        for &n in &items.numeric {
            let (numeric, fit) = (&self.schema.numeric[n], &self.fitted.numeric[n]);
            let reader = Reader { batch, source, feature: &numeric.name, column: &numeric.column };
            for (row, x) in reader.numbers()?.into_iter().enumerate().filter_map(|(r, x)| Some((r, x?))) {
                out.numeric[row * missing.len() + n] = numeric.raise(fit.apply(numeric.transform, x));
            }
        }
        if let (Some(catalogue), Keys::One(keys)) = (&self.catalogue, &out.keys[items.id]) {
            out.item = keys.iter().map(|k| catalogue.place(*k)).collect();
        }
        Ok(out)
    }

    /// [`Encoder::encode`] of all rows, without the leaves of trees.
    pub(crate) fn encode_columns(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
        purpose: Purpose,
    ) -> Result<Batch, FeatureError> {
        let rows = batch.num_rows();
        let (label, weight) = match purpose {
            Purpose::Predict => (Vec::new(), Vec::new()),
            _ => self.targets(batch, source)?,
        };
        let group = match &self.schema.group {
            Some(column) => {
                let reader = Reader { batch, source, feature: "group", column };
                match keys::one(&reader, crate::config::IdKind::Text, xxh3_64(b"group"))? {
                    Keys::One(keys) => keys,
                    Keys::Many { .. } => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        let keys = self.keys(batch, source)?;
        let item = match (&self.catalogue, &self.schema.items) {
            (Some(catalogue), Some(items)) => match &keys[items.id] {
                Keys::One(keys) => keys.iter().map(|k| catalogue.place(*k)).collect(),
                Keys::Many { .. } => Vec::new(),
            },
            _ => Vec::new(),
        };
        let numeric = self.numeric(batch, source, purpose)?;
        Ok(Batch { rows, keys, numeric, label, weight, group, item, ..Batch::default() })
    }

    pub(crate) fn targets(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<(Vec<f32>, Vec<f32>), FeatureError> {
        let label =
            self.schema.label.read(&Reader { batch, source, feature: "label", column: &self.schema.label.column })?;
        let Some(column) = &self.schema.weight else { return Ok((label, Vec::new())) };
        let reader = Reader { batch, source, feature: "weight", column };
        let check = |(row, w): (usize, Option<f64>)| match w {
            Some(w) if w >= 0.0 => Ok(w as f32),
            Some(w) => Err(reader.error(row, format!("sample weight {w} is below 0"))),
            None => Err(reader.error(row, "the sample weight is missing; every training row needs one")),
        };
        let weight = reader.numbers()?.into_iter().enumerate().map(check).collect::<Result<_, _>>()?;
        Ok((label, weight))
    }

    pub(crate) fn keys(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Keys>, FeatureError> {
        let fields = &self.schema.categorical;
        let made = |f: &Categorical| {
            use CategoricalSource::{Cross, Drawn, Leaves};
            matches!(f.source, Cross { .. } | Drawn | Leaves)
        };
        let columns = fields.iter().position(made).unwrap_or(fields.len());
        let mut encoded: Vec<Keys> = (0..columns)
            .into_par_iter()
            .map(|place| self.column_keys(place, batch, source))
            .collect::<Result<_, _>>()?;
        let crosses: Vec<Keys> = fields[columns..]
            .par_iter()
            .map(|field| match &field.source {
                CategoricalSource::Cross { of } => {
                    let members: Vec<&Keys> = of.iter().map(|&m| &encoded[m]).collect();
                    keys::cross(&members, batch.num_rows(), field.key_seed)
                }
                _ => Keys::none(field.sequence.is_some() || field.pooling.is_some(), batch.num_rows()),
            })
            .collect();
        encoded.extend(crosses);
        self.check_sequences(&encoded, batch, source)?;
        Ok(encoded)
    }

    /// Refuses sequences that are longer than declared, or not as long as the one they go along with.
    fn check_sequences(&self, encoded: &[Keys], batch: &RecordBatch, source: &dyn Source) -> Result<(), FeatureError> {
        let fields = &self.schema.categorical;
        let sequences = fields.iter().enumerate().filter_map(|(place, f)| Some((place, f, f.sequence?)));
        for (place, field, sequence) in sequences {
            let (lengths, leads) = (encoded[place].lengths(), encoded[sequence.leader].lengths());
            let CategoricalSource::Many { column, .. } = &field.source else { continue };
            let reader = Reader { batch, source, feature: &field.name, column };
            for (row, (length, lead)) in lengths.zip(leads).enumerate() {
                if let Some(most) = sequence.max_length.filter(|most| length > *most) {
                    let problem = format!(
                        "{length} ids, where max_length = {most} is declared; raise it, or keep the latest {most} in the data (data.history.max_length, where it is built)"
                    );
                    return Err(reader.error(row, problem));
                }
                if length != lead {
                    let leader = &fields[sequence.leader].name;
                    let problem = format!("{length} values along {lead} ids of `{leader}`; give one for each");
                    return Err(reader.error(row, problem));
                }
            }
        }
        Ok(())
    }

    fn column_keys(&self, place: usize, batch: &RecordBatch, source: &dyn Source) -> Result<Keys, FeatureError> {
        let field = &self.schema.categorical[place];
        let reader = |column| Reader { batch, source, feature: &field.name, column };
        match &field.source {
            CategoricalSource::One { column, ids } => keys::one(&reader(column), *ids, field.key_seed),
            CategoricalSource::Many { column, ids, separator, weights } => {
                let weights = weights.as_deref().map(reader);
                keys::many(&reader(column), *ids, separator, weights.as_ref(), field.key_seed, field.sequence.is_some())
            }
            CategoricalSource::Bucket { column, .. } => {
                Ok(keys::bucket(&reader(column).numbers()?, &self.fitted.bounds[place], field.key_seed))
            }
            CategoricalSource::Cross { .. } | CategoricalSource::Drawn | CategoricalSource::Leaves => {
                Ok(Keys::none(false, batch.num_rows()))
            }
        }
    }

    /// The numeric inputs, `[rows, N]` row by row.
    fn numeric(&self, batch: &RecordBatch, source: &dyn Source, purpose: Purpose) -> Result<Vec<f32>, FeatureError> {
        let width = self.schema.numeric.len();
        let columns: Vec<Vec<f32>> = self
            .schema
            .numeric
            .par_iter()
            .zip(&self.fitted.numeric)
            .map(|(numeric, fit)| {
                if numeric.transform == Transform::Age && purpose != Purpose::Train {
                    return Ok(vec![0.0; batch.num_rows()]);
                }
                let reader = Reader { batch, source, feature: &numeric.name, column: &numeric.column };
                let scaled =
                    |x: Option<f64>| numeric.raise(x.map_or(numeric.missing, |x| fit.apply(numeric.transform, x)));
                Ok(reader.numbers()?.into_iter().map(scaled).collect())
            })
            .collect::<Result<_, FeatureError>>()?;
        let mut rows = vec![0.0; batch.num_rows() * width];
        for (n, column) in columns.iter().enumerate() {
            column.iter().enumerate().for_each(|(r, x)| rows[r * width + n] = *x);
        }
        Ok(rows)
    }
}
