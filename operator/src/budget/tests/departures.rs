//! What agents have cost that are gone.
use komputer_crds::v1beta1::KomputerBudgetStatus;
use komputer_events::{AgentId, Cursor};

use super::*;
use crate::{
    budget::{Ledger, decide},
    plan::Plan,
    watch::Change,
};

/// A budget, and two agents that have cost 0.25 and 0.5, and may cost more.
fn spending() -> (Team, KomputerBudget) {
    let total = budget("total", &json!({ "limitUSD": "1", "period": "Total" }));
    let mut team = Team::new(std::slice::from_ref(&total), &["ada", "bob"]);
    team.spend("ada", "0.25");
    team.spend("bob", "0.5");
    team.ask("ada");
    team.ask("bob");
    (team, total)
}

/// What is kept of an agent, with what was left to its task.
fn kept(team: &Team, name: &str) -> Statement {
    let member = &team.agents[name];
    Statement {
        agent: AgentId::new("team", name).unwrap(),
        uid: format!("{name}-uid"),
        cursor: Cursor::START,
        shares: member.summary.shares.clone(),
        budgets: ["total-uid".to_owned()].into(),
        reserved: member.recorded.as_ref().unwrap().up_to.saturating_sub(member.cost),
    }
}

/// Its object goes.
fn delete(team: &mut Team, name: &str) {
    let statement = kept(team, name);
    team.namespace.agent_changed(name, None, true, |_| Some(statement));
}

/// All that it said is read.
fn settle(team: &mut Team, name: &str) {
    let shares = team.agents[name].summary.shares.clone();
    team.namespace.settle(&format!("{name}-uid"), shares);
}

fn spent(team: &Team) -> Money {
    team.namespace.standing("total", team.now).unwrap().spent
}

fn reserved(team: &Team) -> Money {
    team.namespace.standing("total", team.now).unwrap().reserved
}

/// Writes what the plan says, and has the cache show it.
fn write(team: &mut Team, budget: &mut KomputerBudget, plan: Plan<KomputerBudgetStatus>) {
    budget.status = Some(plan.status.unwrap());
    team.apply(budget);
}

/// Its object goes, all that it said is read, and the budget takes over what it has cost.
fn departs(team: &mut Team, total: &mut KomputerBudget, name: &str) {
    delete(team, name);
    settle(team, name);
    let plan = decide(&team.observed(total));
    write(team, total, plan);
}

#[test]
fn what_an_agent_has_cost_is_counted_for_good_once_all_it_said_is_read() {
    let (mut team, mut total) = spending();
    let set_aside = reserved(&team);
    delete(&mut team, "ada");
    assert_eq!((spent(&team), reserved(&team)), (usd("0.75"), set_aside), "it may have cost more than was heard");
    let plan = decide(&team.observed(&total));
    assert_eq!(plan.status.as_ref().unwrap().departed_usd.as_deref(), Some("0.0000"), "not all is read");

    team.spend("ada", "0.0625");
    settle(&mut team, "ada");
    assert_eq!(spent(&team), usd("0.8125"));
    assert!(reserved(&team) < set_aside, "it costs nothing more");
    assert!(!team.namespace.is_counted_for_good("ada-uid"));
    let plan = decide(&team.observed(&total));
    write(&mut team, &mut total, plan);
    assert!(team.namespace.is_counted_for_good("ada-uid"));
    assert_eq!(spent(&team), usd("0.8125"), "counted once, though both say it");
    assert_eq!(decide(&team.observed(&total)).status, None, "looked at again, nothing is counted again");

    team.namespace.forget("ada-uid");
    let plan = decide(&team.observed(&total));
    let status = plan.status.clone().unwrap();
    assert_eq!((status.departed_usd.as_deref(), status.departing.as_slice()), (Some("0.3125"), [].as_slice()));
    write(&mut team, &mut total, plan);
    assert_eq!(spent(&team), usd("0.8125"));
}

#[test]
fn a_crash_at_any_moment_counts_nothing_twice() {
    let (mut team, mut total) = spending();
    let statement = kept(&team, "ada");
    delete(&mut team, "ada");

    // Another leader knows it by its statement alone, whether the budget has counted it or not.
    let next = |total: &KomputerBudget| {
        let mut next = Team::new(std::slice::from_ref(total), &[]);
        next.namespace.leave(statement.clone());
        next.agents = team.agents.clone();
        next
    };
    let mut second = next(&total);
    assert_eq!((spent(&second), reserved(&second)), (usd("0.25"), statement.reserved));
    settle(&mut second, "ada");
    let plan = decide(&second.observed(&total));
    write(&mut second, &mut total, plan);

    let mut third = next(&total);
    assert!(third.namespace.is_counted_for_good("ada-uid"));
    assert_eq!(spent(&third), usd("0.25"));
    settle(&mut third, "ada");
    let status = decide(&third.observed(&total)).status;
    assert!(status.is_none_or(|status| status.departed_usd.as_deref() == Some("0.2500")));
    assert_eq!(spent(&third), usd("0.25"));
}

