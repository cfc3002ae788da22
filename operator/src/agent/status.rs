//! Where an agent stands, as its status says it. Every situation is one row of the documented state table.
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use komputer_crds::{
    DEFAULT_TEMPLATE,
    v1beta1::{
        AgentPhase, KomputerAgent, KomputerAgentStatus, LastTask, NamespacedSecretKeyRef, PodFailure, StatusConditions,
    },
};
use komputer_events::Cursor;
use kube::ResourceExt;

use super::{
    effective::effective,
    instructions,
    observed::Observed,
    places::Limit,
    pod_state::{Trouble, TroubleKind},
    spending,
};
use crate::{
    budget::Shortage,
    conditions::{Progress, Remark, Standing, conditions},
    fold::AgentSummary,
    prune::deprecated,
    squad::shared_pod_name,
};

/// Every situation an agent can be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    Invalid(String),
    ManagesItself(String),
    LacksKnowledge(String),
    KnowledgeNotShared(String),
    ConnectorUnusable(String),
    WaitsForTemplate(String),
    WaitsForKey { namespace: String, secret: NamespacedSecretKeyRef },
    KeyNotGranted(NamespacedSecretKeyRef),
    WaitsForSecret(String),
    WaitsForLogin(String),
    WaitsForName { kind: &'static str, name: String },
    Queued { position: u32, limit: Limit },
    WaitsForBudget(Shortage),
    Starting(String),
    Fails(Trouble),
    Idle,
    Working,
    Sleeping,
    Suspended,
    Finished { until: Option<Timestamp> },
    Deleting,
}

impl Situation {
    fn phase(&self) -> AgentPhase {
        match self {
            Self::Invalid(_)
            | Self::ManagesItself(_)
            | Self::KeyNotGranted(_)
            | Self::KnowledgeNotShared(_)
            | Self::ConnectorUnusable(_) => AgentPhase::Failed,
            Self::WaitsForTemplate(_)
            | Self::LacksKnowledge(_)
            | Self::WaitsForBudget(_)
            | Self::WaitsForKey { .. }
            | Self::WaitsForSecret(_)
            | Self::WaitsForLogin(_)
            | Self::WaitsForName { .. } => AgentPhase::Pending,
            Self::Queued { .. } => AgentPhase::Queued,
            Self::Starting(_) | Self::Fails(_) => AgentPhase::Starting,
            Self::Idle => AgentPhase::Idle,
            Self::Working => AgentPhase::Working,
            Self::Sleeping => AgentPhase::Sleeping,
            Self::Suspended => AgentPhase::Suspended,
            Self::Finished { .. } => AgentPhase::Finished,
            Self::Deleting => AgentPhase::Deleting,
        }
    }

