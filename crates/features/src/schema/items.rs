//! The checked form of `[features.items]`, and the inputs that it adds.

use xxhash_rust::xxh3::xxh3_64;

use crate::config::{FeaturesConfig, IndexPolicy, NegativesConfig, PairsConfig, SamplerKind};
use crate::error::{FeatureError, bad};
use crate::schema::categorical::{Categorical, CategoricalSource, Numeric, Sequence};
use crate::schema::target::Target;

/// The table of the second vectors of pairs.
const CONTEXT: &str = "context";
/// The input of drawn items.
const DRAWN: &str = "drawn items";

/// What is of the item.
#[derive(Clone, Debug, PartialEq)]
pub struct Items {
    /// The item's id, by its place in [`crate::Schema::categorical`].
    pub id: usize,
    /// Categorical inputs of the item, the id first.
    pub fields: Vec<usize>,
    /// Numeric inputs of the item.
    pub numeric: Vec<usize>,
    /// The task, by its place, whose label above 0 means that the user liked the item.
    pub liked: usize,
    /// Column of the user's id.
    pub user: String,
    /// Column of the time.
    pub time: Option<String>,
    /// How others are drawn.
    pub negatives: Option<NegativesConfig>,
    /// Pairs to learn from.
    pub pairs: Option<PairsConfig>,
    /// The input of items that are drawn for a batch or beside a pair: a sequence that no column holds.
    pub drawn: Option<usize>,
    /// The input of the second item of a pair.
    pub context: Option<usize>,
}

impl Items {
    /// Whether negatives become rows of their own.
    pub fn adds_rows(&self) -> Option<&NegativesConfig> {
        self.negatives.as_ref().filter(|n| n.per_positive > 0 && self.pairs.is_none())
    }

    /// Whether what is drawn stands beside the batch: for all its rows, or for each.
    pub fn draws_beside(&self) -> Option<&NegativesConfig> {
        self.negatives.as_ref().filter(|n| self.pairs.is_some() || n.shared > 0 || self.takes_the_batch())
    }

    /// Whether the other rows' items are the negatives.
    pub fn takes_the_batch(&self) -> bool {
        let all = |n: &NegativesConfig| n.sampler == SamplerKind::InBatch && n.per_positive == 0;
        self.negatives.as_ref().is_some_and(all)
    }
}

/// Checks the three tables; adds the inputs of what is drawn behind all others.
pub(crate) fn items(
    config: &FeaturesConfig,
    categorical: &mut Vec<Categorical>,
    numeric: &[Numeric],
    targets: &[Target],
) -> Result<Option<Items>, FeatureError> {
    let Some(items) = &config.items else {
        let stray = [("negatives", config.negatives.is_some()), ("pairs", config.pairs.is_some())];
        return match stray.iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(bad(
                format!("features.{key}"),
                "needs to know what an item is; add [features.items] with its id and its user",
            )),
            None => Ok(None),
        };
    };
    if items.latest == 0 {
        return Err(bad("features.items.latest", "must be at least 1"));
    }
    if !(items.decay > 0.0 && items.decay <= 1.0) {
        return Err(bad("features.items.decay", "must be above 0 and at most 1"));
    }
    let liked = match &items.liked {
        None => 0,
        Some(name) => targets.iter().position(|target| target.name == *name).ok_or_else(|| {
            bad("features.items.liked", format!("`{name}` is no task; declare it as [tasks.{name}], or name another"))
        })?,
    };
    if targets[liked].classes().is_some() {
        return Err(bad(
            "features.items.liked",
            "is a task of several classes, none of which means liked; name another",
        ));
    }
    let one = |c: &Categorical| matches!(c.source, CategoricalSource::One { .. });
    let id = categorical.iter().position(|c| c.name == items.id && one(c)).ok_or_else(|| {
        bad(
            "features.items.id",
            format!("`{}` is not a field of kind categorical; declare it under [features.fields]", items.id),
        )
    })?;
    let (mut fields, mut numbers) = (vec![id], Vec::new());
    for name in items.fields.iter().filter(|n| **n != items.id) {
        let key = "features.items.fields";
        let place = categorical.iter().position(|c| c.name == *name);
        let own: Vec<usize> = (0..numeric.len()).filter(|n| numeric[*n].field == *name).collect();
        match place {
            Some(place) if categorical[place].sequence.is_some() => {
                return Err(bad(key, format!("`{name}` is a sequence, which is of the user and not of the item")));
            }
            Some(place) if matches!(categorical[place].source, CategoricalSource::Cross { .. }) => {
                return Err(bad(
                    key,
                    format!("`{name}` is a cross, which follows its fields by itself; remove it here"),
                ));
            }
            Some(place) => fields.push(place),
            None if !own.is_empty() => numbers.extend(own),
            None => return Err(bad(key, format!("`{name}` is not a field; declare it under [features.fields]"))),
        }
    }
    if let Some(negatives) = &config.negatives {
        negatives.check(config.pairs.is_some())?;
    }
    if let Some(pairs) = &config.pairs {
        pairs.check(items.time.is_some())?;
        if config.negatives.is_none() {
            return Err(bad("features.pairs", "pairs alone teach nothing; add [features.negatives] with per_positive"));
        }
    }
    let mut checked = Items {
        id,
        fields,
        numeric: numbers,
        liked,
        user: items.user.clone(),
        time: items.time.clone(),
        negatives: config.negatives.clone(),
        pairs: config.pairs.clone(),
        drawn: None,
        context: None,
    };
    add_inputs(&mut checked, categorical)?;
    Ok(Some(checked))
}

/// The inputs that no column holds.
fn add_inputs(items: &mut Items, categorical: &mut Vec<Categorical>) -> Result<(), FeatureError> {
    let of = categorical[items.id].clone();
    if items.draws_beside().is_none() || items.takes_the_batch() {
        return Ok(());
    }
    if of.index == IndexPolicy::Growing {
        let key = format!("features.fields.{}.index", of.name);
        return Err(bad(key, "items that are drawn need a row before they are seen; use \"vocabulary\" or \"modulo\""));
    }
    let hidden = Categorical { source: CategoricalSource::Drawn, pooling: None, sequence: None, ..of };
    let mut table = hidden.table.clone();
    if items.pairs.is_some() {
        table = CONTEXT.to_string();
        items.context = Some(categorical.len());
        let key_seed = xxh3_64(CONTEXT.as_bytes());
        categorical.push(Categorical { name: CONTEXT.into(), key_seed, table: table.clone(), ..hidden.clone() });
    }
    let place = categorical.len();
    items.drawn = Some(place);
    let sequence = Some(Sequence { max_length: None, leader: place, unknown: true });
    categorical.push(Categorical { name: DRAWN.into(), table, sequence, ..hidden });
    Ok(())
}
