//! What a model gives: a head a task.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

/// What a model says of one task, for B rows.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a batch has a handful of heads")]
pub enum Head {
    /// Log-odds, a number, or the scores of C classes: `[B, 1]` or `[B, C]`, before any link.
    Logit(Tensor<2>),
    /// The logarithms of the probabilities of 1 and of 0, `[B, 1]` each: what products of probabilities keep exact.
    LogProbability {
        /// `ln p`.
        yes: Tensor<2>,
        /// `ln (1 - p)`.
        no: Tensor<2>,
    },
}

impl Head {
    /// Log-odds, the number, or the scores of classes: what predictions and metrics are made of.
    pub fn scores(&self) -> Tensor<2> {
        match self {
            Self::Logit(scores) => scores.clone(),
            Self::LogProbability { yes, no } => yes.clone() - no.clone(),
        }
    }

    /// The probability of a chain of events, each given those before it, from their log-odds `[B, 1]`:
    /// `ln p = Σ ln σ(z_k)`, `ln (1 - p) = ln (1 - e^{ln p})`.
    pub fn chain(logits: impl IntoIterator<Item = Tensor<2>>) -> Option<Self> {
        logits.into_iter().map(log_sigmoid).reduce(|a, b| a + b).map(Self::of_log)
    }

    /// The heads of a chain of events from the log-odds `[B, 1]` of each given those before it: the first as it is, then
    /// products.
    pub fn chains(logits: &[Tensor<2>]) -> Vec<Self> {
        let head = |task: usize| match task {
            0 => logits.first().cloned().map(Self::Logit),
            _ => Self::chain(logits[..=task].iter().cloned()),
        };
        (0..logits.len()).filter_map(head).collect()
    }

    /// Where the log-odds of each event given the one before it start, from where those of the events themselves do.
    pub fn given(outputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let rates: Vec<f64> = outputs.iter().map(|biases| rate(biases)).collect();
        let before = std::iter::once(1.0).chain(rates.iter().copied());
        rates.iter().zip(before).map(|(rate, before)| vec![share(*rate, before)]).collect()
    }

    /// An event of the log-probability `yes`, `[B, 1]`.
    pub fn of_log(yes: Tensor<2>) -> Self {
        let no = log1mexp(yes.clone());
        Self::LogProbability { yes, no }
    }
}

/// The probability that a bias of log-odds starts at.
pub(crate) fn rate(biases: &[f32]) -> f64 {
    1.0 / (1.0 + (-f64::from(biases.first().copied().unwrap_or(0.0))).exp())
}

/// The log-odds of an event of this rate given one of that, which it follows.
pub(crate) fn share(rate: f64, before: f64) -> f32 {
    // Nothing is so sure that it could not be unlearned.
    let share = (rate / before).clamp(1e-6, 0.99);
    (share / (1.0 - share)).ln() as f32
}

/// `ln (1 - e^u)` for u < 0, exact at both ends: by `ln(-(e^u - 1))` near 0, by `ln(1 + -e^u)` below.
fn log1mexp(u: Tensor<2>) -> Tensor<2> {
    // Away from 0, where both forms are infinite.
    let u = u.clamp_max(-1e-7);
    let near = u.clone().greater_elem(-std::f32::consts::LN_2);
    // 1 - e^u = -u·(1 + u/2·(1 + u/3·(…))) : the series keeps the digits that a difference of near numbers loses.
    let close = {
        let v = u.clone().clamp_min(-std::f32::consts::LN_2);
        let mut series = v.clone() * (1.0 / 9.0) + 1.0;
        for k in (2..=8).rev() {
            series = v.clone() * series * (1.0 / f64::from(k)) + 1.0;
        }
        (v * series).neg().log()
    };
    let far = u.clamp_max(-std::f32::consts::LN_2).exp().neg().log1p();
    far.mask_where(near, close)
}

/// A head that is learned as a task's own is, and does not predict.
#[derive(Clone, Debug)]
pub struct Beside {
    /// The task.
    pub task: usize,
    /// The head.
    pub head: Head,
    /// What its loss weighs.
    pub weight: f64,
}

