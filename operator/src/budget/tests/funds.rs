//! How much a task may have.
use super::*;

fn stop(name: &str, limit: &str) -> KomputerBudget {
    budget(name, &json!({ "limitUSD": limit, "period": "Day" }))
}

#[test]
fn who_is_in_no_budget_is_not_limited() {
    let selector = json!({ "matchLabels": { "name": "bob" } });
    let other = budget("other", &json!({ "limitUSD": "1", "period": "Day", "selector": selector }));
    let mut team = Team::new(&[other], &["ada", "bob"]);
    assert_eq!(team.ask("ada"), Funds::default());
    let bob = team.ask("bob");
    assert!(bob.counted.is_some() && bob.grant.is_some());
}

#[test]
fn a_task_is_given_a_part_of_what_is_left_and_more_as_it_spends() {
    let mut team = Team::new(&[stop("day", "8")], &["ada", "bob"]);
    assert_eq!(team.may_cost("ada"), "1.0000");
    assert_eq!(team.may_cost("bob"), "0.8750");
    team.spend("ada", "0.4");
    assert_eq!(team.may_cost("ada"), "1.0000", "more than half of it is left");
    team.spend("ada", "0.4");
    let more = usd(&team.may_cost("ada"));
    assert!(more > usd("1") && more < usd("1.7"), "{more}");
}

#[test]
fn a_task_that_has_not_begun_keeps_what_it_was_given() {
    let mut team = Team::new(&[stop("day", "8")], &["ada"]);
    assert_eq!(team.may_cost("ada"), "1.0000");
    team.apply(&KomputerBudget { metadata: generation(2), ..stop("day", "80") });
    assert_eq!(team.may_cost("ada"), "1.0000", "whoever waits in a line is not written to each time others have spent");
    team.spend("ada", "0.1");
    assert_eq!(team.may_cost("ada"), "10.0875");
}

#[test]
fn which_budget_is_the_tightest_is_not_written_anew_where_the_amount_is_the_same() {
    let all = stop("all", "10");
    let mut team = Team::new(&[all.clone(), stop("day", "8")], &["ada"]);
    let grant = team.ask("ada").grant.unwrap();
    assert_eq!(grant.budget, "day");
    team.apply(&KomputerBudget { metadata: generation(2), ..stop("day", "80") });
    assert_eq!(team.ask("ada").grant.unwrap(), grant, "another is the tightest now");
    team.spend("ada", "0.9");
    let more = team.ask("ada").grant.unwrap();
    assert!(more.budget == "all" && more.up_to > grant.up_to, "{more:?}");
    team.namespace.budget_changed("all", None);
    assert_eq!(team.ask("ada").grant.unwrap().budget, "day", "the other is gone");
}

#[test]
fn the_last_of_it_is_given_too_and_then_tasks_wait() {
    let mut team = Team::new(&[stop("day", "1")], &["ada"]);
    let mut rounds = 0;
    while team.ask("ada").shortage.is_none() {
        let left = team.agents["ada"].recorded.as_ref().unwrap().up_to.saturating_sub(team.agents["ada"].cost);
        team.spend("ada", &left.to_string());
        rounds += 1;
        assert!(rounds < 100, "in pieces that are too small");
    }
    assert_eq!(team.agents["ada"].cost, usd("1"), "all of it can be spent");
    let shortage = team.ask("ada").shortage.unwrap();
    assert_eq!((shortage.budget.as_str(), shortage.until), ("day", Some(at("2026-03-11T00:00:00Z"))));
    assert!(shortage.words().contains("KomputerBudget day has nothing left; goes on at 2026-03-11T00:00:00Z"));
}

#[test]
fn raised_lowered_or_in_the_next_period_it_goes_on_or_stops() {
    let mut team = Team::new(&[stop("day", "1")], &["ada"]);
    team.spend("ada", "1");
    assert!(team.ask("ada").shortage.is_some());
    assert!(team.apply(&KomputerBudget { metadata: generation(2), ..stop("day", "3") }), "agents are looked at again");
    assert_eq!((team.ask("ada").shortage, team.may_cost("ada")), (None, "1.2500".into()));
    team.apply(&KomputerBudget { metadata: generation(3), ..stop("day", "1.1") });
    assert_eq!(team.may_cost("ada"), "1.1000", "what was given is taken back where there is less");
    team.apply(&KomputerBudget { metadata: generation(4), ..stop("day", "0.5") });
    assert!(team.ask("ada").shortage.is_some());
    assert_eq!(team.may_cost("ada"), "1.0000", "no more than it has cost");
    team.now = at("2026-03-11T00:00:00Z");
    assert_eq!((team.ask("ada").shortage, team.may_cost("ada")), (None, "1.0625".into()));
}

fn generation(generation: i64) -> kube::api::ObjectMeta {
    kube::api::ObjectMeta { generation: Some(generation), ..stop("day", "1").metadata }
}

