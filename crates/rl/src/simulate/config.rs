//! A simulation file: an environment, what is known of it, and agents side by side.

use burnrec_data::{DataConfig, HistoryConfig, SplitConfig};
use burnrec_features::{FeaturesConfig, FieldConfig};
use burnrec_train::{BackendConfig, RunConfig, TrainConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::weighed::Allows;
use crate::agent::{AgentConfig, PolicyKind};
use crate::environment::bandit::BanditConfig;
use crate::environment::log::LogConfig;
use crate::environment::news::NewsConfig;
use crate::error::{RlError, bad};

/// A simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// Name and first seed.
    #[serde(default)]
    pub run: RunConfig,
    /// Where it computes.
    #[serde(default)]
    pub backend: BackendConfig,
    /// The environment: one of its tables.
    pub environment: EnvironmentConfig,
    /// Where the rows of `[environment.log]` or `[environment.bandit]` come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataConfig>,
    /// How long, how often, how many places.
    #[serde(default)]
    pub simulate: SimulateConfig,
    /// What the columns of the environment mean.
    pub features: FeaturesConfig,
    /// How weights are trained, before the agents act and while they do.
    #[serde(default)]
    pub train: TrainConfig,
    /// What all agents have where they say nothing else.
    #[serde(default)]
    #[schemars(with = "AgentConfig")]
    pub agent: toml::Table,
    /// The agents by name, in the order of the file.
    #[schemars(with = "std::collections::BTreeMap<String, AgentConfig>")]
    pub agents: toml::Table,
}

/// Which environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// A simulated news site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<NewsConfig>,
    /// A log of impressions, whose candidates are ranked anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogConfig>,
    /// A log of single actions with their propensities: what an agent would have earned in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandit: Option<BanditConfig>,
}

impl EnvironmentConfig {
    /// What figures it allows.
    pub(super) fn allows(&self) -> Allows {
        let delay = self.log.iter().map(|log| log.delay_seconds);
        Allows {
            weighed: self.bandit.is_some(),
            users: self.bandit.as_ref().is_none_or(|bandit| bandit.user.is_some()),
            delay_seconds: delay.chain(self.bandit.iter().map(|bandit| bandit.delay_seconds)).sum(),
        }
    }

    /// Columns of a log that agents may not read, with what they are.
    fn hidden(&self) -> Vec<(&String, &'static str)> {
        let log = self.log.iter().map(|log| (&log.click, "the click"));
        let bandit = self.bandit.iter();
        log.chain(bandit.flat_map(|b| [(&b.click, "the click"), (&b.propensity, "the propensity")])).collect()
    }
}

/// How long, how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulateConfig {
    /// Runs of each agent, each on other users; the agents of one seed meet the same.
    pub seeds: u64,
    /// Hours in which lists are made by chance, or pass as a log has them, for all agents to begin with.
    pub warmup_hours: f64,
    /// Hours in which agents act after them.
    pub hours: f64,
    /// Places of a list.
    pub places: usize,
    /// Seconds whose requests are answered together; at most 60.
    pub tick_seconds: f64,
    /// Simulated hours between checkpoints.
    pub checkpoint_hours: f64,
    /// The agent that others are compared with; the first one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What worth beyond the click may count for the oracle; the best of them is the zero of regret.
    pub oracle_ahead: Vec<f64>,
}

impl Default for SimulateConfig {
    fn default() -> Self {
        Self {
            seeds: 5,
            warmup_hours: 12.0,
            hours: 48.0,
            places: 5,
            tick_seconds: 60.0,
            checkpoint_hours: 12.0,
            baseline: None,
            oracle_ahead: vec![0.0, 0.5, 1.0],
        }
    }
}

/// The name of who knows everything.
pub const ORACLE: &str = "oracle";
/// Settings that are of networks alone.
const OF_NETWORKS: [&str; 5] = ["model", "learn", "memory", "gamma", "centred"];

/// A table over another: what it says stands, below tables too. A table that names a model or a way stands whole.
fn over(base: &toml::Table, own: &toml::Table) -> toml::Table {
    let mut all = base.clone();
    for (key, value) in own {
        let merged = match (all.get(key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(own)) if key != "model" => {
                toml::Value::Table(over(base, own))
            }
            _ => value.clone(),
        };
        all.insert(key.clone(), merged);
    }
    all
}

