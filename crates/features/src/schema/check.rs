//! What must hold between the settings of one field, and between fields.

use crate::config::{FeaturesConfig, FieldConfig, FieldKind, IndexPolicy};
use crate::error::{FeatureError, bad};
use crate::schema::categorical::{Categorical, CategoricalSource};

/// Finds the sequences that others go along with.
pub(crate) fn follow_leaders(config: &FeaturesConfig, fields: &mut [Categorical]) -> Result<(), FeatureError> {
    for place in 0..fields.len() {
        fields[place].sequence.iter_mut().for_each(|s| s.leader = place);
        let name = fields[place].name.clone();
        let Some(along) = config.fields.get(&name).and_then(|f| f.along.as_ref()) else { continue };
        let key = format!("features.fields.{name}.along");
        let leader = fields.iter().position(|f| f.name == *along && f.sequence.is_some());
        let leader = leader.ok_or_else(|| bad(key.clone(), format!("`{along}` is not a field of kind sequence")))?;
        if leader == place || config.fields.get(along).is_some_and(|f| f.along.is_some()) {
            return Err(bad(key, format!("`{along}` goes along with a sequence itself; name that one")));
        }
        if let Some(sequence) = &mut fields[place].sequence {
            sequence.leader = leader;
        }
    }
    Ok(())
}

/// Finds the fields whose vectors new ids of others start from.
pub(crate) fn find_starts(config: &FeaturesConfig, fields: &mut [Categorical]) -> Result<(), FeatureError> {
    for place in 0..fields.len() {
        let name = fields[place].name.clone();
        let Some(named) = config.fields.get(&name).and_then(|f| f.starts_as.as_ref()) else { continue };
        let refused = |problem: String| Err(bad(format!("features.fields.{name}.starts_as"), problem));
        if fields[place].index != IndexPolicy::Growing {
            return refused("is of ids that come while training; set index = \"growing\", or remove it".into());
        }
        if named.is_empty() {
            return refused("names no field; give those that describe the item, or remove it".into());
        }
        let mut found = Vec::new();
        for other in named {
            let one = |f: &Categorical| f.name == *other && f.pooling.is_none() && f.sequence.is_none();
            match fields.iter().position(one) {
                Some(at) if fields[at].table == fields[place].table => {
                    return refused(format!("names `{other}`, which has the ids of this field itself"));
                }
                Some(at) => found.push(at),
                None => return refused(format!("names `{other}`, which is no field of one id a row")),
            }
        }
        fields[place].starts_as = found;
    }
    Ok(())
}

/// Fields of one table must agree on how its keys get rows.
pub(crate) fn check_tables(fields: &[Categorical]) -> Result<(), FeatureError> {
    for (place, field) in fields.iter().enumerate() {
        let settings = |c: &Categorical| (c.index, c.buckets, c.min_count);
        let other = fields[..place].iter().find(|c| c.table == field.table && settings(c) != settings(field));
        if let Some(other) = other {
            return Err(bad(
                format!("features.fields.{}.table", field.name),
                format!(
                    "table `{}` is shared with field `{}`, so index, buckets and min_count must be the same for both",
                    field.table, other.name
                ),
            ));
        }
        let ids = |c: &Categorical| match &c.source {
            CategoricalSource::One { ids, .. } | CategoricalSource::Many { ids, .. } => Some(*ids),
            _ => None,
        };
        if let Some(other) = fields[..place].iter().find(|c| c.table == field.table && ids(c) != ids(field)) {
            return Err(bad(
                format!("features.fields.{}.ids", field.name),
                format!(
                    "table `{}` is shared with field `{}`, whose ids are read in another way, so that equal ids would not meet; give both the same ids",
                    field.table, other.name
                ),
            ));
        }
    }
    Ok(())
}

/// Settings that the field's kind does not use are refused: they would be silently ignored.
pub(crate) fn refuse_strays(name: &str, field: &FieldConfig) -> Result<(), FeatureError> {
    use FieldKind::{Bucket, Categorical, Cross, Multi, Numeric, Sequence};
    let given = [
        ("column", field.column.is_some(), &[Categorical, Multi, Sequence, Numeric, Bucket][..]),
        ("ids", field.ids.is_some(), &[Categorical, Multi, Sequence]),
        ("part", field.part.is_some(), &[Categorical]),
        ("separator", field.separator.is_some(), &[Multi, Sequence]),
        ("pooling", field.pooling.is_some(), &[Multi, Cross]),
        ("weights", field.weights.is_some(), &[Multi]),
        ("transform", field.transform.is_some(), &[Numeric]),
        ("missing", field.missing.is_some(), &[Numeric]),
        ("powers", field.powers.is_some(), &[Numeric]),
        ("boundaries", field.boundaries.is_some(), &[Bucket]),
        ("quantiles", field.quantiles.is_some(), &[Bucket]),
        ("of", field.of.is_some(), &[Cross]),
        ("min_count", field.min_count.is_some(), &[Categorical, Multi, Sequence, Bucket, Cross]),
        ("index", field.index.is_some(), &[Categorical, Multi, Sequence, Bucket, Cross]),
        ("starts_as", field.starts_as.is_some(), &[Categorical]),
        ("buckets", field.buckets.is_some(), &[Categorical, Multi, Sequence, Bucket, Cross]),
        ("table", field.table.is_some(), &[Categorical, Multi, Sequence]),
        ("max_length", field.max_length.is_some(), &[Sequence]),
        ("along", field.along.is_some(), &[Sequence]),
        ("unknown", field.unknown.is_some(), &[Sequence]),
    ];
    if field.min_count.is_some() && field.index == Some(IndexPolicy::Modulo) {
        return Err(bad(
            format!("features.fields.{name}.min_count"),
            "has no meaning with index = \"modulo\", where every id has a row; remove it",
        ));
    }
    match given.iter().find(|(_, set, kinds)| *set && !kinds.contains(&field.kind)) {
        Some((key, ..)) => Err(bad(
            format!("features.fields.{name}.{key}"),
            format!("has no meaning for a field of kind {:?}; remove it", field.kind).to_lowercase(),
        )),
        None => Ok(()),
    }
}
