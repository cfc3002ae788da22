use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// A Secret of the agent's namespace. Its keys reach the agent's shell as `SECRET_<NAME>_<KEY>`, upper-cased.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Name of the Secret, like `github-credentials`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// One key of a Secret.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct SecretKeyRef {
    /// Name of the Secret, like `anthropic-api-key`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Key within the Secret, like `api-key`.
    #[schemars(schema_with = "schema::secret_key")]
    pub key: String,
}

/// One key of a Secret that may live in another namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespacedSecretKeyRef {
    /// Name of the Secret, like `anthropic-api-key`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Key within the Secret, like `api-key`.
    #[schemars(schema_with = "schema::secret_key")]
    pub key: String,
    /// Its namespace. Where absent: the object's own or, where that has none, the operator's. Another namespace must
    /// grant it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
}

/// The template an agent is made from.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct TemplateRef {
    /// Name of a `KomputerAgentTemplate` of the agent's namespace or, where there is none of that name, of a
    /// `KomputerAgentClusterTemplate`.
    #[schemars(schema_with = "schema::template_name")]
    pub name: String,
}

/// The agent a task is for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentRef {
    /// Name of a `KomputerAgent` of the same namespace.
    #[schemars(schema_with = "schema::agent_name")]
    pub name: String,
}

/// A reference to an object that may live in another namespace.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct NamespacedRef {
    /// Name of the object.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Its namespace; the agent's own where absent. Another namespace must grant it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace")]
    pub namespace: Option<String>,
}
