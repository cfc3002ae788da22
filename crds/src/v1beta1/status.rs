use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens, as the Messages API counts them.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Read and not cached.
    #[serde(default)]
    pub input: i64,
    /// Written by the model.
    #[serde(default)]
    pub output: i64,
    /// Read from the cache.
    #[serde(default)]
    pub cache_read: i64,
    /// Read and put into the cache.
    #[serde(default)]
    pub cache_creation: i64,
}

impl Tokens {
    /// All of them.
    pub fn total(self) -> i64 {
        self.input + self.output + self.cache_read + self.cache_creation
    }
}

/// A status that has conditions, as every status has.
pub trait StatusConditions {
    /// Ready always; Reconciling and Stalled where true.
    fn conditions(&self) -> &[Condition];
}
