use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::AttachedStatus;
use crate::name_limit::NameLimit;

/// What agents are to remember.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerMemory",
    plural = "komputermemories",
    singular = "komputermemory",
    shortname = "kme",
    category = "komputer",
    namespaced,
    status = "AttachedStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerMemory is deprecated; use komputer.komputer.ai/v1beta1 KomputerMemory",
    doc = "Knowledge that agents always have before them.",
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.attachedAgents"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerMemorySpec {
    /// What to remember, as Markdown.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub content: String,

    /// What it is about, in one line, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4_096))]
    pub description: Option<String>,
}

/// How agents are to do something.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerSkill",
    plural = "komputerskills",
    singular = "komputerskill",
    shortname = "ksk",
    category = "komputer",
    namespaced,
    status = "AttachedStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerSkill is deprecated; use komputer.komputer.ai/v1beta1 KomputerSkill",
    doc = "A skill of Claude Code.",
    validation = NameLimit::SKILL.rule(),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.attachedAgents"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerSkillSpec {
    /// When to use it: Claude decides by this line.
    #[schemars(length(min = 1, max = 4_096))]
    pub description: String,

    /// How to do it, as Markdown.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub content: String,
}
