//! The settings of the news site.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{RlError, bad};

/// A simulated news site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewsConfig {
    /// How many readers the site has.
    pub users: usize,
    /// How many topics its articles are of.
    pub topics: usize,
    /// Providers of articles; each writes deeper or shallower than others.
    pub providers: usize,
    /// Articles that appear per hour.
    pub articles_per_hour: f64,
    /// Mean life of an article in hours.
    pub article_hours: f64,
    /// Candidates of a request at most, drawn from what is alive and was not shown to the reader yet.
    pub candidates: usize,
    /// Hours that a reader in no mood stays away, on average.
    pub away_hours: f64,
    /// Log-odds of a click on an average article in the first place.
    pub base: f64,
    /// What interest in a topic adds at most.
    pub interest: f64,
    /// What a headline adds, per standard deviation.
    pub appeal: f64,
    /// How much a headline catches more eyes the shallower its article is.
    pub bait: f64,
    /// What each click on a topic takes away from the next one there.
    pub satiation: f64,
    /// Hours in which satiation falls to a third.
    pub recovery_hours: f64,
    /// What an hour of age takes away.
    pub ageing: f64,
    /// What mood adds; it lies in -1..1.
    pub mood: f64,
    /// How far the depth of what was clicked decides whether a reader stays for another list.
    pub stay: f64,
    /// How far it moves the reader's mood, and with that when the reader returns.
    pub depth: f64,
    /// Power of the place by which clicks are rarer further down.
    pub position_bias: f64,
    /// Mean seconds until a click is known.
    pub delay_seconds: f64,
    /// Share of lists of which nothing is ever heard.
    pub lost: f64,
}

impl Default for NewsConfig {
    fn default() -> Self {
        Self {
            users: 20_000,
            topics: 12,
            providers: 24,
            articles_per_hour: 20.0,
            article_hours: 4.0,
            candidates: 60,
            away_hours: 16.0,
            base: -0.5,
            interest: 2.0,
            appeal: 0.5,
            bait: 0.2,
            satiation: 0.5,
            recovery_hours: 8.0,
            ageing: 0.15,
            mood: 0.6,
            stay: 4.0,
            depth: 0.8,
            position_bias: 0.5,
            delay_seconds: 30.0,
            lost: 0.02,
        }
    }
}

impl NewsConfig {
    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// [`RlError::Setting`] naming the key.
    pub fn check(&self) -> Result<(), RlError> {
        let key = |key: &str| format!("environment.news.{key}");
        let counts = [
            ("users", self.users, 1),
            ("topics", self.topics, 1),
            ("providers", self.providers, 1),
            ("candidates", self.candidates, 1),
        ];
        if let Some((name, ..)) = counts.iter().find(|(_, count, least)| !(*least..=1_000_000).contains(count)) {
            return Err(bad(key(name), "must lie in 1..=1000000"));
        }
        for (name, count) in [("topics", self.topics), ("providers", self.providers)] {
            if count > 10_000 {
                return Err(bad(key(name), "must be at most 10000"));
            }
        }
        let above = [
            ("articles_per_hour", self.articles_per_hour),
            ("article_hours", self.article_hours),
            ("away_hours", self.away_hours),
            ("recovery_hours", self.recovery_hours),
        ];
        if let Some((name, _)) = above.iter().find(|(_, x)| !(*x > 0.0 && *x <= 1e6)) {
            return Err(bad(key(name), "must be above 0, and at most a million"));
        }
        let least = [
            ("interest", self.interest),
            ("appeal", self.appeal),
            ("bait", self.bait),
            ("satiation", self.satiation),
            ("ageing", self.ageing),
            ("mood", self.mood),
            ("stay", self.stay),
            ("depth", self.depth),
            ("position_bias", self.position_bias),
            ("delay_seconds", self.delay_seconds),
        ];
        if let Some((name, _)) = least.iter().find(|(_, x)| !(*x >= 0.0 && x.is_finite())) {
            return Err(bad(key(name), "must be at least 0"));
        }
        if let Some((name, _)) = least.iter().find(|(name, x)| *x > 1_000.0 && *name != "delay_seconds") {
            return Err(bad(key(name), "must be at most 1000"));
        }
        if self.articles_per_hour * self.article_hours > 1e5 {
            return Err(bad(
                key("articles_per_hour"),
                "times article_hours must be at most 100000: so many articles are alive",
            ));
        }
        if self.users * self.topics > 100_000_000 {
            return Err(bad(
                key("users"),
                "times topics must be at most 100000000: every reader has an interest in each",
            ));
        }
        match () {
            () if self.base.is_nan() || self.base.abs() > 1_000.0 => Err(bad(key("base"), "must lie in -1000..=1000")),
            () if !(0.0..1.0).contains(&self.lost) => Err(bad(key("lost"), "must lie in 0..1, 1 excluded")),
            () => Ok(()),
        }
    }
}
