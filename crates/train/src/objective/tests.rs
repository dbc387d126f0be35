//! Losses against hand-computed values, and their gradients against finite differences.

use burn::tensor::{Device, Tensor};
use burnrec_features::{Batch, Drawn, Sharing, Targets};
use burnrec_models::Head;

use super::*;

/// What a loss needs of a batch, on a device.
fn target(kind: LossKind, batch: &Batch, device: &Device) -> Target {
    kind.objective(0.0).prepare(batch, 0).target(device, |values| column_of(values, device))
}

fn column_of(values: &[f32], device: &Device) -> Tensor<2> {
    super::column(values, device)
}

fn column(values: &[f32], device: &Device) -> Tensor<2> {
    column_of(values, device)
}

fn loss(kind: LossKind, batch: &Batch, scores: Tensor<2>, device: &Device) -> Tensor<1> {
    kind.objective(0.0).loss(&Head::Logit(scores), None, &target(kind, batch, device))
}

/// A loss over rows by themselves.
fn rows(kind: LossKind, scores: Tensor<2>, labels: &[f32], weights: Option<&[f32]>) -> Tensor<1> {
    let weight = weights.map_or_else(Vec::new, <[f32]>::to_vec);
    let batch = Batch { rows: labels.len(), targets: Targets::one(labels.to_vec()), weight, ..Batch::default() };
    let device = scores.device();
    loss(kind, &batch, scores, &device)
}

/// The softmax over what was drawn.
fn drawn_loss(drawn: Drawn, scores: Tensor<2>, sampled: Tensor<2>, labels: &[f32]) -> Tensor<1> {
    let batch =
        Batch { rows: labels.len(), targets: Targets::one(labels.to_vec()), drawn: Some(drawn), ..Batch::default() };
    let target = target(LossKind::SampledSoftmax, &batch, &scores.device());
    LossKind::SampledSoftmax.objective(0.0).loss(&Head::Logit(scores), Some(&sampled), &target)
}

/// Value and gradient of a loss at scores.
fn at(kind: LossKind, scores: &[f32], labels: &[f32], groups: &[u64]) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let s = Tensor::<1>::from_floats(scores, &device).unsqueeze_dim::<2>(1).require_grad();
    let batch = Batch {
        rows: labels.len(),
        targets: Targets::one(labels.to_vec()),
        group: groups.to_vec(),
        ..Batch::default()
    };
    let value = loss(kind, &batch, s.clone(), &device);
    let gradients = value.backward();
    let gradient = s.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
    (value.into_scalar(), gradient)
}

#[test]
fn a_list_is_what_the_loader_cut_and_not_the_group() {
    let device = Device::flex();
    let batch = Batch {
        rows: 4,
        targets: Targets::one(vec![1.0, 0.0, 0.0, 1.0]),
        group: vec![7; 4],
        list: vec![0, 0, 1, 1],
        ..Batch::default()
    };
    let scores = Tensor::<2>::zeros([4, 1], &device);
    let value = loss(LossKind::Softmax, &batch, scores, &device).into_scalar::<f32>();
    assert!((value - 2f32.ln()).abs() < 1e-6, "{value}");
}

fn close(a: &[f32], b: &[f32]) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5) && a.len() == b.len(), "{a:?} {b:?}");
}

const PAIRWISE: [LossKind; 3] = [LossKind::Bpr, LossKind::Ranknet, LossKind::Lambdarank];

