//! What becomes of one request: it is done and answered, only answered, or waits.
use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask};
use komputer_events::{
    limits::cut,
    office::{Answer, AskAgent, CreateAgent, CreateSchedule, OfficeRequest, ReadResults, WaitForTasks},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{build, observe::Observed, permission};
use crate::{
    agent::task_of_instructions,
    fold::Asked,
    plan::{Child, Effect, Exactly, Removal},
};

/// How long a manager waits at most where it does not say, and where it does.
const WAIT: Duration = Duration::from_hours(1);
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// How long the cache may take to show what was made just before.
const UNSEEN: Duration = Duration::from_secs(3);
/// Results that are read at once where the manager does not say, and where it does.
const RESULTS: u8 = 5;
const MOST_RESULTS: u8 = 20;
/// Bytes of one result in an answer, and of all together: an agent takes a mebibyte, and JSON may write a byte as six.
const RESULT: usize = 8 * 1024;
const ALL_RESULTS: usize = 96 * 1024;
/// Tasks and agents that are waited for at once, and agents that are listed.
const MOST: usize = 500;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Nothing until then, unless something changes.
    Wait(Timestamp),
    /// It is answered.
    Answer(Answer),
    /// It is done, and then answered so.
    Do(Effect, Value),
}

/// Judges a request; `made` agents are made at the same time.
pub(super) fn judge(observed: &Observed, asked: &Asked, made: usize) -> Outcome {
    match &asked.request {
        OfficeRequest::CreateAgent(wanted) => create_agent(observed, &asked.id, wanted, made),
        OfficeRequest::DeleteAgent(wanted) => delete_agent(observed, asked, &wanted.name),
        OfficeRequest::ListAgents(_) => {
            let agents: Vec<_> = observed.members().values().take(MOST).map(|agent| agent_line(agent)).collect();
            result(json!({ "agents": agents }))
        }
        OfficeRequest::AskAgent(wanted) => ask_agent(observed, asked, wanted),
        OfficeRequest::WaitForTasks(wanted) => wait_for_tasks(observed, asked, wanted),
        OfficeRequest::CancelTask(wanted) => cancel_task(observed, asked, &wanted.name),
        OfficeRequest::ReadResults(wanted) => read_results(observed, asked, wanted),
        OfficeRequest::CreateSchedule(wanted) => create_schedule(observed, asked, wanted),
        OfficeRequest::DeleteSchedule(wanted) => delete_schedule(observed, asked, &wanted.name),
        OfficeRequest::ListSchedules(_) => {
            let own = observed.named.schedules.values().filter(|schedule| observed.owns(&***schedule));
            let lines = own.map(|schedule| {
                let next = schedule.status.as_ref().and_then(|status| status.next_run_time.as_ref());
                json!({
                    "name": schedule.name_any(), "schedule": schedule.spec.schedule,
                    "agent": schedule.spec.agent_ref.as_ref().map(|agent| &agent.name),
                    "next_run": next.map(|time| time.0.to_string()),
                })
            });
            result(json!({ "schedules": lines.collect::<Vec<_>>() }))
        }
    }
}

fn create_agent(observed: &Observed, id: &str, wanted: &CreateAgent, made: usize) -> Outcome {
    let Some(manager) = observed.manager() else { return error("the manager is gone".into()) };
    let agent = build::agent(observed.office(), manager, id, wanted);
    let task = task_of_instructions(&agent);
    let is_made = |already: bool| json!({ "agent": wanted.name, "task": task, "was_there_already": already });
    match observed.named.agents.get(&wanted.name) {
        Some(found) if observed.owns(&**found) && found.metadata.deletion_timestamp.is_some() => {
            error(format!("an agent {} that you have made is being deleted; wait, or choose another name", wanted.name))
        }
        Some(found) if observed.owns(&**found) => {
            result(is_made(found.annotations().get(build::REQUEST).map(String::as_str) != Some(id)))
        }
        Some(_) => error(format!("there is an agent {} already that is not yours; choose another name", wanted.name)),
        None => match permission::refusal(observed, wanted, made) {
            Some(words) => error(words),
            None => Outcome::Do(Effect::Apply(Child::Agent(Box::new(agent))), is_made(false)),
        },
    }
}

