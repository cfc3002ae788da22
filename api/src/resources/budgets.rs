use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use komputer_crds::v1beta1::{AgentSelector, BudgetAction, BudgetPeriod, BudgetPhase, KomputerBudget};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Filter, Readable, time};
use crate::{
    error::ApiError,
    query::Query,
    watch::{Cache, Caches},
};

/// A budget as callers see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetView {
    name: String,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    #[serde(rename = "limitUSD")]
    limit_usd: String,
    period: BudgetPeriod,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<AgentSelector>,
    action: BudgetAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<BudgetPhase>,
    #[serde(rename = "spentUSD", skip_serializing_if = "Option::is_none")]
    spent_usd: Option<String>,
    #[serde(rename = "remainingUSD", skip_serializing_if = "Option::is_none")]
    remaining_usd: Option<String>,
    /// Part of what is left that running tasks were given.
    #[serde(rename = "reservedUSD", skip_serializing_if = "Option::is_none")]
    reserved_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected_agents: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    labels: std::collections::BTreeMap<String, String>,
    conditions: Vec<Condition>,
}

/// Budgets are few: namespace and labels choose enough.
#[derive(Debug, Default)]
pub struct BudgetFilter;

impl Filter<KomputerBudget> for BudgetFilter {
    fn parse(_: &Query) -> Result<Self, ApiError> {
        Ok(Self)
    }

    fn wants(&self, _: &KomputerBudget) -> bool {
        true
    }
}

impl Readable for KomputerBudget {
    const PLURAL: &'static str = "budgets";
    const SINGULAR: &'static str = "budget";
    type View = BudgetView;
    type Filter = BudgetFilter;
    type Related = ();

    fn cache(caches: &Caches) -> &Cache<Self> {
        &caches.budgets
    }

    fn related(_: &Caches, _: Option<&str>) {}

    fn view(&self, (): &()) -> BudgetView {
        let spec = &self.spec;
        let status = self.status.clone().unwrap_or_default();
        BudgetView {
            name: self.name_any(),
            namespace: self.namespace().unwrap_or_default(),
            uid: self.uid(),
            limit_usd: spec.limit_usd.clone(),
            period: spec.period,
            time_zone: spec.time_zone.clone(),
            selector: spec.selector.clone(),
            action: spec.action.unwrap_or_default(),
            phase: status.phase,
            spent_usd: status.spent_usd,
            remaining_usd: status.remaining_usd,
            reserved_usd: status.reserved_usd,
            period_start: status.period_start.as_ref().map(time::text),
            period_end: status.period_end.as_ref().map(time::text),
            selected_agents: status.selected_agents,
            created_at: time::created(&self.metadata),
            labels: self.labels().clone(),
            conditions: status.conditions,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_budget_shows_what_it_allows_and_what_is_spent() {
        let budget: KomputerBudget = serde_json::from_value(json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerBudget",
            "metadata": {"name": "team", "namespace": "team-a", "uid": "b1", "creationTimestamp": "2026-11-01T10:00:00Z"},
            "spec": {"limitUSD": "10", "period": "Day", "timeZone": "Europe/Berlin"},
            "status": {
                "phase": "NearLimit", "spentUSD": "9.5000", "remainingUSD": "0.5000", "reservedUSD": "0.1000",
                "departedUSD": "1.0000", "departing": ["a1"], "selectedAgents": 3,
                "periodStart": "2026-11-01T23:00:00Z", "periodEnd": "2026-11-02T23:00:00Z",
            },
        }))
        .unwrap();
        let expected = json!({
            "name": "team", "namespace": "team-a", "uid": "b1", "limitUSD": "10", "period": "Day", "action": "Stop",
            "timeZone": "Europe/Berlin", "phase": "NearLimit", "spentUSD": "9.5000", "remainingUSD": "0.5000",
            "reservedUSD": "0.1000", "selectedAgents": 3, "conditions": [], "createdAt": "2026-11-01T10:00:00Z",
            "periodStart": "2026-11-01T23:00:00Z", "periodEnd": "2026-11-02T23:00:00Z",
        });
        assert_eq!(serde_json::to_value(budget.view(&())).unwrap(), expected);
    }
}
