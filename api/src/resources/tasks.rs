use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use komputer_crds::v1beta1::{KomputerTask, TaskMode, TaskPhase, Tokens};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Filter, Readable, time};
use crate::{
    error::ApiError,
    query::{self, Query},
    watch::{Cache, Caches},
};

/// A task as callers see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    name: String,
    namespace: String,
    /// What its events carry as `task`.
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    agent: String,
    phase: TaskPhase,
    instructions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    mode: TaskMode,
    #[serde(rename = "maxCostUSD", skip_serializing_if = "Option::is_none")]
    max_cost_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_turns: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<i32>,
    /// Whether somebody asked for it to be cancelled.
    cancel: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(rename = "costUSD", skip_serializing_if = "Option::is_none")]
    cost_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turns: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    labels: std::collections::BTreeMap<String, String>,
    conditions: Vec<Condition>,
    /// The last event the status has taken into account.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// The tasks of a list that are wanted.
#[derive(Debug, Default)]
pub struct TaskFilter {
    agent: Option<String>,
    status: Option<TaskPhase>,
}

const PHASES: [TaskPhase; 5] =
    [TaskPhase::Pending, TaskPhase::Running, TaskPhase::Succeeded, TaskPhase::Failed, TaskPhase::Cancelled];

impl Filter<KomputerTask> for TaskFilter {
    fn parse(query: &Query) -> Result<Self, ApiError> {
        let agent = query.one("agent")?.map(|agent| query::name("agent", agent)).transpose()?;
        Ok(Self { agent, status: query.one("status")?.map(phase).transpose()? })
    }

    fn wants(&self, task: &KomputerTask) -> bool {
        self.agent.as_ref().is_none_or(|agent| *agent == task.spec.agent_ref.name)
            && self.status.is_none_or(|status| status == task.phase())
    }
}

fn phase(text: &str) -> Result<TaskPhase, ApiError> {
    PHASES.into_iter().find(|phase| format!("{phase:?}").eq_ignore_ascii_case(text)).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        let problem = format!("{shown:?} is not a phase; expected one of {PHASES:?}");
        ApiError::Parameter { parameter: "status", problem }
    })
}

impl Readable for KomputerTask {
    const PLURAL: &'static str = "tasks";
    const SINGULAR: &'static str = "task";
    type View = TaskView;
    type Filter = TaskFilter;
    type Related = ();

    fn cache(caches: &Caches) -> &Cache<Self> {
        &caches.tasks
    }

    fn related(_: &Caches, _: Option<&str>) {}

    fn view(&self, (): &()) -> TaskView {
        let spec = &self.spec;
        let status = self.status.clone().unwrap_or_default();
        TaskView {
            name: self.name_any(),
            namespace: self.namespace().unwrap_or_default(),
            uid: self.uid(),
            agent: spec.agent_ref.name.clone(),
            phase: self.phase(),
            instructions: spec.instructions.clone(),
            model: spec.model.clone(),
            mode: spec.mode.unwrap_or_default(),
            max_cost_usd: spec.max_cost_usd.clone(),
            max_turns: spec.max_turns,
            deadline: spec.deadline.clone(),
            retries: spec.retries,
            cancel: spec.cancel.unwrap_or_default(),
            result: status.result,
            message: status.message,
            cost_usd: status.cost_usd,
            tokens: status.tokens,
            turns: status.turns,
            start_time: status.start_time.as_ref().map(time::text),
            completion_time: status.completion_time.as_ref().map(time::text),
            created_at: time::created(&self.metadata),
            labels: self.labels().clone(),
            conditions: status.conditions,
            cursor: status.cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task() -> KomputerTask {
        serde_json::from_value(json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerTask",
            "metadata": {"name": "ada-1", "namespace": "team-a", "uid": "t1", "creationTimestamp": "2026-11-01T10:00:00Z"},
            "spec": {"agentRef": {"name": "ada"}, "instructions": "count", "maxCostUSD": "2.50", "maxTurns": 9},
            "status": {
                "phase": "Succeeded", "startTime": "2026-11-01T10:00:01Z", "completionTime": "2026-11-01T10:00:09Z",
                "result": "9", "message": "nine", "costUSD": "0.0100", "turns": 3, "cursor": "7-1",
                "tokens": {"input": 1, "output": 2, "cacheRead": 0, "cacheCreation": 0},
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_task_shows_what_was_asked_and_what_came_of_it() {
        let expected = json!({
            "name": "ada-1", "namespace": "team-a", "uid": "t1", "agent": "ada", "phase": "Succeeded", "mode": "Queue",
            "instructions": "count", "maxCostUSD": "2.50", "maxTurns": 9, "cancel": false, "result": "9",
            "message": "nine", "costUSD": "0.0100", "turns": 3, "cursor": "7-1", "conditions": [],
            "tokens": {"input": 1, "output": 2, "cacheRead": 0, "cacheCreation": 0},
            "startTime": "2026-11-01T10:00:01Z", "completionTime": "2026-11-01T10:00:09Z",
            "createdAt": "2026-11-01T10:00:00Z",
        });
        assert_eq!(serde_json::to_value(task().view(&())).unwrap(), expected);
    }

    #[test]
    fn a_list_is_filtered_by_agent_and_phase() {
        let filter = |name: &str, value: &str| TaskFilter::parse(&vec![(name.to_owned(), value.to_owned())].into());
        for (name, value) in [("agent", "ada"), ("status", "succeeded"), ("status", "")] {
            assert!(filter(name, value).unwrap().wants(&task()), "{name}={value}");
        }
        for (name, value) in [("agent", "bob"), ("status", "Running")] {
            assert!(!filter(name, value).unwrap().wants(&task()), "{name}={value}");
        }
        assert_eq!(
            filter("status", "done").unwrap_err().to_string(),
            "parameter \"status\": \"done\" is not a phase; \
             expected one of [Pending, Running, Succeeded, Failed, Cancelled]"
        );
    }
}