#[test]
fn bpr_is_ln_2_where_scores_are_equal_and_its_gradient_is_one_minus_sigma() {
    let (value, gradient) = at(LossKind::Bpr, &[0.0, 0.0], &[1.0, 0.0], &[1, 1]);
    close(&[value], &[2f32.ln()]);
    close(&gradient, &[-0.5, 0.5]);
    let (value, gradient) = at(LossKind::Bpr, &[2.0, 0.5], &[1.0, 0.0], &[1, 1]);
    let sigma = 1.0 / (1.0 + (-1.5f32).exp());
    close(&[value], &[-sigma.ln()]);
    close(&gradient, &[sigma - 1.0, 1.0 - sigma]);
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let (scores, labels, groups) =
        ([0.3, -0.2, 1.1, 0.4, 0.9, 0.1f32], [1.0, 0.0, 2.0, 0.0, 1.0, 0.0], [1, 1, 1, 1, 2, 2]);
    for kind in [LossKind::Bpr, LossKind::Ranknet, LossKind::Listnet, LossKind::Softmax] {
        let (_, gradient) = at(kind, &scores, &labels, &groups);
        for i in 0..6 {
            let moved = |by: f32| {
                let mut scores = scores;
                scores[i] += by;
                f64::from(at(kind, &scores, &labels, &groups).0)
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((slope - f64::from(gradient[i])).abs() < 2e-4, "{kind:?} {i}: {slope} {}", gradient[i]);
        }
    }
}

#[test]
fn a_constant_on_a_list_changes_nothing_and_lists_without_contrast_do_not_count() {
    let groups = [1, 1, 1, 2, 2, 3, 3];
    let labels = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    for kind in PAIRWISE.into_iter().chain([LossKind::Listnet, LossKind::Softmax]) {
        let (value, _) = at(kind, &[0.1, 0.7, -0.3, 0.2, 0.6, 9.0, -9.0], &labels, &groups);
        let (moved, gradient) = at(kind, &[5.1, 5.7, 4.7, 0.2, 0.6, -7.0, 3.0], &labels, &groups);
        assert!((value - moved).abs() < 1e-5, "{kind:?} {value} {moved}");
        assert_eq!(&gradient[5..], [0.0, 0.0], "{kind:?}");
    }
}

#[test]
fn listnet_is_least_at_the_labels_where_it_is_their_entropy() {
    let labels = [2.0, 0.0, 1.0];
    let sum: f32 = labels.iter().map(|y: &f32| y.exp()).sum();
    let entropy: f32 = labels.iter().map(|y| -(y.exp() / sum) * (y.exp() / sum).ln()).sum();
    let (value, gradient) = at(LossKind::Listnet, &[7.0, 5.0, 6.0], &labels, &[1, 1, 1]);
    close(&[value], &[entropy]);
    close(&gradient, &[0.0; 3]);
}

#[test]
fn one_click_a_list_makes_softmax_cross_entropy() {
    let scores = [0.5f32, 2.0, -1.0];
    let (value, gradient) = at(LossKind::Softmax, &scores, &[0.0, 1.0, 0.0], &[1, 1, 1]);
    let sum: f32 = scores.iter().map(|s| s.exp()).sum();
    close(&[value], &[sum.ln() - 2.0]);
    close(&gradient, &[scores[0].exp() / sum, scores[1].exp() / sum - 1.0, scores[2].exp() / sum]);
}

#[test]
fn lambdarank_weighs_a_pair_by_what_its_swap_is_worth() {
    // The relevant row stands third of three: swapping it with the first gains 1 - 1/2, with the second 1/log2(3) - 1/2.
    let (_, gradient) = at(LossKind::Lambdarank, &[0.0, -1.0, -2.0], &[0.0, 0.0, 1.0], &[1, 1, 1]);
    let sigma = |x: f32| 1.0 / (1.0 + (-x).exp());
    let (first, second) = (0.5 * sigma(2.0), (1.0 / 3f32.log2() - 0.5) * sigma(1.0));
    close(&gradient, &[first, second, -first - second]);
}

#[test]
fn cross_entropy_is_exact_at_the_ends_and_its_gradient_is_p_minus_y() {
    let device = Device::flex().autodiff();
    let z = column(&[0.0, 100.0, -100.0, 2.0], &device).require_grad();
    let value = rows(LossKind::Bce, z.clone(), &[1.0, 1.0, 1.0, 0.0], None);
    let found: f32 = value.clone().into_scalar();
    let expected = (2f32.ln() + 0.0 + 100.0 + (1.0 + 2f32.exp()).ln()) / 4.0;
    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    let grads = value.backward();
    let gradient: Vec<f32> = z.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
    let sigmoid = |z: f32| 1.0 / (1.0 + (-z).exp());
    for (g, e) in gradient.iter().zip([sigmoid(0.0) - 1.0, 0.0, -1.0, sigmoid(2.0)]) {
        assert!((g * 4.0 - e).abs() < 1e-5, "{gradient:?}");
    }
}

#[test]
fn the_intercept_of_weighted_logistic_regression_is_the_log_of_watched_over_unwatched() {
    // 100 of 1000 rows are watched for 10: ln(1000 / 900).
    let device = Device::flex().autodiff();
    let labels: Vec<f32> = (0..1000).map(|i| if i < 100 { 10.0 } else { 0.0 }).collect();
    let best = (1000f32 / 900.0).ln();
    assert!((best - 0.10536).abs() < 1e-5);
    let z = column(&vec![best; 1000], &device).require_grad();
    let grads = rows(LossKind::WeightedLogistic, z.clone(), &labels, None).backward();
    let gradient: Vec<f32> = z.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
    assert!(gradient.iter().sum::<f32>().abs() < 1e-5 && gradient[0] < -1e-3, "{}", gradient.iter().sum::<f32>());
}

#[test]
fn hubers_loss_is_a_square_near_and_a_distance_far() {
    let device = Device::flex();
    let found: f32 = rows(LossKind::Huber, column(&[0.5, 3.0, -2.0], &device), &[0.0; 3], None).into_scalar();
    assert!((found - (0.125 + 2.5 + 1.5) / 3.0).abs() < 1e-6, "{found}");
    let device = device.autodiff();
    let scores = column(&[0.5, 3.0, -2.0], &device).require_grad();
    let gradients = rows(LossKind::Huber, scores.clone(), &[0.0; 3], None).backward();
    let found: Vec<f32> = scores.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
    let wanted = [0.5 / 3.0, 1.0 / 3.0, -1.0 / 3.0];
    assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
}

#[test]
fn weights_are_normalised_by_their_sum() {
    let device = Device::flex();
    let found: f32 = rows(LossKind::Mse, column(&[1.0, 3.0], &device), &[0.0, 0.0], Some(&[3.0, 1.0])).into_scalar();
    assert!((found - (3.0 * 1.0 + 9.0) / 4.0).abs() < 1e-6);
}

fn matrix<const R: usize, const C: usize>(values: [[f32; C]; R]) -> Tensor<2> {
    Tensor::from_floats(values, &Device::flex())
}

#[test]
fn the_softmax_takes_frequencies_off_and_never_punishes_the_own_item() {
    let drawn = Drawn {
        sharing: Sharing::All,
        log_expected_own: vec![0.5f32.ln()],
        log_expected: vec![0.25f32.ln(), 2f32.ln(), 1f32.ln()],
        hits: vec![(0, 2)],
    };
    let found: f32 = drawn_loss(drawn, matrix([[1.0]]), matrix([[0.5, 0.0, 9.0]]), &[1.0]).into_scalar();
    let powers = [1f32.exp() / 0.5, 0.5f32.exp() / 0.25, 1.0 / 2.0];
    let expected = -(powers[0] / powers.iter().sum::<f32>()).ln();
    assert!((found - expected).abs() < 1e-5, "{found} {expected}");
}

#[test]
fn rows_of_label_0_are_no_classes() {
    let drawn = Drawn { log_expected_own: vec![0.0; 2], log_expected: vec![0.0], ..Drawn::default() };
    let found: f32 = drawn_loss(drawn, matrix([[0.0], [50.0]]), matrix([[0.0], [0.0]]), &[1.0, 0.0]).into_scalar();
    assert!((found - 2f32.ln()).abs() < 1e-6, "{found}");
}

#[test]
fn noise_is_summed_over_what_was_drawn() {
    let batch = Batch { rows: 2, targets: Targets::one(vec![1.0; 2]), ..Batch::default() };
    let target = target(LossKind::NegativeSampling, &batch, &Device::flex());
    let sampled = matrix([[0.0, 0.0], [0.0, 0.0]]);
    let objective = LossKind::NegativeSampling.objective(0.0);
    let found: f32 = objective.loss(&Head::Logit(matrix([[0.0], [0.0]])), Some(&sampled), &target).into_scalar();
    assert!((found - 3.0 * 2f32.ln()).abs() < 1e-6);
}

#[test]
fn classes_start_at_their_shares_and_their_gradient_is_softmax_minus_the_class() {
    let device = Device::flex().autodiff();
    let scores = Tensor::<2>::from_floats([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], &device).require_grad();
    let value = rows(LossKind::CrossEntropy, scores.clone(), &[1.0, 2.0], None);
    let powers = [[1f32, 2.0, 0.5], [0.0, -1.0, 3.0]].map(|row| row.map(f32::exp));
    let share = |row: usize, class: usize| powers[row][class] / powers[row].iter().sum::<f32>();
    close(&[value.clone().into_scalar()], &[-(share(0, 1).ln() + share(1, 2).ln()) / 2.0]);
    let gradient: Vec<f32> = scores.grad(&value.backward()).unwrap().into_data().try_to_vec().unwrap();
    let expected = [share(0, 0), share(0, 1) - 1.0, share(0, 2), share(1, 0), share(1, 1), share(1, 2) - 1.0];
    close(&gradient, &expected.map(|g| g / 2.0));
    let fit = burnrec_features::TargetFit { known: 4, mean: 0.0, shares: vec![0.25, 0.75] };
    close(&LossKind::CrossEntropy.objective(0.0).bias(&fit), &[0.25f32.ln(), 0.75f32.ln()]);
}

#[test]
fn rows_whose_label_is_not_known_are_not_there() {
    let device = Device::flex().autodiff();
    let groups = [1, 1, 1, 1, 2, 2, 3, 3];
    let labels = [1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let scores = [0.3f32, -0.2, 1.1, 0.4, 0.9, 0.1, -3.0, 2.0];
    let known = [true, true, false, true, true, true, false, false];
    for kind in PAIRWISE.into_iter().chain([LossKind::Listnet, LossKind::Softmax, LossKind::Mse]) {
        let (mut targets, at) =
            (Targets::one(labels.to_vec()), |scores: &[f32]| column(scores, &device).require_grad());
        targets.known = Some(known.to_vec());
        let all = at(&scores);
        let batch = Batch { rows: 8, targets, group: groups.to_vec(), ..Batch::default() };
        let value = loss(kind, &batch, all.clone(), &device);
        let kept: Vec<usize> = (0..8).filter(|row| known[*row]).collect();
        let pick = |values: &[f32]| kept.iter().map(|row| values[*row]).collect::<Vec<f32>>();
        let fewer = at(&pick(&scores));
        let batch = Batch {
            rows: 5,
            targets: Targets::one(pick(&labels)),
            group: kept.iter().map(|row| groups[*row]).collect(),
            ..Batch::default()
        };
        let expected = loss(kind, &batch, fewer.clone(), &device);
        close(&[value.clone().into_scalar()], &[expected.clone().into_scalar()]);
        let gradient = |of: &Tensor<2>, value: Tensor<1>| -> Vec<f32> {
            of.grad(&value.backward()).unwrap().into_data().try_to_vec().unwrap()
        };
        let (found, expected) = (gradient(&all, value), gradient(&fewer, expected));
        close(&pick(&found), &expected);
        assert!((0..8).filter(|row| !known[*row]).all(|row| found[row] == 0.0), "{kind:?} {found:?}");
    }
}

#[test]
fn a_head_of_log_probabilities_has_the_cross_entropy_of_its_log_odds() {
    let device = Device::flex();
    let z = column(&[-2.0, 0.3, 4.0], &device);
    let labels = [0.0, 1.0, 1.0];
    let batch = Batch { rows: 3, targets: Targets::one(labels.to_vec()), ..Batch::default() };
    let target = target(LossKind::Bce, &batch, &device);
    let head = Head::LogProbability {
        yes: burn::tensor::activation::log_sigmoid(z.clone()),
        no: burn::tensor::activation::log_sigmoid(z.clone().neg()),
    };
    let objective = LossKind::Bce.objective(0.0);
    let found: f32 = objective.loss(&head, None, &target).into_scalar();
    close(&[found], &[objective.loss(&Head::Logit(z), None, &target).into_scalar()]);
}
