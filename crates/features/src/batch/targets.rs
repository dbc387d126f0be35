//! What rows should have been predicted as: a value a task, where it is known.

use serde::{Deserialize, Serialize};

/// Labels of a batch of B rows and T tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    /// T.
    pub tasks: usize,
    /// `[B·T]`, row by row; 0 where the label is not known.
    pub values: Vec<f32>,
    /// `[B·T]`: whether the label is known; none where all are. What is not known teaches nothing and no metric counts it.
    pub known: Option<Vec<bool>>,
    /// `[B·T]`: what a task's rows weigh beside the rows' own weight; none where all weigh 1.
    pub weights: Option<Vec<f32>>,
}

impl Targets {
    /// Labels of one task, all known.
    pub fn one(values: Vec<f32>) -> Self {
        Self { tasks: 1, values, known: None, weights: None }
    }

    /// Rows; 0 where there are no labels.
    pub fn rows(&self) -> usize {
        self.values.len() / self.tasks.max(1)
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The label of a row for a task; 0 where it is not known or there are no labels.
    pub fn value(&self, row: usize, task: usize) -> f32 {
        self.values.get(row * self.tasks + task).copied().unwrap_or(0.0)
    }

    /// Whether the label of a row for a task is known.
    pub fn is_known(&self, row: usize, task: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known[row * self.tasks + task])
    }

    /// What a row weighs for a task, beside its own weight; 0 where the label is not known.
    pub fn weight(&self, row: usize, task: usize) -> f32 {
        match self.is_known(row, task) {
            true => self.weights.as_ref().map_or(1.0, |w| w[row * self.tasks + task]),
            false => 0.0,
        }
    }

    /// The labels of a task, one a row.
    pub fn column(&self, task: usize) -> Vec<f32> {
        match self.tasks {
            1 => self.values.clone(),
            tasks => self.values.iter().skip(task).step_by(tasks.max(1)).copied().collect(),
        }
    }

    /// Sets a row's label of a task.
    pub fn set(&mut self, row: usize, task: usize, value: f32) {
        self.values[row * self.tasks + task] = value;
    }

    /// Makes a row one of an item that was drawn: known to be 0 in the tasks that say so, and not known in the others.
    pub fn draw(&mut self, row: usize, is_zero: &[bool]) {
        let own = row * self.tasks..(row + 1) * self.tasks;
        self.values[own.clone()].fill(0.0);
        if self.known.is_some() || is_zero.contains(&false) {
            let all = self.values.len();
            self.known.get_or_insert_with(|| vec![true; all])[own.clone()].copy_from_slice(is_zero);
        }
        if let Some(weights) = &mut self.weights {
            weights[own].fill(1.0);
        }
    }

    /// The rows in this order.
    pub(super) fn take(&self, order: &[u32]) -> Self {
        fn pick<T: Copy>(values: &[T], tasks: usize, order: &[u32]) -> Vec<T> {
            match (values.is_empty(), tasks) {
                (true, _) => Vec::new(),
                (_, 1) => order.iter().map(|&r| values[r as usize]).collect(),
                _ => {
                    order.iter().flat_map(|&r| &values[r as usize * tasks..(r as usize + 1) * tasks]).copied().collect()
                }
            }
        }
        Self {
            tasks: self.tasks,
            values: pick(&self.values, self.tasks, order),
            known: self.known.as_ref().map(|known| pick(known, self.tasks, order)),
            weights: self.weights.as_ref().map(|weights| pick(weights, self.tasks, order)),
        }
    }

    /// Adds the rows of other labels of the same tasks.
    pub(super) fn append(&mut self, other: &Self) {
        fn join<T: Copy>(own: &mut Option<Vec<T>>, more: &Option<Vec<T>>, rest: T, lengths: [usize; 2]) {
            if own.is_none() && more.is_none() {
                return;
            }
            let all = own.get_or_insert_with(|| vec![rest; lengths[0]]);
            match more {
                Some(more) => all.extend_from_slice(more),
                None => all.resize(lengths[0] + lengths[1], rest),
            }
        }
        self.tasks = self.tasks.max(other.tasks);
        let lengths = [self.values.len(), other.values.len()];
        join(&mut self.known, &other.known, true, lengths);
        join(&mut self.weights, &other.weights, 1.0, lengths);
        self.values.extend_from_slice(&other.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_moves_with_its_row_and_joins_what_is_all_known() {
        let some = Targets {
            tasks: 2,
            values: vec![1.0, 0.0, 0.0, 1.0],
            known: Some(vec![true, false, true, true]),
            weights: None,
        };
        let whole = Targets { tasks: 2, values: vec![0.5, 0.25], known: None, weights: Some(vec![2.0, 3.0]) };
        let mut both = whole.clone();
        both.append(&some);
        assert_eq!(both.known, Some(vec![true, true, true, false, true, true]));
        assert_eq!(both.weights, Some(vec![2.0, 3.0, 1.0, 1.0, 1.0, 1.0]));
        assert_eq!(both.column(1), [0.25, 0.0, 1.0]);
        let taken = both.take(&[1, 0]);
        assert_eq!((taken.is_known(0, 1), taken.weight(0, 1), taken.weight(1, 1)), (false, 0.0, 3.0));
        assert_eq!(both.take(&[1, 2]).values, some.values);
        let mut drawn = some;
        drawn.draw(0, &[true, true]);
        assert_eq!((drawn.value(0, 0), drawn.is_known(0, 1)), (0.0, true));
        let mut drawn = whole;
        drawn.draw(0, &[true, false]);
        assert_eq!((drawn.is_known(0, 0), drawn.is_known(0, 1), drawn.weight(0, 0)), (true, false, 1.0));
    }
}
