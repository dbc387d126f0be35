//! How an encoder is fitted on the training rows.

use arrow::array::RecordBatch;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, Source};
use rayon::prelude::*;

use crate::batch::Keys;
use crate::column::Reader;
use crate::config::IndexPolicy;
use crate::encoder::{Encoder, Purpose, SideRows};
use crate::error::FeatureError;
use crate::fit::{KeyCounts, NumberFacts, Vocabulary, squeeze};
use crate::schema::{Categorical, CategoricalSource};
use crate::strangers::Strangers;

struct Fitting {
    numbers: Vec<NumberFacts>,
    counts: Vec<Option<KeyCounts>>,
    rows: u64,
    keys: u64,
    labels: f64,
    weights: f64,
    classes: [bool; 2],
}

impl Encoder {
    /// How many of the rows that the model learns from reach each leaf.
    pub(crate) fn leaf_counts(&self, dataset: &Dataset, place: usize) -> Result<Vocabulary, FeatureError> {
        let mut counts = KeyCounts::default();
        let source = &**dataset.source(Side::Train);
        for batch in dataset.stream(Side::Train, &self.schema.columns(true))? {
            if let Keys::Many { keys, .. } = &self.encode(&batch?, source, Purpose::Train)?.keys[place] {
                counts.add(keys);
            }
        }
        Ok(counts.vocabulary(1))
    }

    pub(crate) fn fit_bounds(&mut self, dataset: &Dataset, columns: &[String]) -> Result<(), FeatureError> {
        let wants = |c: &Categorical| match &c.source {
            CategoricalSource::Bucket { column, quantiles: Some(n), .. } => Some((column.clone(), *n)),
            _ => None,
        };
        let wanted: Vec<_> = self.schema.categorical.iter().map(wants).collect();
        for (place, field) in self.schema.categorical.iter().enumerate() {
            if let CategoricalSource::Bucket { boundaries, quantiles: None, .. } = &field.source {
                self.fitted.bounds[place] = boundaries.clone();
            }
        }
        if wanted.iter().all(Option::is_none) {
            return Ok(());
        }
        let mut facts: Vec<NumberFacts> = self.schema.categorical.iter().map(|c| NumberFacts::new(&c.name)).collect();
        let source = &**dataset.source(Side::Train);
        for batch in dataset.stream(Side::Train, columns)? {
            let batch = batch?;
            for (place, (column, _)) in wanted.iter().enumerate().filter_map(|(p, w)| Some((p, w.as_ref()?))) {
                let feature = &self.schema.categorical[place].name;
                let numbers = Reader { batch: &batch, source, feature, column }.numbers()?;
                numbers.into_iter().flatten().for_each(|x| facts[place].add(x));
            }
        }
        for (place, (facts, wanted)) in facts.into_iter().zip(wanted).enumerate() {
            if let Some((_, n)) = wanted {
                self.fitted.bounds[place] = facts.bounds(n);
            }
        }
        Ok(())
    }

