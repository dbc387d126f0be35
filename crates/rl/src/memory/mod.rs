//! Replay memory: the latest so many entries, drawn uniformly or by how wrong they were predicted (Schaul et al. 2016).

mod tree;

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::Draws;
use crate::error::{RlError, bad};
use tree::SumTree;

/// A replay memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Requests that it holds; older ones go.
    pub requests: usize,
    /// How far priorities count, α: 0 draws all alike.
    pub priority: f64,
    /// How far their bias is weighed away, β: 1 wholly. Without priorities it says nothing.
    pub correction: f64,
    /// Candidates of a request that are kept beside the slate, drawn: what the best next action is looked for among. 0 keeps all.
    pub candidates: usize,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { requests: 5_000, priority: 0.0, correction: 0.4, candidates: 20 }
    }
}

impl MemoryConfig {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self, key: &str) -> Result<(), RlError> {
        match () {
            () if !(1..=10_000_000).contains(&self.requests) => {
                Err(bad(format!("{key}.requests"), "must lie in 1..=10000000"))
            }
            () if !(0.0..=1.0).contains(&self.priority) => Err(bad(format!("{key}.priority"), "must lie in 0..=1")),
            () if !(0.0..=1.0).contains(&self.correction) => Err(bad(format!("{key}.correction"), "must lie in 0..=1")),
            () => Ok(()),
        }
    }
}

/// Entries by number, the latest ones. What is not ready is held, and not drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory<T> {
    entries: Vec<Option<(u64, T)>>,
    places: HashMap<u64, usize>,
    /// The place that the next entry takes.
    next: usize,
    priorities: SumTree,
    /// The largest priority seen: that of entries that were never drawn.
    largest: f64,
    power: f64,
}

/// An entry that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Its number.
    pub id: u64,
    /// What it weighs, so that drawing by priority has no bias: at most 1.
    pub weight: f64,
}

impl<T> Memory<T> {
    /// Of so many entries, drawn by this power of their priority.
    pub fn new(capacity: usize, power: f64) -> Self {
        Self {
            entries: (0..capacity).map(|_| None).collect(),
            places: HashMap::new(),
            next: 0,
            priorities: SumTree::new(capacity),
            largest: 1.0,
            power,
        }
    }

    /// Entries that may be drawn.
    pub fn ready(&self) -> usize {
        self.priorities.positive()
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// An entry; none where it is gone, or never was.
    pub fn get(&self, id: u64) -> Option<&T> {
        self.places.get(&id).and_then(|place| self.entries[*place].as_ref()).map(|(_, entry)| entry)
    }

    /// An entry, to be changed.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        self.places.get(&id).and_then(|place| self.entries[*place].as_mut()).map(|(_, entry)| entry)
    }

    /// Adds an entry that is not ready; the oldest goes where it is full. Of two of one number the later one counts.
    pub fn add(&mut self, id: u64, entry: T) {
        let place = match self.places.get(&id) {
            Some(place) => *place,
            None => {
                let place = self.next;
                self.next = (self.next + 1) % self.entries.len();
                place
            }
        };
        if let Some((old, _)) = self.entries[place].replace((id, entry)) {
            self.places.remove(&old);
        }
        self.places.insert(id, place);
        self.priorities.set(place, 0.0);
    }

    /// Lets an entry be drawn from now on.
    pub fn make_ready(&mut self, id: u64) {
        if let Some(place) = self.places.get(&id) {
            self.priorities.set(*place, self.largest.powf(self.power));
        }
    }

    /// Draws entries, each among all that are ready.
    pub fn draw(&self, count: usize, correction: f64, draws: &mut Draws<'_>) -> Vec<Drawn> {
        let (all, sum) = (self.ready() as f64, self.priorities.sum());
        if all == 0.0 {
            return Vec::new();
        }
        let weight = |place: usize| (all * self.priorities.get(place) / sum).powf(-correction);
        let mut one = || {
            let place = self.priorities.find(draws.unit() * sum);
            self.entries[place].as_ref().map(|(id, _)| Drawn { id: *id, weight: weight(place) })
        };
        let mut drawn: Vec<Drawn> = (0..count).filter_map(|_| one()).collect();
        let most = drawn.iter().map(|one| one.weight).fold(0.0, f64::max);
        drawn.iter_mut().for_each(|one| one.weight /= most);
        drawn
    }

    /// Notes how wrong an entry was predicted.
    pub fn set_priority(&mut self, id: u64, error: f64) {
        let priority = error.abs() + 1e-3;
        if let Some(place) = self.places.get(&id).filter(|place| self.priorities.get(**place) > 0.0) {
            self.largest = self.largest.max(priority);
            self.priorities.set(*place, priority.powf(self.power));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_the_oldest_goes() {
        let mut memory = Memory::new(3, 0.0);
        for id in 0..5u64 {
            memory.add(id, id * 10);
            memory.make_ready(id);
        }
        assert_eq!((memory.len(), memory.ready()), (3, 3));
        assert_eq!((memory.get(1), memory.get(4)), (None, Some(&40)));
        memory.add(9, 90);
        assert_eq!((memory.len(), memory.ready()), (3, 2), "what is not ready is not drawn");
        let mut draws = Draws::new(1, "d", 0);
        let drawn = memory.draw(300, 1.0, &mut draws);
        assert!(drawn.iter().all(|one| [3, 4].contains(&one.id) && one.weight == 1.0));
        assert!((drawn.iter().filter(|one| one.id == 3).count() as f64 - 150.0).abs() < 40.0);
        memory.add(9, 91);
        assert_eq!((memory.len(), memory.get(9)), (3, Some(&91)));
    }

    #[test]
    fn what_was_predicted_wrongly_is_drawn_more_and_weighs_less() {
        let mut memory = Memory::new(4, 1.0);
        for id in 0..4u64 {
            memory.add(id, ());
            memory.make_ready(id);
            memory.set_priority(id, if id == 2 { 0.899 } else { 0.099 });
        }
        let mut draws = Draws::new(1, "d", 0);
        let drawn = memory.draw(4_000, 1.0, &mut draws);
        let share = drawn.iter().filter(|one| one.id == 2).count() as f64 / 4_000.0;
        assert!((share - 0.75).abs() < 0.03, "{share}");
        let of = |id: u64| drawn.iter().find(|one| one.id == id).unwrap().weight;
        assert!((of(2) - 1.0 / 9.0).abs() < 1e-9 && of(1) == 1.0, "{} {}", of(2), of(1));
        let back: Memory<()> = postcard::from_bytes(&postcard::to_allocvec(&memory).unwrap()).unwrap();
        assert_eq!(back.draw(50, 1.0, &mut draws.clone()), memory.draw(50, 1.0, &mut draws.clone()));
    }
}
