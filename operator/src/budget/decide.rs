//! What to do about a budget: its status is written, and takes over what agents have cost that are gone.
use komputer_crds::{
    v1beta1::{KomputerBudgetStatus, StatusConditions},
    validate::{self, Kind},
};
use komputer_events::Money;
use serde_json::json;

use super::{
    ledger::{Leaving, Standing},
    observe::Observed,
    period::{Calendar, Span},
    status::{self, Situation},
    terms::Departed,
};
use crate::{
    plan::Plan,
    prune::deprecated,
    status::{Written, show},
};

/// Agents whose going may be counted at once; more wait for their turn (`status.departing`).
const DEPARTING: usize = 500;

/// What to do about a budget.
pub fn decide(observed: &Observed) -> Plan<KomputerBudgetStatus> {
    let budget = &*observed.budget;
    if observed.is_reading {
        return Plan::nothing(); // what agents have cost that are gone is not known yet
    }
    let span = Calendar::of(&budget.spec).map(|calendar| calendar.span(observed.now)).unwrap_or_default();
    let standing = observed.standing.clone().unwrap_or_default();
    let departed = depart(Departed::of(budget), &standing, span);
    let limit = budget.spec.limit_usd.parse().unwrap_or_default();
    let situation = situation(observed, limit, standing.spent);
    let before = budget.status.as_ref().map_or(&[][..], StatusConditions::conditions);
    let mut wanted = status::of(&situation, limit, &standing, span);
    wanted.departed_usd = Some(departed.cost.to_string());
    wanted.departing = departed.agents.into_iter().collect();
    let generation = budget.metadata.generation;
    let conditions = situation.conditions(budget, deprecated(budget), before, observed.now);
    let wanted = wanted.with_conditions(generation, conditions);

    let again = span.end.map(|end| end.duration_since(observed.now).unsigned_abs());
    let plan = Plan { again, ..Plan::nothing() };
    let written = Written { status: budget.status.as_ref(), at: observed.written };
    show(plan, written, wanted, status::only_figures, observed.now)
}

/// Takes over what agents have cost that are gone, each once: who is in the list is counted already, and stays in it until
/// its statement is forgotten.
fn depart(kept: Departed, standing: &Standing, span: Span) -> Departed {
    let mut departed = Departed {
        start: span.start,
        cost: kept.since(span.start),
        agents: kept.agents.into_iter().filter(|uid| standing.known.contains(uid)).collect(),
    };
    let room = DEPARTING.saturating_sub(departed.agents.len());
    let new = standing.leaving.iter().filter(|leaving| !departed.agents.contains(&leaving.uid)).take(room);
    for Leaving { uid, cost } in new.cloned().collect::<Vec<_>>() {
        departed.cost = departed.cost + cost;
        departed.agents.insert(uid);
    }
    departed
}

fn situation(observed: &Observed, limit: Money, spent: Money) -> Situation {
    let spec = &observed.budget.spec;
    if observed.budget.metadata.deletion_timestamp.is_some() || observed.namespace_is_going {
        return Situation::Deleting;
    }
    let causes = validate::causes(Kind::Budget, &json!({ "spec": spec }));
    if !causes.is_empty() || observed.standing.is_none() {
        return Situation::Invalid(validate::message(&causes));
    }
    let percent = u128::from(spec.warn_at_percent.unwrap_or(WARN_AT_PERCENT).unsigned_abs());
    if spent >= limit {
        Situation::Exceeded
    } else if u128::from(spent.nano()) * 100 >= u128::from(limit.nano()) * percent {
        Situation::NearLimit
    } else {
        Situation::WithinLimit
    }
}

/// Where `spec.warnAtPercent` is absent.
const WARN_AT_PERCENT: i32 = 80;
