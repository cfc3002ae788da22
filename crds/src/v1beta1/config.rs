use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NamespacedSecretKeyRef;
use crate::schema;

/// Where the parts of the installation are.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerConfig",
    plural = "komputerconfigs",
    singular = "komputerconfig",
    shortname = "kcf",
    category = "komputer",
    status = "KomputerConfigStatus",
    derive = "PartialEq",
    doc = "Where Redis and the api are, for installations that come from komputer.ai. The oldest one counts.",
    printcolumn(name = "Redis", type_ = "string", json_path = ".spec.redis.address"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerConfigSpec {
    /// The Redis that events go through.
    pub redis: ConfigRedis,

    /// Where the api is, like `http://komputer-api.komputer-system.svc:8080`.
    #[serde(rename = "apiURL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::url")]
    pub api_url: Option<String>,
}

/// A Redis.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigRedis {
    /// Host and port, like `komputer-redis.komputer-system.svc:6379`.
    #[schemars(schema_with = "schema::host_and_port")]
    pub address: String,

    /// Its database; 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65_535))]
    pub database: Option<i32>,

    /// What the names of its streams begin with; `komputer-events` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub stream_prefix: Option<String>,

    /// The Secret with its password; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<NamespacedSecretKeyRef>,
}

/// What komputer knows about a config.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerConfigStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
