use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Answers that are good for a short while. Bounded: where it is full, one that ends soonest makes room.
pub(super) struct Recent<K, V> {
    entries: Mutex<HashMap<K, (Instant, V)>>,
    age: Duration,
    capacity: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    pub(super) fn new(age: Duration, capacity: usize) -> Self {
        Self { entries: Mutex::default(), age, capacity }
    }

    pub(super) fn get(&self, key: &K, now: Instant) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(until, _)| now < *until).map(|(_, value)| value.clone())
    }

    /// What has been put since then.
    pub(super) fn get_since(&self, key: &K, since: Instant) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(until, _)| since + self.age <= *until).map(|(_, value)| value.clone())
    }

    pub(super) fn forget(&self, key: &K) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    pub(super) fn put(&self, key: K, value: V, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity && !entries.contains_key(&key) {
            entries.retain(|_, (until, _)| now < *until);
            let soonest = entries.iter().min_by_key(|(_, (until, _))| *until).map(|(key, _)| key.clone());
            if entries.len() >= self.capacity
                && let Some(soonest) = soonest
            {
                entries.remove(&soonest);
            }
        }
        entries.insert(key, (now + self.age, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_its_age_and_no_longer() {
        let recent = Recent::new(Duration::from_secs(10), 8);
        let now = Instant::now();
        recent.put("a", 1, now);
        assert_eq!(recent.get(&"a", now + Duration::from_secs(9)), Some(1));
        assert_eq!(recent.get(&"a", now + Duration::from_secs(10)), None);
        assert_eq!(recent.get_since(&"a", now), Some(1));
        assert_eq!(recent.get_since(&"a", now + Duration::from_millis(1)), None);
        recent.forget(&"a");
        assert_eq!(recent.get(&"a", now), None);
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let recent = Recent::new(Duration::from_secs(10), 3);
        let now = Instant::now();
        for key in 0..10_u64 {
            recent.put(key, key, now + Duration::from_millis(key));
        }
        assert_eq!(recent.entries.lock().unwrap().len(), 3);
        assert_eq!(recent.get(&9, now), Some(9));
        assert_eq!(recent.get(&6, now), None);
    }
}