#[test]
fn a_status_that_says_how_much_was_spent_wakes_nobody() {
    let mut team = Team::new(&[stop("day", "1")], &["ada"]);
    let mut written = stop("day", "1");
    written.status = Some(serde_json::from_value(json!({ "spentUSD": "0.5" })).unwrap());
    assert!(!team.apply(&written));
}

#[test]
fn of_several_budgets_the_tightest_counts_and_the_last_to_turn_is_waited_for() {
    let mut team = Team::new(&[stop("wide", "80"), stop("tight", "8")], &["ada"]);
    let grant = team.ask("ada").grant.unwrap();
    assert_eq!((grant.up_to, grant.budget.as_str()), (usd("1"), "tight"));
    team.spend("ada", "80");
    team.apply(&budget("hourly", &json!({ "limitUSD": "1", "period": "Hour" })));
    let shortage = team.ask("ada").shortage.unwrap();
    assert_eq!(shortage.until, Some(at("2026-03-11T00:00:00Z")));
    team.apply(&budget("all", &json!({ "limitUSD": "1", "period": "Total" })));
    team.spend("ada", "1");
    assert_eq!(team.ask("ada").shortage.unwrap().until, None);
}

#[test]
fn a_budget_that_warns_or_is_gone_limits_nobody() {
    let warns = budget("warns", &json!({ "limitUSD": "1", "period": "Day", "action": "Warn" }));
    let mut team = Team::new(&[warns, stop("day", "1")], &["ada"]);
    team.spend("ada", "5");
    assert!(team.ask("ada").shortage.is_some());
    assert!(team.namespace.budget_changed("day", None));
    let funds = team.ask("ada");
    assert_eq!((funds.grant, funds.shortage, funds.counted.is_some()), (None, None, true));
    assert_eq!(team.namespace.standing("warns", team.now).unwrap().spent, usd("5"));
}

#[test]
fn a_task_that_ran_before_its_budget_is_told_to_stop_where_there_is_nothing() {
    let mut team = Team::new(&[], &["ada"]);
    team.spend("ada", "2");
    assert_eq!(team.may_cost("ada"), "everything");
    team.apply(&stop("day", "1"));
    team.spend("ada", "1");
    assert_eq!(team.may_cost("ada"), "3.0000");
    assert!(team.ask("ada").shortage.is_some());
}

#[test]
fn what_is_given_back_is_there_for_who_waits() {
    let mut team = Team::new(&[stop("day", "0.00000001")], &["ada", "bob"]);
    while team.ask("bob").shortage.is_none() {
        team.ask("ada");
        let names = ["ada", "bob"];
        for name in names {
            let (cost, recorded) =
                (team.agents[name].cost, team.agents[name].recorded.as_ref().map(|grant| grant.up_to));
            let left = recorded.unwrap_or_default().saturating_sub(cost);
            if name == "bob" {
                team.spend(name, &left.to_string());
            }
        }
    }
    assert_eq!(team.namespace.waiting().collect::<Vec<_>>(), ["bob"]);
    let ada = team.agents["ada"].clone();
    let claim = Claim { agent: &ada.agent, summary: &ada.summary, work: None, now: team.now };
    let (_, others_may_have_more) = team.namespace.ask(claim);
    assert!(others_may_have_more, "its task has ended");
    assert_eq!(team.ask("bob").shortage, None);
}

#[test]
fn what_is_taken_back_is_set_aside_until_the_agent_was_told() {
    let mut team = Team::new(&[stop("day", "8")], &["ada"]);
    assert_eq!(team.may_cost("ada"), "1.0000");
    team.apply(&KomputerBudget { metadata: generation(2), ..stop("day", "0.5") });
    team.may_cost("ada");
    assert_eq!(team.namespace.standing("day", team.now).unwrap().reserved, usd("1"), "it may spend it still");
    team.may_cost("ada");
    assert_eq!(team.namespace.standing("day", team.now).unwrap().reserved, usd("0.5"));
}

#[test]
fn who_leads_next_knows_from_statuses_what_agents_may_still_spend() {
    let reserved = |phase: &str, labels: Option<&str>| {
        let mut ada = agent("ada");
        let status = json!({
            "cursor": "1-0", "lastTask": { "uid": "t", "phase": phase, "costUSD": "0.25" },
            "allowance": { "taskUid": "t", "upToUSD": "1", "budgetName": "day" },
        });
        ada.status = Some(serde_json::from_value(status).unwrap());
        let selector = json!({ "matchLabels": { "name": labels.unwrap_or("ada") } });
        let mut team =
            Team::new(&[budget("day", &json!({ "limitUSD": "8", "period": "Day", "selector": selector }))], &[]);
        team.namespace.agent_changed("ada", Some(super::super::ledger::known(&ada)), false, |_| None);
        team.namespace.standing("day", team.now).unwrap().reserved
    };
    assert_eq!(reserved("Running", None), usd("0.75"));
    assert_eq!(reserved("Succeeded", None), Money::ZERO);
    assert_eq!(reserved("Running", Some("bob")), Money::ZERO);
}
