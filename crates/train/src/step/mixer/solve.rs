//! The arithmetic of mixing gradients, on their products with each other: `M[i][j] = g_i·g_j`.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Products of gradients with each other.
pub(super) type Gram = Vec<Vec<f64>>;

/// How much of each gradient the sum of all has, once what opposes another is taken out of each: `g_i ← g_i - (g_i·g_j / g_j²) g_j`
/// over the others in a drawn order, where the product is below 0 and `g_j` as it was (Yu et al. 2020).
pub(super) fn surgery(gram: &Gram, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let count = gram.len();
    let mut sum = vec![0.0; count];
    for task in 0..count {
        let mut own = vec![0.0; count];
        own[task] = 1.0;
        let mut others: Vec<usize> = (0..count).filter(|other| *other != task).collect();
        others.shuffle(rng);
        for other in others {
            let product: f64 = own.iter().zip(&gram[other]).map(|(share, m)| share * m).sum();
            if product < 0.0 && gram[other][other] > 0.0 {
                own[other] -= product / gram[other][other];
            }
        }
        sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
    }
    sum
}

/// The share of the first of two gradients in their shortest mixture, from `a·a`, `a·b`, `b·b`.
fn shortest_of_two(aa: f64, ab: f64, bb: f64) -> f64 {
    let apart = aa - 2.0 * ab + bb;
    if apart <= 0.0 { 0.5 } else { ((bb - ab) / apart).clamp(0.0, 1.0) }
}

/// Rounds of the search at most, and how small its last step is.
const ROUNDS: usize = 250;
const SMALL: f64 = 1e-5;

/// Shares of sum 1 whose mixture of the gradients is shortest: exact for two, else by Frank and Wolfe's search from the best pair.
pub(super) fn shortest(gram: &Gram) -> Vec<f64> {
    let count = gram.len();
    let mixed = |i: usize, j: usize| {
        let share = shortest_of_two(gram[i][i], gram[i][j], gram[j][j]);
        let rest = 1.0 - share;
        (share, share * share * gram[i][i] + 2.0 * share * rest * gram[i][j] + rest * rest * gram[j][j])
    };
    let pairs = (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j)));
    let Some((i, j)) = pairs.min_by(|a, b| mixed(a.0, a.1).1.total_cmp(&mixed(b.0, b.1).1)) else {
        return vec![1.0; count];
    };
    let mut shares = vec![0.0; count];
    (shares[i], shares[j]) = (mixed(i, j).0, 1.0 - mixed(i, j).0);
    for _ in 0..if count > 2 { ROUNDS } else { 0 } {
        let products: Vec<f64> = gram.iter().map(|row| row.iter().zip(&shares).map(|(m, s)| m * s).sum()).collect();
        let least = (0..count).min_by(|a, b| products[*a].total_cmp(&products[*b])).unwrap_or(0);
        let own: f64 = products.iter().zip(&shares).map(|(p, s)| p * s).sum();
        let kept = shortest_of_two(own, products[least], gram[least][least]);
        if 1.0 - kept < SMALL {
            break;
        }
        shares.iter_mut().for_each(|share| *share *= kept);
        shares[least] += 1.0 - kept;
    }
    shares
}

/// Shares of sum 1, each at least its floor, whose mixture is shortest: the equations of the sum alone, then the nearest point
/// above the floors (Lin et al. 2019).
pub(super) fn with_floors(gram: &Gram, floors: &[f64]) -> Vec<f64> {
    let count = gram.len();
    let left = (1.0 - floors.iter().sum::<f64>()).max(0.0);
    // [G e; eᵀ 0] [v; μ] = [-G c; left]
    let mut system = vec![vec![0.0; count + 2]; count + 1];
    let scale = (0..count).map(|i| gram[i][i]).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    for i in 0..count {
        for j in 0..count {
            system[i][j] = gram[i][j] / scale + if i == j { 1e-8 } else { 0.0 };
        }
        (system[i][count], system[count][i]) = (1.0, 1.0);
        system[i][count + 1] = -(0..count).map(|j| gram[i][j] / scale * floors[j]).sum::<f64>();
    }
    system[count][count + 1] = left;
    let above = eliminate(system).unwrap_or_else(|| vec![left / count as f64; count]);
    nearest(&above[..count], left).iter().zip(floors).map(|(above, floor)| above + floor).collect()
}

/// Solves a system whose last column is the right side, by elimination with pivots.
fn eliminate(mut system: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let count = system.len();
    for column in 0..count {
        let pivot = (column..count).max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs()))?;
        if system[pivot][column].abs() < 1e-14 {
            return None;
        }
        system.swap(column, pivot);
        for row in (0..count).filter(|row| *row != column) {
            let factor = system[row][column] / system[column][column];
            let own = system[column].clone();
            system[row].iter_mut().zip(own).skip(column).for_each(|(x, pivot)| *x -= factor * pivot);
        }
    }
    Some((0..count).map(|row| system[row][count] / system[row][row]).collect())
}

