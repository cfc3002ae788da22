use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConditionsStatus, NamespacedSecretKeyRef};
use crate::schema;

/// Where the parts of the installation are.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1alpha1",
    kind = "KomputerConfig",
    plural = "komputerconfigs",
    singular = "komputerconfig",
    shortname = "kcf",
    category = "komputer",
    status = "ConditionsStatus",
    derive = "PartialEq",
    derive = "Default",
    deprecated = "komputer.komputer.ai/v1alpha1 KomputerConfig is deprecated; use komputer.komputer.ai/v1beta1 KomputerConfig",
    doc = "Where Redis and the api are. The oldest one counts.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerConfigSpec {
    /// The Redis that events go through.
    pub redis: ConfigRedis,

    /// Where the api is.
    #[serde(rename = "apiURL", default = "default_api_url")]
    #[schemars(length(max = 2_048))]
    pub api_url: String,
}

/// A Redis.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigRedis {
    /// Host and port, like `komputer-redis.komputer-system.svc:6379`.
    #[schemars(schema_with = "schema::host_and_port")]
    pub address: String,

    /// Its database.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub db: i32,

    /// What the names of its streams begin with.
    #[serde(default = "default_stream_prefix")]
    #[schemars(length(max = 253))]
    pub stream_prefix: String,

    /// The Secret with its password; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<NamespacedSecretKeyRef>,
}

fn default_api_url() -> String {
    "http://komputer-api.default.svc.cluster.local:8080".into()
}

fn default_stream_prefix() -> String {
    "komputer-events".into()
}
