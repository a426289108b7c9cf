//! A cache in two generations, bounded by the weight of what it holds: what was not asked for while one generation
//! filled up is forgotten with it.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{Mutex, PoisonError},
};

/// Values by key, shared by all threads.
pub(super) struct Cache<K, V> {
    /// Weight at which a generation is full.
    limit: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    /// Of all that is young.
    weight: usize,
}

impl<K: Eq + Hash + Copy, V: Clone> Cache<K, V> {
    /// `weight` is what both generations may weigh together; one value alone may weigh more.
    pub(super) fn new(weight: usize) -> Self {
        Self {
            limit: weight / 2,
            generations: Mutex::new(Generations {
                young: HashMap::new(),
                old: HashMap::new(),
                weight: 0,
            }),
        }
    }

    pub(super) fn get(&self, key: K) -> Option<V> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = generations.young.get(&key) {
            return Some(value.clone());
        }
        let (value, weight) = generations.old.remove(&key)?;
        generations.put(key, value.clone(), weight, self.limit);
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V, weight: usize) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.put(key, value, weight, self.limit);
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn put(&mut self, key: K, value: V, weight: usize, limit: usize) {
        if self.weight.saturating_add(weight) > limit && !self.young.is_empty() {
            self.old = mem::take(&mut self.young);
            self.weight = 0;
        }
        let replaced = self.young.insert(key, (value, weight)).map_or(0, |(_, weight)| weight);
        self.weight = self.weight.saturating_add(weight).saturating_sub(replaced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_weight_is_bounded() {
        let cache = Cache::new(40);
        for key in 0..1000_u32 {
            cache.put(key, key, 1);
            assert_eq!(cache.get(0), Some(0), "asked for again and again");
        }
        let held = (0..1000).filter(|key| cache.get(*key).is_some()).count();
        assert!((20..=40).contains(&held), "{held}");
        cache.put(1, 1, 1_000_000);
        assert_eq!(
            cache.get(1),
            Some(1),
            "one that is too large is kept until the next comes"
        );
    }
}
