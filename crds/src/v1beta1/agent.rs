use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AgentRef, MaxUnavailable, NamespacedRef, PodTemplate, Resources, Rollout, SecretRef, Storage, TemplateRef, Tokens,
};
use crate::{name_limit::NameLimit, schema};

/// What an agent is and does.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerAgent",
    plural = "komputeragents",
    singular = "komputeragent",
    shortname = "kag",
    category = "komputer",
    namespaced,
    status = "KomputerAgentStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Claude agent: a pod and its workspace while awake, the workspace alone while asleep.",
    validation = NameLimit::AGENT.rule(),
    validation = schema::another_manager("managerRef", "managerRef.name"),
    selectable = ".spec.model",
    selectable = ".spec.managerRef.name",
    selectable = ".spec.templateRef.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Task", type_ = "string", json_path = ".status.lastTask.phase"),
    printcolumn(name = "Cost", type_ = "string", json_path = ".status.totalCostUSD"),
    printcolumn(name = "Queue", type_ = "integer", json_path = ".status.queuePosition", priority = 1),
    printcolumn(name = "Model", type_ = "string", json_path = ".status.model", priority = 1),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentSpec {
    /// What the agent is to do. Becomes a `KomputerTask` owned by the agent; changing it makes a new task, and a task
    /// that has ended is never run again. An agent without instructions waits for tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 131_072))]
    pub instructions: Option<String>,

    /// The template it is made from; `default` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<TemplateRef>,

    /// The Claude model, like `claude-sonnet-4-6`; the template's, else `claude-sonnet-4-6`, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::model")]
    pub model: Option<String>,

    /// Who the agent is, ahead of every task's instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 131_072))]
    pub system_prompt: Option<String>,

    /// What it may do beside its own tasks; `Worker` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,

    /// The manager whose office the agent belongs to; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_ref: Option<AgentRef>,

    /// What happens after tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,

    /// While true the agent has no pod; its workspace and tasks stay. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// Secrets whose keys the agent's shell gets as environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secret_refs: Vec<SecretRef>,

    /// Skills the agent knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub skills: Vec<NamespacedRef>,

    /// Memories the agent has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub memories: Vec<NamespacedRef>,

    /// MCP servers the agent may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub connectors: Vec<NamespacedRef>,

    /// Which agents start first where there is a limit of how many are awake: higher first, then older. 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: Option<i32>,

    /// When a pod is replaced that was made before a change; the template's, else `WhenIdle`, where absent. The members of
    /// a squad share a pod, and the most careful of them decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,

    /// The workspace volume, instead of the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,

    /// Changes to the pod of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
}

/// What an agent may do beside its own tasks.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Creates and directs other agents.
    Manager,
    /// Does tasks.
    Worker,
}

/// What happens after tasks.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// What happens once no task is left; `KeepRunning` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_task: Option<AfterTask>,

    /// How long the agent stays awake with nothing to do before it sleeps, like `30m`. Where absent: no time where
    /// `afterTask` is `Sleep`, and for ever where it is `KeepRunning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub idle_timeout: Option<String>,

    /// How long the workspace stays after the agent has finished, where `afterTask` is `Delete`, like `24h`; it goes at
    /// once where absent. A task that comes in that time finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub ttl_after_finished: Option<String>,
}

/// What happens once an agent has no task left.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterTask {
    /// The pod stays and waits for the next task.
    #[default]
    KeepRunning,
    /// The pod goes and the workspace stays; the next task wakes the agent.
    Sleep,
    /// The pod and the workspace go, and the agent says it has finished; the object stays, because it is Git's.
    Delete,
}

/// What komputer knows about an agent.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerAgentStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled, Deprecated, PodOutdated and WorkspaceOutdated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the agent stands, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<AgentPhase>,

    /// Its place, from 1, among the agents that wait until they may be awake; absent while it does not wait. Exact to 10,
    /// rounded up to tens to 100 and to hundreds beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<i32>,

    /// The model tasks run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub model: Option<String>,

    /// What its spec, its template and the defaults come to; absent while there is no such template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Arc<Effective>>,

    /// The name of its pod, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod_name: Option<String>,

    /// The last pod that ended for good before its time; forgotten once one has been ready for 10 min, or none is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_failure: Option<PodFailure>,

    /// Claude's session, which later tasks go on in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub session_id: Option<String>,

    /// Which instructions became which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<InstructionsStatus>,

    /// The task it works on or, between tasks, worked on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_task: Option<LastTask>,

    /// How its tasks ended.
    #[serde(default)]
    pub tasks: TaskCounts,

    /// US dollars all its tasks have cost, as a decimal.
    #[serde(rename = "totalCostUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub total_cost_usd: Option<String>,

    /// Tokens of all its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,

    /// What it has cost in the periods of the budgets that it is for, or was when it did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["budgetUid".into()]))]
    pub budgets: Vec<BudgetShare>,

    /// What budgets let the task it works on, or begins next, cost; absent where none limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<TaskAllowance>,

    /// The id of the last event this status has taken into account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cursor: Option<String>,
}

