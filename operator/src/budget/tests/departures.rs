//! What agents have cost that are gone.
use super::*;
use crate::{
    budget::decide,
    plan::{Exactly, Plan},
};
use komputer_crds::v1beta1::KomputerBudgetStatus;

/// A budget, and an agent that has cost 0.25 and is going.
fn going() -> (Team, KomputerBudget) {
    let total = budget("total", &json!({ "limitUSD": "1", "period": "Total" }));
    let mut team = Team::new(std::slice::from_ref(&total), &["ada", "bob"]);
    team.spend("ada", "0.25");
    team.spend("bob", "0.5");
    team.ask("ada");
    team.ask("bob");
    (team, total)
}

fn settle(team: &mut Team) -> Funds {
    let ada = team.agents["ada"].clone();
    let claim = Claim { agent: &ada.agent, summary: &ada.summary, work: None, is_settled: true, now: team.now };
    team.namespace.ask(claim).0
}

fn spent(team: &Team) -> Money {
    team.namespace.standing("total", team.now).unwrap().spent
}

/// Writes what the plan says, and has the cache show it.
fn write(team: &mut Team, budget: &mut KomputerBudget, plan: Plan<KomputerBudgetStatus>) {
    budget.status = Some(plan.status.unwrap());
    team.apply(budget);
}

#[test]
fn an_agent_goes_once_its_budgets_have_what_it_has_cost() {
    let (mut team, mut total) = going();
    assert_eq!(decide(&team.observed(&total)).present, [], "it is not settled");
    assert!(!settle(&mut team).is_departed);
    let plan = decide(&team.observed(&total));
    assert_eq!(plan.present, [Exactly { name: "ada".into(), uid: "ada-uid".into() }], "it must be there to be counted");
    write(&mut team, &mut total, plan);
    assert!(settle(&mut team).is_departed);
    assert_eq!(spent(&team), usd("0.75"), "counted once, though both say it");

    // Looked at again before it is gone, nothing is counted again.
    let plan = decide(&team.observed(&total));
    assert_eq!((plan.status, plan.present), (None, vec![]));

    team.namespace.agent_changed("ada", None, true);
    let plan = decide(&team.observed(&total));
    let status = plan.status.clone().unwrap();
    assert_eq!((status.departed_usd.as_deref(), status.departing.as_slice()), (Some("0.2500"), [].as_slice()));
    write(&mut team, &mut total, plan);
    assert_eq!(spent(&team), usd("0.75"));
}

#[test]
fn an_agent_of_which_nothing_was_heard_is_not_taken_for_one_that_has_cost_nothing() {
    let total = budget("total", &json!({ "limitUSD": "1", "period": "Total" }));
    let mut team = Team::new(&[total], &["ada"]);
    assert!(!team.ask("ada").is_departed, "what it has said may not be read yet");
    assert!(settle(&mut team).is_departed);
}

#[test]
fn a_crash_at_any_moment_counts_nothing_twice() {
    let (mut team, mut total) = going();
    settle(&mut team);
    let plan = decide(&team.observed(&total));
    write(&mut team, &mut total, plan);

    // Another leader: its books come from the statuses.
    let (mut next, _) = going();
    next.apply(&total);
    assert_eq!(spent(&next), usd("0.75"));
    assert!(settle(&mut next).is_departed);
    assert_eq!(decide(&next.observed(&total)).present, []);
}

#[test]
fn another_agent_of_that_name_is_another() {
    let (mut team, mut total) = going();
    settle(&mut team);
    let plan = decide(&team.observed(&total));
    write(&mut team, &mut total, plan);
    let known = Known { uid: "ada-2".into(), labels: agent("ada").metadata.labels.unwrap(), ..Known::default() };
    assert_eq!(team.namespace.agent_changed("ada", Some(known), true).as_deref(), Some("ada-uid"));
    let plan = decide(&team.observed(&total));
    write(&mut team, &mut total, plan);
    assert_eq!(spent(&team), usd("0.75"));
}

#[test]
fn what_went_in_a_period_that_is_over_is_over_too() {
    let mut day = budget("total", &json!({ "limitUSD": "1", "period": "Day" }));
    let mut team = Team::new(std::slice::from_ref(&day), &["ada"]);
    team.spend("ada", "0.25");
    settle(&mut team);
    let plan = decide(&team.observed(&day));
    write(&mut team, &mut day, plan);
    assert_eq!(spent(&team), usd("0.25"));
    team.now = at("2026-03-11T00:00:00Z");
    assert_eq!(spent(&team), Money::ZERO);
    let status = decide(&team.observed(&day)).status.unwrap();
    assert_eq!((status.departed_usd.as_deref(), status.departing), (Some("0.0000"), vec!["ada-uid".to_owned()]));
}
