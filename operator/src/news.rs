//! What a watch shows that is news: a status that is written again and again concerns nobody who reads the spec.
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kube::{Resource, ResourceExt};

use crate::watch::Change;

/// The namespace and the name of an object.
type Key = (Option<String>, String);
/// Its uid, and which spec it has.
type Version = (Option<String>, Option<i64>);

/// Tells `changed` of objects that appear, have another spec than before, or go.
pub(crate) fn of_spec<K: Resource<DynamicType = ()>>(
    changed: impl Fn(&K, Change) + Send + 'static,
) -> impl Fn(&K, Change) + Send + 'static {
    let seen = Mutex::new(HashMap::<Key, Version>::new());
    move |object, change| {
        let key = (object.namespace(), object.name_any());
        let version = (object.uid(), object.meta().generation);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match change {
            Change::Applied => seen.insert(key, version.clone()),
            Change::Deleted => seen.remove(&key).and(None),
        };
        drop(seen);
        if before != Some(version) {
            changed(object, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use komputer_crds::v1beta1::{KomputerAgentTemplate, KomputerAgentTemplateSpec, KomputerAgentTemplateStatus};

    use super::*;

    #[test]
    fn a_status_is_no_news() {
        let count = Arc::new(AtomicUsize::new(0));
        let told = count.clone();
        let tell = of_spec(move |_: &KomputerAgentTemplate, _| {
            told.fetch_add(1, Ordering::Relaxed);
        });
        let told = |template: &KomputerAgentTemplate, change| {
            let before = count.load(Ordering::Relaxed);
            tell(template, change);
            count.load(Ordering::Relaxed) > before
        };
        let mut template = KomputerAgentTemplate::new("big", KomputerAgentTemplateSpec::default());
        template.metadata.uid = Some("u1".into());
        template.metadata.generation = Some(1);
        assert!(told(&template, Change::Applied), "it is new");
        template.status = Some(KomputerAgentTemplateStatus { agents: Some(3), ..Default::default() });
        assert!(!told(&template, Change::Applied));
        template.metadata.generation = Some(2);
        assert!(told(&template, Change::Applied));
        assert!(told(&template, Change::Deleted));
        assert!(told(&template, Change::Applied), "it is there again");
        template.metadata.uid = Some("u2".into());
        assert!(told(&template, Change::Applied), "it is another of that name");
    }
}
