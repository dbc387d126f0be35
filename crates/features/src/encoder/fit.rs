//! How an encoder is fitted on the training rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, Source};
use rayon::prelude::*;

use super::{Encoder, SideRows};
use crate::batch::{Keys, Targets};
use crate::columns::{Columns, Fitted, KeyCounts, NumberFacts, Purpose, Reader, TargetFit, Vocabulary, squeeze};
use crate::config::IndexPolicy;
use crate::encoder::unseen::UnseenIds;
use crate::error::{FeatureError, bad};
use crate::items::Catalogue;
use crate::schema::{Categorical, CategoricalSource, Schema, Target};
use crate::trees::Trees;

/// What is found of an input's ids.
#[derive(Clone, Copy, Default)]
struct IdFacts {
    first: u64,
    several: bool,
    most: usize,
}

impl IdFacts {
    fn add(&mut self, keys: &Keys) {
        let (Keys::One(all) | Keys::Many { keys: all, .. }) = keys;
        if !self.several {
            for key in all.iter().filter(|key| **key != 0) {
                self.several |= self.first != 0 && self.first != *key;
                self.first = if self.first == 0 { *key } else { self.first };
            }
        }
        if let Keys::Many { offsets, .. } = keys {
            self.most = offsets.windows(2).map(|w| (w[1] - w[0]) as usize).fold(self.most, usize::max);
        }
    }

    /// What a user should know of it.
    fn odd(&self, field: &Categorical) -> Option<&'static str> {
        match field.source {
            CategoricalSource::Drawn | CategoricalSource::Leaves | CategoricalSource::Cross { .. } => None,
            _ if self.first == 0 => Some("has no value on any training row; check its column, or ranges of indices"),
            _ if field.pooling.is_some() && field.sequence.is_none() && self.most == 1 => Some(
                "has one value a row at most; if cells hold several, say what stands between them with separator, as in separator = \"|\"",
            ),
            _ if !self.several => Some("has the same value on all training rows, and says nothing; check its column"),
            _ => None,
        }
    }
}

struct Fitting {
    /// The first id of each categorical input, whether there was another, and the most ids of a row.
    ids: Vec<IdFacts>,
    numbers: Vec<NumberFacts>,
    counts: Vec<Option<KeyCounts>>,
    rows: u64,
    keys: u64,
    weights: f64,
    labels: Vec<LabelFacts>,
}

/// What is found of one task's labels.
#[derive(Clone, Default)]
struct LabelFacts {
    known: u64,
    sum: f64,
    weights: f64,
    /// Weight of each class, 0 and 1 where there are two.
    classes: Vec<f64>,
}

impl LabelFacts {
    fn of(target: &Target) -> Self {
        Self { classes: vec![0.0; target.classes().map_or(2, <[String]>::len)], ..Self::default() }
    }

    fn add(&mut self, target: &Target, label: f32, weight: f64) {
        self.known += 1;
        self.sum += weight * f64::from(label);
        self.weights += weight;
        let class = if target.classes().is_some() { label as usize } else { usize::from(label > 0.5) };
        self.classes[class] += weight;
    }

    fn fit(&self, target: &Target) -> TargetFit {
        let total = self.weights.max(f64::MIN_POSITIVE);
        let shares = target.classes().map_or_else(Vec::new, |_| self.classes.iter().map(|w| w / total).collect());
        TargetFit { known: self.known, mean: self.sum / total, shares }
    }
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
            sides: Default::default(),
            targets: Vec::new(),
            catalogue: None,
            trees: None,
            numeric: Vec::new(),
            bounds: vec![Vec::new(); schema.categorical.len()],
            curves: BTreeMap::new(),
        };
        let mut own = Columns { schema, fitted: empty };
        own.fit_bounds(dataset, columns)?;
        let (mut vocabularies, rows) = own.fit_all(dataset, columns)?;
        let mut encoder = Self { columns: own, catalogue: None, trees: None };
        if let Some((config, place)) = encoder.columns.schema.trees.clone() {
            let trees = Trees::fit(&encoder.columns, dataset, &config)?;
            encoder.columns.fitted.trees = Some(Trees::fingerprint(&trees.save()?));
            encoder.trees = Some(Arc::new(trees));
            vocabularies[place] = encoder.leaf_counts(dataset, place)?;
            if vocabularies[place].is_empty() {
                return Err(bad("features.trees.share", "leaves no row for the model to learn from; lower it"));
            }
        }
        encoder.catalogue = Catalogue::fit(&encoder.columns, dataset)?.map(Arc::new);
        if let Some(catalogue) = &encoder.catalogue {
            encoder.columns.fitted.catalogue =
                Some(Catalogue::fingerprint(&catalogue.to_arrow(&encoder.columns.schema)?));
        }
        Ok((encoder, vocabularies, rows))
    }

    /// How many of the rows that the model learns from reach each leaf.
    fn leaf_counts(&self, dataset: &Dataset, place: usize) -> Result<Vocabulary, FeatureError> {
        let mut counts = KeyCounts::default();
        let source = &**dataset.source(Side::Train);
        for batch in dataset.stream(Side::Train, &self.columns.schema.columns(true))? {
            if let Keys::Many { keys, .. } = &self.encode(&batch?, source, Purpose::Train)?.keys[place] {
                counts.add(keys);
            }
        }
        Ok(counts.vocabulary(1))
    }
}

