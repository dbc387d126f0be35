//! Columns to inputs: a pure function of a record batch, once what depends on the training rows was fitted.

mod curve;
mod fitted;
mod keys;
mod label;
mod reader;

use arrow::array::RecordBatch;
use burnrec_data::Source;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::batch::{Batch, Keys, Targets};
use crate::config::{IdKind, Transform};
use crate::error::FeatureError;
use crate::schema::{Categorical, CategoricalSource, Numeric, Schema};

pub use curve::Curve;
pub use fitted::{Fitted, NumericFit, TargetFit, Vocabulary};
pub(crate) use fitted::{KeyCounts, KeyHasher, NumberFacts, squeeze};
pub(crate) use keys::cross;
pub(crate) use reader::Reader;

/// What rows are encoded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To learn from, of the rows that the encoder was fitted on: with labels and weights. Those that trees were grown on are
    /// left out.
    Train,
    /// To learn from, of rows that came later: all of them.
    Later,
    /// To measure a model: with labels and weights, and as old as rows that are asked about now.
    Measure,
    /// To predict: inputs alone.
    Predict,
}

impl Purpose {
    /// Whether rows are learned from.
    fn learns(self) -> bool {
        matches!(self, Self::Train | Self::Later)
    }
}

/// The ids of a column as text, as the catalogue has them.
///
/// # Errors
/// A row without one.
pub fn ids(batch: &RecordBatch, source: &dyn Source, column: &str) -> Result<Vec<String>, FeatureError> {
    Reader { batch, source, feature: "id", column }.texts()
}

impl Numeric {
    /// The values of its column: numbers, or moments in seconds where their age is asked for.
    pub(crate) fn read(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Option<f64>>, FeatureError> {
        let reader = Reader { batch, source, feature: &self.name, column: &self.column };
        match self.transform {
            Transform::Age => reader.seconds(),
            _ => reader.numbers(),
        }
    }
}

/// The columns of a schema with what was fitted for them.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) schema: Schema,
    pub(crate) fitted: Fitted,
}

