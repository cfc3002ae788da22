//! What an agent knows and does next. Pure but for the clock.
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use komputer_events::{
    AgentId, Body, Cursor, Event, Money, Outcome, TokenUsage,
    office::{Answer, OfficeRequest},
    task::{Allowance, Message, TaskRequest},
};

/// Tasks of these instructions go on until they are cancelled, and cost nothing.
pub const ENDLESS: &str = "for ever";
/// Instructions that end so come to nothing.
pub const FAILS: &str = "then fail";
/// What each call of a model costs.
pub const PRICE: Money = Money::from_nano(10_000_001);

/// An agent's workspace.
#[derive(Default)]
pub struct Mind {
    pub tasks: Vec<Task>,
    letters: Vec<Letter>,
    /// What its office has answered, by requests' ids.
    answers: BTreeMap<String, Answer>,
    /// What tasks may cost, by their uids.
    allowances: HashMap<String, Option<Money>>,
    /// All it has to say.
    pub journal: Vec<Event>,
    /// How much of that is known to be said.
    pub published: usize,
}

/// What it was told in the middle of a task.
struct Letter {
    uid: String,
    into: String,
    content: String,
    is_read: bool,
    is_over: bool,
}

/// A task that it was handed.
pub struct Task {
    pub uid: String,
    request: TaskRequest,
    step: Step,
    is_cancelled: bool,
    calls: u64,
    /// How many of its requests are made, and answered.
    asked: usize,
    answered: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    New,
    Started,
    Over,
}

#[allow(dead_code, reason = "not every suite asks")]
impl Task {
    /// What it has cost.
    pub fn cost(&self) -> Money {
        Money::from_nano(PRICE.nano() * self.calls)
    }

    /// Of a manager, tasks are lists of what it asks of its office, one after the other.
    fn requests(&self) -> Vec<OfficeRequest> {
        serde_json::from_str(&self.request.instructions).unwrap_or_default()
    }

    fn request_id(&self, index: usize) -> String {
        format!("{}-{index}", self.request.name)
    }

    /// How many calls of a model it takes: as many as it says, like `3 calls`, or one.
    fn wanted_calls(&self) -> u64 {
        let instructions = &self.request.instructions;
        let said = instructions.split_once(" calls").and_then(|(count, _)| count.parse().ok());
        if instructions == ENDLESS { 0 } else { said.unwrap_or(1) }
    }
}

impl Mind {
    /// What it has done, in words.
    pub fn deeds(&self) -> Vec<String> {
        let begun = self.tasks.iter().filter(|task| task.step != Step::New);
        let begun = begun.map(|task| format!("did {}", task.request.instructions));
        let answers = self.answers.iter().map(|(id, answer)| {
            let is_error = matches!(answer, Answer::Error(_));
            format!("heard of {id}, an error: {is_error}")
        });
        let read = self.letters.iter().filter(|letter| letter.is_read);
        begun.chain(answers).chain(read.map(|letter| format!("read {}", letter.content))).collect()
    }

