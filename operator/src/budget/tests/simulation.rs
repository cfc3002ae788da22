//! Agents that spend, budgets that change, and an operator that dies at any moment: what is spent is counted to the last
//! digit, and no limit is passed by more than one call an agent.
use komputer_events::{AgentId, Body, Cursor, Event, TokenUsage};
use proptest::prelude::*;

use super::*;
use crate::{budget::decide, fold::LastTaskSummary};

const AGENTS: usize = 4;
/// Nano-dollars of the dearest call.
const CALL: u64 = 500_000;
/// The limit at first: so many calls that what is set aside counts for more than the one call that may pass it.
const LIMIT: &str = "0.02";

/// What really is: agents with their journals, and what is written in etcd.
struct World {
    truth: Vec<Actor>,
    budget: KomputerBudget,
    spent: Money,
    /// The dearest call of each agent.
    dearest: Vec<Money>,
    operator: Operator,
    now: Timestamp,
}

#[derive(Clone)]
struct Actor {
    agent: KomputerAgent,
    events: Vec<Event>,
    cost: Money,
    told: Option<Money>,
    /// What Redis keeps of it.
    kept: Option<Statement>,
    stands: Stands,
}

/// Where an agent is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    There,
    Gone,
    Forgotten,
}

/// What is lost when the operator dies.
struct Operator {
    namespace: Namespace,
    summaries: Vec<AgentSummary>,
}

impl Operator {
    fn start(actors: &[Actor], budget: &KomputerBudget) -> Self {
        let mut namespace = Namespace::default();
        namespace.budget_changed("total", Terms::of(budget));
        for actor in actors {
            let name = actor.agent.metadata.name.clone().unwrap();
            match (actor.stands, actor.kept.clone()) {
                (Stands::There, _) => {
                    namespace.agent_changed(&name, Some(super::super::ledger::known(&actor.agent)), false, |_| None);
                }
                (Stands::Gone, Some(kept)) => namespace.leave(kept),
                _ => {}
            }
        }
        Self { namespace, summaries: actors.iter().map(|actor| AgentSummary::from(&actor.agent)).collect() }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many calls of that cost, where it may make them.
    Spend(usize, u64, usize),
    Hear(usize),
    /// All goes well for once: it is told what it may have, and spends that or stops in the middle.
    Work(usize, u64, usize),
    Look(usize, bool),
    LookAtBudget(bool),
    Delete(usize),
    Limit(u64),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..AGENTS, 1..=CALL, 1..20_usize).prop_map(|(agent, cost, calls)| Step::Spend(agent, cost, calls)),
        6 => (0..AGENTS).prop_map(Step::Hear),
        8 => (0..AGENTS, 1..=CALL, 0..30_usize).prop_map(|(agent, cost, calls)| Step::Work(agent, cost, calls)),
        10 => (0..AGENTS, any::<bool>()).prop_map(|(agent, dies)| Step::Look(agent, dies)),
        4 => any::<bool>().prop_map(Step::LookAtBudget),
        1 => (0..AGENTS).prop_map(Step::Delete),
        1 => (1..40_u64).prop_map(|thousandths| Step::Limit(thousandths * 1_000_000)),
        1 => Just(Step::Crash),
    ]
}

