//! Agents and tasks as the suites make and watch them.
use anyhow::Context;
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask, TaskPhase};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::node::{Node, eventually};

/// A v1beta1 agent that follows `script` on the scripted model.
pub fn agent(namespace: &str, name: &str, script: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "instructions": script },
    })
}

/// A task for `agent` that follows `script`.
pub fn task(namespace: &str, name: &str, agent: &str, script: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerTask",
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "agentRef": { "name": agent }, "instructions": script },
    })
}

impl Node {
    /// Applies `object` as a user does.
    ///
    /// # Errors
    /// It is refused; the error is what kubectl printed.
    pub async fn apply(&self, object: &Value) -> anyhow::Result<String> {
        self.kubectl(&["apply", "-f", "-"], &object.to_string()).await
    }

    /// Agents of a namespace.
    pub fn agents(&self, namespace: &str) -> Api<KomputerAgent> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Tasks of a namespace.
    pub fn tasks(&self, namespace: &str) -> Api<KomputerTask> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The only task of the namespace's agent `agent`, once it has ended.
    ///
    /// # Errors
    /// It does not end in time.
    pub async fn ended_task(&self, namespace: &str, agent: &str) -> anyhow::Result<KomputerTask> {
        let tasks = self.tasks(namespace);
        eventually(&format!("the task of {namespace}/{agent} to end"), || async {
            let all = tasks.list(&ListParams::default()).await?;
            let mut of_agent = all.into_iter().filter(|task| task.spec.agent_ref.name == agent);
            let task = of_agent.next().context("the agent has no task")?;
            let described = format!("{:?}", task.status.as_ref().map(|status| (status.phase, &status.conditions)));
            task.phase().is_terminal().then_some(task).context(described).map(Some)
        })
        .await
    }

    /// A task by name, once it stands at `phase`.
    ///
    /// # Errors
    /// It does not get there in time.
    pub async fn task_in(&self, namespace: &str, name: &str, phase: TaskPhase) -> anyhow::Result<KomputerTask> {
        let tasks = self.tasks(namespace);
        eventually(&format!("task {namespace}/{name} to be {phase:?}"), || async {
            let task = tasks.get(name).await?;
            let described = format!("it is {:?}: {:?}", task.phase(), task.status);
            (task.phase() == phase).then_some(task).context(described).map(Some)
        })
        .await
    }

    /// An agent, once `holds` is true of it.
    ///
    /// # Errors
    /// It does not become true in time.
    pub async fn agent_where(
        &self,
        namespace: &str,
        name: &str,
        holds: impl Fn(&KomputerAgent) -> bool,
    ) -> anyhow::Result<KomputerAgent> {
        let agents = self.agents(namespace);
        eventually(&format!("agent {namespace}/{name}"), || async {
            let agent = agents.get(name).await?;
            let described = format!("its status is {:?}", agent.status);
            holds(&agent).then_some(agent).context(described).map(Some)
        })
        .await
    }
}

/// Ready's status, reason and message.
pub fn ready(agent: &KomputerAgent) -> Option<(String, String, String)> {
    let conditions = &agent.status.as_ref()?.conditions;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    Some((ready.status.clone(), ready.reason.clone(), ready.message.clone()))
}

/// Managers other than a user's that own anything but an object's status and its finalizers.
pub fn meddlers(object: &impl ResourceExt) -> Vec<String> {
    let entries = object.managed_fields().iter().filter(|entry| {
        let ours = entry.manager.as_deref().is_some_and(|manager| manager.starts_with("komputer-"));
        let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.as_object());
        let is_ours = |(field, value): (&String, &Value)| match field.as_str() {
            "f:status" => true,
            "f:metadata" => value.as_object().is_some_and(|owned| owned.keys().all(|field| field == "f:finalizers")),
            _ => false,
        };
        ours && fields.is_none_or(|fields| !fields.iter().all(is_ours))
    });
    entries.map(|entry| format!("{:?} owns {:?}", entry.manager, entry.fields_v1)).collect()
}
