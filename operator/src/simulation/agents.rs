//! Agents in their pods: tasks are taken once, kept on the volume with the journal, and cost something.
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use komputer_events::{
    AgentId, Body, Money, Outcome, TokenUsage,
    office::{Answer, OfficeRequest},
    task::{Message, TaskRequest},
};
use serde_json::json;

use super::{
    apiserver::Place,
    managers,
    random::Random,
    workspace::{Letter, Task, Workspace},
};

/// Nano-dollars of the dearest call.
pub(super) const CALL: u64 = 500_000;

/// Requests of one manager: their agents may be managers, and would never end to give each other work.
const QUESTIONS: usize = 20;

/// How a task ended, and how often it began.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) ends: Vec<&'static str>,
    /// The agent that began it, by its uid.
    first: String,
}

impl Run {
    /// Whether the agent that began it is not over before it is read.
    pub(super) fn is_counted(&self, counted: &BTreeSet<String>) -> bool {
        counted.contains(&self.first)
    }
}

/// All that agents ever did.
#[derive(Default)]
pub(super) struct Agents {
    pub(super) workspaces: BTreeMap<String, Workspace>,
    /// By the uid of the task.
    pub(super) runs: BTreeMap<String, Run>,
    /// What the calls of each agent cost, by its uid.
    pub(super) billed: BTreeMap<String, Money>,
    /// What went down with a volume before it was published.
    lost: BTreeMap<String, Money>,
    /// Agents that are not over before all they said is read, by their uids.
    pub(super) counted: BTreeSet<String>,
    /// Tasks of which something went down with a volume.
    pub(super) unheard: BTreeSet<String>,
    /// Whose uids those are.
    pub(super) spenders: BTreeMap<String, AgentId>,
    asked: usize,
    /// Answers to managers, by tool and how they were.
    pub(super) answered: BTreeMap<String, usize>,
    pub(super) letters_read: usize,
    /// Kinds, namespaces and names of what managers have just been told is deleted.
    pub(super) deleted: Vec<Place>,
}

/// An answer of an agent's server.
pub(super) const ACCEPTED: u16 = 202;
const UNKNOWN: u16 = 404;
const CONFLICT: u16 = 409;

impl Agents {
    /// The workspace, as it is found.
    pub(super) fn open(&mut self, volume: &str, agent: &AgentId, uid: &str) -> &mut Workspace {
        self.workspaces.entry(volume.into()).or_insert_with(|| Workspace::new(agent, uid))
    }

    /// A process starts. What another has asked before it, nobody waits for any more.
    pub(super) fn start(&mut self, volume: &str, agent: &AgentId, uid: &str, is_manager: bool) {
        let workspace = self.open(volume, agent, uid);
        workspace.is_manager = is_manager;
        workspace.open.clear();
    }

    /// What the server answers to a request.
    pub(super) fn serve(&mut self, volume: &str, path: &str, body: &[u8], now: Timestamp) -> u16 {
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let parts: Vec<_> = path.split('/').collect();
        match parts[..] {
            ["knowledge"] => ACCEPTED,
            ["tasks", uid] => {
                let _: TaskRequest = serde_json::from_slice(body).unwrap();
                workspace.take(uid);
                ACCEPTED
            }
            ["tasks", uid, "allowance"] => {
                workspace.told = Some((uid.into(), serde_json::from_slice(body).unwrap()));
                ACCEPTED
            }
            ["tasks", uid, "cancel"] => {
                if workspace.cancel(uid) {
                    ACCEPTED
                } else {
                    UNKNOWN
                }
            }
            ["tasks", task, "messages", uid] => {
                let _: Message = serde_json::from_slice(body).unwrap();
                if workspace.post(task, uid) { ACCEPTED } else { CONFLICT }
            }
            ["requests", id, "answer"] => {
                self.hear_answer(volume, id, serde_json::from_slice(body).unwrap(), now);
                ACCEPTED
            }
            _ => panic!("agents do not serve {path}"),
        }
    }