    /// Takes a request of the operator, and answers whether it knows what is spoken of.
    pub fn hear(&mut self, path: &str, body: &[u8]) -> bool {
        let known = |uid: &str| self.tasks.iter().position(|task| task.uid == uid);
        match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["v1", "tasks", uid, "cancel"] => {
                let Some(index) = known(uid) else { return false };
                self.tasks[index].is_cancelled = true;
            }
            ["v1", "tasks", uid, "allowance"] => {
                let allowance: Allowance = serde_json::from_slice(body).unwrap();
                self.allowances.insert(uid.into(), allowance.up_to_usd);
            }
            ["v1", "tasks", uid] if known(uid).is_none() && self.letters.iter().all(|letter| letter.uid != uid) => {
                let request = serde_json::from_slice(body).unwrap();
                let (step, is_cancelled, uid) = (Step::New, false, uid.into());
                self.tasks.push(Task { uid, request, step, is_cancelled, calls: 0, asked: 0, answered: 0 });
            }
            ["v1", "tasks", into, "messages", uid] if self.letters.iter().all(|letter| letter.uid != uid) => {
                let message: Message = serde_json::from_slice(body).unwrap();
                let (uid, into, content) = (uid.into(), into.into(), message.text);
                self.letters.push(Letter { uid, into, content, is_read: false, is_over: false });
            }
            ["v1", "requests", id, "answer"] => {
                self.answers.insert(id.into(), serde_json::from_slice(body).unwrap());
            }
            _ => {}
        }
        true
    }

    /// Does what is next, where there is anything. Answers the uid of a task that it has begun.
    pub fn go_on(&mut self, agent: &AgentId) -> Option<String> {
        let (task, body) = self.letter().or_else(|| self.next())?;
        let begun = matches!(body, Body::TaskStarted { .. }).then(|| task.clone());
        let (now, before) = (Timestamp::now(), self.journal.last().map(|event| event.id));
        let id: Cursor = before.unwrap_or_default().next(u64::try_from(now.as_millisecond()).unwrap());
        let seq = self.journal.len() as u64 + 1;
        self.journal.push(Event { id, seq, agent: agent.clone(), timestamp: now, task: Some(task), body });
        begun
    }

    /// What happens next in the oldest task that is not over.
    fn next(&mut self) -> Option<(String, Body)> {
        let task = self.tasks.iter_mut().find(|task| task.step != Step::Over)?;
        let instructions = task.request.instructions.clone();
        let body = match task.step {
            Step::New => {
                task.step = Step::Started;
                Body::TaskStarted { instructions, resuming_session: false, model: task.request.model.clone() }
            }
            _ if task.is_cancelled => {
                task.step = Step::Over;
                Body::TaskCancelled { reason: "it was asked to".into() }
            }
            _ if task.calls < task.wanted_calls() => {
                if self.allowances.get(&task.uid).copied().flatten().is_some_and(|up_to| task.cost() >= up_to) {
                    return None;
                }
                task.calls += 1;
                let usage = TokenUsage { input_tokens: 3, output_tokens: 2, ..TokenUsage::default() };
                Body::Usage { model: "m".into(), usage, cost_usd: PRICE }
            }
            _ if instructions == ENDLESS => return None,
            _ if task.answered < task.asked => {
                let id = task.request_id(task.answered);
                let answer = self.answers.get(&id)?;
                task.answered += 1;
                Body::OfficeAnswer { id, is_error: matches!(answer, Answer::Error(_)) }
            }
            _ if task.asked < task.requests().len() => {
                let (id, request) = (task.request_id(task.asked), task.requests().swap_remove(task.asked));
                task.asked += 1;
                Body::OfficeRequest { id, request }
            }
            _ => {
                task.step = Step::Over;
                if instructions.ends_with(FAILS) {
                    Body::Error { error: "it was to".into(), reason: "RuntimeFailed".into() }
                } else {
                    Body::TaskCompleted(Outcome { result: instructions, ..Outcome::default() })
                }
            }
        };
        Some((task.uid.clone(), body))
    }

    /// What happens next to what it was told: it is read while its task goes on, and ends before that does.
    fn letter(&mut self) -> Option<(String, Body)> {
        for letter in self.letters.iter_mut().filter(|letter| !letter.is_over) {
            let task = self.tasks.iter().find(|task| task.uid == letter.into && task.step == Step::Started);
            let Some(task) = task else { continue };
            let body = if !letter.is_read {
                letter.is_read = true;
                let (content, into) = (letter.content.clone(), Some(letter.into.clone()));
                Body::UserMessage { content, steer: true, into }
            } else if task.is_cancelled {
                letter.is_over = true;
                Body::TaskCancelled { reason: "its task was".into() }
            } else {
                continue;
            };
            return Some((letter.uid.clone(), body));
        }
        None
    }
}