/// What a model gives for a batch.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// One head a task, in the order of the tasks.
    pub heads: Vec<Head>,
    /// Losses of the model's own, each `[1]`, added to the objective.
    pub auxiliary: Vec<Tensor<1>>,
    /// Logits of what was drawn, see [`super::Inputs::sampled`].
    pub sampled: Option<Tensor<2>>,
    /// Heads that are learned beside those of the tasks.
    pub beside: Vec<Beside>,
    /// How much of each expert each gate takes, `[B, E]`, under the gate's name.
    pub gates: Vec<(String, Tensor<2>)>,
}

impl Outputs {
    /// Heads alone.
    pub fn of(heads: Vec<Head>) -> Self {
        Self { heads, auxiliary: Vec::new(), sampled: None, beside: Vec::new(), gates: Vec::new() }
    }

    /// The only head, of one score a row `[B, 1]`.
    pub fn one(logit: Tensor<2>) -> Self {
        Self::of(vec![Head::Logit(logit)])
    }

    /// Scores side by side `[B, Σ widths]` as the heads of tasks that are so wide.
    pub fn split(scores: Tensor<2>, widths: &[usize]) -> Self {
        if widths.len() == 1 {
            return Self::one(scores);
        }
        let rows = scores.dims()[0];
        let mut at = 0;
        let head = |width: &usize| {
            at += width;
            Head::Logit(scores.clone().slice([0..rows, at - width..at]))
        };
        Self::of(widths.iter().map(head).collect())
    }

    /// The scores of all heads side by side, `[B, Σ widths]`.
    pub fn scores(&self) -> Tensor<2> {
        match self.heads.as_slice() {
            [only] => only.scores(),
            heads => Tensor::cat(heads.iter().map(Head::scores).collect(), 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_chain_keeps_its_digits_at_both_ends() {
        let device = Device::flex();
        let column = |values: &[f32]| Tensor::<1>::from_floats(values, &device).unsqueeze_dim::<2>(1);
        let first = [-30.0f32, -3.0, 0.0, 4.0, 9.0];
        let second = [-20.0f32, 1.0, 0.0, 5.0, 10.0];
        let Some(Head::LogProbability { yes, no }) = Head::chain([column(&first), column(&second)]) else { panic!() };
        let read = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let ln_sigma = |z: f64| -(-z).exp().ln_1p();
        for (((z, w), yes), no) in first.iter().zip(second).zip(read(yes)).zip(read(no)) {
            let u = ln_sigma(f64::from(*z)) + ln_sigma(f64::from(w));
            let expected = (-u.exp_m1()).ln();
            assert!((f64::from(yes) - u).abs() < 1e-5 * u.abs(), "{yes} {u}");
            assert!((f64::from(no) - expected).abs() < 2e-5 * expected.abs() + 1e-12, "{z} {w}: {no} {expected}");
        }
    }

    #[test]
    fn rows_without_the_first_event_teach_the_second() {
        let device = Device::flex().autodiff();
        let column = |values: &[f32]| Tensor::<1>::from_floats(values, &device).unsqueeze_dim::<2>(1).require_grad();
        let (first, second) = ([-3.0f32, 0.0, 2.0], [-1.0f32, 0.5, 3.0]);
        let (z, w) = (column(&first), column(&second));
        let Some(Head::LogProbability { no, .. }) = Head::chain([z, w.clone()]) else { panic!() };
        // The cross-entropy of impressions that were not clicked, and so not converted.
        let gradients = no.neg().sum().backward();
        let found: Vec<f32> = w.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
        let sigma = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
        for ((z, w), found) in first.iter().zip(second).zip(found) {
            let (given, both) = (sigma(w), sigma(*z) * sigma(w));
            let expected = both * (1.0 - given) / (1.0 - both);
            assert!((f64::from(found) - expected).abs() < 1e-4 * expected, "{found} {expected}");
        }
    }
}
