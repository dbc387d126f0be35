//! One pass over all sides makes the catalogue.

use arrow::array::RecordBatch;
use burnrec_data::split::Dataset;
use burnrec_data::{Side, Source, positions};
use hashbrown::HashMap;

use super::catalogue::{Catalogue, Seen};
use crate::batch::{Batch, Keys, Targets};
use crate::columns::{Columns, Purpose, Reader};
use crate::error::FeatureError;
use crate::schema::{CategoricalSource, Items, Schema};

/// Rows of users that are kept before the outdated ones go.
const USERS_KEPT: usize = 1 << 16;

#[derive(Default)]
struct Builder {
    items: Batch,
    ids: Vec<String>,
    places: HashMap<u64, u32>,
    counts: Vec<u32>,
    rows: Vec<u32>,
    users: Batch,
    user_ids: Vec<String>,
    user_places: HashMap<String, u32>,
    /// What each item's own inputs were on its first row, one hash an input.
    described: Vec<Vec<u64>>,
    /// Where in `users` each user's latest training row stands, and its time.
    latest: Vec<Option<(u32, i64)>>,
    seen: [Vec<Vec<Seen>>; 3],
}

impl Catalogue {
    /// The items and users of all sides; counts and the users' own inputs are of the training rows alone. Nothing where
    /// the schema does not say what an item is.
    ///
    /// # Errors
    /// Unreadable rows, and rows without an item or a user.
    pub(crate) fn fit(columns: &Columns, dataset: &Dataset) -> Result<Option<Self>, FeatureError> {
        let schema = &columns.schema;
        let Some(items) = &schema.items else { return Ok(None) };
        let CategoricalSource::One { column, .. } = &schema.categorical[items.id].source else { return Ok(None) };
        let mut builder = Builder::default();
        for batch in dataset.stream_sides(&schema.columns(true))? {
            let (side, rows) = batch?;
            let source = &**dataset.source(side);
            let encoded = columns.encode(&rows, source, Purpose::Measure)?;
            let text = |feature, column| Reader { batch: &rows, source, feature, column }.texts();
            let (ids, users) = (text("features.items.id", column)?, text("features.items.user", &items.user)?);
            let times = match &items.time {
                Some(time) => burnrec_data::time_values(&rows, time, source)?,
                None => vec![0; encoded.rows],
            };
            builder.check_described(schema, items, &rows, source, &encoded, &ids)?;
            builder.add(items, side, encoded, &ids, &users, &times);
        }
        if items.time.is_some() {
            let ordered = |s: &mut Vec<Seen>| s.sort_by_key(|seen| seen.time);
            builder.seen.iter_mut().flatten().for_each(ordered);
        }
        Ok(Some(builder.finish(schema)))
    }
}

impl Builder {
    /// Refuses inputs of the item that vary by row: rows that are drawn get an item's first ones, rows of the data would
    /// keep their own, and a model could tell the label from which it was.
    fn check_described(
        &mut self,
        schema: &Schema,
        items: &Items,
        batch: &RecordBatch,
        source: &dyn Source,
        rows: &Batch,
        ids: &[String],
    ) -> Result<(), FeatureError> {
        let (Keys::One(keys), width) = (&rows.keys[items.id], schema.numeric.len()) else { return Ok(()) };
        let mut fresh: HashMap<u64, Vec<u64>> = HashMap::new();
        for row in (0..rows.rows).filter(|row| keys[*row] != 0) {
            let of_field = |place: &usize| rows.keys[*place].hash_of_row(row);
            let of_number = |n: &usize| u64::from(rows.numeric[row * width + n].to_bits());
            let facts: Vec<u64> =
                items.fields.iter().map(of_field).chain(items.numeric.iter().map(of_number)).collect();
            let known = self.places.get(&keys[row]).map(|item| &self.described[*item as usize]);
            let known = known.or_else(|| fresh.get(&keys[row]));
            let Some(known) = known else {
                fresh.insert(keys[row], facts.clone());
                self.described.push(facts);
                continue;
            };
            let Some(at) = known.iter().zip(&facts).position(|(a, b)| a != b) else { continue };
            let input = match at.checked_sub(items.fields.len()) {
                None => &schema.categorical[items.fields[at]].name,
                Some(number) => &schema.numeric[items.numeric[number]].field,
            };
            return Err(FeatureError::Value {
                location: source.locate(positions(batch)[row]).to_string(),
                column: input.clone(),
                feature: "features.items.fields".into(),
                problem: format!(
                    "differs from what an earlier row has for item `{}`; a field of features.items.fields is the same wherever the item stands: mend the rows, or take `{input}` off that list",
                    ids[row]
                ),
            });
        }
        Ok(())
    }

