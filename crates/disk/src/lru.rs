//! A small cache that forgets what was used longest ago. Bounded by the number of entries; the caller knows their size.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Values by host offset, shared by all threads that read one disk.
pub(crate) struct Lru<V> {
    capacity: usize,
    state: Mutex<State<V>>,
}

struct State<V> {
    entries: HashMap<u64, Entry<V>>,
    clock: u64,
}

struct Entry<V> {
    value: V,
    used: u64,
}

impl<V: Clone> Lru<V> {
    /// An empty cache of at least one entry. Making room looks at every entry: keep the capacity in the hundreds.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::new(State {
                entries: HashMap::new(),
                clock: 0,
            }),
        }
    }

    pub(crate) fn get(&self, key: u64) -> Option<V> {
        let mut state = self.lock();
        state.clock = state.clock.wrapping_add(1);
        let now = state.clock;
        let entry = state.entries.get_mut(&key)?;
        entry.used = now;
        Some(entry.value.clone())
    }

    pub(crate) fn put(&self, key: u64, value: V) {
        let mut state = self.lock();
        state.clock = state.clock.wrapping_add(1);
        let used = state.clock;
        if state.entries.len() >= self.capacity && !state.entries.contains_key(&key) {
            let oldest = state
                .entries
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                state.entries.remove(&oldest);
            }
        }
        state.entries.insert(key, Entry { value, used });
    }

    /// A thread that panicked while it held the lock left whole entries behind: each is put in by one call.
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_used_longest_ago_goes_first() {
        let cache = Lru::new(2);
        cache.put(1, 'a');
        cache.put(2, 'b');
        assert_eq!(cache.get(1), Some('a'));
        cache.put(3, 'c');
        assert_eq!((cache.get(1), cache.get(2), cache.get(3)), (Some('a'), None, Some('c')));
    }
}
