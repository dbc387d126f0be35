//! What is tried next: a function of the config and of what was tried.

use burnrec_features::stream_seed;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::ledger::Tried;
use super::space::Point;
use super::tpe::propose;
use crate::experiment::{SweepConfig, SweepMethod};

/// A run to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The trial, from 1.
    pub trial: usize,
    /// The rung of halving, from 0.
    pub rung: usize,
    /// Which of its repeats, from 0.
    pub repeat: usize,
    /// Its point.
    pub at: Point,
    /// The epochs that it has, where halving gives it other than the config's.
    pub epochs: Option<usize>,
}

impl Trial {
    /// Its folder, below that of the sweep.
    pub fn folder(&self) -> String {
        let rung = if self.epochs.is_some() { format!("-rung-{}", self.rung) } else { String::new() };
        format!("trials/{:04}{rung}-{}", self.trial, self.repeat + 1)
    }
}

/// What a trial came to at a rung: the mean of its repeats; none where one of them failed or is still to come.
pub(super) fn value(tried: &[Tried], trial: usize, rung: usize, repeats: usize) -> Option<f64> {
    let own: Vec<f64> = tried.iter().filter(|t| t.trial == trial && t.rung == rung).filter_map(|t| t.value).collect();
    (own.len() == repeats).then(|| own.iter().sum::<f64>() / repeats as f64)
}

/// The next run; none where all are made. `rises` says whether larger values are better; `epochs` are the config's.
pub fn next(sweep: &SweepConfig, tried: &[Tried], epochs: usize, rises: bool) -> Option<Trial> {
    let made = |trial: usize, rung: usize, repeat: usize| {
        tried.iter().find(|t| (t.trial, t.rung, t.repeat) == (trial, rung, repeat))
    };
    let missing = |trial: usize, rung: usize| (0..sweep.repeats).find(|repeat| made(trial, rung, *repeat).is_none());
    if sweep.method == SweepMethod::Halving {
        return halving(sweep, tried, epochs, rises, &missing);
    }
    let (trial, repeat) = (1..=sweep.count()).find_map(|trial| Some((trial, missing(trial, 0)?)))?;
    let at = made(trial, 0, 0).map_or_else(|| point(sweep, tried, trial, rises), |own| own.at.clone());
    Some(Trial { trial, rung: 0, repeat, at, epochs: None })
}

/// The point of a trial that was not begun.
fn point(sweep: &SweepConfig, tried: &[Tried], trial: usize, rises: bool) -> Point {
    let mut rng = ChaCha8Rng::seed_from_u64(stream_seed(sweep.seed, "sweep", trial as u64));
    match sweep.method {
        SweepMethod::Grid => sweep.on_grid(trial - 1),
        SweepMethod::Tpe if trial > sweep.first => {
            let sign = if rises { -1.0 } else { 1.0 };
            let known = |trial: usize| {
                let at = tried.iter().find(|t| t.trial == trial)?.at.clone();
                // What failed is as bad as can be: nothing near it should be tried again.
                Some((at, value(tried, trial, 0, sweep.repeats).map_or(f64::MAX, |v| sign * v)))
            };
            propose(sweep, &(1..trial).filter_map(known).collect::<Vec<_>>(), &mut rng)
        }
        _ => sweep.drawn(&mut rng),
    }
}

/// Rungs of trials: each has a part of the one before, the best, and so many times the epochs, up to all.
fn halving(
    sweep: &SweepConfig,
    tried: &[Tried],
    epochs: usize,
    rises: bool,
    missing: &dyn Fn(usize, usize) -> Option<usize>,
) -> Option<Trial> {
    let mut rungs = 0;
    while sweep.factor.pow(rungs + 1) <= epochs && sweep.factor.pow(rungs + 1) <= sweep.count() {
        rungs += 1;
    }
    let mut on: Vec<usize> = (1..=sweep.count()).collect();
    for rung in 0..=rungs as usize {
        let share = sweep.factor.pow(rungs - rung as u32);
        if let Some((trial, repeat)) = on.iter().find_map(|trial| Some((*trial, missing(*trial, rung)?))) {
            let begun = tried.iter().find(|t| t.trial == trial);
            let at = begun.map_or_else(|| point(sweep, tried, trial, rises), |own| own.at.clone());
            return Some(Trial { trial, rung, repeat, at, epochs: Some((epochs / share).max(1)) });
        }
        let mut values: Vec<(f64, usize)> =
            on.iter().filter_map(|trial| Some((value(tried, *trial, rung, sweep.repeats)?, *trial))).collect();
        values.sort_by(|a, b| if rises { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) });
        values.truncate((on.len() / sweep.factor).max(1));
        on = values.into_iter().map(|(_, trial)| trial).collect();
        on.sort_unstable();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(text: &str) -> SweepConfig {
        toml::from_str(&format!("{text}\n[space]\na = {{ low = 0.0, high = 1.0 }}")).unwrap()
    }

    /// All runs of a sweep whose value is its point.
    fn all(sweep: &SweepConfig, epochs: usize) -> Vec<(Trial, f64)> {
        let (mut tried, mut runs) = (Vec::new(), Vec::new());
        while let Some(trial) = next(sweep, &tried, epochs, true) {
            let value = trial.at[0];
            tried.push(Tried {
                trial: trial.trial,
                rung: trial.rung,
                repeat: trial.repeat,
                at: trial.at.clone(),
                settings: Default::default(),
                run: trial.folder(),
                value: (trial.trial != 3).then_some(value),
                metrics: Default::default(),
                seconds: 0.0,
                reason: None,
            });
            runs.push((trial, value));
            assert!(runs.len() < 1000);
        }
        runs
    }

    #[test]
    fn each_trial_is_made_once_for_each_repeat_at_one_point() {
        for method in ["random", "tpe"] {
            let runs = all(&sweep(&format!("method = \"{method}\"\ntrials = 7\nrepeats = 2")), 5);
            assert_eq!(runs.len(), 14);
            assert!(runs.chunks(2).all(|pair| pair[0].0.at == pair[1].0.at && pair[1].0.repeat == 1));
        }
    }

    #[test]
    fn the_best_go_on_with_more_epochs() {
        let runs = all(&sweep("method = \"halving\"\ntrials = 9\nfactor = 3"), 9);
        let at = |rung: usize| runs.iter().filter(|(t, _)| t.rung == rung).collect::<Vec<_>>();
        assert_eq!((at(0).len(), at(1).len(), at(2).len()), (9, 3, 1));
        assert_eq!([0, 1, 2].map(|rung| at(rung)[0].0.epochs), [Some(1), Some(3), Some(9)]);
        // A trial that failed does not go on; the best of the others is the last.
        let best = at(0).iter().filter(|(t, _)| t.trial != 3).map(|(_, v)| *v).fold(0.0, f64::max);
        assert_eq!(at(2)[0].1, best);
    }
}
