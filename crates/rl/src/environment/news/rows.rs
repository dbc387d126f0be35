//! What the site tells of a request: a row a candidate.
//!
//! Of the state: `user_id`, `hour`, `user_clicks_1h`, `_6h`, `_24h`, `user_asked_24h`, `user_click_rate`, `hours_away`,
//! `visit_depth`. Of the action: `item_id`, `topic`, `provider`, `headline`, `age_hours`, `item_clicks_1h`, `_6h`, `_24h`,
//! `item_click_rate`, `user_topic_1h`, `_6h`, `_24h`, `user_topic_rate`, `user_provider_24h`. Beside them `request` and `time`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use burnrec_data::POSITION;

use super::articles::Article;
use super::config::NewsConfig;
use super::reader::Reader;
use crate::environment::Request;
use crate::error::RlError;

/// Columns by name, filled row by row.
struct Columns {
    ids: Vec<(&'static str, Vec<i64>)>,
    numbers: Vec<(&'static str, Vec<f64>)>,
}

const IDS: [&str; 6] = ["request", "user_id", "hour", "item_id", "topic", "provider"];
const STATE: usize = 8;
const NUMBERS: [&str; 17] = [
    "time",
    "user_clicks_1h",
    "user_clicks_6h",
    "user_clicks_24h",
    "user_asked_24h",
    "user_click_rate",
    "hours_away",
    "visit_depth",
    "headline",
    "age_hours",
    "item_clicks_1h",
    "item_clicks_6h",
    "item_clicks_24h",
    "item_click_rate",
    "user_topic_1h",
    "user_topic_6h",
    "user_topic_24h",
];
const LAST: [&str; 2] = ["user_topic_rate", "user_provider_24h"];

/// The names of all columns.
pub(super) fn columns() -> Vec<&'static str> {
    IDS.into_iter().chain(NUMBERS).chain(LAST).collect()
}

impl Columns {
    fn new(rows: usize) -> Self {
        let ids = IDS.map(|name| (name, Vec::with_capacity(rows))).into();
        let numbers = NUMBERS.into_iter().chain(LAST).map(|name| (name, Vec::with_capacity(rows))).collect();
        Self { ids, numbers }
    }

    fn add(&mut self, ids: [i64; 6], numbers: impl Iterator<Item = f64>) {
        self.ids.iter_mut().zip(ids).for_each(|((_, column), id)| column.push(id));
        self.numbers.iter_mut().zip(numbers).for_each(|((_, column), number)| column.push(number));
    }

    fn batch(self) -> Result<RecordBatch, RlError> {
        let rows = self.ids.first().map_or(0, |(_, column)| column.len());
        let field = |name: &str, of: DataType| Field::new(name, of, true);
        let mut fields: Vec<Field> = self.ids.iter().map(|(name, _)| field(name, DataType::Int64)).collect();
        fields.extend(self.numbers.iter().map(|(name, _)| field(name, DataType::Float64)));
        fields.push(field(POSITION, DataType::UInt64));
        let mut arrays: Vec<ArrayRef> =
            self.ids.into_iter().map(|(_, column)| Arc::new(Int64Array::from(column)) as ArrayRef).collect();
        arrays.extend(self.numbers.into_iter().map(|(_, column)| Arc::new(Float64Array::from(column)) as ArrayRef));
        arrays.push(Arc::new(UInt64Array::from_iter_values(0..rows as u64)));
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

/// Readers and articles as they are.
pub(super) struct Site<'a> {
    pub(super) config: &'a NewsConfig,
    pub(super) readers: &'a [Reader],
    pub(super) articles: &'a [Article],
}

pub(super) fn rows(site: &Site<'_>, requests: &[Request]) -> Result<RecordBatch, RlError> {
    let mut columns = Columns::new(requests.iter().map(|request| request.candidates.len()).sum());
    for request in requests {
        add(site, request, &mut columns)?;
    }
    columns.batch()
}

fn add(site: &Site<'_>, request: &Request, columns: &mut Columns) -> Result<(), RlError> {
    let unknown = |problem: &str| RlError::Request { request: request.id, user: request.user, problem: problem.into() };
    let reader = site.readers.get(request.user as usize).ok_or_else(|| unknown("there is no such reader"))?;
    let now = request.time;
    let [c1, c6, c24] = reader.counts(now, |_, _| true);
    let away = reader.last.map_or(48.0, |last| (now - last) / 3_600.0);
    let (asked, depth) = (reader.asked.len() as f64, reader.depth as f64);
    let state: [f64; STATE] = [now, c1, c6, c24, asked, reader.click_rate, away, depth];
    let topics: Vec<[f64; 3]> =
        (0..site.config.topics).map(|topic| reader.counts(now, |t, _| usize::from(t) == topic)).collect();
    let hour = (now / 3_600.0) as i64 % 24;
    for number in &request.candidates {
        let article = match site.articles.get(*number as usize) {
            Some(article) => article,
            None => return Err(unknown(&format!("candidate {number} is no article"))),
        };
        let [i1, i6, i24] = article.clicks.counts(now);
        let rate = (article.clicks.all() + 1.0) / (article.shown as f64 + 5.0);
        let provider = reader.counts(now, |_, provider| usize::from(provider) == article.provider)[2];
        let age = (now - article.born) / 3_600.0;
        let action = [article.appeal, age, i1, i6, i24, rate].into_iter().chain(topics[article.topic]);
        let action = action.chain([reader.topic_rate(article.topic), provider]);
        let ids = [
            request.id as i64,
            request.user as i64,
            hour,
            *number as i64,
            article.topic as i64,
            article.provider as i64,
        ];
        columns.add(ids, state.into_iter().chain(action));
    }
    Ok(())
}
