//! What somebody may have meant.

/// Edits between two words: letters put in, left out, changed, or two that changed places.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

/// The known name that is nearest, where one is near: a third of its letters at most are others.
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given: String = given.chars().take(64).collect::<String>().to_lowercase();
    let near = |name: &&str| {
        let found = edits(&given, &name.to_lowercase());
        (found * 3 <= name.chars().count()).then_some(found)
    };
    known.filter_map(|name| Some((near(&name)?, name))).min_by_key(|(found, _)| *found).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = || ["train.learning_rate", "train.epochs", "model.deepfm"].into_iter();
        assert_eq!(nearest("train.learnign_rate", known()), Some("train.learning_rate"));
        assert_eq!(nearest("train.epoch", known()), Some("train.epochs"));
        assert_eq!(nearest("weather", known()), None);
        assert_eq!(nearest("lr", ["l1", "l2"].into_iter()), None);
        assert_eq!((edits("ab", "ba"), edits("", "abc"), edits("kitten", "sitting")), (1, 3, 3));
    }
}
