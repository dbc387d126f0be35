//! A field of `[features]` as an input.

use xxhash_rust::xxh3::xxh3_64;

use crate::config::{FeaturesConfig, FieldConfig, FieldKind, IndexPolicy, Pooling, TreesConfig};
use crate::error::{FeatureError, bad};
use crate::schema::categorical::{Categorical, CategoricalSource, Numeric, Sequence};
use crate::schema::target::Target;

/// The inputs of a numeric field: itself, and its powers where they are asked for.
pub(crate) fn numbers(name: &str, field: &FieldConfig, column: &str) -> Vec<Numeric> {
    let powers: &[(&str, f32)] =
        if field.powers == Some(true) { &[("", 1.0), ("^2", 2.0), ("^0.5", 0.5)] } else { &[("", 1.0)] };
    let input = |(suffix, power): &(&str, f32)| Numeric {
        name: format!("{name}{suffix}"),
        field: name.to_string(),
        column: column.to_string(),
        transform: field.scaled().unwrap_or_default(),
        missing: field.missing.unwrap_or(0.0),
        power: *power,
    };
    powers.iter().map(input).collect()
}

/// The input of trees' leaves, behind all others.
pub(crate) fn leaves(
    config: &FeaturesConfig,
    categorical: &mut Vec<Categorical>,
    targets: &[Target],
) -> Result<Option<(TreesConfig, usize)>, FeatureError> {
    let Some(trees) = &config.trees else { return Ok(None) };
    trees.check()?;
    match targets {
        [only] if !only.is_binary() => {
            return Err(bad("features.trees", "are grown for labels of 0 and 1, and the task's is none"));
        }
        [_] => {}
        _ => return Err(bad("features.trees", "are grown for one task; keep one [tasks.NAME]")),
    }
    if config.negatives.is_some() || config.pairs.is_some() {
        return Err(bad(
            "features.trees",
            "read rows of the data, and do not know those that are drawn; remove features.negatives",
        ));
    }
    if config.items.is_some() {
        return Err(bad(
            "features.trees",
            "read rows of the data, and do not know those of other items that are asked about; remove features.items",
        ));
    }
    if categorical.iter().any(|c| c.name == LEAVES || c.table == LEAVES) {
        return Err(bad(
            format!("features.fields.{LEAVES}"),
            "is the name of the trees' input; give the field another",
        ));
    }
    categorical.push(Categorical {
        name: LEAVES.into(),
        key_seed: xxh3_64(LEAVES.as_bytes()),
        source: CategoricalSource::Leaves,
        pooling: Some(Pooling::Sum),
        index: IndexPolicy::Vocabulary,
        starts_as: Vec::new(),
        buckets: 0,
        min_count: 1,
        table: LEAVES.into(),
        sequence: None,
    });
    Ok(Some((trees.clone(), categorical.len() - 1)))
}

/// The name of the input of trees' leaves.
const LEAVES: &str = "leaves";

pub(crate) fn single(
    config: &FeaturesConfig,
    name: &str,
    field: &FieldConfig,
    column: String,
) -> Result<Categorical, FeatureError> {
    let ids = field.ids.unwrap_or_default();
    let key = |k: &str| format!("features.fields.{name}.{k}");
    let source = match field.kind {
        FieldKind::Multi | FieldKind::Sequence => CategoricalSource::Many {
            column,
            ids,
            separator: match field.separator.as_deref() {
                Some("") => {
                    return Err(bad(key("separator"), "is empty; give the text between two ids, for example \"|\""));
                }
                given => given.unwrap_or(" ").to_string(),
            },
            weights: field.weights.clone(),
        },
        FieldKind::Bucket => bucket(&key, field, column)?,
        _ => match field.part {
            Some(part) => CategoricalSource::Time { column, part },
            None => CategoricalSource::One { column, ids },
        },
    };
    let pooling = field.pooled();
    if field.weights.is_some() && pooling == Some(Pooling::Max) {
        return Err(bad(key("weights"), "cannot go with pooling = \"max\"; use sum or mean"));
    }
    if field.max_length == Some(0) {
        return Err(bad(key("max_length"), "must be at least 1"));
    }
    with_index(config, name, field, source, pooling)
}