impl Simulation {
    /// Every agent with its settings, checked.
    ///
    /// # Errors
    /// The first setting that cannot work, with its key.
    pub fn check(&self) -> Result<Vec<(String, AgentConfig)>, RlError> {
        let EnvironmentConfig { news, log, bandit } = &self.environment;
        match (news, log, bandit) {
            (Some(news), None, None) => news.check()?,
            (None, Some(log), None) => log.check(self.data.as_ref())?,
            (None, None, Some(bandit)) => bandit.check(self.data.as_ref())?,
            _ => {
                let problem = "needs one table: [environment.news], [environment.log] or [environment.bandit]";
                return Err(bad("environment", problem));
            }
        }
        if bandit.is_some() && self.simulate.places != 1 {
            let problem = "must be 1 with [environment.bandit]: a row of the log is one choice";
            return Err(bad("simulate.places", problem));
        }
        let split = self.data.as_ref().is_some_and(|data| data.split != SplitConfig::default());
        if split {
            return Err(bad(
                "data.split",
                "divides rows into sides, and a log is passed once in the order of time; remove it",
            ));
        }
        for (hidden, what) in self.environment.hidden() {
            let reads = |(name, field): &(&String, &FieldConfig)| field.column.as_ref().unwrap_or(name) == hidden;
            if let Some((name, _)) = self.features.fields.iter().find(reads) {
                let problem = format!("reads {what}, which is what agents are to find out; remove the field");
                return Err(bad(format!("features.fields.{name}"), problem));
            }
            let history = self.data.as_ref().and_then(|data| data.history.as_ref());
            let collects = |history: &&HistoryConfig| {
                history.columns.values().chain(history.only.iter().map(|only| &only.column)).any(|c| c == hidden)
            };
            if history.filter(collects).is_some() {
                let problem = format!(
                    "reads {what} of rows whatever an agent chose for them; build histories of other columns, or have them in the log"
                );
                return Err(bad("data.history", problem));
            }
        }
        if news.is_some() && self.data.is_some() {
            return Err(bad("data", "goes with [environment.log]; a simulated site makes its own rows"));
        }
        self.simulate.check()?;
        if self.features.items.is_some() || self.features.trees.is_some() || self.features.negatives.is_some() {
            return Err(bad("features", "of a simulation have no items, negatives or trees; candidates are given"));
        }
        let agents = self.agents.iter().map(|(name, own)| {
            let key = format!("agents.{name}");
            let Some(own) = own.as_table() else { return Err(bad(key, "is no table; write [agents.NAME]")) };
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                || name.is_empty()
                || name == "start"
            {
                return Err(bad(
                    key,
                    "is no plain name: letters, digits, `_` and `-`, and not `start`; folders are called so",
                ));
            }
            let mut base = self.agent.clone();
            let policy =
                own.get("policy").or(self.agent.get("policy")).and_then(toml::Value::as_str).unwrap_or("network");
            if policy != "network" {
                // What all agents have is of networks; what this one says itself must be of use to it.
                OF_NETWORKS.iter().for_each(|key| drop(base.remove(*key)));
                if let Some(toml::Value::Table(explore)) = base.get_mut("explore") {
                    explore.remove("kind");
                }
                if let Some(unused) = OF_NETWORKS.iter().find(|unused| own.contains_key(**unused)) {
                    return Err(bad(
                        format!("{key}.{unused}"),
                        format!("says nothing to policy = \"{policy}\"; remove it"),
                    ));
                }
            }
            let config: AgentConfig =
                toml::Value::Table(over(&base, own)).try_into().map_err(|e: toml::de::Error| bad(&key, e.message()))?;
            config.check(&key)?;
            if (config.policy == PolicyKind::Oracle) != (name == ORACLE) {
                let problem = "and policy = \"oracle\" go together: regret is counted from the agent of this name";
                return Err(bad(
                    if name == ORACLE { key } else { format!("{key}.policy") },
                    format!("`{ORACLE}` {problem}"),
                ));
            }
            if config.policy == PolicyKind::Oracle && news.is_none() {
                return Err(bad(
                    format!("{key}.policy"),
                    "oracle goes with a simulated site: nobody knows the truth of a log",
                ));
            }
            Ok((name.clone(), config))
        });
        let agents = agents.collect::<Result<Vec<_>, _>>()?;
        if agents.is_empty() {
            return Err(bad("agents", "is empty; name at least one [agents.NAME]"));
        }
        if let Some(name) = self.simulate.baseline.as_ref().filter(|name| agents.iter().all(|(own, _)| own != *name)) {
            return Err(bad("simulate.baseline", format!("names `{name}`, and there is no such agent")));
        }
        Ok(agents)
    }
}

impl SimulateConfig {
    fn check(&self) -> Result<(), RlError> {
        let refused = |key: &str, problem: &str| Err(bad(format!("simulate.{key}"), problem));
        let hours = |x: f64| x > 0.0 && x <= 1e5;
        match () {
            () if !(1..=1_000).contains(&self.seeds) => refused("seeds", "must lie in 1..=1000"),
            () if !hours(self.warmup_hours) => refused("warmup_hours", "must be above 0, and at most 100000"),
            () if !hours(self.hours) => refused("hours", "must be above 0, and at most 100000"),
            () if !(1..=1_000).contains(&self.places) => refused("places", "must lie in 1..=1000"),
            () if !(self.tick_seconds >= 1.0 && self.tick_seconds <= 60.0) => {
                refused("tick_seconds", "must lie in 1..=60: who asks again does so after a minute or more")
            }
            () if !hours(self.checkpoint_hours) => refused("checkpoint_hours", "must be above 0"),
            () if self.oracle_ahead.is_empty() || self.oracle_ahead.iter().any(|x| !x.is_finite()) => {
                refused("oracle_ahead", "must name at least one number")
            }
            () => Ok(()),
        }
    }
}