    fn add(&mut self, of: &Items, side: Side, rows: Batch, ids: &[String], users: &[String], times: &[i64]) {
        let Keys::One(keys) = &rows.keys[of.id] else { return };
        let mut fresh = Vec::new();
        let mut latest = HashMap::new();
        for row in 0..rows.rows {
            if keys[row] == 0 {
                continue;
            }
            let next = self.ids.len() as u32;
            let item = *self.places.entry(keys[row]).or_insert(next);
            if item == next {
                self.ids.push(ids[row].clone());
                self.counts.push(0);
                self.rows.push(0);
                fresh.push(row as u32);
            }
            let liked = rows.targets.value(row, of.liked) > 0.0;
            self.counts[item as usize] += u32::from(liked && side == Side::Train);
            self.rows[item as usize] += u32::from(side == Side::Train);
            let user = self.user(&users[row]);
            if side == Side::Train {
                let before = latest.get(&user).map(|(_, time)| *time).or(self.latest[user as usize].map(|l| l.1));
                if before.is_none_or(|before| times[row] >= before) {
                    latest.insert(user, (row as u32, times[row]));
                }
            }
            self.seen[side as usize][user as usize].push(Seen { item, liked, time: times[row] });
        }
        append(&mut self.items, rows.take(&fresh));
        let mut latest: Vec<(u32, (u32, i64))> = latest.into_iter().collect();
        latest.sort_unstable_by_key(|l| l.0);
        let start = self.users.rows as u32;
        append(&mut self.users, rows.take(&latest.iter().map(|l| l.1.0).collect::<Vec<_>>()));
        for (at, (user, (_, time))) in latest.into_iter().enumerate() {
            self.latest[user as usize] = Some((start + at as u32, time));
        }
        if self.users.rows > USERS_KEPT.max(4 * self.user_ids.len()) {
            self.drop_outdated();
        }
    }

    fn user(&mut self, id: &str) -> u32 {
        if let Some(user) = self.user_places.get(id) {
            return *user;
        }
        let user = self.user_ids.len() as u32;
        self.user_ids.push(id.to_string());
        self.user_places.insert(id.to_string(), user);
        self.latest.push(None);
        self.seen.iter_mut().for_each(|s| s.push(Vec::new()));
        user
    }

    /// Keeps the latest row of each user.
    fn drop_outdated(&mut self) {
        let kept: Vec<u32> = self.latest.iter().flatten().map(|l| l.0).collect();
        for (next, (place, _)) in (0..).zip(self.latest.iter_mut().flatten()) {
            *place = next;
        }
        self.users = self.users.take(&kept);
    }

    fn finish(mut self, schema: &Schema) -> Catalogue {
        self.drop_outdated();
        let (mut items, mut users) = (self.items, self.users);
        // A user of other sides alone has no row of its own: all of its inputs are missing.
        let missing = users.rows as u32;
        let of: Vec<u32> = self.latest.iter().map(|l| l.map_or(missing, |l| l.0)).collect();
        if of.contains(&missing) {
            let keys = users.keys.iter().map(|k| k.none_like(1)).collect();
            append(&mut users, Batch { rows: 1, keys, numeric: schema.missing_numbers(), ..Batch::default() });
        }
        users = users.take(&of);
        let own = schema.items.as_ref().map(|i| (i.fields.as_slice(), i.id)).unwrap_or_default();
        for place in 0..schema.categorical.len() {
            let of_item = own.0.contains(&place);
            let other = if of_item { &mut users } else { &mut items };
            if let Some(keys) = other.keys.get_mut(place) {
                *keys = keys.none_like(other.rows);
            }
        }
        for rows in [&mut items, &mut users] {
            (rows.targets, rows.weight, rows.group, rows.item) = Default::default();
        }
        let catalogue = Catalogue {
            items,
            ids: self.ids,
            counts: self.counts,
            rows: self.rows,
            users,
            user_ids: self.user_ids,
            seen: self.seen,
            ..Catalogue::default()
        };
        catalogue.index(own.1)
    }
}

fn append(to: &mut Batch, more: Batch) {
    let more = Batch { targets: Targets::default(), weight: Vec::new(), group: Vec::new(), ..more };
    match to.keys.is_empty() && to.rows == 0 {
        true => *to = more,
        false => to.append(&more),
    }
}
