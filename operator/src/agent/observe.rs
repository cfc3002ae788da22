//! Reads the caches for a decision about an agent, and asks for what it may have.
use std::{cmp::Reverse, num::NonZeroU32, sync::Arc};

use jiff::Timestamp;
use komputer_crds::{
    DEFAULT_TEMPLATE,
    v1beta1::{KomputerAgent, KomputerAgentStatus, KomputerTask, Role, TaskPhase},
};
use komputer_events::AgentId;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    AgentVolume,
    caches::Caches,
    connectors,
    decide::{decide, wanted},
    knowledge,
    observed::Observed,
    places::{Order, Place, Places, Request},
    rollout::{self, Stage},
    spending,
    status::template_name,
    template::Resolved,
    waves::{Replacement, Waves},
};
use crate::{
    budget::{Claim, Funds, Ledger, Predecessor},
    clock,
    controller::Controller,
    declared::Attachments,
    fold::AgentSummary,
    inbox::Inbox,
    keys::MasterKey,
    office::oldest_office,
    plan::Plan,
    settings::Settings,
    squad::{Squads, shared_pod_name},
    task::{TaskIndex, order},
    vault::{Opened, Vault},
};

/// Keeps agents' pods, workspaces and statuses, and hands them their tasks.
#[derive(Clone)]
pub struct AgentController {
    /// What it looks at.
    pub caches: Caches,
    /// What agents said.
    pub inbox: Arc<Inbox>,
    /// Which tasks are whose.
    pub index: Arc<TaskIndex>,
    /// Which agents are whose manager.
    pub attachments: Arc<Attachments>,
    /// Which squads have which agents.
    pub squads: Squads,
    /// Who may be awake.
    pub places: Arc<Places>,
    /// Who is replaced.
    pub waves: Arc<Waves>,
    /// What budgets let agents cost.
    pub ledger: Arc<Ledger>,
    /// What opens connectors.
    pub vault: Vault,
    /// The installation's settings.
    pub settings: Arc<Settings>,
    /// What secrets are derived from.
    pub master: MasterKey,
}

impl Controller for AgentController {
    type Object = KomputerAgent;
    type Observed = Observed;
    type Status = KomputerAgentStatus;

    fn observe(&self, agent: Arc<KomputerAgent>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let mut observed = self.look(agent, now, written);
        self.ask_for_funds(&mut observed);
        self.ask_for_secrets(&mut observed);
        self.ask_for_replacement(&mut observed);
        let Some(id) = observed.id().filter(|_| !observed.has_pod()) else { return observed };
        if let Some(membership) = &observed.squad {
            self.places.may_be_in(&id, shared_pod_name(&membership.squad));
        }
        if let Some(request) = request(&observed) {
            observed.making = Some(Arc::new(self.places.makes_own(&id)));
            observed.place = self.places.ask(&id, request);
        } else {
            self.places.leave(&id);
            self.waves.leave(&id);
        }
        observed
    }

    fn decide(observed: &Observed) -> Plan<KomputerAgentStatus> {
        decide(observed)
    }

    fn forget(&self, agent: &ObjectRef<KomputerAgent>) {
        if let Ok(id) = AgentId::new(agent.namespace.clone().unwrap_or_default(), &agent.name) {
            self.places.leave(&id);
            self.waves.leave(&id);
            self.vault.forget(&id);
        }
    }
}

/// What the agent asks for where it wants a pod.
fn request(observed: &Observed) -> Option<Request> {
    let resolved = wanted(observed)?;
    let agent = &*observed.agent;
    let limit = resolved.template.max_concurrent_agents.and_then(|limit| u32::try_from(limit).ok());
    Some(Request {
        template: template_name(agent).into(),
        limit: limit.and_then(NonZeroU32::new),
        order: Order {
            priority: Reverse(agent.spec.priority.unwrap_or_default()),
            created: agent.metadata.creation_timestamp.as_ref().map(|created| created.0),
        },
    })
}

impl AgentController {
    /// Gives places from now on, first to those of `agents` whose turn it is, and goes on with what is being replaced.
    pub fn open_places(&self, agents: &Store<KomputerAgent>) {
        let now = clock::now();
        let requests = agents.state().into_iter().filter_map(|agent| {
            let observed = self.look(agent, now, None);
            let id = observed.id().filter(|_| !observed.has_pod())?;
            Some((id, request(&observed)?))
        });
        self.places.open(requests.collect());
        self.waves.resume(self.caches.pods.state().iter().map(|pod| &**pod));
    }

