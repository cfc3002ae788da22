//! The reference model: what users have asked for, and what must have come of it once all is at rest. Pure, and it knows
//! nothing of how.
use std::collections::{BTreeMap, BTreeSet};

use komputer_events::Money;

use super::{
    action::{Action, Work},
    played::mind::PRICE,
};

/// Agents that sleep after their tasks, of a template that lets [`FEW`] be awake.
pub const CROWD: &str = "crowd";
/// Agents that do as they are told.
pub const OPEN: &str = "open";
/// Agents whom a budget counts.
pub const PAID: &str = "paid";
/// Agents of whom a squad has some.
pub const CREW: &str = "crew";
/// Agents that schedules make.
pub const TIMES: &str = "times";
/// Managers, and the agents that they make.
pub const OFFICE: &str = "office";
/// All namespaces.
pub const NAMESPACES: [&str; 6] = [CROWD, OPEN, PAID, CREW, TIMES, OFFICE];

/// How many of the crowd may be awake.
pub const FEW: usize = 2;
/// How many of all agents may be awake: there is always a place for one more than those that stay awake or wait.
pub const MANY: usize = 7;

/// A namespace and a name.
pub type Id = (&'static str, String);

/// All there is to be.
#[derive(Default)]
pub struct Model {
    pub agents: BTreeMap<Id, Agent>,
    pub tasks: BTreeMap<Id, Task>,
    pub schedules: BTreeMap<String, Schedule>,
    /// The members of the squad, where there is one.
    pub squad: Option<BTreeSet<String>>,
    /// Calls that the budget is for.
    pub calls: u64,
    /// Calls that were asked for of those whom it counts.
    pub asked: u64,
}

/// What an agent does without work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    StaysAwake,
    Sleeps,
    /// It sleeps, and its workspace goes.
    Finishes,
}

/// An agent.
#[derive(Clone, Debug)]
pub struct Agent {
    pub rest: Rest,
    pub is_suspended: bool,
    /// The manager that has made it, with instructions.
    pub manager: Option<String>,
    /// Whether it has ever been given a task.
    pub has_worked: bool,
}

/// A task that a user gave.
#[derive(Clone, Debug)]
pub struct Task {
    pub agent: String,
    pub work: Work,
    pub replaces: bool,
    pub is_cancelled: bool,
    /// How it has ended, where that was seen.
    pub end: Option<String>,
}

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// How often it has run.
    pub runs: u32,
    /// Whether it runs by the clock until it is completed, and not by hand.
    pub is_by_clock: bool,
    /// Whether it was triggered, and nobody has looked since.
    pub is_fresh: bool,
}

impl Model {
    /// What follows from an action, in the end.
    pub fn apply(&mut self, action: &Action) {
        match action.clone() {
            Action::Agent { id, rest } => {
                let agent = Agent { rest, is_suspended: false, manager: None, has_worked: false };
                self.agents.entry(id).or_insert(agent).rest = rest;
            }
            Action::Suspend { id, is_suspended } => self.agents.get_mut(&id).unwrap().is_suspended = is_suspended,
            Action::DeleteAgent { id } => {
                self.agents.remove(&id);
                self.tasks.retain(|(namespace, _), task| (*namespace, &task.agent) != (id.0, &id.1));
                self.agents.retain(|(of, _), agent| *of != id.0 || agent.manager.as_ref() != Some(&id.1));
            }
            Action::Task { id, agent, work, replaces } => {
                let calls = if id.0 == PAID { work.calls() } else { 0 };
                self.asked += calls;
                self.agents.get_mut(&(id.0, agent.clone())).unwrap().has_worked = true;
                match &work {
                    Work::Hires(child) => {
                        let manager = Some(agent.clone());
                        let child = (OFFICE, child.clone());
                        let made = Agent { rest: Rest::Sleeps, is_suspended: false, manager, has_worked: true };
                        self.agents.insert(child, made);
                    }
                    Work::Fires(child) => drop(self.agents.remove(&(OFFICE, child.clone()))),
                    _ => {}
                }
                self.tasks.insert(id, Task { agent, work, replaces, is_cancelled: false, end: None });
            }
            Action::Cancel { id } => self.tasks.get_mut(&id).unwrap().is_cancelled = true,
            Action::DeleteTask { id } => drop(self.tasks.remove(&id)),
            Action::Raise { calls } => self.calls = calls,
            Action::Squad { members } => self.squad = Some(members),
            Action::DeleteSquad => self.squad = None,
            Action::Schedule { name, runs } => {
                let (is_by_clock, runs) = (runs.is_some(), runs.unwrap_or(1));
                self.schedules.insert(name, Schedule { runs, is_by_clock, is_fresh: true });
            }
            Action::Trigger { name, time } => {
                let schedule = self.schedules.get_mut(&name).unwrap();
                (schedule.runs, schedule.is_fresh) = (time, true);
            }
            Action::DeleteSchedule { name } => drop(self.schedules.remove(&name)),
            Action::Pod { .. } | Action::Operator(_) => {} // nothing comes of it
        }
    }

