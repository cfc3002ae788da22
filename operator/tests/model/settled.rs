//! What a world at rest is compared by.
use std::collections::{BTreeMap, BTreeSet};

use komputer_events::Money;
use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

use super::{
    model::{CREW, Id, Model, NAMESPACES, OFFICE, PAID, TIMES},
    played::agents::Agents,
    record::{Seen, inhabitants},
};

/// What played agents know to be true.
#[derive(Default)]
pub struct Truth {
    /// What each task has cost, by its uid.
    pub tasks: BTreeMap<String, Money>,
    /// What each agent has, by its uid.
    pub agents: BTreeMap<String, Money>,
    /// What those have whom the budget counts.
    pub paid: Money,
}

impl Truth {
    pub fn of(agents: &Agents) -> Self {
        let mut truth = Self { paid: Self::paid(agents), ..Self::default() };
        agents.each_task(|_, uid, task| {
            for (sums, of) in [(&mut truth.tasks, &*task.uid), (&mut truth.agents, uid)] {
                let sum = sums.entry(of.to_owned()).or_default();
                *sum = *sum + task.cost();
            }
        });
        truth
    }

    /// What those have cost whom the budget counts.
    pub fn paid(agents: &Agents) -> Money {
        let mut paid = Money::ZERO;
        agents.each_task(|id, _, task| {
            paid = if id.namespace() == PAID { paid + task.cost() } else { paid };
        });
        paid
    }
}

/// In what the world at rest differs from what users asked for.
pub fn differences(model: &Model, seen: &Seen, truth: &Truth) -> Vec<String> {
    let mut found = Differences(Vec::new());
    found.agents(model, seen, truth);
    found.tasks(model, seen, truth);
    found.pods(model, seen);
    found.schedules(model, seen);
    let squads = model.squad.iter().map(|_| (CREW, "crew".to_owned())).collect();
    found.same("squads", &squads, &names(seen, "KomputerSquad"));
    let offices = model.offices().into_iter().map(|name| (OFFICE, name)).collect();
    found.same("offices", &offices, &names(seen, "KomputerOffice"));
    for (_, name, budget) in seen.all("KomputerBudget") {
        found.money(&format!("budget {name}"), &budget.data["status"]["spentUSD"], truth.paid);
    }
    found.orphans(seen);
    found.0
}

fn names(seen: &Seen, kind: &'static str) -> BTreeSet<Id> {
    seen.all(kind).filter_map(|(namespace, name, _)| id(namespace, name)).collect()
}

fn id(namespace: &str, name: &str) -> Option<Id> {
    let namespace = NAMESPACES.into_iter().find(|known| *known == namespace)?;
    Some((namespace, name.to_owned()))
}

fn uid(object: &DynamicObject) -> &str {
    object.metadata.uid.as_deref().unwrap_or_default()
}

fn owners(object: &DynamicObject) -> impl Iterator<Item = &str> {
    object.metadata.owner_references.iter().flatten().map(|owner| &*owner.uid)
}

struct Differences(Vec<String>);

