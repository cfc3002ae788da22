//! What an office's status says: its agents' states, costs and tokens in one place.
use std::{collections::BTreeMap, sync::Arc};

use komputer_crds::{
    object_references::Target,
    v1beta1::{
        KomputerAgent, KomputerOffice, KomputerOfficeStatus, OfficeMember, OfficePhase, Role, StatusConditions, Tokens,
    },
    validate::Kind,
};
use komputer_events::Money;
use kube::{ResourceExt, runtime::reflector::ObjectRef};

use crate::{
    conditions::{self, Progress},
    declared::{Attachment, Declared, Verdict, World},
};

/// More members would make a status large; `totalAgents` counts all of them.
const MEMBERS: usize = 100;

/// What is known about an office.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The manager, where it exists.
    pub(crate) manager: Option<Arc<KomputerAgent>>,
    /// Its agents by name.
    pub(crate) members: BTreeMap<String, Arc<KomputerAgent>>,
}

impl Declared for KomputerOffice {
    const KIND: Kind = Kind::Office;
    type Facts = Facts;

    fn look(&self, world: &World) -> Facts {
        let namespace = self.namespace().unwrap_or_default();
        let name = self.spec.manager_ref.name.clone();
        let agent = |name: &str| world.agents.get(&ObjectRef::new(name).within(&namespace));
        let manager = agent(&name);
        let used = Attachment { target: Target::Agent, namespace: namespace.clone(), name };
        let members = world.attachments.agents(&used).into_iter();
        let members = members.filter_map(|id| Some((id.name().to_owned(), agent(id.name())?))).collect();
        Facts { manager, members }
    }

    fn judge(&self, facts: &Facts) -> Verdict<KomputerOfficeStatus> {
        let status = status(facts, self.status.as_ref());
        let Some(_) = &facts.manager else {
            let message = format!(
                "spec.managerRef: KomputerAgent {} does not exist; create it with role Manager",
                self.spec.manager_ref.name
            );
            return Verdict::new(Progress::Progressing, "DependencyNotReady", message, status);
        };
        if let Some((name, why)) = all(facts).find_map(|agent| Some((agent.name_any(), stalled(agent)?))) {
            let message = format!("KomputerAgent {name} is stalled: {why}");
            return Verdict::new(Progress::Retrying, "AgentNotReady", message, status);
        }
        Verdict::new(Progress::Done, "Open", "The manager and its agents are as they should be", status)
    }
}

fn all(facts: &Facts) -> impl Iterator<Item = &KomputerAgent> {
    facts.manager.iter().chain(facts.members.values()).map(|agent| &**agent)
}

/// Why an agent cannot go on without a change.
fn stalled(agent: &KomputerAgent) -> Option<String> {
    conditions::stalled(agent.status.as_ref()?.conditions()).map(str::to_owned)
}

fn status(facts: &Facts, before: Option<&KomputerOfficeStatus>) -> KomputerOfficeStatus {
    let with_phase = |phase: &str| all(facts).filter(|agent| task_phase(agent) == Some(phase)).count();
    let (active, failed) = (with_phase("Running"), with_phase("Failed"));
    let phase = match facts.manager {
        None => OfficePhase::Pending,
        Some(_) if active > 0 => OfficePhase::InProgress,
        Some(_) if failed > 0 => OfficePhase::Failed,
        Some(_) => OfficePhase::Complete,
    };
    let count = |count: usize| Some(i32::try_from(count).unwrap_or(i32::MAX));
    let cost: Money = all(facts).filter_map(cost).sum();
    let tokens = all(facts).filter_map(|agent| agent.status.as_ref()?.tokens).map(Tokens::total);
    let opened = facts.manager.as_ref().and_then(|manager| manager.creation_timestamp());
    KomputerOfficeStatus {
        phase: Some(phase),
        manager: facts.manager.as_deref().map(member),
        members: facts.members.values().take(MEMBERS).map(|agent| member(agent)).collect(),
        total_agents: count(all(facts).count()),
        active_agents: count(active),
        completed_agents: count(with_phase("Succeeded")),
        total_cost_usd: Some(cost.to_string()),
        total_tokens: Some(tokens.fold(0, i64::saturating_add)),
        created_at: before.and_then(|status| status.created_at.clone()).or(opened),
        ..Default::default()
    }
}

fn member(agent: &KomputerAgent) -> OfficeMember {
    OfficeMember {
        name: agent.name_any(),
        role: agent.spec.role.unwrap_or(Role::Worker),
        task_phase: task_phase(agent).map(Into::into),
        total_cost_usd: agent.status.as_ref().and_then(|status| status.total_cost_usd.clone()),
    }
}

fn task_phase(agent: &KomputerAgent) -> Option<&str> {
    Some(&agent.status.as_ref()?.last_task.as_ref()?.phase)
}

fn cost(agent: &KomputerAgent) -> Option<Money> {
    agent.status.as_ref()?.total_cost_usd.as_ref()?.parse().ok()
}
