use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::KomputerAgentSpec;
use crate::name_limit::NameLimit;

/// Which agents work side by side.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerSquad",
    plural = "komputersquads",
    singular = "komputersquad",
    shortname = "ksq",
    category = "komputer",
    namespaced,
    status = "KomputerSquadStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerSquad is deprecated; use komputer.komputer.ai/v1beta1 KomputerSquad",
    doc = "Agents that share one pod and see each other's workspaces.",
    validation = NameLimit::SQUAD.rule(),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerSquadSpec {
    /// The agents, at least one.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub members: Vec<SquadMember>,

    /// How long a squad without members is kept, like `10m`, which it is where absent.
    #[serde(rename = "orphanTTL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub orphan_ttl: Option<String>,

    /// Once true, the members go on alone when none of them works any more. False where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_up_requested: Option<bool>,
}

/// An agent of a squad: one there is, or one to be made.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[x_kube(
    validation = Rule::new("has(self.ref) != has(self.spec)").message("exactly one of ref or spec must be set; remove the other")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.ref) || !has(self.name)")
        .field_path(".name")
        .message("must be absent where ref is set, which names the agent; remove it")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct SquadMember {
    /// An agent there is.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<SquadMemberRef>,

    /// What the agent is that is made. Where it says nothing: `default` for templateRef, `claude-sonnet-4-6` for model,
    /// `manager` for role and 0 for priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Box<KomputerAgentSpec>>,

    /// The name of the agent that is made; `<squad>-member-<index>` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
}

/// An agent there is.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SquadMemberRef {
    /// Name of the agent.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace, which has to be the squad's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

/// What komputer knows about a squad.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerSquadStatus {
    /// `Pending`, `Running`, `Replacing`, `Sleeping`, `BrokenUp`, `Orphaned` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub phase: Option<String>,

    /// The name of the shared pod, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod_name: Option<String>,

    /// How each member stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub members: Vec<SquadMemberStatus>,

    /// Since when none of its members exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphaned_since: Option<Time>,

    /// Why the squad is in its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32_768))]
    pub message: Option<String>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What v1beta1's status says beside that.
    #[serde(flatten)]
    pub v1beta1: BTreeMap<String, Value>,
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
    #[schemars(length(max = 64))]
    pub task_status: Option<String>,
}
