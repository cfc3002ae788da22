use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KomputerAgentSpec, PodFailure};
use crate::{name_limit::NameLimit, schema};

/// Which agents work side by side.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerSquad",
    plural = "komputersquads",
    singular = "komputersquad",
    shortname = "ksq",
    category = "komputer",
    namespaced,
    status = "KomputerSquadStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Agents that share one pod and see each other's workspaces.",
    validation = NameLimit::SQUAD.rule(),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Members", type_ = "string", json_path = ".spec.members[*].name"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerSquadSpec {
    /// The agents, at least one. An agent belongs to one squad at a time.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<SquadMember>,

    /// How long a squad without members that exist is kept, like `10m`, which it is where absent.
    #[serde(rename = "orphanTTL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    pub orphan_ttl: Option<String>,

    /// Once true, the members leave the shared pod when none of them works any more, and go on alone. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_up: Option<bool>,
}

/// An agent of a squad.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SquadMember {
    /// Name of a KomputerAgent of the squad's namespace.
    #[schemars(schema_with = "schema::agent_name")]
    pub name: String,

    /// What the agent is to be, where the squad makes it; an agent of that name has to exist where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<KomputerAgentSpec>>,

    /// What it may do in the workspaces of the others, which it finds at `/agents/NAME/workspace`; `ReadWrite` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<WorkspaceAccess>,
}

/// What a member may do in the workspaces of the others.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkspaceAccess {
    /// Read.
    ReadOnly,
    /// Read and write.
    #[default]
    ReadWrite,
}

/// What komputer knows about a squad.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerSquadStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the squad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the squad stands, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<SquadPhase>,

    /// The name of the shared pod, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod_name: Option<String>,

    /// The last pod that ended for good before its time; forgotten once one has been ready for 10 min, or none is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_failure: Option<PodFailure>,

    /// How each member stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<SquadMemberStatus>,

    /// Since when none of its members exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_since: Option<Time>,
}

/// How a member of a squad stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SquadMemberStatus {
    /// The agent.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Whether its container takes tasks.
    pub ready: bool,
    /// How its last task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub task_status: Option<String>,
}

/// Where a squad stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquadPhase {
    /// Something it needs is missing, or its pod starts.
    Pending,
    /// Its pod runs.
    Running,
    /// Its pod is to be replaced as soon as no member works; none begins a task meanwhile.
    Replacing,
    /// No member has to be awake.
    Sleeping,
    /// Its members go on alone, by `spec.breakUp`.
    BrokenUp,
    /// None of its members exists.
    Orphaned,
    /// Cannot go on without a change.
    Failed,
}
