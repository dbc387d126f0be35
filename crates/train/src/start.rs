//! Where a run begins: the encoder fitted, and a learner at step 0 or at the latest checkpoint.

use std::sync::Arc;

use burnrec_data::{Side, SplitConfig};
use burnrec_embedding::Tables;
use burnrec_features::{Encoder, FeatureError, Schema, SideRows, Vocabulary, stream_seed};
use burnrec_models::{Initial, InputShapes};

use crate::checkpoint::{Progress, load_optimizer, sweep};
use crate::config::LossKind;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::measured::Measured;
use crate::metrics::{MetricName, RankingKind};
use crate::place::table_device;
use crate::saved::SavedModel;
use crate::trainer::Job;

/// One pass over all sides: the encoder fitted on the training rows, every other row checked, all counted.
pub(crate) fn fit(job: &Job, schema: Schema) -> Result<(Encoder, Vec<Vocabulary>, SideRows), TrainError> {
    for side in [Side::Train, Side::Valid, Side::Test] {
        schema.check_columns(&**job.dataset.source(side), true)?;
    }
    let columns = schema.columns(true);
    let (encoder, vocabularies, rows) = Encoder::fit(schema, &job.dataset, &columns)?;
    encoder.check_draws()?;
    for side in [Side::Valid, Side::Test] {
        if rows.get(side.name()).copied().unwrap_or(0) == 0 && wants(&job.experiment.data.split, side) {
            return Err(FeatureError::NoRows { side: side.name() }.into());
        }
    }
    Ok((encoder, vocabularies, rows))
}

/// Numbers that a loss or a metric cannot use are refused where they stand.
pub(crate) fn limit_labels(schema: &mut Schema, measured: &Measured, names: &[MetricName]) {
    let graded = names.iter().any(|n| matches!(n, MetricName::Ranking(RankingKind::Ndcg, _)));
    match measured.loss {
        _ if measured.binary => {}
        LossKind::Lambdarank => {
            schema.label.limit(0.0, 30.0, "train.loss = \"lambdarank\", whose gains are 2^label - 1")
        }
        _ if graded => schema.label.limit(0.0, 30.0, "the metric ndcg, whose gains are 2^label - 1"),
        LossKind::Softmax => schema.label.limit(0.0, f32::MAX, "train.loss = \"softmax\", which shares them out"),
        LossKind::WeightedLogistic => {
            schema.label.limit(0.0, f32::MAX, "train.loss = \"weighted_logistic\", whose rows weigh by them");
        }
        _ => {}
    }
}

/// Whether a split promises rows on a side.
pub(crate) fn wants(split: &SplitConfig, side: Side) -> bool {
    match split {
        SplitConfig::Random { valid, test, .. }
        | SplitConfig::Order { valid, test }
        | SplitConfig::Time { valid, test, .. }
        | SplitConfig::UserLast { valid, test, .. } => (if side == Side::Valid { *valid } else { *test }) > 0.0,
        SplitConfig::Day { valid_days, test_days, .. } => {
            (if side == Side::Valid { *valid_days } else { *test_days }) > 0
        }
        SplitConfig::LeaveOneOut { .. } | SplitConfig::Files { .. } => true,
    }
}

/// The learner and the place of the latest checkpoint, if there is one.
pub(crate) fn reopen(job: &Job, encoder: &Encoder) -> Result<Option<(Learner, Progress)>, TrainError> {
    let checkpoints = job.out.join("checkpoints");
    let Some(manifest) = sweep(&checkpoints)? else { return Ok(None) };
    let latest = manifest.latest.clone();
    let loaded = manifest.open(&checkpoints, &latest)?;
    if loaded.fitted != *encoder.fitted() {
        let (was, is) = (&loaded.fitted, encoder.fitted());
        let difference = match was.rows == is.rows {
            true if was.keys != is.keys => "its ids are others".to_string(),
            true => "its columns have other values".to_string(),
            false => format!("{} training rows then, {} now", was.rows, is.rows),
        };
        return Err(TrainError::OtherData { path: job.out.clone(), difference });
    }
    let saved = SavedModel::open_checkpoint(&manifest, &checkpoints, &latest, job.experiment.clone(), &job.opened)?;
    let mut learner = saved.learner;
    learner.optimizer = load_optimizer(&loaded.folder, learner.optimizer)?;
    Ok(Some((learner, loaded.progress)))
}

/// A learner at step 0.
pub(crate) fn fresh(job: &Job, encoder: &Encoder, vocabularies: &[Vocabulary]) -> Result<Learner, TrainError> {
    let (experiment, schema) = (&job.experiment, encoder.schema());
    let rate = encoder.fitted().base_rate;
    let loss = Measured::new(experiment, schema).loss;
    // Losses that compare have no use for a bias, and classes that are all 1 give none.
    let bias = match loss {
        LossKind::Bce if rate > 0.0 && rate < 1.0 => (rate / (1.0 - rate)).ln(),
        LossKind::WeightedLogistic => rate.max(1e-12).ln(),
        LossKind::Mse => rate,
        _ => 0.0,
    };
    let slots = Arc::new(experiment.model.slots(schema));
    let shapes = InputShapes::new(&slots, schema, bias as f32);
    let seed = experiment.run.seed;
    let device = job.opened.device.clone().inner().autodiff();
    let model = experiment.model.init(&shapes, &mut Initial::new(seed), &device);
    let tables = Tables::new(
        Arc::new(schema.clone()),
        &slots,
        vocabularies,
        &experiment.train.sparse,
        stream_seed(seed, "tables", 0),
        table_device(&job.opened, experiment.backend.placement).as_ref(),
    )?;
    let mut learner = Learner::new(model, tables, slots, &job.opened.device, &experiment.train, loss, seed);
    crate::pretrained::apply(&mut learner, experiment, encoder, &job.opened)?;
    Ok(learner)
}
