//! What the caches drop of objects before they keep them.
use std::collections::BTreeMap;

use komputer_crds::{deprecated as deprecated_fields, validate::Kind};
use kube::{Resource, ResourceExt};

use crate::{
    agent::MANIFEST_HASH,
    conditions::Remark,
    office::REQUEST,
    schedule::{SCHEDULE, TRIGGER},
};

/// The annotation of a cached object that says which deprecated fields it has. Conversion keeps the fields themselves,
/// which may be long, and which nothing reads.
const DEPRECATED: &str = "deprecated";

/// Of an object's metadata decisions read names, owners and times, of annotations only those that are for komputer, and of
/// agents the labels, which budgets select by; the rest is most of it.
pub fn prune<K: Resource<DynamicType = ()>>(object: &mut K) {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == K::kind(&()));
    let metadata = object.meta_mut();
    metadata.managed_fields = None;
    metadata.labels = metadata.labels.take().filter(|_| kind == Some(Kind::Agent));
    metadata.annotations = metadata.annotations.take().and_then(|annotations| of_interest(kind, annotations));
}

fn of_interest(kind: Option<Kind>, mut annotations: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    let deprecated = kind.map(|kind| deprecated_fields(kind, &annotations)).unwrap_or_default();
    annotations.retain(|key, _| [MANIFEST_HASH, SCHEDULE, TRIGGER, REQUEST].contains(&key.as_str()));
    if !deprecated.is_empty() {
        annotations.insert(DEPRECATED.into(), deprecated.join("; "));
    }
    (!annotations.is_empty()).then_some(annotations)
}

/// What there is to say of the deprecated fields of an object from a cache.
pub fn deprecated<K: Resource>(object: &K) -> Option<Remark> {
    let message = object.annotations().get(DEPRECATED)?.clone();
    Some(Remark { type_: "Deprecated", reason: "FieldsWithoutEffect", message })
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec, KomputerTask, KomputerTaskSpec};

    use super::*;

    #[test]
    fn nothing_is_left_that_nobody_reads() {
        let mut agent = KomputerAgent::new("a", KomputerAgentSpec::default());
        agent.metadata.labels = Some([("a".into(), "b".into())].into());
        agent.metadata.annotations = Some([(DEPRECATED.into(), "as somebody says".into())].into());
        agent.annotations_mut().insert(TRIGGER.into(), "1".into());
        prune(&mut agent);
        assert_eq!(agent.annotations_mut().remove(TRIGGER), Some("1".into()));
        assert_eq!((agent.labels().len(), agent.annotations().len(), deprecated(&agent)), (1, 0, None));
        let mut task = KomputerTask::new("t", KomputerTaskSpec::default());
        task.metadata.labels = agent.metadata.labels.clone();
        prune(&mut task);
        assert_eq!(task.labels().len(), 0);

        let prompt = "v1alpha1.komputer.komputer.ai/spec.internalSystemPrompt";
        agent.metadata.annotations = Some([(prompt.into(), r#"{"is":"long"}"#.into())].into());
        prune(&mut agent);
        assert!(
            deprecated(&agent).is_some_and(|said| said.message.starts_with("spec.internalSystemPrompt: has no effect"))
        );
        assert_eq!(agent.annotations().len(), 1);
    }
}
