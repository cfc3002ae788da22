//! What an agent knows beside its tasks: `PUT /v1/knowledge`, answered 202 however often it is sent. It counts from the next
//! task on, until it is sent anew.
use serde::{Deserialize, Serialize};

/// Everything that an agent is to know; what is not in it is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Knowledge {
    /// What it always has before it, in this order.
    #[serde(default)]
    pub memories: Vec<Memory>,
    /// What it reads when it needs it.
    #[serde(default)]
    pub skills: Vec<Skill>,
    /// The names of its connectors. How to reach them, and what opens them, is told with each task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connectors: Vec<String>,
}

/// A `KomputerMemory`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Memory {
    /// Its name.
    pub name: String,
    /// What to remember, as Markdown.
    pub content: String,
}

/// A `KomputerSkill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Skill {
    /// Its name: 1 to 63 lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// When to use it, in one line.
    pub description: String,
    /// How to do it, as Markdown.
    pub content: String,
}