impl World {
    fn new() -> Self {
        let budget = budget("total", &json!({ "limitUSD": LIMIT, "period": "Total" }));
        let actors: Vec<_> = (0..AGENTS)
            .map(|index| Actor {
                agent: agent(&format!("a{index}")),
                events: vec![],
                cost: Money::ZERO,
                told: None,
                kept: None,
                stands: Stands::There,
            })
            .collect();
        let operator = Operator::start(&actors, &budget);
        let now = at("2026-03-10T12:00:00Z");
        Self { dearest: vec![Money::ZERO; AGENTS], truth: actors, budget, spent: Money::ZERO, operator, now }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Spend(index, cost, calls) => {
                (0..calls).for_each(|_| self.spend(index, Money::from_nano(cost)));
            }
            Step::Hear(index) => self.hear(index),
            Step::Work(index, cost, calls) => {
                self.hear(index);
                self.look(index, false);
                self.look(index, false);
                (0..calls).for_each(|_| self.spend(index, Money::from_nano(cost)));
                self.hear(index);
            }
            Step::Look(index, dies) => self.look(index, dies),
            Step::LookAtBudget(dies) => self.look_at_budget(dies),
            Step::Delete(index) => self.delete(index),
            Step::Limit(nano) => {
                // A limit below what was spent is passed already: that is not what is measured.
                let limit = Money::from_nano(nano).max(self.limit());
                self.budget.spec.limit_usd = limit.to_string();
                self.budget.metadata.generation = self.budget.metadata.generation.map(|generation| generation + 1);
                self.operator.namespace.budget_changed("total", Terms::of(&self.budget));
            }
            Step::Crash => self.operator = Operator::start(&self.truth, &self.budget),
        }
        let most = self.dearest.iter().copied().sum::<Money>() + self.limit();
        assert!(self.spent <= most, "{} spent of {} after {step:?}", self.spent, self.limit());
    }

    fn limit(&self) -> Money {
        self.budget.spec.limit_usd.parse().unwrap()
    }

    /// The gateway: a call is made while the task has cost less than it may.
    fn spend(&mut self, index: usize, cost: Money) {
        let actor = &mut self.truth[index];
        if actor.told.is_none_or(|told| actor.cost >= told) {
            return;
        }
        actor.cost = actor.cost + cost;
        self.spent = self.spent + cost;
        self.dearest[index] = self.dearest[index].max(cost);
        let seq = actor.events.len() as u64 + 1;
        actor.events.push(Event {
            id: Cursor::at(1).next(0).next(seq * 10),
            seq,
            agent: AgentId::new("team", "a").unwrap(),
            timestamp: self.now,
            task: Some("task".into()),
            body: Body::Usage { model: "m".into(), usage: TokenUsage::default(), cost_usd: cost },
        });
    }

    /// The operator reads the stream, perhaps again.
    fn hear(&mut self, index: usize) {
        let actor = &self.truth[index];
        let meters = self.operator.namespace.meters(&actor.agent);
        for event in &actor.events {
            self.operator.summaries[index].fold_metered(event, &meters);
        }
    }

    /// Its object goes, and the operator sees it.
    fn delete(&mut self, index: usize) {
        let actor = &mut self.truth[index];
        if actor.stands != Stands::There {
            return;
        }
        actor.stands = if actor.kept.is_some() { Stands::Gone } else { Stands::Forgotten }; // it was told nothing
        let kept = actor.kept.clone();
        self.operator.namespace.agent_changed(&format!("a{index}"), None, true, |_| kept);
    }

    /// The agent's reconcile, which may end after any of its writes.
    fn look(&mut self, index: usize, dies: bool) {
        if self.truth[index].stands != Stands::There {
            return self.go_on(index, dies);
        }
        let summary = self.operator.summaries[index].clone();
        let actor = &mut self.truth[index];
        let recorded = actor.agent.status.as_ref().and_then(|status| status.allowance.clone());
        let work = Work::new("task".into(), true, &summary, recorded.as_ref());
        let claim = Claim { agent: &actor.agent, summary: &summary, work: Some(&work), now: self.now };
        let (funds, _) = self.operator.namespace.ask(claim);
        let counted = funds.counted.clone().unwrap();
        let wanted = Statement {
            agent: AgentId::new("team", format!("a{index}")).unwrap(),
            uid: actor.agent.metadata.uid.clone().unwrap(),
            cursor: summary.cursor,
            shares: summary.shares.clone(),
            budgets: counted.budgets,
            reserved: counted.reserved,
        };
        actor.kept = Some(wanted);
        // Told is never more than what was written before.
        if let (Some(recorded), Some(grant)) = (work.recorded_up_to(), &funds.grant) {
            actor.told = Some(recorded.min(grant.up_to));
        }
        if dies {
            return self.take(Step::Crash);
        }
        let last = LastTaskSummary { uid: "task".into(), phase: "Running".into(), ..LastTaskSummary::default() };
        let last = summary.last_task.clone().unwrap_or(last);
        let mut status = actor.agent.status.clone().unwrap_or_default();
        status.budgets = summary.shares.to_status();
        status.cursor = Some(summary.cursor.to_string());
        status.last_task = Some(
            serde_json::from_value(json!({ "uid": last.uid, "phase": last.phase, "costUSD": last.cost })).unwrap(),
        );
        status.allowance = funds.grant.map(|grant| TaskAllowance {
            task_uid: "task".into(),
            up_to_usd: grant.up_to.to_string(),
            budget_name: grant.budget,
        });
        actor.agent.status = Some(status);
    }

    /// What is done about an agent that is gone: its pod has ended, and its stream is read on from what is kept of it.
    fn go_on(&mut self, index: usize, dies: bool) {
        let actor = &mut self.truth[index];
        let Some(kept) = actor.kept.clone().filter(|_| actor.stands == Stands::Gone) else { return };
        let namespace = &mut self.operator.namespace;
        if !namespace.gone[&kept.uid].is_settled {
            actor.told = None; // its pod has ended, some time after its object
            let mut summary =
                AgentSummary { cursor: kept.cursor, shares: kept.shares.clone(), ..AgentSummary::default() };
            let meters = namespace.meters_of(&kept.budgets);
            actor.events.iter().for_each(|event| summary.fold_metered(event, &meters));
            namespace.settle(&kept.uid, summary.shares);
        }
        if namespace.is_counted_for_good(&kept.uid) {
            actor.stands = Stands::Forgotten;
            namespace.forget(&kept.uid);
        }
        if dies {
            self.take(Step::Crash);
        }
    }

    fn look_at_budget(&mut self, dies: bool) {
        let standing = self.operator.namespace.standing("total", self.now);
        let observed = Observed {
            standing,
            budget: Arc::new(self.budget.clone()),
            is_reading: false,
            namespace_is_going: false,
            written: None,
            now: self.now,
        };
        if let Some(status) = decide(&observed).status {
            self.budget.status = Some(status);
            if dies {
                return self.take(Step::Crash);
            }
            self.operator.namespace.budget_changed("total", Terms::of(&self.budget));
        }
    }

    /// Everything is heard and looked at; what is going goes.
    fn come_to_rest(&mut self) {
        for _ in 0..4 {
            (0..AGENTS).for_each(|index| self.hear(index));
            (0..AGENTS).for_each(|index| self.look(index, false));
            self.look_at_budget(false);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn what_is_spent_is_counted_to_the_last_digit_and_limits_hold(steps in prop::collection::vec(step(), 1..400)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.take(step));
        world.come_to_rest();
        let status = world.budget.status.clone().unwrap();
        prop_assert_eq!(status.spent_usd.unwrap(), world.spent.to_string());
        for actor in &world.truth {
            prop_assert!(actor.stands != Stands::Gone, "it is forgotten in the end");
        }
    }
}
