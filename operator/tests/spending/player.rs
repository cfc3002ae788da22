//! Plays an agent: takes what the operator says, and spends what it is allowed to.
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use komputer_events::{
    AgentId, Body, Cursor, Event, Money, Outcome, TokenUsage,
    bus::{Entry, Retention, Streams},
    task::{Allowance, PORT},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// An agent that is played.
pub struct Player {
    /// Its name.
    pub name: String,
    /// Its pod's address.
    pub ip: String,
    /// What a call of it costs.
    pub price: Money,
    /// Calls until its task is done.
    calls: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    task: Option<String>,
    allowance: Option<Allowance>,
    made: u64,
    is_done: bool,
    is_dead: bool,
    seq: u64,
    last: Option<Cursor>,
}

impl Player {
    /// Listens at an address of its own, and works once it has a task.
    pub async fn start(index: u8, calls: u64, agent: AgentId, uid: String, streams: Streams) -> Arc<Self> {
        let ip = format!("127.0.77.{index}");
        let price = Money::from_nano(13_000_001 + 7 * u64::from(index));
        let name = agent.name().to_owned();
        let player = Arc::new(Self { name, ip, price, calls, state: Mutex::default() });
        let address: SocketAddr = format!("{}:{PORT}", player.ip).parse().unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let serving = player.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        tokio::spawn(player.clone().work(agent, uid, streams));
        player
    }

    /// What it has spent.
    pub fn spent(&self) -> Money {
        Money::from_nano(self.price.nano() * self.state.lock().unwrap().made)
    }

    /// It does nothing more.
    pub fn die(&self) {
        self.state.lock().unwrap().is_dead = true;
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut line, mut length) = (String::new(), 0);
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            loop {
                let mut header = String::new();
                stream.read_line(&mut header).await.unwrap();
                if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if header.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            self.hear(line.split(' ').nth(1).unwrap(), &body);
            let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}";
            stream.get_mut().write_all(answer).await.unwrap();
        }
    }

    fn hear(&self, path: &str, body: &[u8]) {
        let mut state = self.state.lock().unwrap();
        match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["v1", "tasks", _, "allowance"] => state.allowance = Some(serde_json::from_slice(body).unwrap()),
            ["v1", "tasks", uid] => {
                assert!(state.allowance.is_some(), "a task comes after what it may cost");
                state.task.get_or_insert(uid.to_owned());
            }
            _ => {}
        }
    }

    async fn work(self: Arc<Self>, agent: AgentId, uid: String, streams: Streams) {
        loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let Some(body) = self.next() else { continue };
            let (event, before) = {
                let mut state = self.state.lock().unwrap();
                state.seq += 1;
                let before = state.last;
                let now = Timestamp::now();
                let id = before.unwrap_or_default().next(u64::try_from(now.as_millisecond()).unwrap());
                state.last = Some(id);
                let task = state.task.clone();
                (Event { id, seq: state.seq, agent: agent.clone(), timestamp: now, task, body }, before)
            };
            let entry = Entry { id: event.id, json: event.to_json().unwrap() };
            streams.append(&agent, &uid, before, &[entry], Retention::default()).await.unwrap();
        }
    }

    /// What happens next: a call while the task has cost less than it may.
    fn next(&self) -> Option<Body> {
        let mut state = self.state.lock().unwrap();
        if state.task.is_none() || state.is_done || state.is_dead {
            return None;
        }
        if state.seq == 0 {
            return Some(Body::TaskStarted { instructions: "i".into(), resuming_session: false, model: "m".into() });
        }
        if state.made == self.calls {
            state.is_done = true;
            return Some(Body::TaskCompleted(Outcome::default()));
        }
        let cost = Money::from_nano(self.price.nano() * state.made);
        let up_to = state.allowance.as_ref().and_then(|allowance| allowance.up_to_usd);
        if up_to.is_some_and(|up_to| cost >= up_to) {
            return None;
        }
        state.made += 1;
        Some(Body::Usage { model: "m".into(), usage: TokenUsage::default(), cost_usd: self.price })
    }
}
