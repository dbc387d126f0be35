//! Estimators against hand-computed values, and on generated logs whose true value is known.

use super::*;
use crate::draw::Draws;

fn hand() -> Logged {
    Logged {
        reward: vec![1.0, 0.0, 1.0],
        target: vec![0.5, 0.2, 0.8],
        propensity: vec![0.25, 0.4, 0.8],
        ..Logged::default()
    }
}

fn value(estimator: Estimator, logged: &Logged) -> f64 {
    estimator.terms(logged, &logged.check().unwrap()).value().unwrap()
}

#[test]
fn estimates_are_those_of_hand() {
    let logged = hand();
    assert!((value(Estimator::Ips, &logged) - 1.0).abs() < 1e-12);
    assert!((value(Estimator::Snips, &logged) - 0.857_142_857).abs() < 1e-9);
    assert!((evaluate(&logged, 10.0, 10.0, 50, 1).unwrap().effective_rows - 2.333_333).abs() < 1e-6);
    assert!((value(Estimator::ClippedIps(1.5), &logged) - 2.5 / 3.0).abs() < 1e-12);
    // Where the model is right, DR is DM; where it says 0, DR is IPS.
    let with = |logged: &[f64], policy: &[f64]| Logged {
        model: Some(Modelled { logged: logged.to_vec(), policy: policy.to_vec() }),
        ..hand()
    };
    let right = with(&[1.0, 0.0, 1.0], &[0.3, 0.6, 0.9]);
    assert!((value(Estimator::Dr, &right) - value(Estimator::Dm, &right)).abs() < 1e-12);
    assert!((value(Estimator::Dm, &right) - 0.6).abs() < 1e-12);
    let nothing = with(&[0.0; 3], &[0.0; 3]);
    assert!((value(Estimator::Dr, &nothing) - 1.0).abs() < 1e-12);
    assert!((value(Estimator::SwitchDr(1.5), &nothing) - 1.0 / 3.0).abs() < 1e-12, "the row of weight 2 is left out");
    // The same policy earns what it earned.
    let same = Logged { target: hand().propensity, ..hand() };
    for estimator in [Estimator::Ips, Estimator::Snips] {
        assert!((value(estimator, &same) - 2.0 / 3.0).abs() < 1e-12);
    }
    // An embedding that names the action makes MIPS IPS.
    let named = Logged { embedding: Some(vec![1, 2, 3]), ..hand() };
    assert!((value(Estimator::Mips, &named) - 1.0).abs() < 1e-12);
}

#[test]
fn slates_of_one_place_are_rows_and_longer_ones_are_those_of_hand() {
    let one = Logged { slate: Some(vec![1, 2, 3]), ..hand() };
    let weights = one.check().unwrap();
    for (name, terms) in slates::all(&one, &weights) {
        assert!((terms.value().unwrap() - 1.0).abs() < 1e-12, "{name}");
    }
    let two = Logged {
        reward: vec![1.0, 1.0, 0.0, 1.0],
        target: vec![0.5, 0.6, 0.1, 0.3],
        propensity: vec![0.25, 0.2, 0.2, 0.6],
        slate: Some(vec![7, 7, 8, 8]),
        ..Logged::default()
    };
    let found: Vec<f64> = slates::all(&two, &two.check().unwrap()).iter().map(|(_, t)| t.value().unwrap()).collect();
    let wanted = [(12.0 + 0.25) / 2.0, (5.0 + 0.5) / 2.0, (8.0 + 0.25) / 2.0, (8.0 + 0.0) / 2.0];
    assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {wanted:?}");
}

