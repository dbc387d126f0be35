//! The items of a data set with what describes them, and what each user did with them.

use std::hash::BuildHasherDefault;

use hashbrown::{HashMap, HashSet};

use crate::batch::{Batch, Keys, NO_ITEM};
use crate::columns::KeyHasher;

/// Something a user did with an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The item, by its place in the catalogue.
    pub item: u32,
    /// Whether the row's label says that the user likes it.
    pub liked: bool,
    /// When, in nanoseconds since 1970, where there is a column of times; else 0.
    pub time: i64,
}

/// What of a user's past a history holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Sides whose rows are past: 1 for train, 2 with valid, 3 with test.
    pub sides: usize,
    /// Whether what was not liked is left out.
    pub liked_only: bool,
    /// The latest this many.
    pub most: usize,
    /// Whether histories can be made again from what users did; else they are as the user's latest row had them.
    pub remade: bool,
}

/// All items, and all users with what they did.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// One row an item; only the item's own inputs hold something.
    pub items: Batch,
    /// The items' ids as the data has them.
    pub ids: Vec<String>,
    /// Positive training rows of each item.
    pub counts: Vec<u32>,
    /// All training rows of each item.
    pub rows: Vec<u32>,
    /// One row a user, as the user's latest training row has it; the item's inputs are empty.
    pub users: Batch,
    /// The users' ids as the data has them.
    pub user_ids: Vec<String>,
    /// What each user did in train, valid and test, in the order of time.
    pub seen: [Vec<Vec<Seen>>; 3],
    pub(super) places: HashMap<u64, u32, BuildHasherDefault<KeyHasher>>,
    pub(super) user_places: HashMap<String, u32>,
    /// What each user is known to like from the training rows, sorted.
    pub(super) liked: Vec<Vec<u32>>,
    /// The same of all sides.
    pub(super) liked_ever: Vec<Vec<u32>>,
}

impl Catalogue {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The place of the item with this key, or [`NO_ITEM`].
    pub(crate) fn place(&self, key: u64) -> u32 {
        self.places.get(&key).copied().unwrap_or(NO_ITEM)
    }

    /// The place of a user.
    pub fn user(&self, id: &str) -> Option<u32> {
        self.user_places.get(id).copied()
    }

    /// Whether the training rows say that a user likes an item.
    pub(crate) fn likes(&self, user: Option<u32>, item: u32) -> bool {
        user.is_some_and(|u| self.liked[u as usize].binary_search(&item).is_ok())
    }

    /// What the training rows say that a user likes, sorted.
    pub(crate) fn liked(&self, user: Option<u32>) -> &[u32] {
        user.map_or(&[], |u| self.liked[u as usize].as_slice())
    }

    /// Whether any row, of any side, says so.
    pub(crate) fn likes_ever(&self, user: Option<u32>, item: u32) -> bool {
        user.is_some_and(|u| self.liked_ever[u as usize].binary_search(&item).is_ok())
    }

    /// What a user liked, or saw at all, in the training rows and those of later sides, the oldest first: by time where
    /// there is one, else side after side.
    pub fn history(&self, user: u32, sides: usize, liked_only: bool) -> Vec<u32> {
        let of = |side: usize| self.seen[side].get(user as usize).into_iter().flatten();
        let mut all: Vec<&Seen> = (0..sides).flat_map(of).filter(|s| s.liked || !liked_only).collect();
        all.sort_by_key(|seen| seen.time);
        all.into_iter().map(|s| s.item).collect()
    }

    /// The items that are known by themselves: those of at least `min_count` training rows.
    pub fn known(&self, min_count: u32) -> Vec<bool> {
        self.rows.iter().map(|n| *n >= min_count.max(1)).collect()
    }

    /// A catalogue of counts and of what users did, for tests.
    #[cfg(test)]
    pub(crate) fn made(items: Batch, counts: Vec<u32>, train: Vec<Vec<Seen>>) -> Self {
        let (ids, users) = ((0..counts.len()).map(|i| i.to_string()).collect(), train.len());
        let seen = [train, vec![Vec::new(); users], vec![Vec::new(); users]];
        let user_ids = (0..users).map(|u| u.to_string()).collect();
        Self { items, ids, rows: counts.clone(), counts, user_ids, seen, ..Self::default() }.index(0)
    }

    /// The lookups that are made of the rest.
    pub(crate) fn index(mut self, id: usize) -> Self {
        if let Some(Keys::One(keys)) = self.items.keys.get(id) {
            self.places = keys.iter().enumerate().map(|(i, k)| (*k, i as u32)).collect();
        }
        self.user_places = self.user_ids.iter().enumerate().map(|(i, u)| (u.clone(), i as u32)).collect();
        let sorted = |user: usize, sides: &[Vec<Vec<Seen>>]| {
            let all = sides.iter().filter_map(|s| s.get(user)).flatten().filter(|s| s.liked).map(|s| s.item);
            let mut items: Vec<u32> = all.collect::<HashSet<u32>>().into_iter().collect();
            items.sort_unstable();
            items
        };
        let users = 0..self.user_ids.len();
        self.liked = users.clone().map(|u| sorted(u, &self.seen[..1])).collect();
        self.liked_ever = users.map(|u| sorted(u, &self.seen)).collect();
        self
    }
}
