use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::AttachedStatus;
use crate::{name_limit::NameLimit, schema};

/// What agents are to remember.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerMemory",
    plural = "komputermemories",
    singular = "komputermemory",
    shortname = "kme",
    category = "komputer",
    namespaced,
    status = "AttachedStatus",
    derive = "PartialEq",
    doc = "Knowledge that agents always have before them: it is part of their system prompt.",
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.attachedAgents"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerMemorySpec {
    /// What to remember, as Markdown: bytes, at most 1 MiB.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub content: String,

    /// What it is about, in one line, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4_096))]
    pub description: Option<String>,

    /// Other namespaces whose agents may have it; `*` for all. None where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::namespaces")]
    pub shared_with: Vec<String>,
}

/// How agents are to do something.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerSkill",
    plural = "komputerskills",
    singular = "komputerskill",
    shortname = "ksk",
    category = "komputer",
    namespaced,
    status = "AttachedStatus",
    derive = "PartialEq",
    doc = "A skill of Claude Code: read by an agent when its description fits what is to be done.",
    validation = NameLimit::SKILL.rule(),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.attachedAgents"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerSkillSpec {
    /// When to use it: Claude decides by this line.
    #[schemars(length(min = 1, max = 4_096))]
    pub description: String,

    /// How to do it, as Markdown without front matter: bytes, at most 1 MiB.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub content: String,

    /// Other namespaces whose agents may have it; `*` for all. None where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::namespaces")]
    pub shared_with: Vec<String>,
}
