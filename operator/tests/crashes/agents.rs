//! Plays agents: what each knows outlives its pods, as in a workspace.
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use komputer_events::{
    AgentId, Body, Cursor, Event, Money, Outcome, TokenUsage,
    bus::{Entry, Retention, Streams},
    office::{Answer, OfficeRequest},
    task::{Message, TaskRequest},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Tasks of these instructions go on until they are cancelled.
pub const ENDLESS: &str = "for ever";

/// All agents, by their uids.
#[derive(Clone)]
pub struct Agents {
    streams: Streams,
    all: Arc<Mutex<HashMap<String, Arc<Agent>>>>,
}

/// One of them.
pub struct Agent {
    id: AgentId,
    uid: String,
    mind: Mutex<Mind>,
}

#[derive(Default)]
struct Mind {
    tasks: Vec<Task>,
    letters: Vec<Letter>,
    /// What its office has answered, by requests' ids.
    answers: BTreeMap<String, Answer>,
    seq: u64,
    last: Option<Cursor>,
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
struct Task {
    uid: String,
    request: TaskRequest,
    step: Step,
    is_cancelled: bool,
    /// How many of its requests are made, and answered.
    asked: usize,
    answered: usize,
}

impl Task {
    /// Of a manager, tasks are lists of what it asks of its office, one after the other.
    fn requests(&self) -> Vec<OfficeRequest> {
        serde_json::from_str(&self.request.instructions).unwrap_or_default()
    }

    fn request_id(&self, index: usize) -> String {
        format!("{}-{index}", self.request.name)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    New,
    Started,
    Paid,
    Over,
}

/// An agent's process, for as long as this is kept.
pub struct Process(Vec<AbortHandle>);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Agents {
    pub fn new(streams: Streams) -> Self {
        Self { streams, all: Arc::default() }
    }

    /// Has the agent listen there, and work.
    pub async fn start(&self, id: AgentId, uid: String, address: SocketAddr) -> Process {
        let made = || Arc::new(Agent { id, uid: uid.clone(), mind: Mutex::default() });
        let agent = self.all.lock().unwrap().entry(uid.clone()).or_insert_with(made).clone();
        let listener = TcpListener::bind(address).await.unwrap();
        let serving = agent.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        let work = tokio::spawn(agent.work(self.streams.clone()));
        Process(vec![server.abort_handle(), work.abort_handle()])
    }

    /// What was run in a namespace, task by task, and what managers were answered.
    pub fn runs(&self, namespace: &str) -> Vec<String> {
        let all = self.all.lock().unwrap();
        let of_namespace = all.values().filter(|agent| agent.id.namespace() == namespace);
        let mut runs: Vec<_> = of_namespace
            .flat_map(|agent| {
                let mind = agent.mind.lock().unwrap();
                let begun = mind.tasks.iter().filter(|task| task.step != Step::New);
                let begun = begun.map(|task| format!("{} did {}", agent.id.name(), task.request.instructions));
                let answers = mind.answers.iter().map(|(id, answer)| {
                    let is_error = matches!(answer, Answer::Error(_));
                    format!("{} heard of {id}, an error: {is_error}", agent.id.name())
                });
                let read = mind.letters.iter().filter(|letter| letter.is_read);
                let read = read.map(|letter| format!("{} read {}", agent.id.name(), letter.content));
                begun.chain(answers).chain(read).collect::<Vec<_>>()
            })
            .collect();
        runs.sort();
        runs
    }
}

impl Agent {
    async fn serve(self: Arc<Self>, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            loop {
                let mut header = String::new();
                stream.read_line(&mut header).await?;
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if header.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            let status =
                if self.hear(line.split(' ').nth(1).unwrap(), &body) { "202 Accepted" } else { "404 Not Found" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.get_mut().write_all(answer.as_bytes()).await?;
        }
    }

    /// Whether it knows what is spoken of.
    fn hear(&self, path: &str, body: &[u8]) -> bool {
        let mut mind = self.mind.lock().unwrap();
        let known = |uid: &str| mind.tasks.iter().position(|task| task.uid == uid);
        match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["v1", "tasks", uid, "cancel"] => {
                let Some(index) = known(uid) else { return false };
                mind.tasks[index].is_cancelled = true;
            }
            ["v1", "tasks", uid] if known(uid).is_none() && mind.letters.iter().all(|letter| letter.uid != uid) => {
                let request = serde_json::from_slice(body).unwrap();
                let (step, is_cancelled) = (Step::New, false);
                mind.tasks.push(Task { uid: uid.into(), request, step, is_cancelled, asked: 0, answered: 0 });
            }
            ["v1", "tasks", into, "messages", uid] if mind.letters.iter().all(|letter| letter.uid != uid) => {
                let message: Message = serde_json::from_slice(body).unwrap();
                let (uid, into, content) = (uid.into(), into.into(), message.text);
                mind.letters.push(Letter { uid, into, content, is_read: false, is_over: false });
            }
            ["v1", "requests", id, "answer"] => {
                mind.answers.insert(id.into(), serde_json::from_slice(body).unwrap());
            }
            _ => {}
        }
        true
    }

    async fn work(self: Arc<Self>, streams: Streams) {
        loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let said = self.next();
            let Some((event, before)) = said else { continue };
            let entry = Entry { id: event.id, json: event.to_json().unwrap() };
            // What cannot be appended is of an agent that is gone.
            let _ = streams.append(&self.id, &self.uid, before, &[entry], Retention::default()).await;
        }
    }

    /// What happens next in the oldest task that is not over.
    fn next(&self) -> Option<(Event, Option<Cursor>)> {
        let mut guard = self.mind.lock().unwrap();
        let mind = &mut *guard;
        if let Some((task, body)) = mind.letter() {
            return Some(self.say(mind, task, body));
        }
        let task = mind.tasks.iter_mut().find(|task| task.step != Step::Over)?;
        let instructions = task.request.instructions.clone();
        let (step, body) = match task.step {
            Step::New => {
                let body =
                    Body::TaskStarted { instructions, resuming_session: false, model: task.request.model.clone() };
                (Step::Started, body)
            }
            Step::Started => {
                let usage = TokenUsage { input_tokens: 3, output_tokens: 2, ..TokenUsage::default() };
                (Step::Paid, Body::Usage { model: "m".into(), usage, cost_usd: Money::from_nano(10_000_001) })
            }
            Step::Paid if task.is_cancelled => (Step::Over, Body::TaskCancelled { reason: "it was asked to".into() }),
            Step::Paid if instructions == ENDLESS => return None,
            Step::Paid if task.answered < task.asked => {
                let id = task.request_id(task.answered);
                let answer = mind.answers.get(&id)?;
                task.answered += 1;
                (Step::Paid, Body::OfficeAnswer { id, is_error: matches!(answer, Answer::Error(_)) })
            }
            Step::Paid if task.asked < task.requests().len() => {
                let (id, request) = (task.request_id(task.asked), task.requests().swap_remove(task.asked));
                task.asked += 1;
                (Step::Paid, Body::OfficeRequest { id, request })
            }
            _ => (Step::Over, Body::TaskCompleted(Outcome { result: instructions, ..Outcome::default() })),
        };
        task.step = step;
        let task = task.uid.clone();
        Some(self.say(mind, task, body))
    }

    fn say(&self, mind: &mut Mind, task: String, body: Body) -> (Event, Option<Cursor>) {
        mind.seq += 1;
        let (now, before) = (Timestamp::now(), mind.last);
        let id = before.unwrap_or_default().next(u64::try_from(now.as_millisecond()).unwrap());
        mind.last = Some(id);
        let (agent, task) = (self.id.clone(), Some(task));
        (Event { id, seq: mind.seq, agent, timestamp: now, task, body }, before)
    }
}

impl Mind {
    /// What happens next to what it was told: it is read while its task goes on, and ends before that does.
    fn letter(&mut self) -> Option<(String, Body)> {
        for letter in self.letters.iter_mut().filter(|letter| !letter.is_over) {
            let task = self.tasks.iter().find(|task| task.uid == letter.into && task.step == Step::Paid);
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
