//! Connectors, memories and skills: what agents have.
use std::collections::BTreeSet;

use komputer_crds::{
    object_references::Target,
    v1beta1::{AttachedStatus, KomputerConnector, KomputerMemory, KomputerSkill},
    validate::Kind,
};
use komputer_events::AgentId;
use kube::{Resource, ResourceExt};

use super::{
    attachments::Attachment,
    decide::{Declared, Verdict},
    world::World,
};
use crate::{agent::unusable, conditions::Progress};

/// More names would make a status large; `attachedAgents` counts all of them.
const NAMES: usize = 64;

macro_rules! attached {
    ($kind:ident, $rules:expr, $target:expr) => {
        impl Declared for $kind {
            const KIND: Kind = $rules;
            type Facts = BTreeSet<AgentId>;

            fn look(&self, world: &World) -> BTreeSet<AgentId> {
                users(self, $target, world)
            }

            fn judge(&self, agents: &BTreeSet<AgentId>) -> Verdict<AttachedStatus> {
                judge(&self.namespace().unwrap_or_default(), agents)
            }
        }
    };
}

attached!(KomputerMemory, Kind::Memory, Target::Memory);
attached!(KomputerSkill, Kind::Skill, Target::Skill);

impl Declared for KomputerConnector {
    const KIND: Kind = Kind::Connector;
    type Facts = BTreeSet<AgentId>;

    fn look(&self, world: &World) -> BTreeSet<AgentId> {
        users(self, Target::Connector, world)
    }

    fn judge(&self, agents: &BTreeSet<AgentId>) -> Verdict<AttachedStatus> {
        let verdict = judge(&self.namespace().unwrap_or_default(), agents);
        match unusable(self) {
            Some(problem) => Verdict::new(Progress::Stalled, "ConnectorNotSupported", problem, verdict.status),
            None => verdict,
        }
    }
}

fn users<K: Resource>(object: &K, target: Target, world: &World) -> BTreeSet<AgentId> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    world.attachments.agents(&Attachment { target, namespace, name })
}

fn judge(own: &str, agents: &BTreeSet<AgentId>) -> Verdict<AttachedStatus> {
    let count = i32::try_from(agents.len()).unwrap_or(i32::MAX);
    let name = |agent: &AgentId| {
        if agent.namespace() == own { agent.name().to_owned() } else { agent.to_string() }
    };
    let status = AttachedStatus {
        attached_agents: Some(count),
        agent_names: agents.iter().map(name).take(NAMES).collect(),
        ..Default::default()
    };
    Verdict::new(Progress::Done, "Available", "Agents can use it", status)
}
