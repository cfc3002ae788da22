use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;
use crate::schema;

/// Where an MCP server is, and how agents log in.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerConnector",
    plural = "komputerconnectors",
    singular = "komputerconnector",
    shortname = "kco",
    category = "komputer",
    namespaced,
    status = "AttachedStatus",
    derive = "PartialEq",
    doc = "An MCP server that agents may use, and how they log in to it.",
    selectable = ".spec.service",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Agents", type_ = "integer", json_path = ".status.attachedAgents"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self.transport == 'Stdio' || has(self.url)")
        .field_path(".url")
        .message("must be set for a server that is reached by HTTP; add it")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("self.transport == 'Stdio' || !has(self.stdio)")
        .field_path(".stdio")
        .message("must be absent for a server that is reached by HTTP; remove it, or set transport to Stdio")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.transport != 'Stdio' || has(self.stdio)")
        .message("stdio must say which program to start where transport is Stdio; add it")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("self.transport != 'Stdio' || (!has(self.url) && !has(self.auth))")
        .message("url and auth must be absent where transport is Stdio; remove them, and give secrets to the agent by secretRefs")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new(
        "!has(self.auth) || !has(self.auth.tokenURL) || self.auth.tokenURL.startsWith('https://') || \
         (has(self.url) && self.url.startsWith('http://'))",
    )
        .message("auth.tokenURL must begin with https:// where url does, because the login itself goes there; correct it")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerConnectorSpec {
    /// How the server is reached.
    pub transport: Transport,

    /// The service behind it, for people and policies, like `github`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service: Option<String>,

    /// What people call it, like `GitHub of the platform team`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub display_name: Option<String>,

    /// The server's address, like `https://api.githubcopilot.com/mcp/`; for a server that is reached by HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::long_url")]
    pub url: Option<String>,

    /// The program to start in the agent's pod, where `transport` is `Stdio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdio: Option<StdioServer>,

    /// How to log in to a server that is reached by HTTP; not at all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ConnectorAuth>,

    /// Other namespaces whose agents may use it, with its Secret; `*` for all. None where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::namespaces")]
    pub shared_with: Vec<String>,
}

/// How an MCP server is reached, as the protocol's specification has it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By HTTP, one address for everything.
    StreamableHTTP,
    /// By HTTP with server-sent events, which the protocol had before.
    SSE,
    /// A program in the agent's pod, spoken to over its standard input and output.
    Stdio,
}

/// A program that is an MCP server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StdioServer {
    /// The program in the agent's image and its arguments, like `[npx, -y, "@playwright/mcp"]`.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4_096)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub command: Vec<String>,
}

/// How to log in to an MCP server.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("!has(self.type) || self.type != 'Header' || has(self.headerName)")
        .message("headerName must be set where type is Header; add it, like X-Api-Key")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("!has(self.tokenURL) || (has(self.type) && self.type == 'OAuth')")
        .field_path(".tokenURL")
        .message("must be absent where type is not OAuth, because nothing else is refreshed; remove it, or set type to OAuth")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorAuth {
    /// How the secret is shown to the server; `Bearer` where absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<AuthType>,

    /// The header that has the secret, like `X-Api-Key`, where `type` is `Header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::header_name")]
    pub header_name: Option<String>,

    /// Where a token of OAuth is refreshed, like `https://auth.example.com/oauth/token`, where `type` is `OAuth`. Where absent
    /// it is used as it is.
    #[serde(rename = "tokenURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::long_url")]
    pub token_url: Option<String>,

    /// The Secret, of the connector's namespace. It never reaches the agent's shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// How a secret is shown to a server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthType {
    /// A token in the header `Authorization`.
    #[default]
    Bearer,
    /// A token of OAuth, which is refreshed where `tokenURL` says where, in the header `Authorization`.
    OAuth,
    /// A key in a header of another name.
    Header,
}

/// What komputer knows about something that agents have.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AttachedStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// How many agents have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_agents: Option<i32>,

    /// Which agents have it, as `name` or, in another namespace, `namespace/name`; the first 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 317)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub agent_names: Vec<String>,
}