/// What the next pod of an agent and its workspace have, whether its spec, its template or a default says so.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// The kind of the template that its name stands for: one of its namespace goes before one of the cluster.
    pub template_kind: TemplateKind,
    /// The template's name.
    #[schemars(length(max = 253))]
    pub template_name: String,
    /// The image of the agent's container.
    #[schemars(length(max = 512))]
    pub image: String,
    /// What that container asks for and may use.
    pub resources: Resources,
    /// Its workspace volume.
    pub storage: Storage,
    /// When a pod is replaced that was made before a change.
    pub rollout: Rollout,
    /// Agents of its namespace, made from its template, that are replaced at a time while they work well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<MaxUnavailable>,
    /// Agents of its namespace that may be awake at a time, made from its template; no limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_agents: Option<i32>,
}

/// A kind of template.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TemplateKind {
    /// One of the agent's namespace.
    #[default]
    KomputerAgentTemplate,
    /// One of the whole cluster.
    KomputerAgentClusterTemplate,
}

/// A pod that ended for good before its time.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PodFailure {
    /// The pod's uid.
    #[serde(rename = "podUID")]
    #[schemars(length(max = 64))]
    pub pod_uid: String,
    /// Why, at most 256 characters.
    #[schemars(length(max = 256))]
    pub message: String,
    /// How many pods in a row did so: the next comes at once after the first, 10 s after the second, then twice as long
    /// after each, up to 5 min.
    pub count: i32,
    /// When it was seen.
    pub time: Time,
}

/// Which instructions became which task.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct InstructionsStatus {
    /// Hash of the instructions.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// Counts changes of the instructions, from 1.
    pub revision: i64,
    /// The task they became.
    #[schemars(length(max = 63))]
    pub task_name: String,
}

/// The task an agent works on or worked on last.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LastTask {
    /// The task's uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// `Running`, `Succeeded`, `Failed` or `Cancelled`.
    #[schemars(length(max = 64))]
    pub phase: String,
    /// What it said last, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub message: Option<String>,
    /// US dollars it has cost, as a decimal.
    #[serde(rename = "costUSD")]
    #[schemars(schema_with = "schema::amount")]
    pub cost_usd: String,
}

/// What an agent has cost in a period of a budget.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BudgetShare {
    /// The budget's uid.
    #[schemars(length(max = 64))]
    pub budget_uid: String,
    /// When the period began; absent where the budget's period is `Total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Time>,
    /// US dollars, as a decimal.
    #[serde(rename = "costUSD")]
    #[schemars(schema_with = "schema::amount")]
    pub cost_usd: String,
}

/// What budgets let a task cost.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TaskAllowance {
    /// The task's uid.
    #[schemars(length(max = 64))]
    pub task_uid: String,
    /// US dollars from the task's beginning on; the call to the model that reaches them is the last.
    #[serde(rename = "upToUSD")]
    #[schemars(schema_with = "schema::amount")]
    pub up_to_usd: String,
    /// The budget that allows the least.
    #[schemars(length(max = 253))]
    pub budget_name: String,
}

/// How many tasks ended which way.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TaskCounts {
    /// Ended well.
    #[serde(default)]
    pub succeeded: i64,
    /// Failed.
    #[serde(default)]
    pub failed: i64,
    /// Were cancelled.
    #[serde(default)]
    pub cancelled: i64,
}

/// Where an agent stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentPhase {
    /// Something it needs is missing.
    Pending,
    /// Waits until another agent sleeps, because as many are awake as may be.
    Queued,
    /// Its pod starts.
    Starting,
    /// Awake, with nothing to do.
    Idle,
    /// Works on a task.
    Working,
    /// Has no pod, and wakes for the next task.
    Sleeping,
    /// Has no pod because `spec.suspend` is true.
    Suspended,
    /// Has finished for good.
    Finished,
    /// Cannot go on without a change.
    Failed,
    /// Is being deleted.
    Deleting,
}