    /// A manager has its answer; one that nobody waits for is written down too.
    fn hear_answer(&mut self, volume: &str, id: &str, answer: Answer, now: Timestamp) {
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let tool = workspace.open.remove(id);
        let task = tool.as_ref().and_then(|_| workspace.current().map(|task| task.uid.clone()));
        let is_error = matches!(answer, Answer::Error(_));
        workspace.say(task.as_deref(), now, Body::OfficeAnswer { id: id.into(), is_error });
        let Some(tool) = tool else { return };
        if let Answer::Result(result) = &answer {
            workspace.given.extend(result["task"].as_str().map(str::to_owned));
            workspace.members.extend(result["agent"].as_str().map(str::to_owned));
            workspace.undoing = managers::undoing(result);
            let plural = if tool == "delete_schedule" { "komputerschedules" } else { "komputeragents" };
            let name = result["deleted"].as_str().map(str::to_owned);
            self.deleted.extend(name.map(|name| (plural.into(), workspace.agent.namespace().into(), name)));
        }
        *self.answered.entry(format!("{tool} {}", if is_error { "refused" } else { "done" })).or_default() += 1;
    }

    /// The process does the next thing it has to do: begins, reads, asks, calls the model, or ends. Answers whether there
    /// was any.
    pub(super) fn work(&mut self, volume: &str, now: Timestamp, random: &mut Random) -> bool {
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let Some(task) = workspace.current() else { return false };
        let had_begun = std::mem::replace(&mut task.has_begun, !task.is_cancelled);
        let task = task.clone();
        self.runs(volume, &task.uid);
        if task.is_cancelled {
            self.end(volume, &task, now, "Cancelled");
        } else if !had_begun {
            let (instructions, model) = ("do it".into(), "m".into());
            let begins = Body::TaskStarted { instructions, resuming_session: false, model };
            self.workspaces.get_mut(volume).unwrap().say(Some(&task.uid), now, begins);
        } else if let Some(letter) = task.letters.iter().find(|letter| is_next(letter, random)) {
            self.go_on_with(volume, letter, &task.uid, now);
        } else if !self.workspaces[volume].open.is_empty() {
            return false; // it waits for an answer
        } else if self.workspaces[volume].is_manager && self.workspaces[volume].asked < QUESTIONS && random.happens(500)
        {
            self.ask(volume, &task.uid, now, random);
        } else if random.happens(300) {
            self.end(volume, &task, now, if random.happens(200) { "Failed" } else { "Succeeded" });
        } else {
            return self.call(volume, &task, now, random);
        }
        true
    }

    /// A task or a message is at work, for the first time or again, and not after its end.
    fn runs(&mut self, volume: &str, uid: &str) {
        let agent = &self.workspaces[volume].uid;
        let run = self.runs.entry(uid.into()).or_default();
        // One that no budget counts goes at once, and another of its name may do again what nobody has heard of.
        let is_unheard = self.unheard.contains(uid) || !run.first.is_empty() && !run.is_counted(&self.counted);
        assert!(run.ends.is_empty() || is_unheard, "task {uid} runs again by {agent}, after {run:?}");
        if run.first.is_empty() {
            run.first.clone_from(agent);
        }
    }

    /// A task ends, and before it the messages that were read in it; others are to be said again.
    fn end(&mut self, volume: &str, task: &Task, now: Timestamp, how: &'static str) {
        for letter in task.letters.iter().filter(|letter| letter.is_read) {
            self.end_letter(volume, letter, now, how);
        }
        self.runs.entry(task.uid.clone()).or_default().ends.push(how);
        let workspace = self.workspaces.get_mut(volume).unwrap();
        workspace.open.clear();
        if let Some(task) = workspace.current() {
            task.has_ended = true;
        }
        workspace.say(Some(&task.uid), now, end(how));
    }

    fn end_letter(&mut self, volume: &str, letter: &Letter, now: Timestamp, how: &'static str) {
        let how = if letter.is_cancelled { "Cancelled" } else { how };
        self.runs.entry(letter.uid.clone()).or_default().ends.push(how);
        let workspace = self.workspaces.get_mut(volume).unwrap();
        workspace.say(Some(&letter.uid), now, end(how));
        workspace.read.push(letter.uid.clone());
        if let Some(task) = workspace.current() {
            task.letters.retain(|other| other.uid != letter.uid);
        }
    }