/// The nearest point of numbers of at least 0 and this sum.
fn nearest(point: &[f64], sum: f64) -> Vec<f64> {
    if sum <= 0.0 {
        return vec![0.0; point.len()];
    }
    let mut sorted = point.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut total, mut threshold) = (0.0, 0.0);
    for (place, value) in sorted.iter().enumerate() {
        total += value;
        let off = (total - sum) / (place + 1) as f64;
        if value - off > 0.0 {
            threshold = off;
        }
    }
    point.iter().map(|value| (value - threshold).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn gram(gradients: &[&[f64]]) -> Gram {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum();
        gradients.iter().map(|a| gradients.iter().map(|b| product(a, b)).collect()).collect()
    }

    fn mixed(gradients: &[&[f64]], shares: &[f64]) -> Vec<f64> {
        let of = |at: usize| gradients.iter().zip(shares).map(|(g, s)| g[at] * s).sum();
        (0..gradients[0].len()).map(of).collect()
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }

    #[test]
    fn opposed_gradients_are_projected_and_others_are_added_up() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let opposed: [&[f64]; 2] = [&[1.0, 0.0], &[-1.0, 1.0]];
        near(&mixed(&opposed, &surgery(&gram(&opposed), &mut rng)), &[0.5, 1.5]);
        let alike: [&[f64]; 2] = [&[1.0, 0.0], &[1.0, 1.0]];
        near(&surgery(&gram(&alike), &mut rng), &[1.0, 1.0]);
        // A gradient of nothing is in nobody's way.
        let nothing: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 0.0]];
        near(&surgery(&gram(&nothing), &mut rng), &[1.0, 1.0]);
    }

    #[test]
    fn projections_are_onto_gradients_as_they_were() {
        // By vectors, in each order of the others; the sum over tasks of what is left.
        let g: [&[f64]; 3] = [&[1.0, 0.2, 0.0], &[-1.0, 0.5, 0.3], &[-0.2, -1.0, 0.4]];
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let found = mixed(&g, &surgery(&gram(&g), &mut rng));
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut expected = vec![0.0; 3];
        for task in 0..3 {
            let mut own = g[task].to_vec();
            let mut others: Vec<usize> = (0..3).filter(|o| *o != task).collect();
            others.shuffle(&mut rng);
            for other in others {
                let product: f64 = own.iter().zip(g[other]).map(|(a, b)| a * b).sum();
                let length: f64 = g[other].iter().map(|b| b * b).sum();
                if product < 0.0 {
                    own.iter_mut().zip(g[other]).for_each(|(a, b)| *a -= product / length * b);
                }
            }
            expected.iter_mut().zip(own).for_each(|(e, o)| *e += o);
        }
        near(&found, &expected);
    }

    #[test]
    fn the_shortest_mixture_descends_on_all_alike() {
        let two: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 2.0]];
        near(&shortest(&gram(&two)), &[0.8, 0.2]);
        // One inside the other's half-space: the short one alone.
        near(&shortest(&gram(&[&[1.0, 0.0], &[3.0, 1.0]])), &[1.0, 0.0]);
        let three: [&[f64]; 3] = [&[1.0, 0.0, 0.0], &[0.0, 2.0, 0.0], &[0.0, 0.0, 4.0]];
        let found = shortest(&gram(&three));
        // Of right angles the shares are as 1 to length squared.
        let total = 1.0 + 0.25 + 0.0625;
        let expected = [1.0 / total, 0.25 / total, 0.0625 / total];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
        // Gradients that add up to nothing can be brought there.
        let around: [&[f64]; 3] = [&[1.0, 0.0], &[-0.5, 0.8], &[-0.5, -0.8]];
        assert!(mixed(&around, &shortest(&gram(&around))).iter().all(|x| x.abs() < 0.02));
    }

    #[test]
    fn floors_hold_and_without_them_the_mixture_is_the_shortest() {
        let two = gram(&[&[1.0, 0.0], &[0.0, 2.0]]);
        near(&with_floors(&two, &[0.3, 0.1]), &[0.8, 0.2]);
        near(&with_floors(&two, &[0.3, 0.4]), &[0.6, 0.4]);
        near(&with_floors(&two, &[0.0, 0.0]), &[0.8, 0.2]);
        near(&with_floors(&two, &[0.5, 0.5]), &[0.5, 0.5]);
        // Two gradients that are one: the equations have many answers, and any is right.
        let same = with_floors(&gram(&[&[1.0, 1.0], &[1.0, 1.0]]), &[0.1, 0.2]);
        assert!((same.iter().sum::<f64>() - 1.0).abs() < 1e-9 && same[0] >= 0.1 && same[1] >= 0.2, "{same:?}");
    }
}