    fn standing(&self, observed: &Observed) -> Standing {
        let agent = &*observed.agent;
        let row = |progress, reason, message: String| Standing { progress, reason, message };
        let dependency = |message| row(Progress::Progressing, "DependencyNotReady", message);
        match self {
            Self::Invalid(causes) => row(Progress::Stalled, "InvalidSpec", causes.clone()),
            Self::ManagesItself(cause) => row(Progress::Stalled, "ReferenceCycle", cause.clone()),
            Self::LacksKnowledge(what) => dependency(what.clone()),
            Self::KnowledgeNotShared(what) => row(Progress::Stalled, "ReferenceNotGranted", what.clone()),
            Self::ConnectorUnusable(what) => row(Progress::Stalled, "ConnectorNotSupported", what.clone()),
            Self::WaitsForLogin(what) => dependency(format!("The task waits for what opens its connectors: {what}")),
            Self::WaitsForTemplate(name) => dependency(format!(
                "There is no KomputerAgentTemplate {name} in namespace {} and no KomputerAgentClusterTemplate {name}; \
                 create one or change spec.templateRef.name",
                agent.namespace().unwrap_or_default(),
            )),
            Self::WaitsForKey { namespace, secret } => dependency(format!(
                "Secret {namespace}/{}: key {} is missing; create it, or change spec.model.apiKeySecretRef of \
                 KomputerAgentClusterTemplate {}",
                secret.name,
                secret.key,
                template_name(agent),
            )),
            Self::KeyNotGranted(secret) => row(
                Progress::Stalled,
                "ReferenceNotGranted",
                format!(
                    "Secret {}/{} of another namespace is not granted to template {}; name a Secret of its own namespace \
                     in spec.model.apiKeySecretRef",
                    secret.namespace.as_deref().unwrap_or_default(),
                    secret.name,
                    template_name(agent),
                ),
            ),
            Self::WaitsForSecret(what) => dependency(format!(
                "The pod cannot start: {what}; create it in namespace {} or change the reference",
                agent.namespace().unwrap_or_default(),
            )),
            Self::WaitsForName { kind, name } => dependency(format!(
                "{kind} {name} exists and belongs to somebody else or is going; delete it or rename the agent"
            )),
            Self::Queued { limit, .. } => row(Progress::Progressing, "Queued", queued(agent, *limit)),
            Self::WaitsForBudget(shortage) => row(Progress::Progressing, "WaitsForBudget", shortage.words()),
            Self::Starting(message) => row(Progress::Progressing, "Starting", message.clone()),
            Self::Fails(trouble) => row(Progress::Retrying, trouble.kind.as_str(), trouble_of(observed, trouble)),
            Self::Idle => row(Progress::Done, "Idle", "The agent is awake and waits for tasks".into()),
            Self::Working => row(Progress::Done, "Working", "The agent works on a task".into()),
            Self::Sleeping => {
                row(Progress::Done, "Sleeping", "The agent sleeps; its workspace is kept and a task wakes it".into())
            }
            Self::Suspended => {
                row(Progress::Done, "Suspended", "Suspended by spec.suspend; the workspace is kept".into())
            }
            Self::Finished { until: None } => row(
                Progress::Done,
                "Finished",
                "The agent has finished, and its pod and workspace are gone; delete it from where it was applied"
                    .into(),
            ),
            Self::Finished { until: Some(until) } => row(
                Progress::Done,
                "Finished",
                format!(
                    "The agent has finished, and its pod is gone; its workspace goes at {until} by \
                     spec.lifecycle.ttlAfterFinished"
                ),
            ),
            Self::Deleting => row(Progress::Deleting, "Deleting", "The agent is being deleted".into()),
        }
    }
}

/// What is wrong with the pod, and what somebody can do.
fn trouble_of(observed: &Observed, Trouble { kind, message }: &Trouble) -> String {
    let (name, template) = (pod_name(observed), template_name(&observed.agent));
    let container = observed.seat().map(|seat| format!(" -c {}", seat.container)).unwrap_or_default();
    match kind {
        TroubleKind::ImageNotPulled => format!(
            "The image of pod {name} cannot be pulled ({message}); it is tried again; correct spec.image of template \
             {template}, or imagePullSecrets in its spec.podTemplate.spec"
        ),
        TroubleKind::Crashing => format!(
            "The container of pod {name} does not run ({message}); it is tried again; kubectl logs -p {name}{container} says why it ended"
        ),
        TroubleKind::OutOfMemory => format!(
            "The container of pod {name} used more memory than it may ({message}); it is started again; raise \
             spec.resources.limits.memory of template {template}"
        ),
        TroubleKind::PodFailed => format!("Pod {name} has ended: {message}"),
        TroubleKind::PodStuck => format!(
            "Pod {name} keeps its workspace from the next one. {message}; if the node is gone for good, delete it or taint \
             it with node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
        ),
    }
}

