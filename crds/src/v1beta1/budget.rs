use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How much which agents may cost in which time.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "komputer.komputer.ai",
    version = "v1beta1",
    kind = "KomputerBudget",
    plural = "komputerbudgets",
    singular = "komputerbudget",
    shortname = "kbu",
    category = "komputer",
    namespaced,
    status = "KomputerBudgetStatus",
    derive = "PartialEq",
    doc = "What agents of a namespace may cost in a period, and what happens when they have.",
    printcolumn(name = "Limit", type_ = "string", json_path = ".spec.limitUSD"),
    printcolumn(name = "Period", type_ = "string", json_path = ".spec.period"),
    printcolumn(name = "Spent", type_ = "string", json_path = ".status.spentUSD"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("!has(self.timeZone) || self.period == 'Day' || self.period == 'Month'")
        .field_path(".timeZone")
        .message("must be absent, because only days and months begin by a time zone; remove it")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct KomputerBudgetSpec {
    /// US dollars the agents may cost in each period, as a decimal like `"100.00"`.
    #[serde(rename = "limitUSD")]
    #[schemars(schema_with = "schema::positive_limit")]
    pub limit_usd: String,

    /// How long the limit holds before it holds anew. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("period is immutable; create a new budget instead")
        .reason(Reason::FieldValueForbidden))]
    pub period: BudgetPeriod,

    /// The time zone that days and months begin by, like `Europe/Berlin`; UTC where absent. Where a change lets the period
    /// begin later, what was spent before that counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time_zone")]
    pub time_zone: Option<String>,

    /// Agents of the namespace that it is for; all of them where absent or empty. An agent is counted by the first 64 budgets
    /// that are for it, and by no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<AgentSelector>,

    /// What happens when the limit is reached; `Stop` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<BudgetAction>,

    /// Percent of the limit from which on people are warned; 80 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub warn_at_percent: Option<i32>,
}

/// How long a limit holds before it holds anew.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetPeriod {
    /// Each hour by the clock.
    Hour,
    /// Each day from midnight on.
    Day,
    /// Each month from its first day on.
    Month,
    /// For good.
    Total,
}

/// What happens when a limit is reached.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BudgetAction {
    /// Tasks stop, and go on when the period ends or the limit is raised.
    #[default]
    Stop,
    /// People are told, and tasks go on.
    Warn,
}

/// Agents by their labels. All of its parts have to be true of an agent.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AgentSelector {
    /// Labels with their values, like `team: research`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub match_labels: BTreeMap<String, String>,

    /// Conditions on labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub match_expressions: Vec<LabelRequirement>,
}

/// A condition on a label.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)")
        .message("values must be set for In and NotIn and absent for Exists and DoesNotExist; correct them")
        .reason(Reason::FieldValueInvalid)
)]
#[serde(rename_all = "camelCase")]
pub struct LabelRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,

    /// What has to be true of it.
    pub operator: LabelOperator,

    /// Values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub values: Vec<String>,
}

/// What has to be true of a label.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl AgentSelector {
    /// Whether it is for an agent of these labels.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let by_label = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        by_label && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl LabelRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let found = labels.get(&self.key);
        let is_one = || found.is_some_and(|value| self.values.contains(value));
        match self.operator {
            LabelOperator::In => is_one(),
            LabelOperator::NotIn => !is_one(),
            LabelOperator::Exists => found.is_some(),
            LabelOperator::DoesNotExist => found.is_none(),
        }
    }
}

/// What komputer knows about a budget.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct KomputerBudgetStatus {
    /// The generation of the spec this status speaks of; -1 until the operator has seen the budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready always; Reconciling, Stalled and Deprecated where true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Where the budget stands, for people; programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<BudgetPhase>,

    /// US dollars spent in this period, as a decimal.
    #[serde(rename = "spentUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub spent_usd: Option<String>,

    /// US dollars left in this period, as a decimal.
    #[serde(rename = "remainingUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub remaining_usd: Option<String>,

    /// US dollars that running tasks may still cost, as a decimal: part of what is left.
    #[serde(rename = "reservedUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub reserved_usd: Option<String>,

    /// US dollars that agents have cost in this period which are gone, as a decimal: part of what is spent.
    #[serde(rename = "departedUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub departed_usd: Option<String>,

    /// Uids of agents that have just gone, and whose cost `departedUSD` has already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub departing: Vec<String>,

    /// When this period began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Time>,

    /// When this period ends; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Time>,

    /// Agents it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_agents: Option<i32>,
}

/// Where a budget stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetPhase {
    /// There is money left.
    WithinLimit,
    /// There is little left: `spec.warnAtPercent` is reached.
    NearLimit,
    /// There is none left.
    Exceeded,
    /// Cannot go on without a change.
    Failed,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_reads_labels_as_kubernetes_does() {
        let labels = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
        let matches = |selector| serde_json::from_value::<AgentSelector>(selector).unwrap().matches(&labels);
        let requirement = |key, operator, values: &[&str]| json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
        assert!(matches(json!({})) && matches(json!({ "matchLabels": { "team": "red" } })));
        assert!(!matches(json!({ "matchLabels": { "team": "red", "tier": "one" } })));
        assert!(matches(requirement("team", "In", &["blue", "red"])) && !matches(requirement("team", "In", &["blue"])));
        assert!(matches(requirement("team", "NotIn", &["blue"])) && !matches(requirement("team", "NotIn", &["red"])));
        assert!(matches(requirement("tier", "NotIn", &["one"])) && !matches(requirement("tier", "In", &["one"])));
        assert!(matches(requirement("team", "Exists", &[])) && !matches(requirement("team", "DoesNotExist", &[])));
    }
}