    pub(crate) fn fit_all(
        &mut self,
        dataset: &Dataset,
        columns: &[String],
    ) -> Result<(Vec<Vocabulary>, SideRows), FeatureError> {
        let schema = &self.schema;
        let vocabulary = |c: &Categorical| (c.index == IndexPolicy::Vocabulary).then(KeyCounts::default);
        let mut fitting = Fitting {
            numbers: schema.numeric.iter().map(|n| NumberFacts::new(&n.name)).collect(),
            counts: schema.categorical.iter().map(vocabulary).collect(),
            rows: 0,
            keys: 0,
            labels: 0.0,
            weights: 0.0,
            classes: [false; 2],
        };
        let (mut rows, mut strangers) = (SideRows::new(), Strangers::new(schema));
        for batch in dataset.stream_sides(columns)? {
            let (side, batch) = batch?;
            *rows.entry(side.name()).or_insert(0) += batch.num_rows() as u64;
            let source = &**dataset.source(side);
            let keys = match side {
                Side::Train => self.fit_batch(&mut fitting, &batch, source)?,
                _ => self.check_batch(&batch, source)?,
            };
            strangers.see(side, &batch, &keys);
        }
        strangers.check(schema, dataset)?;
        if fitting.rows == 0 {
            return Err(FeatureError::NoRows { side: "train" });
        }
        if fitting.weights == 0.0 {
            return Err(FeatureError::Setting {
                key: "features.weight".into(),
                problem: "all training rows weigh 0; nothing can be learned".into(),
            });
        }
        // Positives alone are enough where negatives are drawn.
        let draws = schema.items.as_ref().is_some_and(|i| i.adds_rows().or(i.draws_beside()).is_some());
        if schema.label.is_binary() && fitting.classes != [true; 2] && !(draws && fitting.classes[1]) {
            let class = u8::from(fitting.classes[1]);
            return Err(FeatureError::OneClass { column: schema.label.column.clone(), rows: fitting.rows, class });
        }
        self.fitted.rows = fitting.rows;
        self.fitted.keys = format!("{:016x}", fitting.keys);
        let rate = fitting.labels / fitting.weights.max(f64::MIN_POSITIVE);
        let added = schema.items.as_ref().and_then(|i| i.adds_rows()).map_or(0.0, |n| n.per_positive as f64);
        // Numbers with negatives, which are 0: nearly all rows are positive then.
        let share = if schema.label.is_binary() { rate } else { 1.0 };
        self.fitted.base_rate = rate / (1.0 + share * added);
        self.fitted.numeric =
            fitting.numbers.into_iter().zip(&schema.numeric).map(|(f, n)| f.fit(n.transform)).collect();
        let min_counts = schema.categorical.iter().map(|c| c.min_count);
        let vocabularies =
            fitting.counts.into_iter().zip(min_counts).map(|(c, min)| c.map_or_else(Vec::new, |c| c.vocabulary(min)));
        let mut vocabularies: Vec<Vocabulary> = vocabularies.collect();
        // What is drawn has the ids of items.
        if let Some(items) = &schema.items {
            for place in items.drawn.into_iter().chain(items.context) {
                vocabularies[place] = vocabularies[items.id].clone();
            }
        }
        Ok((vocabularies, rows))
    }

    /// Reads every value that encoding would read.
    fn check_batch(&self, batch: &RecordBatch, source: &dyn Source) -> Result<Vec<Keys>, FeatureError> {
        self.targets(batch, source)?;
        let keys = self.keys(batch, source)?;
        self.schema.numeric.par_iter().try_for_each(|numeric| {
            let reader = Reader { batch, source, feature: &numeric.name, column: &numeric.column };
            reader.numbers().map(drop)
        })?;
        Ok(keys)
    }

    fn fit_batch(
        &self,
        fitting: &mut Fitting,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<Vec<Keys>, FeatureError> {
        let schema = &self.schema;
        let (label, weight) = self.targets(batch, source)?;
        for (at, y) in label.iter().enumerate() {
            let w = weight.get(at).map_or(1.0, |w| f64::from(*w));
            fitting.labels += w * f64::from(*y);
            fitting.weights += w;
            if w > 0.0 {
                fitting.classes[usize::from(*y > 0.5)] = true;
            }
        }
        fitting.rows += batch.num_rows() as u64;
        fitting.numbers.par_iter_mut().zip(&schema.numeric).try_for_each(|(facts, numeric)| {
            let reader = Reader { batch, source, feature: &numeric.name, column: &numeric.column };
            reader.numbers()?.into_iter().flatten().for_each(|x| facts.add(squeeze(numeric.transform, x)));
            Ok::<_, FeatureError>(())
        })?;
        let encoded = self.keys(batch, source)?;
        fitting.keys = encoded.iter().fold(fitting.keys, |sum, keys| sum.wrapping_add(keys.checksum()));
        fitting.counts.par_iter_mut().zip(&encoded).for_each(|(counts, keys)| {
            if let (Some(counts), Keys::One(keys) | Keys::Many { keys, .. }) = (counts, keys) {
                counts.add(keys);
            }
        });
        Ok(encoded)
    }
}
