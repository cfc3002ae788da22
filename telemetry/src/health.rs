use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Whether a process is ready: when every check passes. A process without checks is ready.
#[derive(Clone, Debug, Default)]
pub struct Health {
    checks: Arc<Mutex<Checks>>,
}

#[derive(Debug, Default)]
struct Checks {
    /// By key, and why each fails, if it does.
    failing: BTreeMap<u64, (String, Option<String>)>,
    next_key: u64,
}

/// One condition of being ready, kept up to date by the part of the process that knows.
///
/// It fails from its creation on until told otherwise, and again once it is dropped: what kept it up to date is gone.
#[must_use = "a check that is dropped fails"]
#[derive(Debug)]
pub struct Check {
    health: Health,
    key: u64,
}

impl Health {
    /// A new check, shown at `/readyz` under `name`.
    pub fn check(&self, name: impl Into<String>) -> Check {
        let mut checks = self.lock();
        let key = checks.next_key;
        checks.next_key += 1;
        checks.failing.insert(key, (name.into(), Some("not done yet".into())));
        Check { health: self.clone(), key }
    }

    /// The checks that fail, by name, and why; empty where the process is ready.
    pub fn failing(&self) -> BTreeMap<String, String> {
        let checks = self.lock();
        checks.failing.values().filter_map(|(name, reason)| Some((name.clone(), reason.clone()?))).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Checks> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// From here on this does not keep the process from being ready.
    pub fn pass(&self) {
        self.set(None);
    }

    /// From here on the process is not ready, because of `reason`, which anybody who reaches `/readyz` can read.
    pub fn fail(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, reason: Option<String>) {
        if let Some((_, current)) = self.health.lock().failing.get_mut(&self.key) {
            *current = reason;
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.fail("stopped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_check_passes() {
        let health = Health::default();
        assert!(health.failing().is_empty());
        let (redis, caches) = (health.check("redis"), health.check("caches"));
        caches.pass();
        assert_eq!(health.failing(), BTreeMap::from([("redis".into(), "not done yet".into())]));
        redis.pass();
        assert!(health.failing().is_empty());
        redis.fail("connection refused");
        assert_eq!(health.failing()["redis"], "connection refused");
    }

    #[test]
    fn what_stopped_is_not_ready() {
        let health = Health::default();
        let check = health.check("watch");
        check.pass();
        drop(check);
        assert_eq!(health.failing()["watch"], "stopped");
    }
}