    /// A message is read, taken back before it was, or has its end before its task's.
    fn go_on_with(&mut self, volume: &str, letter: &Letter, task: &str, now: Timestamp) {
        self.runs(volume, &letter.uid);
        if letter.is_read || letter.is_cancelled {
            return self.end_letter(volume, letter, now, "Succeeded");
        }
        self.letters_read += 1;
        let workspace = self.workspaces.get_mut(volume).unwrap();
        for found in workspace.current().into_iter().flat_map(|task| &mut task.letters) {
            found.is_read |= found.uid == letter.uid;
        }
        let body = Body::UserMessage { content: "do it".into(), steer: true, into: Some(task.into()) };
        workspace.say(Some(&letter.uid), now, body);
    }

    /// A manager that has heard of something made may want it no more, and says so at once. Answers whether it does.
    pub(super) fn undo(&mut self, volume: &str, now: Timestamp, random: &mut Random) -> bool {
        let Some(workspace) = self.workspaces.get_mut(volume) else { return false };
        let undoing = workspace.undoing.take().filter(|_| random.happens(400));
        let Some((task, request)) = workspace.current().map(|task| task.uid.clone()).zip(undoing) else { return false };
        self.say_request(volume, &task, now, request);
        true
    }

    fn ask(&mut self, volume: &str, task: &str, now: Timestamp, random: &mut Random) {
        let request = managers::request(&self.workspaces[volume], random);
        self.say_request(volume, task, now, request);
    }

    fn say_request(&mut self, volume: &str, task: &str, now: Timestamp, request: OfficeRequest) {
        self.asked += 1;
        let id = format!("request-{}", self.asked);
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let tool = json!(request)["tool"].as_str().unwrap().to_owned();
        workspace.asked += 1;
        workspace.open.insert(id.clone(), tool);
        workspace.say(Some(task), now, Body::OfficeRequest { id, request });
    }

    /// Calls the model, where it may. Answers whether it did.
    fn call(&mut self, volume: &str, task: &Task, now: Timestamp, random: &mut Random) -> bool {
        let workspace = self.workspaces.get_mut(volume).unwrap();
        let told = workspace.told.as_ref().filter(|(told, _)| *told == task.uid).map(|(_, told)| told);
        if told.and_then(|told| told.up_to_usd).is_some_and(|up_to| task.cost >= up_to) {
            return false;
        }
        let price = Money::from_nano(1 + random.below(CALL.try_into().unwrap()) as u64);
        if let Some(task) = workspace.current() {
            task.cost = task.cost + price;
        }
        self.spenders.insert(workspace.uid.clone(), workspace.agent.clone());
        let billed = self.billed.entry(workspace.uid.clone()).or_default();
        *billed = *billed + price;
        let usage = TokenUsage { output_tokens: 7, ..TokenUsage::default() };
        workspace.say(Some(&task.uid), now, Body::Usage { model: "m".into(), usage, cost_usd: price });
        true
    }

    /// What an agent has cost and nobody has heard of.
    pub(super) fn unsaid(&self, uid: &str) -> Money {
        let kept = self.workspaces.values().filter(|workspace| workspace.uid == uid);
        let kept: Money = kept.map(Workspace::unsaid).sum();
        kept + self.lost.get(uid).copied().unwrap_or_default()
    }

    /// The volume is gone with all that is on it.
    pub(super) fn wipe(&mut self, volume: &str) {
        let Some(workspace) = self.workspaces.remove(volume) else { return };
        let events = &workspace.journal[workspace.published..];
        self.unheard.extend(events.iter().filter_map(|event| event.task.clone()));
        let unsaid = workspace.unsaid();
        let lost = self.lost.entry(workspace.uid).or_default();
        *lost = *lost + unsaid;
    }
}

/// Whether something is to be done about a message now.
fn is_next(letter: &Letter, random: &mut Random) -> bool {
    match (letter.is_read, letter.is_cancelled) {
        (false, true) => true,
        (false, false) => random.happens(500),
        (true, _) => random.happens(100),
    }
}

fn end(how: &str) -> Body {
    match how {
        "Cancelled" => Body::TaskCancelled { reason: "cancelled".into() },
        "Failed" => Body::Error { error: "it failed".into(), reason: "RuntimeFailed".into() },
        _ => Body::TaskCompleted(Outcome::default()),
    }
}