    /// Observes without asking for a place or for funds.
    pub(crate) fn look(&self, agent: Arc<KomputerAgent>, now: Timestamp, written: Option<Timestamp>) -> Observed {
        let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
        let kept = AgentSummary::from(&*agent);
        let arrived = AgentId::new(&namespace, &name)
            .ok()
            .and_then(|id| self.inbox.agent(&id, agent.metadata.uid.as_deref().unwrap_or_default()))
            .filter(|arrived| arrived.cursor >= kept.cursor);
        let volume = self.caches.volumes.get(&ObjectRef::new(&name).within(&namespace));
        let mut summary = arrived.unwrap_or(kept);
        let shares = std::mem::take(&mut summary.shares);
        Observed {
            managers: AgentId::new(&namespace, &name).map(|id| self.attachments.managers(&id)).unwrap_or_default(),
            template: self.template(&agent, &namespace),
            knowledge: knowledge::of(&agent, &self.caches),
            connectors: connectors::of(&agent, &self.caches),
            secrets: Opened::Reading,
            lacks_office: self.lacks_office(&agent),
            pod: self.caches.pods.get(&ObjectRef::new(&name).within(&namespace)),
            squad: AgentId::new(&namespace, &name).ok().and_then(|id| self.squads.membership(&id, &self.caches.pods)),
            volume_can_grow: volume.as_deref().and_then(|volume| self.can_grow(volume)),
            volume,
            place: Place::default(),
            making: None,
            is_outdated: None,
            replacement: Replacement::default(),
            namespace_is_prepared: self.caches.namespace_is_prepared(&namespace),
            namespace_is_going: self
                .caches
                .namespaces
                .get(&ObjectRef::new(&namespace))
                .is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some()),
            tasks: self.tasks(&namespace, &name),
            summary: AgentSummary { shares: self.ledger.existing(&namespace, shares), ..summary },
            work: None,
            funds: Funds::default(),
            statement: agent.metadata.uid.as_deref().and_then(|uid| self.ledger.statement(uid)),
            predecessor: self.predecessor(&agent),
            settings: self.settings.clone(),
            master: self.master.clone(),
            agent,
            written,
            now,
        }
    }

    fn lacks_office(&self, agent: &KomputerAgent) -> bool {
        let (namespace, name) = (agent.namespace().unwrap_or_default(), agent.name_any());
        let id = AgentId::new(&namespace, &name).ok().filter(|_| agent.spec.role == Some(Role::Manager));
        let asks = |id| !self.inbox.requests(&id, &agent.uid().unwrap_or_default()).is_empty();
        id.is_some_and(asks) && oldest_office(&self.caches.offices, Some(&namespace), &name).is_none()
    }

    fn predecessor(&self, agent: &KomputerAgent) -> Predecessor {
        let id = AgentId::new(agent.namespace().unwrap_or_default(), agent.name_any());
        let of = |id| self.ledger.predecessor(&id, agent.metadata.uid.as_deref().unwrap_or_default());
        id.map(of).unwrap_or_default()
    }

    fn can_grow(&self, volume: &AgentVolume) -> Option<bool> {
        let class = self.caches.storage_classes.get(&ObjectRef::new(volume.spec.storage_class_name.as_deref()?))?;
        Some(class.allow_volume_expansion == Some(true))
    }

    /// What is asked for has to be observed before: it is part of what is decided by.
    fn ask_for_funds(&self, observed: &mut Observed) {
        let Some(id) = observed.id() else { return };
        observed.work = spending::work(observed);
        let claim = Claim {
            agent: &observed.agent,
            summary: &observed.summary,
            work: observed.work.as_ref(),
            now: observed.now,
        };
        observed.funds = self.ledger.ask(&id, claim);
    }

    fn ask_for_secrets(&self, observed: &mut Observed) {
        let Some(id) = observed.id() else { return };
        match connectors::need(observed) {
            Some(need) => observed.secrets = self.vault.ask(&id, need, observed.now),
            None => self.vault.forget(&id),
        }
    }

    fn ask_for_replacement(&self, observed: &mut Observed) {
        let Some(id) = observed.id() else { return };
        observed.is_outdated = rollout::outdated(observed);
        observed.replacement = match rollout::stage(observed) {
            Stage::Due(resolved) => {
                let (template, most) = (template_name(&observed.agent), resolved.template.max_unavailable);
                self.waves.ask(&id, template, most.unwrap_or_default(), || self.caches.awake(id.namespace(), template))
            }
            Stage::Settled => {
                self.waves.leave(&id);
                Replacement::Unasked
            }
            Stage::Coming => self.waves.standing(&id),
        };
    }

    fn template(&self, agent: &KomputerAgent, namespace: &str) -> Option<Resolved> {
        let name = agent.spec.template_ref.as_ref().map_or(DEFAULT_TEMPLATE, |reference| &reference.name);
        if let Some(template) = self.caches.templates.get(&ObjectRef::new(name).within(namespace)) {
            return Some(Resolved::of_namespace(&template));
        }
        let secret = |name: &str| {
            let reference = ObjectRef::new(name).within(&self.settings.namespace);
            self.caches.secrets.get(&reference).map(Arc::unwrap_or_clone)
        };
        let found = self.caches.cluster_templates.get(&ObjectRef::new(name))?;
        Some(Resolved::of_cluster(&found, &self.settings.namespace, secret))
    }

    fn tasks(&self, namespace: &str, name: &str) -> Vec<(Arc<KomputerTask>, TaskPhase)> {
        let Ok(id) = AgentId::new(namespace, name) else { return Vec::new() };
        let names = self.index.of(&id);
        let tasks = names.iter().filter_map(|name| self.caches.tasks.get(&ObjectRef::new(name).within(namespace)));
        let mut tasks: Vec<_> = tasks
            .map(|task| {
                let arrived = self.inbox.task(&id, &task.uid().unwrap_or_default()).map(|summary| summary.phase);
                let phase = if task.phase().is_terminal() { task.phase() } else { arrived.unwrap_or(task.phase()) };
                (task, phase)
            })
            .collect();
        tasks.sort_by_key(|(task, _)| order(task));
        tasks
    }
}
