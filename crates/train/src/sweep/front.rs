//! The trials that no other beats in two metrics at once.

/// Whether each of these pairs is on the Pareto front; `rises` says of each metric whether larger is better. Pairs that lack a
/// value are not.
pub fn front(pairs: &[[Option<f64>; 2]], rises: [bool; 2]) -> Vec<bool> {
    let signed = |pair: &[Option<f64>; 2]| -> Option<[f64; 2]> {
        let of = |at: usize| pair[at].map(|x| if rises[at] { x } else { -x });
        Some([of(0)?, of(1)?])
    };
    let all: Vec<Option<[f64; 2]>> = pairs.iter().map(signed).collect();
    let beats = |a: &[f64; 2], b: &[f64; 2]| a[0] >= b[0] && a[1] >= b[1] && (a[0] > b[0] || a[1] > b[1]);
    let on = |own: &Option<[f64; 2]>| own.is_some_and(|own| !all.iter().flatten().any(|other| beats(other, &own)));
    all.iter().map(on).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beaten_in_both_is_not_on_it() {
        let pairs = [
            [Some(1.0), Some(0.5)],
            [Some(0.9), Some(0.4)],
            [Some(0.8), Some(0.1)],
            [Some(1.0), Some(0.5)],
            [None, Some(0.0)],
        ];
        // The first larger, the second smaller: the second is beaten by nobody, the third neither.
        assert_eq!(front(&pairs, [true, false]), [true, true, true, true, false]);
        assert_eq!(front(&pairs, [true, true]), [true, false, false, true, false]);
    }
}
