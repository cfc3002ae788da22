use std::collections::{BTreeMap, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use komputer_crds::{
    DEFAULT_MODEL,
    v1alpha1::words,
    v1beta1::{AfterTask, AgentPhase, KomputerAgent, KomputerTask, NamespacedRef, Storage},
};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Filter, Readable, time};
use crate::{
    error::ApiError,
    query::Query,
    watch::{Cache, Caches, Object},
};

/// An agent as callers see it: first what upstream shows, in its names and words, then what is new here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    name: String,
    namespace: String,
    model: String,
    /// Upstream's phase: `Pending`, `Running`, `Succeeded`, `Failed` or `Sleeping`.
    status: &'static str,
    /// `InProgress`, `Complete` or `Error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_task_message: Option<String>,
    /// Empty, `Sleep` or `AutoDelete`.
    lifecycle: &'static str,
    #[serde(rename = "lastTaskCostUSD", skip_serializing_if = "Option::is_none")]
    last_task_cost_usd: Option<String>,
    #[serde(rename = "totalCostUSD", skip_serializing_if = "Option::is_none")]
    total_cost_usd: Option<String>,
    total_tokens: i64,
    /// Names of Secrets; never their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    memories: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skills: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connectors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Storage>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// When its last task ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_time: Option<String>,

    /// Its place among the agents that wait until they may be awake.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<i32>,
    /// What it waits for there.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_reason: Option<String>,

    /// Ours: where the agent stands, in `KomputerAgent`'s words.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<AgentPhase>,
    conditions: Vec<Condition>,
    /// The last event the status has taken into account: what to pass as `after` to get what followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// The agents of a list that are wanted.
#[derive(Debug, Default)]
pub struct AgentFilter {
    status: Option<String>,
}

/// Every phase there is a word for, upstream's first.
const STATUSES: [&str; 12] = [
    "Pending",
    "Running",
    "Succeeded",
    "Failed",
    "Sleeping",
    "Queued",
    "Starting",
    "Idle",
    "Working",
    "Suspended",
    "Finished",
    "Deleting",
];

impl Filter<KomputerAgent> for AgentFilter {
    fn parse(query: &Query) -> Result<Self, ApiError> {
        let Some(status) = query.one("status")? else { return Ok(Self::default()) };
        if STATUSES.iter().any(|known| known.eq_ignore_ascii_case(status)) {
            return Ok(Self { status: Some(status.to_owned()) });
        }
        let shown: String = status.chars().take(64).collect();
        let problem = format!("{shown:?} is not a phase; expected one of {}", STATUSES.join(", "));
        Err(ApiError::Parameter { parameter: "status", problem })
    }

    fn wants(&self, agent: &KomputerAgent) -> bool {
        let Some(wanted) = &self.status else { return true };
        let phase = phase(agent);
        upstream_phase(phase).eq_ignore_ascii_case(wanted)
            || phase.is_some_and(|phase| format!("{phase:?}").eq_ignore_ascii_case(wanted))
    }
}

impl Readable for KomputerAgent {
    const PLURAL: &'static str = "agents";
    const SINGULAR: &'static str = "agent";
    type View = AgentView;
    type Filter = AgentFilter;
    /// When each task that has ended did, by uid.
    type Related = HashMap<String, String>;

    fn cache(caches: &Caches) -> &Cache<Self> {
        &caches.agents
    }

    fn related(caches: &Caches, namespace: Option<&str>) -> Self::Related {
        let near = |task: &KomputerTask| {
            namespace.is_none_or(|namespace| task.metadata.namespace.as_deref() == Some(namespace))
        };
        let ended = |task: &Object<KomputerTask>| {
            let task = task.0.as_ref().ok()?;
            let at = task.status.as_ref()?.completion_time.as_ref()?;
            Some((task.uid()?, time::text(at)))
        };
        caches.tasks.select(near).iter().filter_map(|task| ended(task)).collect()
    }

