//! The agents that a squad makes.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use komputer_crds::v1beta1::{KomputerAgent, KomputerSquad};
use kube::{Resource, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::observe::{Member, Observed};
use crate::{
    agent::{MANIFEST_HASH, shared_labels},
    carry_out::owner,
    plan::{Child, Exactly, Removal},
    schedule::NONE_YET,
};

/// What is to be made or changed of a member's agent; nothing where it is as it should be, or is not the squad's to make.
pub(super) fn to_apply(observed: &Observed, member: &Member) -> Option<Child> {
    let found = member.agent.as_ref().map(|agent| &*agent.agent);
    let is_ours = |agent: &KomputerAgent| observed.owns(agent) && !is_going(agent);
    if member.keeper.is_some() || !found.is_none_or(is_ours) {
        return None; // one that goes is made anew then
    }
    let wanted = wanted(observed, member, found)?;
    let hash = |agent: &KomputerAgent| agent.annotations().get(MANIFEST_HASH).cloned();
    (found.and_then(hash) != hash(&wanted)).then(|| Child::Agent(Box::new(wanted)))
}

/// Whether the squad may have the agent: it made it, where it is to make it.
pub(super) fn is_own(observed: &Observed, member: &Member) -> bool {
    member.spec.template.is_none() || member.agent.as_ref().is_some_and(|agent| observed.owns(&*agent.agent))
}

/// Whether there is an agent where the squad is to make one, and it is another's.
pub(super) fn is_foreign(observed: &Observed, member: &Member) -> bool {
    let agent = member.agent.as_ref().filter(|_| member.spec.template.is_some());
    agent.is_some_and(|agent| !observed.owns(&*agent.agent) && !is_of_predecessor(observed, &agent.agent))
}

/// The agents that the squad made, and that left its list.
pub(super) fn dismissals(observed: &Observed) -> impl Iterator<Item = Removal> {
    let former = observed.former.iter().filter(|agent| observed.owns(&***agent) && !is_going(agent));
    former.map(|agent| Removal::Agent(Exactly::of(&**agent)))
}

fn is_going(agent: &KomputerAgent) -> bool {
    agent.metadata.deletion_timestamp.is_some()
}

/// Whether garbage collection is about to take it with a squad of the same name.
fn is_of_predecessor(observed: &Observed, agent: &KomputerAgent) -> bool {
    let is_squad = |owner: &&OwnerReference| owner.kind == KomputerSquad::kind(&());
    owner(&agent.metadata).filter(is_squad).is_some_and(|owner| owner.name == observed.squad.name_any())
}

fn wanted(observed: &Observed, member: &Member, found: Option<&KomputerAgent>) -> Option<KomputerAgent> {
    let squad = &*observed.squad;
    let mut agent = KomputerAgent::new(&member.spec.name, *member.spec.template.clone()?);
    let mut labels = shared_labels();
    labels.insert("app.kubernetes.io/instance".into(), member.spec.name.clone());
    labels.insert("komputer.ai/squad-name".into(), squad.name_any());
    agent.metadata.namespace = squad.namespace();
    agent.metadata.labels = Some(labels);
    agent.metadata.owner_references = squad.controller_owner_ref(&()).map(|owner| vec![owner]);
    let manifest = json!({ "metadata": agent.metadata, "spec": agent.spec }).to_string();
    let hash = hex::encode(&Sha256::digest(manifest)[..8]);
    agent.metadata.annotations = Some([(MANIFEST_HASH.into(), hash)].into());
    match found {
        Some(found) => agent.metadata.uid = found.uid(),
        None => agent.metadata.resource_version = Some(NONE_YET.into()),
    }
    Some(agent)
}
