//! How far the caches have come: about what was just written, and they do not show yet, nothing is decided.
//!
//! As kube-controller-manager's controllers do since Kubernetes 1.36
//! (<https://github.com/kubernetes/enhancements/issues/5647>).
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::{Resource, api::ObjectMeta};

/// When a write is taken to be in the caches whatever they show: one of an object that went before they were filled anew
/// never will be.
const UNSEEN: Duration = Duration::from_secs(30);

/// An object's resourceVersion. Versions of objects of one kind are ordered
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64);

impl Version {
    /// The object's version; nothing where it has none, or one of another form.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        metadata.resource_version.as_deref()?.parse().ok().map(Self)
    }
}

/// What an object of a kind was made, changed or deleted at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    kind: Cow<'static, str>,
    version: Version,
}

impl Write {
    /// The write that the apiserver has answered with this.
    pub fn of<K: Resource<DynamicType = ()>>(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self { kind: K::kind(&()), version: Version::of(metadata)? })
    }
}

/// The newest version that each kind's cache has had.
#[derive(Clone, Default)]
pub struct Freshness(Arc<Mutex<HashMap<Cow<'static, str>, Version>>>);

impl Freshness {
    /// A cache shows an object, or shows it no more.
    pub fn show<K: Resource<DynamicType = ()>>(&self, object: &K) {
        let Some(version) = Version::of(object.meta()) else { return };
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.entry(K::kind(&())).or_insert(version);
        *newest = version.max(*newest);
    }

    fn shows(&self, write: &Write) -> bool {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(&write.kind).is_some_and(|newest| *newest >= write.version)
    }
}

/// What was written about one object.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    writes: Vec<Write>,
    since: Option<Timestamp>,
}

impl Unseen {
    /// These were written: `now` is when that was answered, which may be long after it was decided.
    pub fn add(&mut self, writes: impl IntoIterator<Item = Write>, now: Timestamp) {
        for write in writes {
            self.writes.push(write);
            self.since = Some(now);
        }
    }

    /// Whether the caches lack some of it.
    pub fn lacks(&mut self, caches: &Freshness, now: Timestamp) -> bool {
        let is_recent = self.since.is_some_and(|since| now.duration_since(since).unsigned_abs() < UNSEEN);
        self.writes.retain(|write| is_recent && !caches.shows(write));
        if self.writes.is_empty() {
            *self = Self::default();
        }
        self.since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Namespace, Pod};

    use super::*;

    fn metadata(version: &str) -> ObjectMeta {
        ObjectMeta { resource_version: Some(version.into()), ..ObjectMeta::default() }
    }

    #[test]
    fn a_write_is_unseen_until_the_cache_of_its_kind_has_come_so_far_or_its_time_is_over() {
        let (caches, mut unseen, now) = (Freshness::default(), Unseen::default(), Timestamp::UNIX_EPOCH);
        let pod = |version: &str| Pod { metadata: metadata(version), ..Pod::default() };
        assert!(!unseen.lacks(&caches, now));
        unseen.add(Write::of::<Pod>(&metadata("12")), now);
        unseen.add(Write::of::<Pod>(&metadata("9")), now);
        assert!(unseen.lacks(&caches, now), "there is no cache yet");
        caches.show(&Namespace { metadata: metadata("99"), ..Namespace::default() });
        caches.show(&pod("9"));
        assert!(unseen.lacks(&caches, now));
        caches.show(&pod("100"));
        caches.show(&pod("11"));
        assert!(!unseen.lacks(&caches, now), "also a later one of another object");

        unseen.add(Write::of::<Pod>(&metadata("101")), now);
        assert!(unseen.lacks(&caches, now + UNSEEN - Duration::from_secs(1)));
        assert!(!unseen.lacks(&caches, now + UNSEEN));
        assert_eq!(Write::of::<Pod>(&ObjectMeta::default()), None);
    }
}
