//! What a budget's status says, and whom it tells.
use komputer_crds::v1beta1::{BudgetPhase, StatusConditions};

use super::*;
use crate::{budget::decide, plan::Severity};

#[test]
fn people_are_warned_before_the_limit_and_at_it() {
    let mut day = budget("day", &json!({ "limitUSD": "10", "period": "Day", "warnAtPercent": 50 }));
    let mut team = Team::new(std::slice::from_ref(&day), &["ada"]);
    let mut stands = |team: &mut Team, cost: &str| {
        if cost != "0" {
            team.spend("ada", cost);
        }
        team.ask("ada");
        let plan = decide(&team.observed(&day));
        let reports: Vec<_> = plan.reports.iter().map(|report| (report.severity, report.reason.clone())).collect();
        day.status = plan.status.or(day.status.take());
        (day.status.as_ref().unwrap().phase.unwrap(), reports)
    };
    let told = |severity, reason: &str| vec![(severity, reason.to_owned())];
    assert_eq!(stands(&mut team, "4.9999"), (BudgetPhase::WithinLimit, vec![]));
    assert_eq!(stands(&mut team, "0.0001"), (BudgetPhase::NearLimit, told(Severity::Warning, "NearLimit")));
    assert_eq!(stands(&mut team, "1"), (BudgetPhase::NearLimit, vec![]));
    assert_eq!(stands(&mut team, "4"), (BudgetPhase::Exceeded, told(Severity::Warning, "Exceeded")));
    team.now = at("2026-03-11T00:00:00Z");
    assert_eq!(stands(&mut team, "0"), (BudgetPhase::WithinLimit, told(Severity::Normal, "WithinLimit")));
}

#[test]
fn the_figures_are_those_of_the_period() {
    let month = budget("month", &json!({ "limitUSD": "10", "period": "Month", "timeZone": "Europe/Berlin" }));
    let mut team = Team::new(std::slice::from_ref(&month), &["ada", "bob"]);
    team.spend("ada", "2.5000003");
    team.ask("ada");
    team.ask("bob");
    let plan = decide(&team.observed(&month));
    let status = serde_json::to_value(plan.status.unwrap()).unwrap();
    for (figure, expected) in [
        ("spentUSD", json!("2.5000003")),
        ("remainingUSD", json!("7.4999997")),
        ("reservedUSD", json!("1.757812429")),
        ("departedUSD", json!("0.0000")),
        ("periodStart", json!("2026-02-28T23:00:00Z")),
        ("periodEnd", json!("2026-03-31T22:00:00Z")),
        ("selectedAgents", json!(2)),
    ] {
        assert_eq!(status[figure], expected, "{figure}: {status}");
    }
}

#[test]
fn one_that_admission_would_have_refused_is_stalled() {
    let odd = budget("odd", &json!({ "limitUSD": "1", "period": "Day", "timeZone": "Not/There" }));
    let team = Team::new(std::slice::from_ref(&odd), &["ada"]);
    let status = decide(&team.observed(&odd)).status.unwrap();
    let ready = &status.conditions()[0];
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "InvalidSpec"));
    assert!(ready.message.starts_with("spec.timeZone: Invalid value: \"Not/There\""), "{}", ready.message);
}
