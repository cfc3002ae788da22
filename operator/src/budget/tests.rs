//! What budgets count, give and keep.
mod departures;
mod funds;
mod periods;
mod simulation;
mod standing;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerBudget, TaskAllowance};
use komputer_events::Money;
use serde_json::{Value, json};

use super::{
    allowance::Grant,
    book::Known,
    claim::{Claim, Funds, Work},
    namespace::Namespace,
    observe::Observed,
    shares::Shares,
    statement::Statement,
    terms::Terms,
};
use crate::fold::AgentSummary;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn usd(text: &str) -> Money {
    text.parse().unwrap()
}

fn budget(name: &str, spec: &Value) -> KomputerBudget {
    let object = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerBudget", "spec": spec,
        "metadata": { "name": name, "namespace": "team", "uid": format!("{name}-uid"), "generation": 1, "resourceVersion": "7" },
    });
    serde_json::from_value(object).unwrap()
}

fn agent(name: &str) -> KomputerAgent {
    let object = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "spec": {},
        "metadata": { "name": name, "namespace": "team", "uid": format!("{name}-uid"), "labels": { "name": name } },
    });
    serde_json::from_value(object).unwrap()
}

/// A namespace with these budgets, and agents that each have one task.
struct Team {
    namespace: Namespace,
    agents: BTreeMap<String, Member>,
    now: Timestamp,
}

/// An agent as the operator knows it: what it said, and what its status has.
#[derive(Clone)]
struct Member {
    agent: KomputerAgent,
    summary: AgentSummary,
    cost: Money,
    recorded: Option<Grant>,
}

impl Team {
    fn new(budgets: &[KomputerBudget], agents: &[&str]) -> Self {
        let mut team =
            Self { namespace: Namespace::default(), agents: BTreeMap::new(), now: at("2026-03-10T12:00:00Z") };
        for budget in budgets {
            team.apply(budget);
        }
        for name in agents {
            let agent = agent(name);
            let known = Known {
                uid: format!("{name}-uid"),
                labels: agent.metadata.labels.clone().unwrap(),
                ..Known::default()
            };
            team.namespace.agent_changed(name, Some(known), true, |_| None);
            let member = Member { agent, summary: AgentSummary::default(), cost: Money::ZERO, recorded: None };
            team.agents.insert((*name).to_owned(), member);
        }
        team
    }

    fn apply(&mut self, budget: &KomputerBudget) -> bool {
        self.namespace.budget_changed(budget.metadata.name.as_deref().unwrap(), Terms::of(budget))
    }

    /// Has an agent ask, and records what it gets.
    fn ask(&mut self, name: &str) -> Funds {
        let member = self.agents.get_mut(name).unwrap();
        let work =
            Work { task: format!("{name}-task"), cost: member.cost, recorded: member.recorded.clone(), goes_on: true };
        let claim = Claim { agent: &member.agent, summary: &member.summary, work: Some(&work), now: self.now };
        let (funds, _) = self.namespace.ask(claim);
        member.recorded.clone_from(&funds.grant);
        funds
    }

    fn spend(&mut self, name: &str, cost: &str) {
        let member = self.agents.get_mut(name).unwrap();
        let meters = self.namespace.meters(&member.agent);
        member.summary.shares.add(&meters, self.now, usd(cost));
        member.cost = member.cost + usd(cost);
    }

    fn may_cost(&mut self, name: &str) -> String {
        self.ask(name).grant.map_or_else(|| "everything".into(), |grant| grant.up_to.to_string())
    }

    fn observed(&self, budget: &KomputerBudget) -> Observed {
        Observed {
            standing: self.namespace.standing(budget.metadata.name.as_deref().unwrap(), self.now),
            budget: Arc::new(budget.clone()),
            is_reading: false,
            namespace_is_going: false,
            written: None,
            now: self.now,
        }
    }
}

#[test]
fn a_share_is_read_back_as_it_was_written() {
    let mut team = Team::new(&[budget("day", &json!({ "limitUSD": "1", "period": "Day" }))], &["ada"]);
    team.spend("ada", "0.0000003");
    let shares = &team.agents["ada"].summary.shares;
    assert_eq!(Shares::from(&*shares.to_status()), *shares);
    let recorded = TaskAllowance { task_uid: "t".into(), up_to_usd: "0.25".into(), budget_name: "day".into() };
    let work = |task: &str| Work::new(task.into(), true, &AgentSummary::default(), Some(&recorded)).recorded_up_to();
    assert_eq!((work("t"), work("other")), (Some(usd("0.25")), None));
}
