use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AttachedStatus;
use crate::schema;

/// Where an MCP server is, and how agents log in.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerConnector",
    plural = "komputerconnectors",
    singular = "komputerconnector",
    shortname = "kco",
    category = "komputer",
    namespaced,
    status = "AttachedStatus",
    derive = "PartialEq",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerConnector is deprecated; use komputer.komputer.ai/v1beta1 KomputerConnector",
    doc = "An MCP server that agents may use, and how they log in to it.",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.attachedAgents"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.authType != 'header' || has(self.headerName)")
        .field_path(".headerName")
        .message("must be set where authType is header; add it, like X-Api-Key")
        .reason(Reason::FieldValueRequired)
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerConnectorSpec {
    /// How the server is reached.
    #[serde(rename = "type")]
    pub type_: ConnectorType,

    /// The service behind it, like `github`.
    #[schemars(length(min = 1, max = 253))]
    pub service: String,

    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub display_name: Option<String>,

    /// The server's address.
    #[schemars(schema_with = "schema::long_url")]
    pub url: String,

    /// The Secret to log in with, of the connector's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_key_ref: Option<SecretKeySelector>,

    /// How the secret is shown to the server.
    #[serde(default)]
    pub auth_type: AuthType,

    /// The header that has the secret, where `authType` is `header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub header_name: Option<String>,
}

/// How an MCP server is reached.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ConnectorType {
    /// By streamable HTTP.
    Remote,
}

/// How a secret is shown to a server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AuthType {
    /// A token in the header `Authorization`.
    #[default]
    Token,
    /// A token of OAuth in the header `Authorization`.
    OAuth,
    /// A key in the header that `headerName` names.
    Header,
}

/// One key of a Secret, as pods select it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeySelector {
    /// Name of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Key within the Secret.
    #[schemars(schema_with = "schema::secret_key")]
    pub key: String,
    /// Whether it may be missing. Not followed: a connector waits for its Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}
