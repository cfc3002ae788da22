//! Plays agents: what each knows outlives its pods, as in a workspace.
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use komputer_events::{
    AgentId, Event,
    bus::{BusError, Entry, Retention, Streams},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use super::mind::{Mind, Task};

/// How long an agent takes for anything it does.
const PACE: Duration = Duration::from_millis(10);

/// All agents, by the uids of their volumes.
#[derive(Clone)]
pub struct Agents {
    streams: Streams,
    all: Arc<Mutex<HashMap<String, Arc<Agent>>>>,
    begun: Arc<Mutex<Begun>>,
    /// Held by who says something as that agent: a process that was ended may not know yet, while the next one speaks.
    speaking: Arc<Mutex<HashMap<AgentId, Arc<tokio::sync::Mutex<()>>>>>,
}

/// Tasks that were begun, and those that were more than once, by their uids.
#[derive(Default)]
struct Begun {
    all: HashSet<String>,
    doubled: Vec<String>,
}

/// One of them.
pub struct Agent {
    id: AgentId,
    uid: String,
    mind: Mutex<Mind>,
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
        Self { streams, all: Arc::default(), begun: Arc::default(), speaking: Arc::default() }
    }

    /// Has the agent of that uid listen there, and work with what its volume keeps.
    pub async fn start(&self, id: AgentId, uid: String, volume: String, address: SocketAddr) -> Process {
        let made = || Arc::new(Agent { id, uid, mind: Mutex::default() });
        let agent = self.all.lock().unwrap().entry(volume).or_insert_with(made).clone();
        let listener = TcpListener::bind(address).await.unwrap();
        let serving = agent.clone();
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serving.clone().serve(stream));
            }
        });
        let work = tokio::spawn(agent.work(self.clone()));
        Process(vec![server.abort_handle(), work.abort_handle()])
    }

    /// What was run in a namespace, task by task, what managers were answered, and what was read.
    #[allow(dead_code, reason = "not every suite asks")]
    pub fn runs(&self, namespace: &str) -> Vec<String> {
        let all = self.all.lock().unwrap();
        let of_namespace = all.values().filter(|agent| agent.id.namespace() == namespace);
        let mut runs: Vec<_> = of_namespace
            .flat_map(|agent| {
                let done = agent.mind.lock().unwrap().deeds();
                done.into_iter().map(|deed| format!("{} {deed}", agent.id.name())).collect::<Vec<_>>()
            })
            .collect();
        runs.sort();
        runs
    }

    fn note_beginning(&self, task: String) {
        let mut begun = self.begun.lock().unwrap();
        if !begun.all.insert(task.clone()) {
            begun.doubled.push(task);
        }
    }

    /// The uids of tasks that were begun more than once.
    #[allow(dead_code, reason = "not every suite asks")]
    pub fn doubled(&self) -> Vec<String> {
        self.begun.lock().unwrap().doubled.clone()
    }

    /// Shows all tasks that any agent was ever handed, with its name and uid.
    #[allow(dead_code, reason = "not every suite asks")]
    pub fn each_task(&self, mut see: impl FnMut(&AgentId, &str, &Task)) {
        for agent in self.all.lock().unwrap().values() {
            agent.mind.lock().unwrap().tasks.iter().for_each(|task| see(&agent.id, &agent.uid, task));
        }
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
            let is_known = self.mind.lock().unwrap().hear(line.split(' ').nth(1).unwrap_or_default(), &body);
            let status = if is_known { "202 Accepted" } else { "404 Not Found" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.get_mut().write_all(answer.as_bytes()).await?;
        }
    }

    async fn work(self: Arc<Self>, agents: Agents) {
        loop {
            tokio::time::sleep(PACE).await;
            let speaks = agents.speaking.lock().unwrap().entry(self.id.clone()).or_default().clone();
            let _speaks = speaks.lock().await;
            let (unsaid, end) = {
                let mut mind = self.mind.lock().unwrap();
                if let Some(task) = mind.go_on(&self.id) {
                    agents.note_beginning(task);
                }
                (mind.journal[mind.published..].to_vec(), mind.journal.len())
            };
            if !unsaid.is_empty() && self.publish(&agents.streams, &unsaid).await.is_ok() {
                self.mind.lock().unwrap().published = end;
            }
        }
    }

    /// Says what has not been said, and everything again where the stream is not as it was left: a process may end before
    /// it knows that it has been heard.
    async fn publish(&self, streams: &Streams, unsaid: &[Event]) -> Result<(), BusError> {
        let entries = |events: &[Event]| -> Vec<Entry> {
            events.iter().map(|event| Entry { id: event.id, json: event.to_json().unwrap() }).collect()
        };
        let (all, before) = {
            let mind = self.mind.lock().unwrap();
            (mind.journal.clone(), mind.published.checked_sub(1).map(|last| mind.journal[last].id))
        };
        match streams.append(&self.id, &self.uid, before, &entries(unsaid), Retention::default()).await {
            Err(BusError::Diverged { .. }) => {
                streams.refill(&self.id, &self.uid, &entries(&all), Retention::default()).await
            }
            result => result,
        }
    }
}
