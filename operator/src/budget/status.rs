//! Where a budget stands, as its status says it.
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use komputer_crds::v1beta1::{BudgetAction, BudgetPhase, KomputerBudget, KomputerBudgetStatus};
use komputer_events::Money;

use super::{ledger, period::Span};
use crate::conditions::{Progress, Remark, Standing, conditions};

/// Every situation a budget can be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Situation {
    Invalid(String),
    WithinLimit,
    NearLimit,
    Exceeded,
    Deleting,
}

impl Situation {
    fn phase(&self) -> BudgetPhase {
        match self {
            Self::Invalid(_) => BudgetPhase::Failed,
            Self::WithinLimit | Self::Deleting => BudgetPhase::WithinLimit,
            Self::NearLimit => BudgetPhase::NearLimit,
            Self::Exceeded => BudgetPhase::Exceeded,
        }
    }

    /// A budget that is used up does what it is for: nothing is wrong with it.
    fn standing(&self, budget: &KomputerBudget) -> Standing {
        let row = |progress, reason, message: &str| Standing { progress, reason, message: message.into() };
        let stops = budget.spec.action.unwrap_or_default() == BudgetAction::Stop;
        match self {
            Self::Invalid(causes) => row(Progress::Stalled, "InvalidSpec", causes),
            Self::WithinLimit => row(Progress::Done, "WithinLimit", "There is money left"),
            Self::NearLimit => row(
                Progress::Done,
                "NearLimit",
                "Little is left: spec.warnAtPercent is reached; raise spec.limitUSD in time",
            ),
            Self::Exceeded if stops => row(
                Progress::Done,
                "Exceeded",
                "Nothing is left: tasks wait until the next period, or until spec.limitUSD is raised",
            ),
            Self::Exceeded => {
                row(Progress::Done, "Exceeded", "Nothing is left; tasks go on, because spec.action is Warn")
            }
            Self::Deleting => row(Progress::Deleting, "Deleting", "The KomputerBudget is being deleted"),
        }
    }

    pub(super) fn conditions(
        &self,
        budget: &KomputerBudget,
        deprecated: Option<Remark>,
        before: &[Condition],
        now: Timestamp,
    ) -> Vec<Condition> {
        conditions(&self.standing(budget), deprecated, budget.metadata.generation, before, now)
    }
}

pub(super) fn of(situation: &Situation, limit: Money, standing: &ledger::Standing, span: Span) -> KomputerBudgetStatus {
    KomputerBudgetStatus {
        phase: Some(situation.phase()),
        spent_usd: Some(standing.spent.to_string()),
        remaining_usd: Some(limit.saturating_sub(standing.spent).to_string()),
        reserved_usd: Some(standing.reserved.to_string()),
        period_start: span.start.map(Time),
        period_end: span.end.map(Time),
        selected_agents: i32::try_from(standing.selected).ok(),
        ..KomputerBudgetStatus::default()
    }
}

/// Whether the two differ only in what changes all the time while agents work.
pub(super) fn only_figures(before: &KomputerBudgetStatus, wanted: &KomputerBudgetStatus) -> bool {
    let still = |status: &KomputerBudgetStatus| KomputerBudgetStatus {
        spent_usd: None,
        remaining_usd: None,
        reserved_usd: None,
        selected_agents: None,
        ..status.clone()
    };
    still(before) == still(wanted)
}