impl Columns {
    /// Encodes all rows; what no column holds is missing.
    ///
    /// # Errors
    /// The first value that cannot be read, with file, line or row, column and feature.
    pub(crate) fn encode(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
        purpose: Purpose,
    ) -> Result<Batch, FeatureError> {
        let rows = batch.num_rows();
        let (targets, weight) = match purpose {
            Purpose::Predict => (Targets::default(), Vec::new()),
            _ => self.targets(batch, source)?,
        };
        // Groups serve metrics alone: what is to be predicted need not have them.
        let there = |column: &String| purpose != Purpose::Predict || batch.schema().index_of(column).is_ok();
        let group = match self.schema.group.as_ref().filter(|column| there(column)) {
            Some(column) => {
                let reader = Reader { batch, source, feature: "group", column };
                match keys::one(&reader, IdKind::Text, xxh3_64(b"group"))? {
                    Keys::One(keys) => keys,
                    Keys::Many { .. } => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        let keys = self.keys(batch, source)?;
        let numeric = self.numeric(batch, source, purpose)?;
        Ok(Batch { rows, keys, numeric, targets, weight, group, ..Batch::default() })
    }

    /// The labels of all tasks, and the sample weights; empty where all are 1.
    pub(crate) fn targets(
        &self,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<(Targets, Vec<f32>), FeatureError> {
        let targets = label::read(&self.schema.targets, &|feature, column| Reader { batch, source, feature, column })?;
        let weight = match &self.schema.weight {
            Some(column) => label::sample_weights(&Reader { batch, source, feature: "weight", column })?,
            None => Vec::new(),
        };
        Ok((targets, weight))
    }

    /// The keys of every categorical input.
    pub(crate) fn keys(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Keys>, FeatureError> {
        let fields = &self.schema.categorical;
        let made = |f: &Categorical| {
            use CategoricalSource::{Cross, Drawn, Leaves};
            matches!(f.source, Cross { .. } | Drawn | Leaves)
        };
        let columns = fields.iter().position(made).unwrap_or(fields.len());
        let mut encoded: Vec<Keys> =
            (0..columns).into_par_iter().map(|place| self.keys_of(place, batch, source)).collect::<Result<_, _>>()?;
        let crosses: Vec<Keys> = fields[columns..]
            .par_iter()
            .map(|field| match &field.source {
                CategoricalSource::Cross { of } => {
                    let members: Vec<&Keys> = of.iter().map(|&m| &encoded[m]).collect();
                    cross(&members, batch.num_rows(), field.key_seed)
                }
                _ => Keys::none(field.sequence.is_some() || field.pooling.is_some(), batch.num_rows()),
            })
            .collect();
        encoded.extend(crosses);
        self.settle_sequences(&mut encoded, batch, source)?;
        Ok(encoded)
    }

    /// Refuses sequences that are out of step, and cuts those that are too long.
    pub(crate) fn settle_sequences(
        &self,
        encoded: &mut [Keys],
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<(), FeatureError> {
        self.check_sequences(encoded, batch, source)?;
        self.cut_sequences(encoded, batch, source);
        Ok(())
    }

    /// The keys of one input of a column.
    pub(crate) fn keys_of(&self, place: usize, batch: &RecordBatch, source: &dyn Source) -> Result<Keys, FeatureError> {
        let field = &self.schema.categorical[place];
        let reader = |column| Reader { batch, source, feature: &field.name, column };
        match &field.source {
            CategoricalSource::One { column, ids } => keys::one(&reader(column), *ids, field.key_seed),
            CategoricalSource::Time { column, part } => {
                let times = burnrec_data::times(batch, column, source)?;
                Ok(keys::of_times(&times, *part, field.key_seed))
            }
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

    /// The ids of a sequence on a row as text, the oldest first; nothing of other inputs.
    pub(crate) fn texts_of(
        &self,
        place: usize,
        row: usize,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<Vec<String>, FeatureError> {
        let field = &self.schema.categorical[place];
        let CategoricalSource::Many { column, separator, .. } = &field.source else { return Ok(Vec::new()) };
        keys::texts(&Reader { batch, source, feature: &field.name, column }, row, separator)
    }

    /// The ids of an input that reads a column, row after row, with their keys: once each on a row, and of a long sequence the latest
    /// alone, as they are learned from; nothing of other inputs.
    ///
    /// # Errors
    /// The first value that cannot be read.
    pub(crate) fn ids_of(
        &self,
        place: usize,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<Vec<(u64, String)>, FeatureError> {
        let field = &self.schema.categorical[place];
        let texts = match &field.source {
            CategoricalSource::One { column, .. } => {
                let values = Reader { batch, source, feature: &field.name, column }.values()?;
                (0..values.len()).filter_map(|row| Some(values.text(row)?.into_owned())).collect()
            }
            CategoricalSource::Many { .. } => {
                let of = |row| self.texts_of(place, row, batch, source);
                (0..batch.num_rows()).map(of).collect::<Result<Vec<_>, _>>()?.concat()
            }
            CategoricalSource::Time { column, part } => {
                let times = burnrec_data::times(batch, column, source)?;
                times.into_iter().flatten().map(|time| keys::part_of(time, *part).to_string()).collect()
            }
            _ => return Ok(Vec::new()),
        };
        let mut texts = texts.into_iter();
        let mut all = Vec::new();
        let most = field.sequence.and_then(|sequence| sequence.max_length).unwrap_or(usize::MAX);
        let mut row = |keys: &[u64]| {
            let from = keys.len().saturating_sub(most);
            let mut own: Vec<(u64, String)> = Vec::new();
            for (at, key) in keys.iter().enumerate().filter(|(_, key)| **key != 0) {
                let Some(text) = texts.next() else { break };
                if at >= from && own.iter().all(|(known, _)| known != key) {
                    own.push((*key, text));
                }
            }
            all.extend(own);
        };
        match self.keys_of(place, batch, source)? {
            Keys::One(keys) => keys.iter().for_each(|key| row(std::slice::from_ref(key))),
            Keys::Many { keys, offsets, .. } => {
                offsets.windows(2).for_each(|span| row(&keys[span[0] as usize..span[1] as usize]));
            }
        }
        Ok(all)
    }

    /// Keeps the latest ids of sequences that are longer than declared, and says so once.
    fn cut_sequences(&self, encoded: &mut [Keys], batch: &RecordBatch, source: &dyn Source) {
        let fields = &self.schema.categorical;
        let sequences = fields.iter().enumerate().filter_map(|(place, f)| Some((place, f, f.sequence?.max_length?)));
        for (place, field, most) in sequences {
            let Some(row) = encoded[place].lengths().position(|length| length > most) else { continue };
            if let CategoricalSource::Many { column, .. } = &field.source {
                let reader = Reader { batch, source, feature: &field.name, column };
                reader.tell(row, &format!("holds more than max_length = {most} ids; the latest {most} are kept"));
            }
            // Those that go along have the same lengths, and the same limit or their leader's.
            for (other, keys) in encoded.iter_mut().enumerate() {
                if fields[other].sequence.is_some_and(|s| s.leader == place) || other == place {
                    keys.keep_last(most);
                }
            }
        }
    }

    /// Refuses sequences that are not as long as the one they go along with.
    fn check_sequences(&self, encoded: &[Keys], batch: &RecordBatch, source: &dyn Source) -> Result<(), FeatureError> {
        let fields = &self.schema.categorical;
        let sequences = fields.iter().enumerate().filter_map(|(place, f)| Some((place, f, f.sequence?)));
        for (place, field, sequence) in sequences {
            let (lengths, leads) = (encoded[place].lengths(), encoded[sequence.leader].lengths());
            let CategoricalSource::Many { column, .. } = &field.source else { continue };
            let reader = Reader { batch, source, feature: &field.name, column };
            for (row, (length, lead)) in lengths.zip(leads).enumerate() {
                if length != lead {
                    let leader = &fields[sequence.leader].name;
                    let problem = format!("{length} values along {lead} ids of `{leader}`; give one for each");
                    return Err(reader.error(row, problem));
                }
            }
        }
        Ok(())
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
                if numeric.transform == Transform::Age && !purpose.learns() {
                    return Ok(vec![0.0; batch.num_rows()]);
                }
                let scaled =
                    |x: Option<f64>| numeric.raise(x.map_or(numeric.missing, |x| fit.apply(numeric.transform, x)));
                Ok(numeric.read(batch, source)?.into_iter().map(scaled).collect())
            })
            .collect::<Result<_, FeatureError>>()?;
        let mut rows = vec![0.0; batch.num_rows() * width];
        for (n, column) in columns.iter().enumerate() {
            column.iter().enumerate().for_each(|(r, x)| rows[r * width + n] = *x);
        }
        Ok(rows)
    }
}
