//! The catalogue on disk: two Arrow tables, one of items and one of users.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Int64Array, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Float32Type, Int64Type, Schema as ArrowSchema, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use burnrec_data::ipc::Batches;
use burnrec_data::sha256;

use super::catalogue::{Catalogue, Seen};
use crate::batch::{Batch, Keys};
use crate::schema::Schema;

/// Marks something that the user did not like.
const NOT_LIKED: u32 = 1 << 31;
const SIDES: [&str; 3] = ["seen_train", "seen_valid", "seen_test"];

impl Catalogue {
    /// The items and the users, as the bytes of two Arrow files.
    ///
    /// # Errors
    /// Tables that Arrow cannot hold.
    pub fn to_arrow(&self, schema: &Schema) -> Result<[Vec<u8>; 2], ArrowError> {
        let of_items = |place: usize| schema.items.as_ref().is_some_and(|i| i.fields.contains(&place));
        let mut items = Columns::default();
        items.push("id", Arc::new(StringArray::from_iter_values(&self.ids)));
        items.push("count", Arc::new(UInt32Array::from(self.counts.clone())));
        items.push("rows", Arc::new(UInt32Array::from(self.rows.clone())));
        items.push_rows(schema, &self.items, of_items)?;
        let mut users = Columns::default();
        users.push("id", Arc::new(StringArray::from_iter_values(&self.user_ids)));
        for (name, side) in SIDES.into_iter().zip(&self.seen) {
            let packed = |s: &Seen| if s.liked { s.item } else { s.item | NOT_LIKED };
            let values = UInt32Array::from_iter_values(side.iter().flatten().map(packed));
            let offsets = offsets(side.iter().map(Vec::len))?;
            users.push(name, list(Arc::new(values), offsets.clone())?);
            if schema.items.as_ref().is_some_and(|i| i.time.is_some()) {
                let times = Int64Array::from_iter_values(side.iter().flatten().map(|s| s.time));
                users.push(&format!("times of {name}"), list(Arc::new(times), offsets)?);
            }
        }
        users.push_rows(schema, &self.users, |place| !of_items(place) && !schema.is_drawn(place))?;
        Ok([items.bytes()?, users.bytes()?])
    }

    /// What tells those bytes from others.
    pub fn fingerprint(tables: &[Vec<u8>; 2]) -> String {
        tables.iter().map(|table| sha256(table)).collect()
    }

    /// A catalogue from those bytes.
    ///
    /// # Errors
    /// Bytes that are no such tables, and whose they are: 0 of the items, 1 of the users.
    pub fn from_arrow(schema: &Schema, items: &[u8], users: &[u8]) -> Result<Self, (usize, ArrowError)> {
        let (of_items, of_users) = (|e| (0, e), |e| (1, e));
        let (items, users) = (read(items).map_err(of_items)?, read(users).map_err(of_users)?);
        let seen = seen_by(&users, items.num_rows()).map_err(of_users)?;
        let catalogue = Self {
            ids: texts(&items).map_err(of_items)?,
            counts: numbers(&items, "count").map_err(of_items)?,
            rows: numbers(&items, "rows").map_err(of_items)?,
            items: rows(schema, &items).map_err(of_items)?,
            user_ids: texts(&users).map_err(of_users)?,
            users: rows(schema, &users).map_err(of_users)?,
            seen,
            ..Self::default()
        };
        for (file, ids) in [&catalogue.ids, &catalogue.user_ids].into_iter().enumerate() {
            let mut known = std::collections::HashSet::with_capacity(ids.len());
            if let Some(twice) = ids.iter().find(|id| !known.insert(id.as_str())) {
                return Err((file, ArrowError::SchemaError(format!("`{twice}` stands there twice"))));
            }
        }
        Ok(catalogue.index(schema.items.as_ref().map_or(0, |i| i.id)))
    }
}

/// What users saw on each side, of so many items.
fn seen_by(users: &RecordBatch, known: usize) -> Result<[Vec<Vec<Seen>>; 3], ArrowError> {
    let mut seen: [Vec<Vec<Seen>>; 3] = Default::default();
    for (side, name) in seen.iter_mut().zip(SIDES) {
        let lists = column(users, name)?.as_list_opt::<i32>().ok_or_else(|| wrong(name))?.clone();
        let unpack = |p: &u32| Seen { item: p & !NOT_LIKED, liked: p & NOT_LIKED == 0, time: 0 };
        let values = lists.values().as_primitive_opt::<UInt32Type>().ok_or_else(|| wrong(name))?;
        if values.null_count() > 0 || values.values().iter().any(|p| (p & !NOT_LIKED) as usize >= known) {
            return Err(ArrowError::SchemaError(format!("column `{name}` names items that are not there")));
        }
        *side = lists
            .value_offsets()
            .windows(2)
            .map(|w| values.values()[w[0] as usize..w[1] as usize].iter().map(unpack).collect())
            .collect();
        if let Some(times) = users.column_by_name(&format!("times of {name}")) {
            let times = times.as_list_opt::<i32>().filter(|l| l.value_offsets() == lists.value_offsets());
            let times = times.and_then(|l| l.values().as_primitive_opt::<Int64Type>().cloned());
            let times = times.filter(|t| t.len() == values.len()).ok_or_else(|| wrong(name))?;
            side.iter_mut().flatten().zip(times.values()).for_each(|(s, t)| s.time = *t);
        }
    }
    if seen.iter().any(|side| side.len() != users.num_rows()) {
        return Err(ArrowError::SchemaError("users have other numbers of rows".into()));
    }
    Ok(seen)
}

#[derive(Default)]
struct Columns(Vec<(Field, ArrayRef)>);

