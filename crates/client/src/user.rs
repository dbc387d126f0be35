//! The user's vector, and what moves it.

use std::collections::VecDeque;

use crate::error::Error;
use crate::message::Message;
use crate::slate::{Rule, Slate};

/// A user on the client's side.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    id: String,
    version: String,
    rule: Rule,
    /// Of all clicks, where all count.
    sum: Vec<f64>,
    weight: f64,
    /// The latest clicks, where only those count.
    recent: VecDeque<Vec<f32>>,
}

impl User {
    /// A user who clicked nothing yet, by the rule and the vectors of a slate.
    pub fn new(id: &str, slate: &Slate) -> Self {
        Self {
            id: id.into(),
            version: slate.version.clone(),
            rule: slate.rule,
            sum: vec![0.0; slate.dim],
            weight: 0.0,
            recent: VecDeque::new(),
        }
    }

    /// Takes a click in.
    ///
    /// # Errors
    /// An item that the slate does not have, a slate of other vectors; nothing is taken in then.
    pub fn click(&mut self, slate: &Slate, item: &str) -> Result<(), Error> {
        if slate.version != self.version || slate.dim != self.sum.len() {
            return Err(Error::Version { own: self.version.clone(), other: slate.version.clone() });
        }
        let vector = slate.vector(item).ok_or_else(|| Error::Item { id: item.into() })?;
        match self.rule.latest {
            Some(most) => {
                self.recent.push_back(vector.to_vec());
                while self.recent.len() > most {
                    self.recent.pop_front();
                }
            }
            None => {
                let decay = self.rule.decay;
                self.sum.iter_mut().zip(vector).for_each(|(s, v)| *s = *s * decay + f64::from(*v));
                self.weight = self.weight * decay + 1.0;
            }
        }
        Ok(())
    }

    /// The vector; zeros before the first click.
    pub fn vector(&self) -> Vec<f32> {
        let (mut sum, mut total, mut weight) = (self.sum.clone(), self.weight, 1.0);
        for vector in self.recent.iter().rev() {
            sum.iter_mut().zip(vector).for_each(|(s, v)| *s += weight * f64::from(*v));
            total += weight;
            weight *= self.rule.decay;
        }
        sum.into_iter().map(|s| if total > 0.0 { (s / total) as f32 } else { 0.0 }).collect()
    }

    /// What is sent with the next request.
    pub fn message(&self) -> Message {
        Message { user: self.id.clone(), version: self.version.clone(), vector: self.vector() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slate(decay: f64, latest: Option<usize>) -> Slate {
        let items: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        Slate::new("v", Rule { decay, latest }, &items, vec![1.0, 0.0, 0.0, 1.0, 4.0, 4.0]).unwrap()
    }

    fn clicked(slate: &Slate, items: &str) -> Vec<f32> {
        let mut user = User::new("u", slate);
        items.chars().for_each(|item| user.click(slate, &item.to_string()).unwrap());
        user.vector()
    }

    #[test]
    fn means_moving_means_and_windows_by_hand() {
        assert_eq!(clicked(&slate(1.0, None), ""), [0.0, 0.0]);
        assert_eq!(clicked(&slate(1.0, None), "aab"), [2.0 / 3.0, 1.0 / 3.0]);
        // b weighs 1, the two before it 1/2 and 1/4: (0.5 + 0.25, 1) / 1.75.
        let moving = clicked(&slate(0.5, None), "aab");
        assert!((moving[0] - 0.75 / 1.75).abs() < 1e-7 && (moving[1] - 1.0 / 1.75).abs() < 1e-7);
        assert_eq!(clicked(&slate(1.0, Some(2)), "cccab"), [0.5, 0.5]);
        let both = clicked(&slate(0.5, Some(2)), "cab");
        assert!((both[0] - 0.5 / 1.5).abs() < 1e-7 && (both[1] - 1.0 / 1.5).abs() < 1e-7);
        // A window that holds all is the mean of all.
        assert_eq!(clicked(&slate(0.5, Some(9)), "abca"), clicked(&slate(0.5, None), "abca"));
    }

    #[test]
    fn items_that_are_not_there_and_other_vectors_are_refused_and_change_nothing() {
        let own = slate(1.0, None);
        let mut user = User::new("u", &own);
        user.click(&own, "a").unwrap();
        let before = user.clone();
        assert_eq!(user.click(&own, "z"), Err(Error::Item { id: "z".into() }));
        let other = Slate::new("w", own.rule, &["a".into()], vec![1.0, 0.0]).unwrap();
        assert!(matches!(user.click(&other, "a"), Err(Error::Version { .. })));
        assert_eq!(user, before);
    }
}