impl Differences {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: &T, is: &T) {
        if wanted != is {
            self.0.push(format!("{what}: {wanted:?} are to be, and there are {is:?}"));
        }
    }

    fn money(&mut self, what: &str, said: &Value, is: Money) {
        let said = said.as_str().map_or(Ok(Money::ZERO), str::parse);
        if said != Ok(is) {
            self.0.push(format!("{what} says {said:?}, and has cost {is}"));
        }
    }

    /// Which agents there are, where each stands, and what it has cost.
    fn agents(&mut self, model: &Model, seen: &Seen, truth: &Truth) {
        let phase = |agent: &DynamicObject| agent.data["status"]["phase"].as_str().unwrap_or("None").to_owned();
        let is: BTreeMap<_, _> = seen
            .all("KomputerAgent")
            .filter_map(|(namespace, name, agent)| Some((id(namespace, name)?, phase(agent))))
            .collect();
        let wanted: BTreeMap<_, _> = model.agents().into_iter().map(|(id, phase)| (id, phase.to_owned())).collect();
        for (id, phase) in &wanted {
            if is.get(id) != Some(phase) {
                self.0.push(format!("agent {id:?} is to be {phase}, and is {:?}", is.get(id)));
            }
        }
        self.0.extend(is.keys().filter(|id| !wanted.contains_key(*id)).map(|id| format!("agent {id:?} is to be gone")));
        for (namespace, name, agent) in seen.all("KomputerAgent") {
            let cost = truth.agents.get(uid(agent)).copied().unwrap_or_default();
            self.money(&format!("agent {namespace}/{name}"), &agent.data["status"]["totalCostUSD"], cost);
        }
    }

    /// Which tasks there are, how each has ended, and what it has cost.
    fn tasks(&mut self, model: &Model, seen: &Seen, truth: &Truth) {
        let mut missing: BTreeSet<_> = model.tasks.keys().cloned().collect();
        let mut made: BTreeMap<Id, Vec<String>> = BTreeMap::new();
        for (namespace, name, task) in seen.all("KomputerTask") {
            let phase = task.data["status"]["phase"].as_str().unwrap_or("None");
            let cost = truth.tasks.get(uid(task)).copied().unwrap_or_default();
            // What is cancelled before its beginning is heard of counts as never begun; its agent says what it has cost.
            if phase != "Cancelled" || !task.data["status"]["startTime"].is_null() {
                self.money(&format!("task {namespace}/{name}"), &task.data["status"]["costUSD"], cost);
            }
            let Some(id) = id(namespace, name).filter(|id| missing.remove(id)) else {
                let owner = task.metadata.owner_references.iter().flatten().next();
                let owner = owner.and_then(|owner| self::id(namespace, &owner.name));
                match owner {
                    Some(owner) => made.entry(owner).or_default().push(phase.to_owned()),
                    None => self.0.push(format!("task {namespace}/{name} is to be gone")),
                }
                continue;
            };
            let phases = model.phases(&id);
            if !phases.contains(&phase) {
                self.0.push(format!("task {id:?} is to be {phases:?}, and is {phase}: {:?}", model.tasks[&id]));
            }
            if Some(phase) == model.tasks[&id].work.end() && cost != model.cost(&id) {
                self.0.push(format!("task {id:?} is to cost {}, and has cost {cost}", model.cost(&id)));
            }
        }
        self.same("tasks", &BTreeSet::new(), &missing);
        self.same("tasks that nobody gave", &made_by_model(model), &made);
    }

    /// Which pods there are, and who is in each.
    fn pods(&mut self, model: &Model, seen: &Seen) {
        let is: BTreeMap<Id, BTreeSet<String>> = seen
            .all("Pod")
            .filter_map(|(namespace, name, pod)| Some((id(namespace, name)?, inhabitants(pod).into_keys().collect())))
            .collect();
        self.same("pods", &model.pods(), &is);
        let volumes = names(seen, "PersistentVolumeClaim");
        for ((namespace, pod), inhabitants) in is {
            let lacks = inhabitants.into_iter().filter(|name| !volumes.contains(&(namespace, name.clone())));
            self.0.extend(lacks.map(|name| format!("pod {namespace}/{pod} lacks the workspace of {name}")));
        }
    }

    /// Which schedules there are, and how often each has run.
    fn schedules(&mut self, model: &Model, seen: &Seen) {
        let runs = |schedule: &DynamicObject| {
            let status = &schedule.data["status"];
            [&status["runCount"], &status["successfulRuns"]].map(|count| count.as_u64().unwrap_or_default())
        };
        let is: BTreeMap<_, _> =
            seen.all("KomputerSchedule").map(|(_, name, schedule)| (name.to_owned(), runs(schedule))).collect();
        let wanted = model.schedules.iter().map(|(name, schedule)| (name.clone(), [u64::from(schedule.runs); 2]));
        self.same("runs of schedules", &wanted.collect(), &is);
    }

    /// Whatever is owned is by what there is; workspaces and Secrets are of agents.
    fn orphans(&mut self, seen: &Seen) {
        let known: BTreeSet<_> = seen.objects.values().map(uid).collect();
        let orphans = seen.objects.iter().filter(|(_, object)| owners(object).any(|owner| !known.contains(owner)));
        self.0.extend(orphans.map(|(key, _)| format!("{key:?} is owned by what is gone")));
        for kind in ["PersistentVolumeClaim", "Secret"] {
            let stray = seen.all(kind).filter(|(namespace, _, object)| {
                NAMESPACES.contains(namespace) && object.owner_references().is_empty()
            });
            self.0.extend(stray.map(|(namespace, name, _)| format!("{kind} {namespace}/{name} is nobody's")));
        }
    }
}

/// How the tasks end that agents and schedules give, by whose they are.
fn made_by_model(model: &Model) -> BTreeMap<Id, Vec<String>> {
    let done = |count: u32| vec!["Succeeded".to_owned(); count as usize];
    let hired = model.agents.iter().filter(|(_, agent)| agent.manager.is_some()).map(|(id, _)| (id.clone(), done(1)));
    let runs = model.schedules.iter().map(|(name, schedule)| ((TIMES, name.clone()), done(schedule.runs)));
    hired.chain(runs).collect()
}