/// The position is not in it: it changes more often.
fn queued(agent: &KomputerAgent, limit: Limit) -> String {
    match limit {
        Limit::Template(limit) => format!(
            "{limit} of the agents that template {} makes in namespace {} may be awake at a time, and are; this one \
             starts in its turn; raise spec.maxConcurrentAgents of the template, or let another sleep",
            template_name(agent),
            agent.namespace().unwrap_or_default(),
        ),
        Limit::Installation(limit) => format!(
            "{limit} of all agents may be awake at a time, and are; this one starts in its turn; let another sleep, or \
             raise --max-awake-agents of komputer-operator"
        ),
    }
}

pub(crate) fn template_name(agent: &KomputerAgent) -> &str {
    agent.spec.template_ref.as_ref().map_or(DEFAULT_TEMPLATE, |reference| &reference.name)
}

pub(super) fn of(
    observed: &Observed,
    model: String,
    situation: Situation,
    remarks: Vec<Remark>,
    pod_failure: Option<PodFailure>,
) -> KomputerAgentStatus {
    let (agent, summary) = (&*observed.agent, &observed.summary);
    let generation = agent.metadata.generation;
    let before = agent.status.as_ref().map_or(&[][..], StatusConditions::conditions);
    let has_pod = match &situation {
        Situation::Starting(_) | Situation::Fails(_) | Situation::Idle | Situation::Working => true,
        Situation::WaitsForBudget(_) | Situation::WaitsForLogin(_) => observed.its_pod().is_some(),
        _ => false,
    };
    let queue_position = match &situation {
        Situation::Queued { position, .. } => i32::try_from(*position).ok(),
        _ => None,
    };
    let seen = summary.cursor > Cursor::START;
    KomputerAgentStatus {
        observed_generation: generation,
        conditions: conditions(
            &situation.standing(observed),
            remarks.into_iter().chain(deprecated(agent)),
            generation,
            before,
            observed.now,
        ),
        phase: Some(situation.phase()),
        model: Some(model),
        effective: effective(observed).map(Arc::new),
        queue_position,
        pod_name: has_pod.then(|| pod_name(observed)),
        pod_failure,
        session_id: summary.session_id.clone(),
        instructions: instructions::status(agent),
        last_task: last_task(summary),
        tasks: summary.tasks,
        total_cost_usd: Some(summary.cost.to_string()),
        tokens: seen.then_some(summary.tokens),
        budgets: summary.shares.to_status(),
        allowance: spending::allowance(observed),
        cursor: seen.then(|| summary.cursor.to_string()),
    }
}

/// The pod that the agent is in, or is about to be.
fn pod_name(observed: &Observed) -> String {
    match &observed.squad {
        Some(membership) if !observed.has_own_pod() => shared_pod_name(&membership.squad),
        _ => observed.agent.name_any(),
    }
}

fn last_task(summary: &AgentSummary) -> Option<LastTask> {
    summary.last_task.as_ref().map(|last| LastTask {
        uid: last.uid.clone(),
        phase: last.phase.clone(),
        message: last.message.clone(),
        cost_usd: last.cost.to_string(),
    })
}

/// Whether the two differ only in what changes all the time while an agent waits, starts or works.
pub(super) fn only_progress(before: &KomputerAgentStatus, wanted: &KomputerAgentStatus) -> bool {
    let still = |status: &KomputerAgentStatus| KomputerAgentStatus {
        conditions: without_progress(status),
        queue_position: status.queue_position.map(|_| 0),
        total_cost_usd: None,
        tokens: None,
        budgets: Vec::new(),
        cursor: None,
        last_task: status.last_task.clone().map(|last| LastTask { message: None, cost_usd: String::new(), ..last }),
        ..status.clone()
    };
    still(before) == still(wanted)
}

/// A pod that starts says something else every moment.
fn without_progress(status: &KomputerAgentStatus) -> Vec<Condition> {
    let starts = status.phase == Some(AgentPhase::Starting);
    let message = |condition: &Condition| if starts { String::new() } else { condition.message.clone() };
    status.conditions.iter().map(|condition| Condition { message: message(condition), ..condition.clone() }).collect()
}
