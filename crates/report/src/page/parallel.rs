//! Parallel coordinates of a sweep's settings, and how much of the outcome each explains.

use std::collections::BTreeMap;

use serde_json::Value;

use super::escape::text;
use super::figures::label;
use crate::folder::{Sweep, Trial};

const AXIS: f64 = 150.0;
const HEIGHT: f64 = 260.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 22.0;

/// Where a trial stands on an axis, from 0 (bottom) to 1, a trial each; and what the ends are.
struct Axis {
    name: String,
    places: Vec<Option<f64>>,
    ends: (String, String),
}

/// Settings as numbers between their ends; by their rank where they are no numbers, by size where they are.
fn axis(name: &str, values: &[Option<Value>]) -> Axis {
    let numbers: Option<Vec<f64>> = values.iter().flatten().map(Value::as_f64).collect();
    let name = name.to_string();
    match numbers.filter(|all| !all.is_empty()) {
        Some(all) => {
            let (low, high) = all.iter().fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(*x), h.max(*x)));
            // Values over more than a hundredfold are tried by their size.
            let log = low > 0.0 && high / low > 100.0;
            let scale = |x: f64| if log { x.ln() } else { x };
            let width = (scale(high) - scale(low)).max(1e-300);
            let place = |value: &Option<Value>| Some((scale(value.as_ref()?.as_f64()?) - scale(low)) / width);
            Axis { name, places: values.iter().map(place).collect(), ends: (label(low), label(high)) }
        }
        None => {
            let mut kinds: Vec<String> = values.iter().flatten().map(Value::to_string).collect();
            kinds.sort();
            kinds.dedup();
            let last = kinds.len().saturating_sub(1).max(1) as f64;
            let place = |value: &Option<Value>| {
                let own = value.as_ref()?.to_string();
                Some(kinds.iter().position(|kind| *kind == own)? as f64 / last)
            };
            let ends = (kinds.first().cloned().unwrap_or_default(), kinds.last().cloned().unwrap_or_default());
            Axis { name, places: values.iter().map(place).collect(), ends }
        }
    }
}

fn ranked(sweep: &Sweep) -> Vec<(&Trial, f64)> {
    sweep.trials.iter().filter_map(|trial| Some((trial, trial.value?.mean))).collect()
}

/// A figure with a line a trial; none with fewer than two settings or trials.
pub(super) fn parallel(sweep: &Sweep) -> Option<String> {
    let (trials, keys) = (ranked(sweep), sweep.keys());
    if trials.len() < 2 || keys.len() < 2 {
        return None;
    }
    let of = |key: &&String| {
        let values: Vec<Option<Value>> = trials.iter().map(|(trial, _)| trial.settings.get(*key).cloned()).collect();
        axis(key, &values)
    };
    let mut axes: Vec<Axis> = keys.iter().map(of).collect();
    let values: Vec<Option<Value>> = trials.iter().map(|(_, value)| Some(Value::from(*value))).collect();
    axes.push(axis(&sweep.monitor, &values));
    let width = AXIS * axes.len() as f64;
    let across = |at: usize| AXIS * (at as f64 + 0.5);
    let up = |place: f64| HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
    let mut body = String::new();
    // The best come last, above the others; trials are sorted, the best first.
    for (number_, (trial, _)) in trials.iter().enumerate().rev() {
        let points: Vec<String> = axes
            .iter()
            .enumerate()
            .filter_map(|(at, axis)| Some(format!("{:.1},{:.1}", across(at), up(axis.places[number_]?))))
            .collect();
        let best = number_ * 4 < trials.len();
        let (colour, strength) = if best { ("var(--c1)", "0.9") } else { ("var(--c0)", "0.3") };
        body += &format!(
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-opacity="{strength}" stroke-width="1.6"><title>trial {}</title></polyline>"#,
            points.join(" "),
            trial.trial
        );
    }
    for (at, axis) in axes.iter().enumerate() {
        let x = across(at);
        body += &format!(r#"<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{}"/>"#, HEIGHT - BOTTOM);
        // The last axis is what trials are ranked by; others are settings by the ends of their keys.
        let own = if at + 1 == axes.len() { Some(axis.name.as_str()) } else { axis.name.rsplit('.').next() };
        let short: String = own.unwrap_or_default().to_string();
        for (y, label) in [(12.0, &short), (26.0, &axis.ends.1), (HEIGHT - 6.0, &axis.ends.0)] {
            let label: String = label.chars().take(24).collect();
            body += &format!(r#"<text x="{x}" y="{y}" text-anchor="middle">{}</text>"#, text(&label));
        }
    }
    Some(format!(
        r#"<svg viewBox="0 0 {width} {HEIGHT}" style="min-width:{}px;max-width:{}px" role="img" aria-label="settings of all trials">{body}</svg>"#,
        width.min(900.0),
        width * 1.5
    ))
}

/// The share of the spread of what trials are ranked by that follows each setting alone.
pub(super) fn explained(sweep: &Sweep) -> Vec<(String, f64)> {
    let trials = ranked(sweep);
    let all: Vec<f64> = trials.iter().map(|(_, value)| *value).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let spread: f64 = all.iter().map(|value| (value - mean(&all)).powi(2)).sum();
    if trials.len() < 4 || spread <= 0.0 {
        return Vec::new();
    }
    let share = |key: &String| {
        let mut levels: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let numbers: Vec<Option<f64>> = trials.iter().map(|(trial, _)| trial.settings.get(key)?.as_f64()).collect();
        let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let mut kinds = sorted.clone();
        kinds.dedup();
        for ((trial, value), own) in trials.iter().zip(&numbers) {
            let level = match own {
                // Numbers of many values: quarters.
                Some(x) if kinds.len() > 6 => (sorted.partition_point(|y| y < x) * 4 / sorted.len()).to_string(),
                _ => trial.settings.get(key).map(Value::to_string).unwrap_or_default(),
            };
            levels.entry(level).or_default().push(*value);
        }
        let between: f64 = levels.values().map(|own| own.len() as f64 * (mean(own) - mean(&all)).powi(2)).sum();
        // Levels of one trial each would explain everything.
        (levels.len() > 1 && levels.len() < trials.len()).then(|| (key.clone(), between / spread))
    };
    sweep.keys().into_iter().filter_map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Mean;

    #[test]
    fn the_setting_that_decides_explains_the_spread() {
        let trial = |n: usize| Trial {
            trial: n + 1,
            settings: BTreeMap::from([("a".into(), Value::from(n % 2)), ("b".into(), Value::from(n / 4))]),
            value: Some(Mean { mean: (n % 2) as f64, plus_minus: None }),
            metrics: BTreeMap::new(),
            front: None,
            seconds: 1.0,
            reason: None,
        };
        let trials = (0..8).map(trial).collect();
        let sweep = Sweep { name: "s".into(), monitor: "auc".into(), rises: true, pareto: None, trials };
        let found = explained(&sweep);
        assert!((found[0].1 - 1.0).abs() < 1e-12 && found[1].1.abs() < 1e-12, "{found:?}");
        assert!(parallel(&sweep).unwrap().matches("<polyline").count() == 8);
    }
}