impl Columns {
    fn push(&mut self, name: &str, array: ArrayRef) {
        self.0.push((Field::new(name, array.data_type().clone(), true), array));
    }

    /// The inputs of some fields, each as lists of keys, and the numbers.
    fn push_rows(&mut self, schema: &Schema, rows: &Batch, keep: impl Fn(usize) -> bool) -> Result<(), ArrowError> {
        for (place, keys) in rows.keys.iter().enumerate().filter(|(place, _)| keep(*place)) {
            let name = format!("keys of {}", schema.categorical[place].name);
            let (values, lengths) = match keys {
                Keys::One(k) => (k, vec![1; k.len()]),
                Keys::Many { keys, .. } => (keys, keys_lengths(rows, place)),
            };
            let offsets = offsets(lengths.into_iter())?;
            self.push(&name, list(Arc::new(UInt64Array::from(values.clone())), offsets.clone())?);
            if let Keys::Many { weights: Some(weights), .. } = keys {
                let name = format!("weights of {}", schema.categorical[place].name);
                self.push(&name, list(Arc::new(Float32Array::from(weights.clone())), offsets)?);
            }
        }
        let width = schema.numeric.len();
        if width > 0 {
            let offsets = offsets(std::iter::repeat_n(width, rows.rows))?;
            self.push("numbers", list(Arc::new(Float32Array::from(rows.numeric.clone())), offsets)?);
        }
        Ok(())
    }

    fn bytes(self) -> Result<Vec<u8>, ArrowError> {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = self.0.into_iter().unzip();
        let rows = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays)?;
        let mut writer = FileWriter::try_new(Vec::new(), &rows.schema())?;
        writer.write(&rows)?;
        writer.into_inner()
    }
}

fn keys_lengths(rows: &Batch, place: usize) -> Vec<usize> {
    rows.keys[place].lengths().collect()
}

/// Offsets of lists; more values than 32 bits can number are an error.
fn offsets(lengths: impl Iterator<Item = usize> + Clone) -> Result<OffsetBuffer<i32>, ArrowError> {
    match lengths.clone().sum::<usize>() <= i32::MAX as usize {
        true => Ok(OffsetBuffer::from_lengths(lengths)),
        false => Err(ArrowError::InvalidArgumentError("there are more than 2147483647 entries".into())),
    }
}

fn list(values: ArrayRef, offsets: OffsetBuffer<i32>) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
}

fn wrong(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column `{name}` is missing or of another type"))
}

fn read(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let reader = Batches::open(Cursor::new(bytes))?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    arrow::compute::concat_batches(&schema, &batches)
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    rows.column_by_name(name).ok_or_else(|| wrong(name))
}

fn texts(rows: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    let ids = column(rows, "id")?.as_string_opt::<i32>().ok_or_else(|| wrong("id"))?;
    Ok(ids.iter().map(|t| t.unwrap_or("").to_string()).collect())
}

fn numbers(rows: &RecordBatch, name: &str) -> Result<Vec<u32>, ArrowError> {
    let column = column(rows, name)?.as_primitive_opt::<UInt32Type>().ok_or_else(|| wrong(name))?;
    Ok(column.values().to_vec())
}

/// The inputs of a table; those that it lacks are missing on every row.
fn rows(schema: &Schema, table: &RecordBatch) -> Result<Batch, ArrowError> {
    let count = table.num_rows();
    let mut keys = Vec::with_capacity(schema.categorical.len());
    for (place, field) in schema.categorical.iter().enumerate() {
        let many = schema.is_list(place);
        let name = format!("keys of {}", field.name);
        let Some(lists) = table.column_by_name(&name) else {
            let none = Keys::Many { keys: Vec::new(), weights: None, offsets: vec![0] };
            keys.push(if many { none.none_like(count) } else { Keys::One(vec![0; count]) });
            continue;
        };
        let lists = lists.as_list_opt::<i32>().ok_or_else(|| wrong(&name))?;
        let values = lists.values().as_primitive_opt::<UInt64Type>().ok_or_else(|| wrong(&name))?.values().to_vec();
        let offsets: Vec<u32> = lists.value_offsets().iter().map(|o| o.cast_unsigned()).collect();
        let fits = match many {
            true => offsets.first() == Some(&0) && offsets.last().is_some_and(|end| *end as usize == values.len()),
            false => offsets.iter().enumerate().all(|(row, offset)| *offset as usize == row) && values.len() == count,
        };
        if !fits || lists.values().null_count() > 0 {
            return Err(wrong(&name));
        }
        let weights = match table.column_by_name(&format!("weights of {}", field.name)) {
            Some(w) => {
                let w = w.as_list_opt::<i32>().and_then(|w| w.values().as_primitive_opt::<Float32Type>().cloned());
                Some(w.filter(|w| w.len() == values.len()).ok_or_else(|| wrong(&name))?.values().to_vec())
            }
            None => None,
        };
        keys.push(if many { Keys::Many { keys: values, weights, offsets } } else { Keys::One(values) });
    }
    let numeric = match table.column_by_name("numbers") {
        Some(lists) => {
            let lists = lists.as_list_opt::<i32>().ok_or_else(|| wrong("numbers"))?;
            let values = lists.values().as_primitive_opt::<Float32Type>().ok_or_else(|| wrong("numbers"))?.values();
            match values.len() == count * schema.numeric.len() {
                true => values.to_vec(),
                false => return Err(wrong("numbers")),
            }
        }
        None if schema.numeric.is_empty() => Vec::new(),
        None => return Err(wrong("numbers")),
    };
    Ok(Batch { rows: count, keys, numeric, ..Batch::default() })
}