fn bucket(
    key: &dyn Fn(&str) -> String,
    field: &FieldConfig,
    column: String,
) -> Result<CategoricalSource, FeatureError> {
    match (&field.boundaries, field.quantiles) {
        (Some(b), None) if !b.is_empty() && b.iter().all(|x| x.is_finite()) && b.windows(2).all(|w| w[0] < w[1]) => {
            Ok(CategoricalSource::Bucket { column, boundaries: b.clone(), quantiles: None })
        }
        (Some(_), None) => Err(bad(key("boundaries"), "must be rising numbers, at least one")),
        (None, Some(n)) if (2..=10_000).contains(&n) => {
            Ok(CategoricalSource::Bucket { column, boundaries: Vec::new(), quantiles: Some(n) })
        }
        (None, Some(_)) => Err(bad(key("quantiles"), "must lie in 2..=10000")),
        _ => Err(bad(key("boundaries"), "give either boundaries = [18, 25, 35] or quantiles = 10")),
    }
}

pub(crate) fn cross(
    config: &FeaturesConfig,
    name: &str,
    field: &FieldConfig,
    known: &[Categorical],
) -> Result<Categorical, FeatureError> {
    let key = format!("features.fields.{name}.of");
    let names = field.of.as_deref().unwrap_or_default();
    if names.len() < 2 {
        return Err(bad(key, "needs at least two fields, for example of = [\"user_id\", \"genres\"]"));
    }
    let find = |member: &String| {
        known.iter().position(|c| c.name == *member).ok_or_else(|| {
            let hint = match config.fields.get(member).map(|f| f.kind) {
                Some(FieldKind::Numeric) => "is numeric; cross a field of kind bucket instead",
                Some(FieldKind::Cross) => "is a cross itself; list its fields here",
                _ => "is not a field; declare it under [features.fields]",
            };
            bad(key.clone(), format!("`{member}` {hint}"))
        })
    };
    let of = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    if let Some(member) = of.iter().find(|m| known[**m].sequence.is_some()) {
        let problem = format!("`{}` is a sequence, and a cross needs one value of each field", known[*member].name);
        return Err(bad(key, problem));
    }
    let many = of.iter().any(|&m| known[m].pooling.is_some());
    let pooling = many.then(|| field.pooling.unwrap_or(Pooling::Sum));
    with_index(config, name, field, CategoricalSource::Cross { of }, pooling)
}

fn with_index(
    config: &FeaturesConfig,
    name: &str,
    field: &FieldConfig,
    source: CategoricalSource,
    pooling: Option<Pooling>,
) -> Result<Categorical, FeatureError> {
    let index = field.index.or(config.index).unwrap_or_default();
    let buckets = match (index, field.buckets) {
        (IndexPolicy::Modulo, Some(n)) if n >= 1 => n,
        (IndexPolicy::Modulo, _) => {
            return Err(bad(
                format!("features.fields.{name}.buckets"),
                "index = \"modulo\" needs the number of rows, for example buckets = 100000",
            ));
        }
        (_, Some(_)) => {
            return Err(bad(format!("features.fields.{name}.buckets"), "goes with index = \"modulo\" only"));
        }
        (_, None) => 0,
    };
    let min_count = field.min_count.unwrap_or(config.min_count);
    if min_count == 0 {
        return Err(bad(format!("features.fields.{name}.min_count"), "must be at least 1"));
    }
    let table = field.table.clone().unwrap_or_else(|| name.to_string());
    Ok(Categorical {
        name: name.to_string(),
        key_seed: xxh3_64(table.as_bytes()),
        source,
        pooling,
        index,
        starts_as: Vec::new(),
        buckets,
        min_count,
        table,
        sequence: (field.kind == FieldKind::Sequence).then_some(Sequence {
            max_length: field.max_length,
            leader: usize::MAX,
            unknown: field.unknown == Some(true),
        }),
    })
}
