//! The agent that does a schedule's runs: one there is, or one that is made.
use std::sync::Arc;

use komputer_crds::v1beta1::{AgentDeletionPolicy, KomputerAgent, KomputerSchedule};
use kube::{Resource, ResourceExt};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{build::child_of, observe::Observed};
use crate::{
    agent::MANIFEST_HASH,
    carry_out::owner,
    plan::{Exactly, Removal},
};

/// The annotation, and label, of an agent that was made for the schedule it names; the label of a schedule's tasks.
pub const SCHEDULE: &str = "komputer.ai/schedule";

/// What the name of an agent ends in that is named after the schedule.
const SUFFIX: &str = "-agent";

/// An apply with this resourceVersion, which no object has any more, creates, or is refused where there is one already.
pub(crate) const NONE_YET: &str = "1";

/// The name of the agent that does the runs.
pub fn agent_name(schedule: &KomputerSchedule) -> String {
    let named = schedule.spec.agent_ref.as_ref().map(|reference| reference.name.clone());
    named.unwrap_or_else(|| format!("{}{SUFFIX}", schedule.name_any()))
}

/// Whether the agent of that name does the runs.
pub fn is_agent_of(schedule: &KomputerSchedule, agent: &str) -> bool {
    match &schedule.spec.agent_ref {
        Some(reference) => reference.name == agent,
        None => agent.strip_suffix(SUFFIX) == schedule.metadata.name.as_deref(),
    }
}

/// How the agent stands to the schedule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It is there, and as it should be.
    There(Arc<KomputerAgent>),
    /// It is to be made, or changed.
    ToApply(Box<KomputerAgent>),
    /// Another makes it, and has not yet.
    Missing,
    /// It is going, and is made anew then.
    Going,
    /// The schedule has one made, and there is one of its name that is not the schedule's.
    Foreign,
}

/// How the agent stands to the schedule.
pub(super) fn standing(observed: &Observed) -> Standing {
    let schedule = &*observed.schedule;
    let found = observed.agent.clone();
    if schedule.spec.agent.is_none() {
        return found.map_or(Standing::Missing, Standing::There);
    }
    match found {
        None => Standing::ToApply(Box::new(wanted(schedule, None))),
        Some(agent) if agent.metadata.deletion_timestamp.is_some() || was_of_predecessor(schedule, &agent) => {
            Standing::Going
        }
        Some(agent) if !is_own(schedule, &agent) => Standing::Foreign,
        Some(agent) => {
            let wanted = wanted(schedule, Some(&agent));
            let is_as_wanted = agent.annotations().get(MANIFEST_HASH) == wanted.annotations().get(MANIFEST_HASH);
            if is_as_wanted { Standing::There(agent) } else { Standing::ToApply(Box::new(wanted)) }
        }
    }
}

/// The end of the agent, where it was made for the schedule and is to go with it.
pub(super) fn dismissal(observed: &Observed) -> Option<Removal> {
    let schedule = &*observed.schedule;
    let agent = observed.agent.as_deref().filter(|agent| {
        schedule.spec.agent.is_some() && is_own(schedule, agent) && agent.metadata.deletion_timestamp.is_none()
    })?;
    let goes = schedule.spec.agent_deletion_policy.unwrap_or_default() == AgentDeletionPolicy::Delete;
    goes.then(|| Removal::Agent(Exactly::of(agent)))
}

/// The agent that the schedule had made under another name than it has now.
pub(super) fn former(observed: &Observed) -> Option<Exactly> {
    let found = observed.former.as_deref().filter(|agent| agent.metadata.deletion_timestamp.is_none())?;
    let owner = owner(&found.metadata).filter(|owner| Some(&owner.uid) == observed.schedule.metadata.uid.as_ref());
    owner.map(|_| Exactly::of(found))
}

/// Whether it was made for the schedule, or for one of its name before, that left it.
fn is_own(schedule: &KomputerSchedule, agent: &KomputerAgent) -> bool {
    match owner(&agent.metadata) {
        Some(owner) => Some(&owner.uid) == schedule.metadata.uid.as_ref(),
        None => agent.annotations().get(SCHEDULE) == Some(&schedule.name_any()),
    }
}

/// Whether garbage collection is about to take it with a schedule of the same name.
fn was_of_predecessor(schedule: &KomputerSchedule, agent: &KomputerAgent) -> bool {
    owner(&agent.metadata).is_some_and(|owner| {
        owner.kind == KomputerSchedule::kind(&())
            && owner.name == schedule.name_any()
            && Some(&owner.uid) != schedule.metadata.uid.as_ref()
    })
}

fn wanted(schedule: &KomputerSchedule, found: Option<&KomputerAgent>) -> KomputerAgent {
    let name = agent_name(schedule);
    let spec = schedule.spec.agent.as_deref().cloned().unwrap_or_default();
    let mut agent = KomputerAgent::new(&name, spec);
    agent.metadata = child_of(schedule, &name);
    let goes = schedule.spec.agent_deletion_policy.unwrap_or_default() == AgentDeletionPolicy::Delete;
    agent.metadata.owner_references = schedule.controller_owner_ref(&()).filter(|_| goes).map(|owner| vec![owner]);
    let manifest = json!({ "metadata": agent.metadata, "spec": agent.spec }).to_string();
    let hash = hex::encode(&Sha256::digest(manifest)[..8]);
    agent.metadata.annotations = Some([(MANIFEST_HASH.into(), hash), (SCHEDULE.into(), schedule.name_any())].into());
    match found {
        Some(found) => agent.metadata.uid = found.uid(),
        None => agent.metadata.resource_version = Some(NONE_YET.into()),
    }
    agent
}