impl Columns {
    /// A sum over the numbers and sample weights of rows, as they stand.
    pub(super) fn numbers_sum(&self, batch: &RecordBatch, source: &dyn Source) -> Result<u64, FeatureError> {
        let of = |values: Vec<Option<f64>>, place: u64| {
            let one = |x: &f64| (x.to_bits() ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            values.iter().flatten().fold(0u64, |sum, x| sum.wrapping_add(one(x)))
        };
        let mut sum = 0u64;
        for (numeric, place) in self.schema.numeric.iter().zip(1..) {
            sum = sum.wrapping_add(of(numeric.read(batch, source)?, place));
        }
        if let Some(column) = &self.schema.weight {
            sum = sum.wrapping_add(of(Reader { batch, source, feature: "weight", column }.numbers()?, 0));
        }
        Ok(sum)
    }

    fn fit_bounds(&mut self, dataset: &Dataset, columns: &[String]) -> Result<(), FeatureError> {
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

    fn fit_all(&mut self, dataset: &Dataset, columns: &[String]) -> Result<(Vec<Vocabulary>, SideRows), FeatureError> {
        let schema = &self.schema;
        let vocabulary = |c: &Categorical| (c.index == IndexPolicy::Vocabulary).then(KeyCounts::default);
        let mut fitting = Fitting {
            numbers: schema.numeric.iter().map(|n| NumberFacts::new(&n.name)).collect(),
            ids: vec![IdFacts::default(); schema.categorical.len()],
            counts: schema.categorical.iter().map(vocabulary).collect(),
            rows: 0,
            keys: 0,
            weights: 0.0,
            labels: schema.targets.iter().map(LabelFacts::of).collect(),
        };
        let (mut rows, mut unseen) = (SideRows::new(), UnseenIds::new(schema));
        let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
        for batch in dataset.stream_sides(columns)? {
            let (side, batch) = batch?;
            *rows.entry(side.name()).or_insert(0) += batch.num_rows() as u64;
            let source = &**dataset.source(side);
            let (keys, targets) = match side {
                Side::Train => self.fit_batch(&mut fitting, &batch, source)?,
                _ => self.check_batch(&batch, source)?,
            };
            let sum = sums.entry(side.name()).or_insert(0);
            *sum = sum.wrapping_add(checksum(&targets, &keys)).wrapping_add(self.numbers_sum(&batch, source)?);
            unseen.see(side, &batch, &keys);
        }
        unseen.check(schema, dataset)?;
        if fitting.rows == 0 {
            return Err(FeatureError::NoRows { side: "train" });
        }
        check_labels(schema, &fitting)?;
        for (field, facts) in schema.categorical.iter().zip(&fitting.ids) {
            if let Some(odd) = facts.odd(field) {
                tracing::warn!("field `{}` {odd}", field.name);
            }
        }
        self.fitted.rows = fitting.rows;
        self.fitted.keys = format!("{:016x}", fitting.keys);
        self.fitted.sides = sums.into_iter().map(|(side, sum)| (side.to_string(), format!("{sum:016x}"))).collect();
        self.fitted.targets = target_fits(schema, &fitting.labels);
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
    fn check_batch(&self, batch: &RecordBatch, source: &dyn Source) -> Result<(Vec<Keys>, Targets), FeatureError> {
        let (targets, _) = self.targets(batch, source)?;
        let keys = self.keys(batch, source)?;
        self.schema.numeric.par_iter().try_for_each(|numeric| numeric.read(batch, source).map(drop))?;
        Ok((keys, targets))
    }

    fn fit_batch(
        &self,
        fitting: &mut Fitting,
        batch: &RecordBatch,
        source: &dyn Source,
    ) -> Result<(Vec<Keys>, Targets), FeatureError> {
        let schema = &self.schema;
        let (targets, weight) = self.targets(batch, source)?;
        for row in 0..targets.rows() {
            let own = weight.get(row).map_or(1.0, |w| f64::from(*w));
            fitting.weights += own;
            for (task, (target, facts)) in schema.targets.iter().zip(&mut fitting.labels).enumerate() {
                if targets.is_known(row, task) {
                    facts.add(target, targets.value(row, task), own * f64::from(targets.weight(row, task)));
                }
            }
        }
        fitting.rows += batch.num_rows() as u64;
        fitting.numbers.par_iter_mut().zip(&schema.numeric).try_for_each(|(facts, numeric)| {
            numeric.read(batch, source)?.into_iter().flatten().for_each(|x| facts.add(squeeze(numeric.transform, x)));
            Ok::<_, FeatureError>(())
        })?;
        let encoded = self.keys(batch, source)?;
        fitting.keys = encoded.iter().fold(fitting.keys, |sum, keys| sum.wrapping_add(keys.checksum()));
        fitting.ids.par_iter_mut().zip(&encoded).for_each(|(facts, keys)| facts.add(keys));
        fitting.counts.par_iter_mut().zip(&encoded).for_each(|(counts, keys)| {
            if let (Some(counts), Keys::One(keys) | Keys::Many { keys, .. }) = (counts, keys) {
                counts.add(keys);
            }
        });
        Ok((encoded, targets))
    }
}

/// A sum over rows, their labels and keys, that does not depend on how they are cut into batches.
pub(super) fn checksum(targets: &Targets, keys: &[Keys]) -> u64 {
    let label = |x: &f32| (u64::from(x.to_bits()) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let labels = targets.values.iter().fold(0, |sum: u64, x| sum.wrapping_add(label(x)));
    keys.iter().fold(labels, |sum, keys| sum.wrapping_add(keys.checksum()))
}

/// Refuses labels that nothing can be learned from.
fn check_labels(schema: &Schema, fitting: &Fitting) -> Result<(), FeatureError> {
    if fitting.weights == 0.0 {
        return Err(bad("features.weight", "all training rows weigh 0; nothing can be learned"));
    }
    // Positives alone are enough where negatives are drawn.
    let draws = schema.items.as_ref().is_some_and(|i| i.adds_rows().or(i.draws_beside()).is_some());
    for (task, (target, facts)) in schema.targets.iter().zip(&fitting.labels).enumerate() {
        let (rows, column) = (fitting.rows, target.column.clone());
        if facts.known == 0 {
            let space = target.space().map_or_else(String::new, |space| format!(" where {space}"));
            return Err(FeatureError::NoLabels { task: target.name.clone(), column, rows, space });
        }
        if facts.weights == 0.0 {
            let problem = "is 0 on all rows that have a label; nothing can be learned of the task";
            return Err(bad(format!("tasks.{}.row_weight", target.name), problem));
        }
        let told_apart = target.has_column() || (draws && task == schema.liked());
        if !told_apart {
            let problem = "is \"always\", and nothing is drawn that it would be told from; declare features.negatives for what users liked, or give the column of its label";
            return Err(bad(format!("tasks.{}.label", target.name), problem));
        }
        let classes = [facts.classes[0] > 0.0, facts.classes[1] > 0.0];
        let enough = classes == [true; 2] || (draws && task == schema.liked() && classes[1]);
        if target.is_binary() && !enough {
            let class = u8::from(classes[1]);
            return Err(FeatureError::OneClass { task: target.name.clone(), column, rows: facts.known, class });
        }
    }
    Ok(())
}

/// What labels come to with the negatives that are drawn to them.
fn target_fits(schema: &Schema, labels: &[LabelFacts]) -> Vec<TargetFit> {
    let mut fits: Vec<TargetFit> = schema.targets.iter().zip(labels).map(|(t, facts)| facts.fit(t)).collect();
    let added = schema.items.as_ref().and_then(|i| i.adds_rows()).map_or(0.0, |n| n.per_positive as f64);
    // Numbers with negatives, which are 0: nearly all rows are positive then.
    let liked = schema.liked();
    let share = if schema.targets[liked].is_binary() { fits[liked].mean } else { 1.0 };
    let positive = share * fits[liked].known as f64;
    let own = fits.iter_mut().zip(schema.zero_where_drawn()).filter(|(fit, zero)| *zero && fit.known > 0);
    own.for_each(|(fit, _)| fit.mean /= 1.0 + positive / fit.known as f64 * added);
    fits
}