    /// The phases in which a task may be. It stands only where that depends on what was faster.
    pub fn phases(&self, id: &Id) -> Vec<&str> {
        let task = &self.tasks[id];
        if let Some(end) = &task.end {
            return vec![end];
        }
        let agent = &self.agents[&(id.0, task.agent.clone())];
        let mut others = self.tasks.iter().filter(|(other, found)| other.0 == id.0 && found.agent == task.agent);
        let is_held = others.clone().any(|(other, found)| other < id && self.is_endless(other, found));
        let is_to_end = task.is_cancelled || others.any(|(other, found)| other > id && found.replaces);
        let end = task.work.end();
        match (is_to_end, agent.is_suspended) {
            (false, false) if is_held => vec!["Pending"],
            (false, false) => vec![end.unwrap_or("Running")],
            (false, true) => ["Pending", "Running"].into_iter().chain(end).collect(),
            (true, false) => std::iter::once("Cancelled").chain(end).collect(),
            (true, true) => ["Running", "Cancelled"].into_iter().chain(end).collect(),
        }
    }

    /// Whether the task never ends by itself, and nobody has ended it.
    fn is_endless(&self, id: &Id, task: &Task) -> bool {
        let replaces =
            |(other, found): (&Id, &Task)| other.0 == id.0 && other > id && found.agent == task.agent && found.replaces;
        task.work.end().is_none() && task.end.is_none() && !task.is_cancelled && !self.tasks.iter().any(replaces)
    }

    /// What a task must have cost that has come to its own end.
    pub fn cost(&self, id: &Id) -> Money {
        Money::from_nano(PRICE.nano() * self.tasks[id].work.calls())
    }

    /// All agents there must be, and where each must stand.
    pub fn agents(&self) -> BTreeMap<Id, &'static str> {
        let agents = self.agents.iter().map(|(id, agent)| (id.clone(), self.phase(id, agent)));
        let by_hand = self.schedules.iter().filter(|(_, schedule)| !schedule.is_by_clock);
        agents.chain(by_hand.map(|(name, _)| ((TIMES, format!("{name}-agent")), "Sleeping"))).collect()
    }

    fn phase(&self, id: &Id, agent: &Agent) -> &'static str {
        let mut tasks = self.tasks.iter().filter(|(task, found)| task.0 == id.0 && found.agent == id.1);
        if agent.is_suspended {
            "Suspended"
        } else if tasks.any(|(id, task)| self.is_endless(id, task)) {
            "Working"
        } else {
            match agent.rest {
                Rest::Sleeps => "Sleeping",
                Rest::Finishes if agent.has_worked => "Finished",
                Rest::Finishes | Rest::StaysAwake => "Idle",
            }
        }
    }

    /// All pods there must be, and who is in each.
    pub fn pods(&self) -> BTreeMap<Id, BTreeSet<String>> {
        let mut pods = BTreeMap::new();
        for ((namespace, name), phase) in self.agents() {
            let is_member = namespace == CREW && self.squad.as_ref().is_some_and(|members| members.contains(&name));
            if ["Idle", "Working"].contains(&phase) {
                let pod = if is_member { "crew-squad" } else { &*name };
                pods.entry((namespace, pod.to_owned())).or_insert_with(BTreeSet::new).insert(name);
            }
        }
        pods
    }

    /// Managers that have an office.
    pub fn offices(&self) -> BTreeSet<String> {
        let bosses = self.agents.iter().filter(|(id, agent)| id.0 == OFFICE && agent.manager.is_none());
        bosses.filter(|(_, agent)| agent.has_worked).map(|((_, name), _)| format!("{name}-office")).collect()
    }

    /// Somebody has looked: what has ended stays so.
    pub fn seen(&mut self, id: &Id, phase: &str) {
        let is_end = ["Succeeded", "Failed", "Cancelled"].contains(&phase);
        self.tasks.get_mut(id).unwrap().end = is_end.then(|| phase.to_owned());
    }
}
