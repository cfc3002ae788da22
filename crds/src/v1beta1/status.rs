use std::ops::AddAssign;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttachedStatus, KomputerAgentStatus, KomputerAgentTemplateStatus, KomputerBudgetStatus, KomputerConfigStatus,
    KomputerOfficeStatus, KomputerScheduleStatus, KomputerSquadStatus, KomputerTaskStatus,
};

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

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_creation = self.cache_creation.saturating_add(other.cache_creation);
    }
}

/// A status that has conditions, as every status has.
pub trait StatusConditions {
    /// Ready always; Reconciling, Stalled and Deprecated where true.
    fn conditions(&self) -> &[Condition];

    /// The same status, of that generation of the spec and with these conditions.
    #[must_use]
    fn with_conditions(self, observed_generation: Option<i64>, conditions: Vec<Condition>) -> Self;
}

macro_rules! have_conditions {
    ($($status:ty),+ $(,)?) => {
        $(impl StatusConditions for $status {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }

            fn with_conditions(mut self, observed_generation: Option<i64>, conditions: Vec<Condition>) -> Self {
                self.observed_generation = observed_generation;
                self.conditions = conditions;
                self
            }
        })+
    };
}

have_conditions!(
    AttachedStatus,
    KomputerAgentStatus,
    KomputerAgentTemplateStatus,
    KomputerBudgetStatus,
    KomputerConfigStatus,
    KomputerOfficeStatus,
    KomputerScheduleStatus,
    KomputerSquadStatus,
    KomputerTaskStatus,
);