fn delete_agent(observed: &Observed, asked: &Asked, name: &str) -> Outcome {
    let deleted = json!({ "deleted": name });
    match observed.named.agents.get(name) {
        None => once_shown(observed, asked, || result(deleted)),
        Some(agent) if !observed.owns(&**agent) => error(format!("you have not made agent {name}; leave it as it is")),
        Some(agent) => Outcome::Do(Effect::Remove(Removal::Agent(Exactly::of(&**agent))), deleted),
    }
}

fn ask_agent(observed: &Observed, asked: &Asked, wanted: &AskAgent) -> Outcome {
    if let Some(outcome) = not_a_member(observed, asked, &wanted.name) {
        return outcome;
    }
    let task = build::task(observed.office(), &asked.id, wanted);
    let given = json!({ "task": task.name_any() });
    if observed.named.tasks.contains_key(&task.name_any()) {
        return result(given);
    }
    Outcome::Do(Effect::Apply(Child::Task(Box::new(task))), given)
}

fn wait_for_tasks(observed: &Observed, asked: &Asked, wanted: &WaitForTasks) -> Outcome {
    let count = wanted.tasks.len() + wanted.agents.len();
    if count > MOST {
        return error(format!("you wait for {count} and may for {MOST} at once; wait for some of them first"));
    }
    if let Some(outcome) = wanted.agents.iter().find_map(|agent| not_a_member(observed, asked, agent)) {
        return outcome;
    }
    let timeout = wanted.timeout_seconds.map_or(WAIT, |seconds| Duration::from_secs(seconds.into()));
    let found = |task: &String| observed.named.tasks.get(task).filter(|task| is_of_member(observed, task));
    let works = wanted.tasks.iter().filter_map(found).any(|task| !task.phase().is_terminal());
    let works = works || wanted.agents.iter().any(|agent| has_work(observed, agent));
    let over = works.then(|| not_over(observed, asked, timeout.min(LONGEST_WAIT))).flatten();
    let unseen = wanted.tasks.iter().any(|task| found(task).is_none());
    let shown = unseen.then(|| not_over(observed, asked, UNSEEN)).flatten();
    if let Some(until) = over.max(shown) {
        return Outcome::Wait(until);
    }
    let tasks = wanted.tasks.iter().map(|task| match found(task) {
        Some(task) => task_line(task, count),
        None => json!({ "task": task, "phase": "Unknown" }),
    });
    let last = wanted.agents.iter().filter_map(|agent| tasks_of(observed, agent).into_iter().next());
    let last = last.map(|task| task_line(task, count));
    result(json!({ "tasks": tasks.chain(last).collect::<Vec<_>>() }))
}

/// Whether the agent works, or is to, as soon as its instructions are a task.
fn has_work(observed: &Observed, agent: &str) -> bool {
    let is_new = |agent: &KomputerAgent| agent.status.as_ref().is_none_or(|status| status.instructions.is_none());
    let member = observed.members().get(agent).filter(|agent| agent.spec.instructions.is_some() && is_new(agent));
    let tasks = tasks_of(observed, agent);
    member.is_some() && tasks.is_empty() || tasks.iter().any(|task| !task.phase().is_terminal())
}

/// The agent's tasks, the latest first.
fn tasks_of<'o>(observed: &'o Observed, agent: &str) -> Vec<&'o KomputerTask> {
    let tasks = observed.named.tasks.values().filter(|task| task.spec.agent_ref.name == agent);
    let mut tasks: Vec<_> = tasks.map(|task| &**task).collect();
    tasks.sort_by_key(|task| Reverse((task.creation_timestamp(), task.name_any())));
    tasks
}

fn cancel_task(observed: &Observed, asked: &Asked, name: &str) -> Outcome {
    let Some(task) = observed.named.tasks.get(name) else {
        return once_shown(observed, asked, || error(format!("there is no task {name}")));
    };
    let agent = observed.named.agents.get(&task.spec.agent_ref.name);
    let is_instructions = |agent: &KomputerAgent| {
        let owners = task.metadata.owner_references.iter().flatten();
        observed.owns(agent) && owners.into_iter().any(|owner| Some(&owner.uid) == agent.metadata.uid.as_ref())
    };
    if !observed.owns(&**task) && !agent.is_some_and(|agent| is_instructions(agent)) {
        return error(format!("you have not given task {name}; leave it as it is"));
    }
    if task.phase().is_terminal() || task.spec.cancel == Some(true) {
        return result(task_line(task, 1));
    }
    Outcome::Do(Effect::Apply(Child::Cancellation(Exactly::of(&**task))), json!({ "cancelled": name }))
}

