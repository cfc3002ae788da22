//! What happens next: chosen at random by what users know of, so that a seed says all of it.
use std::collections::BTreeSet;

use fastrand::Rng;

use super::{
    action::{Action, Change, Fate, Work},
    model::{CREW, CROWD, Id, Model, OFFICE, OPEN, PAID, Rest, TIMES},
};

/// Chooses what happens.
pub struct Fortune {
    pub random: Rng,
    count: usize,
}

impl Fortune {
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), count: 0 }
    }

    /// What happens next; with money where a budget is to be looked at soon.
    pub fn next(&mut self, model: &Model, with_money: bool) -> Action {
        loop {
            let action = match self.random.u32(..1_000) {
                0..=129 => self.agent(with_money),
                130..=179 => self.suspend(model),
                180..=219 => {
                    self.of_agents(model, &[CROWD, OPEN, CREW, PAID], with_money, |id| Action::DeleteAgent { id })
                }
                220..=649 => self.task(model, with_money),
                650..=709 => self.cancel(model),
                710..=739 => self.delete_task(model, with_money),
                740..=769 => with_money.then(|| Action::Raise { calls: model.calls + self.random.u64(1..6) }),
                770..=809 => self.squad(model),
                810..=839 => self.schedule(model, with_money),
                840..=869 => self.hire(model),
                870..=964 => self.pod(model, with_money),
                965..=984 => Some(Action::Operator(Change::Dies)),
                985..=992 => Some(Action::Operator(Change::EndsWell)),
                _ => Some(Action::Operator(Change::LosesTheLease)),
            };
            if let Some(action) = action {
                return action;
            }
        }
    }

    fn of<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.random.usize(..from.len())].clone())
    }

    fn of_agents(&mut self, model: &Model, within: &[&str], money: bool, act: impl Fn(Id) -> Action) -> Option<Action> {
        let found = model
            .agents
            .iter()
            .filter(|(id, agent)| within.contains(&id.0) && agent.manager.is_none() && (money || id.0 != PAID));
        let found: Vec<_> = found.map(|(id, _)| id.clone()).collect();
        self.of(&found).map(act)
    }

    fn agent(&mut self, with_money: bool) -> Option<Action> {
        let namespace =
            self.of(&[CROWD, CROWD, OPEN, CREW, CREW, PAID, OFFICE]).filter(|of| with_money || *of != PAID)?;
        let (names, rests): (&[&str], &[Rest]) = match namespace {
            CROWD => (&["a", "b", "c", "d", "e", "f"], &[Rest::Sleeps, Rest::Sleeps, Rest::Finishes]),
            OPEN => (&["a", "b"], &[Rest::Sleeps, Rest::StaysAwake]),
            CREW => (&["a", "b", "c"], &[Rest::StaysAwake]),
            PAID => (&["a", "b", "c"], &[Rest::Sleeps]),
            _ => (&["a"], &[Rest::Sleeps]),
        };
        Some(Action::Agent { id: (namespace, self.of(names)?.into()), rest: self.of(rests)? })
    }

    fn suspend(&mut self, model: &Model) -> Option<Action> {
        let is_suspended = self.random.u32(..3) == 0;
        self.of_agents(model, &[OPEN, CREW], false, |id| Action::Suspend { id, is_suspended })
    }

    fn new_name(&mut self, stem: &str) -> String {
        self.count += 1;
        format!("{stem}{:05}", self.count)
    }

    fn task(&mut self, model: &Model, with_money: bool) -> Option<Action> {
        let found = model.agents.iter().filter(|(id, agent)| {
            [CROWD, OPEN, CREW, PAID].contains(&id.0) && agent.manager.is_none() && (with_money || id.0 != PAID)
        });
        let found: Vec<_> = found.map(|(id, _)| id.clone()).collect();
        let (namespace, agent) = self.of(&found)?;
        let calls = self.random.u64(if namespace == CROWD { 1..4 } else { 4..16 });
        let work = match self.random.u32(..10) {
            0..=1 if namespace == OPEN => Work::Endless,
            2..=3 => Work::FailsAfter(calls),
            _ => Work::Does(calls),
        };
        let replaces = namespace == OPEN && self.random.u32(..6) == 0;
        Some(Action::Task { id: (namespace, self.new_name("t")), agent, work, replaces })
    }

    /// Nobody cancels what replaces others: whether it still does depends on what was faster. So does what has ended by now,
    /// and what happens next may not.
    fn cancel(&mut self, model: &Model) -> Option<Action> {
        let newest = model.tasks.iter().rev().filter(|(id, _)| id.0 == OPEN).take(8);
        let kept = newest.filter(|(_, task)| !task.is_cancelled && !task.replaces);
        let kept: Vec<_> = kept.map(|(id, _)| id.clone()).collect();
        self.of(&kept).map(|id| Action::Cancel { id })
    }

    fn delete_task(&mut self, model: &Model, with_money: bool) -> Option<Action> {
        let found =
            model.tasks.iter().filter(|(id, task)| !task.replaces && id.0 != OFFICE && (with_money || id.0 != PAID));
        let found: Vec<_> = found.map(|(id, _)| id.clone()).collect();
        self.of(&found).map(|id| Action::DeleteTask { id })
    }

    fn squad(&mut self, model: &Model) -> Option<Action> {
        if model.squad.is_some() && self.random.u32(..5) == 0 {
            return Some(Action::DeleteSquad);
        }
        let members: BTreeSet<_> =
            ["a", "b", "c"].iter().filter(|_| self.random.bool()).map(ToString::to_string).collect();
        (!members.is_empty()).then_some(Action::Squad { members })
    }

    fn schedule(&mut self, model: &Model, with_clock: bool) -> Option<Action> {
        let all: Vec<_> = model.schedules.keys().cloned().collect();
        match self.random.u32(..10) {
            0..=1 => self.of(&all).map(|name| Action::DeleteSchedule { name }),
            2..=4 => {
                let stale =
                    model.schedules.iter().filter(|(_, found)| !found.is_fresh && !found.is_by_clock && found.runs < 3);
                let stale: Vec<_> = stale.map(|(name, found)| (name.clone(), found.runs + 1)).collect();
                self.of(&stale).map(|(name, time)| Action::Trigger { name, time })
            }
            _ if all.len() >= 6 => None,
            _ => {
                let runs = (with_clock && self.random.u32(..4) == 0).then(|| self.random.u32(1..3));
                Some(Action::Schedule { name: self.new_name("w"), runs })
            }
        }
    }

    fn hire(&mut self, model: &Model) -> Option<Action> {
        let managers = model.agents.iter().filter(|(id, agent)| id.0 == OFFICE && agent.manager.is_none());
        let managers: Vec<_> = managers.map(|((_, name), _)| name.clone()).collect();
        let manager = self.of(&managers)?;
        if self.random.u32(..12) == 0 {
            return Some(Action::DeleteAgent { id: (OFFICE, manager) });
        }
        let own = model.agents.iter().filter(|(_, agent)| agent.manager.as_ref() == Some(&manager));
        let own: Vec<_> = own.map(|((_, name), _)| name.clone()).collect();
        let work = if own.len() >= 3 { Work::Fires(self.of(&own)?) } else { Work::Hires(self.new_name("k")) };
        Some(Action::Task { id: (OFFICE, self.new_name("t")), agent: manager, work, replaces: false })
    }

    fn pod(&mut self, model: &Model, with_money: bool) -> Option<Action> {
        let fate = self.of(&[Fate::Deleted, Fate::Evicted, Fate::Crashed])?;
        self.of_agents(model, &[CROWD, OPEN, CREW, PAID, OFFICE, TIMES], with_money, |id| Action::Pod { id, fate })
    }
}