#[test]
fn one_that_an_old_cache_shows_still_is_not_struck_off() {
    let (mut team, mut total) = spending();
    departs(&mut team, &mut total, "ada");

    let (mut next, _) = spending();
    next.apply(&total);
    let status = decide(&next.observed(&total)).status.unwrap_or_else(|| total.status.clone().unwrap());
    assert_eq!(status.departing, ["ada-uid"], "it would be counted again once its cache shows that it is gone");
}

#[test]
fn nothing_is_counted_or_given_before_it_is_known_who_is_gone() {
    let (mut team, mut total) = spending();
    departs(&mut team, &mut total, "ada");
    let next = Team::new(std::slice::from_ref(&total), &[]);
    let unread = Observed { is_reading: true, ..next.observed(&total) };
    assert_eq!(decide(&unread), Plan::nothing(), "who is not known to be gone must not be struck off");
}

/// Its statement may be kept: one written anew before that is known would be written by whoever leads no more.
#[test]
fn nothing_is_known_of_statements_before_they_are_read_also_of_agents_without_work() {
    let (agents, tasks, budgets) = Default::default();
    let ledger = Ledger::new(agents, tasks, budgets, Arc::default());
    let (ada, total) = (agent("ada"), budget("total", &json!({ "limitUSD": "1", "period": "Total" })));
    ledger.lead();
    ledger.budget_changed(&total, Change::Applied);
    ledger.agent_changed(&ada, Change::Applied);
    let (id, summary, now) =
        (AgentId::new("team", "ada").unwrap(), AgentSummary::default(), at("2026-03-10T12:00:00Z"));
    let ask = || ledger.ask(&id, Claim { agent: &ada, summary: &summary, work: None, now });
    assert!(ask().counted.is_some() && ask().is_reading);
    ledger.has_read(Vec::new(), |_| true);
    assert!(ask().counted.is_some() && !ask().is_reading);
}

#[test]
fn another_agent_of_that_name_is_another() {
    let (mut team, mut total) = spending();
    let statement = kept(&team, "ada");
    let known = Known { uid: "ada-2".into(), labels: agent("ada").metadata.labels.unwrap(), ..Known::default() };
    let gone = team.namespace.agent_changed("ada", Some(known), true, |uid| (uid == "ada-uid").then_some(statement));
    assert_eq!(gone.as_deref(), Some("ada-uid"));
    assert!(team.namespace.has_predecessor("ada", "ada-2"));
    assert!(!team.namespace.has_predecessor("bob", "bob-uid"));
    settle(&mut team, "ada");
    let plan = decide(&team.observed(&total));
    write(&mut team, &mut total, plan);
    assert_eq!(spent(&team), usd("0.75"));
    team.namespace.forget("ada-uid");
    assert!(!team.namespace.has_predecessor("ada", "ada-2"));
}

#[test]
fn one_that_is_shown_late_was_never_gone() {
    let (mut team, _) = spending();
    delete(&mut team, "ada");
    let known = Known { uid: "ada-uid".into(), ..Known::default() };
    team.namespace.agent_changed("ada", Some(known), true, |_| None);
    assert!(team.namespace.gone.is_empty());
}

#[test]
fn one_of_which_nothing_is_kept_is_forgotten_at_once() {
    let (mut team, _) = spending();
    team.namespace.agent_changed("ada", None, true, |_| None);
    assert_eq!(spent(&team), usd("0.5"));
    assert!(team.namespace.is_counted_for_good("ada-uid") && team.namespace.gone.is_empty());
}

#[test]
fn what_went_in_a_period_that_is_over_is_over_too() {
    let mut day = budget("total", &json!({ "limitUSD": "1", "period": "Day" }));
    let mut team = Team::new(std::slice::from_ref(&day), &["ada"]);
    team.spend("ada", "0.25");
    team.ask("ada");
    delete(&mut team, "ada");
    settle(&mut team, "ada");
    let plan = decide(&team.observed(&day));
    write(&mut team, &mut day, plan);
    assert_eq!(spent(&team), usd("0.25"));
    team.now = at("2026-03-11T00:00:00Z");
    assert_eq!(spent(&team), Money::ZERO);
    let status = decide(&team.observed(&day)).status.unwrap();
    assert_eq!((status.departed_usd.as_deref(), status.departing), (Some("0.0000"), vec!["ada-uid".to_owned()]));
}