fn read_results(observed: &Observed, asked: &Asked, wanted: &ReadResults) -> Outcome {
    if let Some(outcome) = not_a_member(observed, asked, &wanted.name) {
        return outcome;
    }
    let limit = wanted.limit.unwrap_or(RESULTS).clamp(1, MOST_RESULTS);
    let lines =
        tasks_of(observed, &wanted.name).into_iter().take(limit.into()).map(|task| task_line(task, limit.into()));
    result(json!({ "tasks": lines.collect::<Vec<_>>() }))
}

fn create_schedule(observed: &Observed, asked: &Asked, wanted: &CreateSchedule) -> Outcome {
    if let Some(outcome) = not_a_member(observed, asked, &wanted.agent) {
        return outcome;
    }
    let made = json!({ "schedule": wanted.name });
    match observed.named.schedules.get(&wanted.name) {
        Some(found)
            if observed.owns(&**found) && found.annotations().get(build::REQUEST).is_some_and(|of| *of == asked.id) =>
        {
            result(made)
        }
        Some(_) => error(format!("there is a schedule {} already; choose another name, or delete it", wanted.name)),
        None => Outcome::Do(
            Effect::Apply(Child::Schedule(Box::new(build::schedule(observed.office(), &asked.id, wanted)))),
            made,
        ),
    }
}

fn delete_schedule(observed: &Observed, asked: &Asked, name: &str) -> Outcome {
    let deleted = json!({ "deleted": name });
    match observed.named.schedules.get(name) {
        None => once_shown(observed, asked, || result(deleted)),
        Some(found) if !observed.owns(&**found) => {
            error(format!("you have not made schedule {name}; leave it as it is"))
        }
        Some(found) => Outcome::Do(Effect::Remove(Removal::Schedule(Exactly::of(&**found))), deleted),
    }
}

fn not_a_member(observed: &Observed, asked: &Asked, agent: &str) -> Option<Outcome> {
    if observed.members().contains_key(agent) {
        return None;
    }
    let words = || format!("no agent {agent} works for you; list_agents says which do, and create_agent makes one");
    Some(once_shown(observed, asked, || error(words())))
}

/// What is said of what is not there, once the cache has had time to show it.
fn once_shown(observed: &Observed, asked: &Asked, said: impl FnOnce() -> Outcome) -> Outcome {
    not_over(observed, asked, UNSEEN).map_or_else(said, Outcome::Wait)
}

/// The end of that time since the request, where it has not come. The agent's clock may be anything.
fn not_over(observed: &Observed, asked: &Asked, time: Duration) -> Option<Timestamp> {
    let now = observed.declared.now;
    asked.at.min(now).checked_add(time).ok().filter(|until| *until > now)
}

/// A manager learns nothing of what others' agents do.
fn is_of_member(observed: &Observed, task: &KomputerTask) -> bool {
    observed.owns(task) || observed.members().contains_key(&task.spec.agent_ref.name)
}

fn agent_line(agent: &KomputerAgent) -> Value {
    let status = agent.status.as_ref();
    let last = status.and_then(|status| status.last_task.as_ref());
    json!({
        "name": agent.name_any(),
        "phase": status.and_then(|status| status.phase),
        "last_task": last.map(|last| &last.phase),
        "says": last.and_then(|last| last.message.as_ref()),
        "cost_usd": status.and_then(|status| status.total_cost_usd.as_ref()),
    })
}

/// A task, of so many that are told of.
fn task_line(task: &KomputerTask, count: usize) -> Value {
    let room = RESULT.min(ALL_RESULTS / count.max(1));
    let status = task.status.as_ref();
    json!({
        "task": task.name_any(),
        "agent": task.spec.agent_ref.name,
        "phase": task.phase(),
        "result": status.and_then(|status| status.result.as_ref()).map(|result| cut(result, room)),
        "message": status.and_then(|status| status.message.as_ref()),
        "cost_usd": status.and_then(|status| status.cost_usd.as_ref()),
    })
}

fn result(value: Value) -> Outcome {
    Outcome::Answer(Answer::Result(value))
}

fn error(words: String) -> Outcome {
    Outcome::Answer(Answer::Error(words))
}