    fn view(&self, ended: &Self::Related) -> AgentView {
        let spec = &self.spec;
        let status = self.status.clone().unwrap_or_default();
        let task = status.last_task;
        let after_task = spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.after_task);
        AgentView {
            name: self.name_any(),
            namespace: self.namespace().unwrap_or_default(),
            model: status.model.or_else(|| spec.model.clone()).unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
            status: upstream_phase(phase(self)),
            task_status: task.as_ref().map(|task| words::task_status(&task.phase)),
            lifecycle: upstream_lifecycle(after_task.unwrap_or_default()),
            total_cost_usd: status.total_cost_usd,
            total_tokens: status.tokens.unwrap_or_default().total(),
            secrets: spec.secret_refs.iter().map(|secret| secret.name.clone()).collect(),
            memories: spec.memories.iter().map(reference).collect(),
            skills: spec.skills.iter().map(reference).collect(),
            connectors: spec.connectors.iter().map(reference).collect(),
            instructions: spec.instructions.clone(),
            system_prompt: spec.system_prompt.clone(),
            created_at: time::created(&self.metadata),
            priority: spec.priority.unwrap_or_default(),
            storage: spec.storage.clone(),
            labels: self.labels().clone(),
            completion_time: task.as_ref().and_then(|task| ended.get(&task.uid).cloned()),
            queue_position: status.queue_position,
            queue_reason: queue_reason(status.phase, &status.conditions),
            phase: phase(self),
            conditions: status.conditions,
            cursor: status.cursor,
            last_task_cost_usd: task.as_ref().map(|task| task.cost_usd.clone()),
            last_task_message: task.and_then(|task| task.message),
        }
    }
}

fn phase(agent: &KomputerAgent) -> Option<AgentPhase> {
    agent.status.as_ref().and_then(|status| status.phase)
}

fn queue_reason(phase: Option<AgentPhase>, conditions: &[Condition]) -> Option<String> {
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    (phase == Some(AgentPhase::Queued)).then(|| ready.message.clone())
}

fn upstream_phase(phase: Option<AgentPhase>) -> &'static str {
    phase.map_or("Pending", words::phase)
}

fn upstream_lifecycle(after_task: AfterTask) -> &'static str {
    match after_task {
        AfterTask::KeepRunning => "",
        AfterTask::Sleep => "Sleep",
        AfterTask::Delete => "AutoDelete",
    }
}