#[test]
fn rows_that_say_nothing_are_refused_with_their_place() {
    let refused = |change: &dyn Fn(&mut Logged), word: &str| {
        let mut logged = hand();
        change(&mut logged);
        let error = evaluate(&logged, 10.0, 10.0, 10, 1).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(&|l| l.propensity[1] = 0.0, "row 2");
    refused(&|l| l.propensity[1] = f64::NAN, "missing");
    refused(&|l| l.propensity[2] = 1.2, "at most 1");
    refused(&|l| l.target[0] = 1.5, "no probability");
    refused(&|l| l.reward[0] = f64::INFINITY, "row 1");
    refused(&|l| l.slate = Some(vec![1, 2, 1]), "stand apart");
    assert!(evaluate(&Logged::default(), 1.0, 1.0, 10, 1).is_err());
}

/// A world of contexts and actions, of which everything is known.
struct World {
    contexts: usize,
    actions: usize,
    /// Actions of one group have one reward, where groups count.
    groups: usize,
    /// How unlike the policy that is evaluated treats actions of one group.
    spread: f64,
}

impl World {
    fn reward(&self, x: usize, a: usize) -> f64 {
        0.1 + 0.8 * (((x * 7 + (a % self.groups) * 3) % 11) as f64 / 10.0)
    }

    fn policy(&self, x: usize, sharp: f64, spread: f64) -> Vec<f64> {
        let own = |a: usize| spread * crate::draw::normal(1, "action", a as u64);
        let weights: Vec<f64> = (0..self.actions).map(|a| (sharp * self.reward(x, a) + own(a)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|w| w / sum).collect()
    }

    fn truth(&self, sharp: f64) -> f64 {
        let of = |x: usize| {
            self.policy(x, sharp, self.spread).iter().enumerate().map(|(a, p)| p * self.reward(x, a)).sum::<f64>()
        };
        (0..self.contexts).map(of).sum::<f64>() / self.contexts as f64
    }

    /// A log by one policy, seen by another, with a model that is off by `wrong`.
    fn log(&self, rows: usize, seed: u64, from: f64, to: f64, wrong: f64) -> Logged {
        let mut draws = Draws::new(seed, "log", 0);
        let logging: Vec<Vec<f64>> = (0..self.contexts).map(|x| self.policy(x, from, 0.0)).collect();
        let target: Vec<Vec<f64>> = (0..self.contexts).map(|x| self.policy(x, to, self.spread)).collect();
        let (mut log, mut own, mut policy) = (Logged::default(), Vec::new(), Vec::new());
        let (mut groups, mut marginal) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let x = draws.below(self.contexts);
            let mut at = draws.unit();
            let a = logging[x].iter().position(|p| {
                at -= p;
                at < 0.0
            });
            let a = a.unwrap_or(self.actions - 1);
            log.reward.push(f64::from(u8::from(draws.unit() < self.reward(x, a))));
            log.propensity.push(logging[x][a]);
            log.target.push(target[x][a]);
            let model = |a: usize| self.reward(x, a) + wrong;
            own.push(model(a));
            policy.push(target[x].iter().enumerate().map(|(a, p)| p * model(a)).sum());
            groups.push((a % self.groups) as u64);
            let group = |of: &[f64]| of.iter().skip(a % self.groups).step_by(self.groups).sum::<f64>();
            marginal.push(group(&target[x]) / group(&logging[x]));
        }
        log.model = Some(Modelled { logged: own, policy });
        log.embedding = Some(groups);
        log.marginal = Some(marginal);
        log
    }
}

/// Of 100 logs, in how many each estimator's interval holds the truth.
fn coverage(world: &World, rows: usize, wrong: f64, named: &str) -> usize {
    let truth = world.truth(4.0);
    let holds = |seed: u64| {
        let log = world.log(rows, seed, 0.0, 4.0, wrong);
        let all = evaluate(&log, 1e9, 1e9, 200, seed).unwrap().estimates;
        let found = all.iter().find(|e| e.estimator.starts_with(named)).unwrap().interval.unwrap();
        found.low <= truth && truth <= found.high
    };
    (0..100).filter(|seed| holds(*seed)).count()
}

#[test]
fn intervals_hold_the_truth_where_assumptions_do() {
    let world = World { contexts: 5, actions: 6, groups: 6, spread: 0.0 };
    for name in ["ips", "snips", "dr", "switch-dr", "mips"] {
        let held = coverage(&world, 1_000, 0.0, name);
        assert!(held >= 90, "{name}: {held} of 100");
    }
    // A model that is wrong by the same everywhere is put right by weights, in DR.
    assert!(coverage(&world, 1_000, 0.2, "dr") >= 90);
}

#[test]
fn known_failures_show() {
    let few = World { contexts: 5, actions: 6, groups: 6, spread: 0.0 };
    assert!(coverage(&few, 1_000, 0.2, "dm") <= 5, "a wrong model is believed");
    // Ten thousand actions of ten kinds: weights of actions are wild, those of kinds are not.
    let many = World { contexts: 2, actions: 10_000, groups: 10, spread: 2.0 };
    let (mut ips, mut mips) = (0.0, 0.0);
    let truth = many.truth(4.0);
    for seed in 0..20 {
        let log = many.log(500, seed, 0.0, 4.0, 0.0);
        ips += (value(Estimator::Ips, &log) - truth).powi(2);
        mips += (value(Estimator::Mips, &log) - truth).powi(2);
    }
    assert!(ips > 5.0 * mips, "IPS {ips}, MIPS {mips}");
    let log = many.log(500, 1, 0.0, 4.0, 0.0);
    assert!(evaluate(&log, 10.0, 10.0, 10, 1).unwrap().effective_rows < 50.0);
}

#[test]
fn replay_keeps_the_rows_where_the_policy_agrees() {
    let log = Logged {
        reward: vec![1.0, 0.0, 1.0, 0.0],
        propensity: vec![0.25; 4],
        target: vec![1.0, 0.0, 0.0, 1.0],
        ..Logged::default()
    };
    assert!(Estimator::usual(&log, 10.0, 10.0).contains(&Estimator::Replay));
    assert_eq!(value(Estimator::Replay, &log), 0.5);
    let never = Logged { target: vec![0.0; 4], ..log };
    let all = evaluate(&never, 10.0, 10.0, 10, 1).unwrap();
    assert_eq!(all.estimates.iter().find(|e| e.estimator == "replay").unwrap().value, None);
}
