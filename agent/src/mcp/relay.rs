//! Carries messages between Claude Code and the servers, and knows which answer belongs to which of its requests.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, split},
    sync::mpsc,
};

use super::AnyServer;

/// Messages that wait for a server, and answers that wait for Claude Code.
const QUEUE: usize = 64;

/// JSON-RPC's "internal error": <https://www.jsonrpc.org/specification#error_object>.
const INTERNAL_ERROR: i32 = -32603;

/// The connections of one Claude Code process.
#[derive(Debug)]
pub(crate) struct Relay {
    lines: HashMap<String, Line>,
    replies: mpsc::Receiver<Reply>,
    /// Keeps [`Self::next`] waiting where there is no server.
    _open: mpsc::Sender<Reply>,
}

/// The connection to one server.
#[derive(Debug)]
struct Line {
    messages: mpsc::Sender<Value>,
    waiting: Arc<Waiting>,
}

/// The requests a server has not answered: by the id of the message, which of Claude Code's requests brought it.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<String, String>>);

/// What Claude Code is to hear.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    /// Its request.
    pub(crate) request_id: String,
    /// The server's message.
    pub(crate) message: Value,
}

impl Relay {
    /// Connects to all of them.
    pub(crate) fn connect(servers: &[AnyServer]) -> Self {
        let (to_claude, replies) = mpsc::channel(QUEUE);
        let lines = servers.iter().map(|server| {
            let line = Line::open(server.connect(), to_claude.clone());
            (server.name().to_owned(), line)
        });
        Self { lines: lines.collect(), replies, _open: to_claude }
    }

    /// The names of the servers.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.lines.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Passes a message on. What is no request is answered at once, as Claude Code expects.
    pub(crate) fn pass(&self, server: &str, request_id: String, message: Value) -> Option<Reply> {
        let Some(id) = message.get("id").filter(|id| !id.is_null()).map(Value::to_string) else {
            self.lines.get(server).map(|line| line.messages.try_send(message));
            return Some(Reply { request_id, message: json!({ "jsonrpc": "2.0", "result": {} }) });
        };
        let Some(line) = self.lines.get(server) else {
            return Some(Reply { request_id, message: failure(&id, &format!("there is no MCP server {server}")) });
        };
        line.waiting.add(id.clone(), request_id);
        let refused = line.messages.try_send(message).is_err();
        let request_id = if refused { line.waiting.take(&id) } else { None }?;
        Some(Reply { request_id, message: failure(&id, &format!("the MCP server {server} does not listen")) })
    }

    /// What Claude Code is to hear next. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Reply {
        match self.replies.recv().await {
            Some(reply) => reply,
            None => std::future::pending().await,
        }
    }
}

impl Line {
    fn open(connection: DuplexStream, to_claude: mpsc::Sender<Reply>) -> Self {
        let (output, mut input) = split(connection);
        let (messages, mut queue) = mpsc::channel::<Value>(QUEUE);
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if input.write_all(format!("{message}\n").as_bytes()).await.is_err() {
                    return; // It has ended; whoever waits for it is told below.
                }
            }
        });
        let waiting = Arc::new(Waiting::default());
        tokio::spawn(listen(output, waiting.clone(), to_claude));
        Self { messages, waiting }
    }
}

/// Passes answers on until the server ends; nobody waits for it then.
async fn listen(output: ReadHalf<DuplexStream>, waiting: Arc<Waiting>, to_claude: mpsc::Sender<Reply>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        // A message with a method is the server's own; Claude Code takes none over this way.
        let id = message.get("id").filter(|_| message.get("method").is_none()).map(Value::to_string);
        let Some(request_id) = id.and_then(|id| waiting.take(&id)) else { continue };
        if to_claude.send(Reply { request_id, message }).await.is_err() {
            return;
        }
    }
    for (id, request_id) in waiting.take_all() {
        let message = failure(&id, "the MCP server has ended");
        if to_claude.send(Reply { request_id, message }).await.is_err() {
            return;
        }
    }
}

impl Waiting {
    fn add(&self, id: String, request_id: String) {
        self.lock().insert(id, request_id);
    }

    fn take(&self, id: &str) -> Option<String> {
        self.lock().remove(id)
    }

    fn take_all(&self) -> HashMap<String, String> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A JSON-RPC error for the request of that id, which is JSON.
fn failure(id: &str, message: &str) -> Value {
    let id: Value = serde_json::from_str(id).unwrap_or_default();
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": INTERNAL_ERROR, "message": message } })
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::{super::Server, *};

    /// Answers every second request first, and ends when it is told to.
    struct Swapping;

    impl Server for Swapping {
        fn name(&self) -> &'static str {
            "swapping"
        }

        fn connect(&self) -> DuplexStream {
            let (ours, theirs) = duplex(1 << 10);
            tokio::spawn(async move {
                let (output, mut input) = split(theirs);
                let mut lines = BufReader::new(output).lines();
                let mut ids = Vec::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    let message: Value = serde_json::from_str(&line).unwrap();
                    if message["method"] == "end" {
                        return;
                    }
                    ids.push(message["id"].clone());
                    while ids.len() == 2 {
                        for id in ids.drain(..).rev() {
                            let answer = json!({ "jsonrpc": "2.0", "id": id, "result": { "of": id } });
                            input.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
                        }
                    }
                }
            });
            ours
        }
    }

    fn request(id: impl Into<Value>, method: &str) -> Value {
        json!({ "jsonrpc": "2.0", "id": id.into(), "method": method })
    }

    #[tokio::test]
    async fn answers_find_their_requests() {
        let mut relay = Relay::connect(&[Box::new(Swapping)]);
        assert_eq!(relay.names(), ["swapping"]);
        assert_eq!(relay.pass("swapping", "a".into(), request(1, "tools/list")), None);
        assert_eq!(relay.pass("swapping", "b".into(), request("1", "tools/list")), None);
        let answer = |id: Value| json!({ "jsonrpc": "2.0", "id": id, "result": { "of": id } });
        assert_eq!(relay.next().await, Reply { request_id: "b".into(), message: answer("1".into()) });
        assert_eq!(relay.next().await, Reply { request_id: "a".into(), message: answer(1.into()) });
    }

    #[tokio::test]
    async fn whoever_waits_for_a_server_that_ends_is_told() {
        let mut relay = Relay::connect(&[Box::new(Swapping)]);
        assert_eq!(relay.pass("swapping", "a".into(), request(1, "tools/list")), None);
        let end = json!({ "jsonrpc": "2.0", "method": "end" });
        let heard = relay.pass("swapping", "b".into(), end).unwrap();
        assert_eq!(heard.message, json!({ "jsonrpc": "2.0", "result": {} }));
        let reply = relay.next().await;
        assert_eq!((reply.request_id.as_str(), &reply.message["id"]), ("a", &json!(1)));
        assert_eq!(reply.message["error"]["message"], "the MCP server has ended");
    }

    #[tokio::test]
    async fn a_server_that_there_is_not_is_an_error() {
        let relay = Relay::connect(&[]);
        let reply = relay.pass("none", "a".into(), request(7, "tools/list")).unwrap();
        assert_eq!((reply.request_id.as_str(), &reply.message["id"]), ("a", &json!(7)));
        assert_eq!(reply.message["error"]["message"], "there is no MCP server none");
    }
}