/// `name`, or `namespace/name`.
fn reference(reference: &NamespacedRef) -> String {
    match &reference.namespace {
        Some(namespace) => format!("{namespace}/{}", reference.name),
        None => reference.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn agent(value: &Value) -> KomputerAgent {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn busy() -> KomputerAgent {
        agent(&json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
            "metadata": {
                "name": "ada", "namespace": "team-a", "uid": "u1", "labels": {"team": "a"},
                "creationTimestamp": "2026-11-01T10:00:00Z",
            },
            "spec": {
                "instructions": "count", "systemPrompt": "You are Ada.", "model": "claude-x", "priority": 5,
                "lifecycle": {"afterTask": "Sleep"}, "secretRefs": [{"name": "github"}],
                "memories": [{"name": "style"}], "skills": [{"name": "git", "namespace": "shared"}],
                "storage": {"size": "10Gi"},
            },
            "status": {
                "phase": "Idle", "model": "claude-sonnet-4-6", "totalCostUSD": "1.2500", "cursor": "1790000000123-4",
                "tokens": {"input": 1, "output": 2, "cacheRead": 3, "cacheCreation": 4},
                "lastTask": {"uid": "t1", "phase": "Succeeded", "message": "done", "costUSD": "0.2500"},
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Idle", "message": "waits",
                    "lastTransitionTime": "2026-11-01T10:05:00Z",
                }],
            },
        }))
    }

    #[test]
    fn an_agent_reads_as_clients_of_upstream_know_it() {
        let ended = HashMap::from([("t1".to_owned(), "2026-11-01T10:04:59Z".to_owned())]);
        let expected = json!({
            "name": "ada", "namespace": "team-a", "model": "claude-sonnet-4-6", "status": "Running",
            "taskStatus": "Complete", "lastTaskMessage": "done", "lifecycle": "Sleep", "lastTaskCostUSD": "0.2500",
            "totalCostUSD": "1.2500", "totalTokens": 10, "secrets": ["github"], "memories": ["style"],
            "skills": ["shared/git"], "instructions": "count", "systemPrompt": "You are Ada.",
            "createdAt": "2026-11-01T10:00:00Z", "priority": 5, "storage": {"size": "10Gi"}, "labels": {"team": "a"},
            "completionTime": "2026-11-01T10:04:59Z", "phase": "Idle", "cursor": "1790000000123-4",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Idle", "message": "waits",
                "lastTransitionTime": "2026-11-01T10:05:00Z",
            }],
        });
        assert_eq!(serde_json::to_value(busy().view(&ended)).unwrap(), expected);
    }

    #[test]
    fn an_agent_that_nobody_has_seen_yet_is_pending() {
        let new = agent(&json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
            "metadata": {"name": "ada", "namespace": "default"}, "spec": {},
        }));
        let expected = json!({
            "name": "ada", "namespace": "default", "model": DEFAULT_MODEL, "status": "Pending", "lifecycle": "",
            "totalTokens": 0, "priority": 0, "conditions": [],
        });
        assert_eq!(serde_json::to_value(new.view(&HashMap::new())).unwrap(), expected);
    }

    #[test]
    fn every_phase_has_a_word_of_upstream() {
        let words = [
            ("Pending", "Pending"),
            ("Starting", "Pending"),
            ("Idle", "Running"),
            ("Working", "Running"),
            ("Sleeping", "Sleeping"),
            ("Suspended", "Sleeping"),
            ("Finished", "Succeeded"),
            ("Failed", "Failed"),
            ("Deleting", "Pending"),
        ];
        for (ours, upstream) in words {
            assert_eq!(upstream_phase(Some(serde_json::from_value(json!(ours)).unwrap())), upstream);
            assert!(STATUSES.contains(&ours) && STATUSES.contains(&upstream));
        }
    }

    #[test]
    fn a_list_is_filtered_by_phase_in_either_vocabulary() {
        let filter = |status: &str| AgentFilter::parse(&vec![("status".to_owned(), status.to_owned())].into());
        for yes in ["running", "RUNNING", "idle", ""] {
            assert!(filter(yes).unwrap().wants(&busy()), "{yes}");
        }
        for no in ["sleeping", "Working", "queued"] {
            assert!(!filter(no).unwrap().wants(&busy()), "{no}");
        }
        let error = filter("asleep").unwrap_err().to_string();
        assert!(
            error.starts_with("parameter \"status\": \"asleep\" is not a phase; expected one of Pending"),
            "{error}"
        );
    }

    #[test]
    fn the_last_task_says_when_it_ended() {
        let task = |name: &str, namespace: &str, uid: &str| -> KomputerTask {
            serde_json::from_value(json!({
                "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerTask",
                "metadata": {"name": name, "namespace": namespace, "uid": uid},
                "spec": {"agentRef": {"name": "ada"}, "instructions": "x"},
                "status": {"completionTime": "2026-11-01T10:04:59Z"},
            }))
            .unwrap()
        };
        let tasks = Cache::of([task("a", "team-a", "t1"), task("b", "team-b", "t2")]);
        let caches = Caches { agents: Cache::of([]), tasks, squads: Cache::of([]), budgets: Cache::of([]) };
        assert_eq!(KomputerAgent::related(&caches, Some("team-a")).keys().collect::<Vec<_>>(), ["t1"]);
        assert_eq!(KomputerAgent::related(&caches, None).len(), 2);
    }
}
