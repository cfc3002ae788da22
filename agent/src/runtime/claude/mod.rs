//! Claude Code, one process a task, spoken to over its stream-json protocol.
mod command;
mod frames;
mod lines;
mod mapping;
mod process;
mod program;
mod transcript;

use std::{collections::VecDeque, io, path::PathBuf, sync::Arc, time::Duration};

use rustix::process::Signal as Kill;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use command::{Conversation, Installation};
use frames::{ControlRequest, ControlResponse, Frame};
use mapping::Mapping;
use process::{Output, Process};
pub(crate) use program::Program;
pub(crate) use transcript::{Standing, Transcript};

use super::{Signal, Turn};
use crate::{
    children::Children,
    mcp::{Relay, Reply},
};

/// A running Claude Code.
#[derive(Debug)]
pub(crate) struct Claude {
    process: Process,
    mapping: Mapping,
    signals: VecDeque<Signal>,
    children: Arc<Children>,
    relay: Relay,
}

/// It could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {path}: {source}; the agent's image must hold Claude Code there")]
pub(crate) struct StartError {
    path: PathBuf,
    source: io::Error,
}

/// How to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has nothing left to do: end its input and let it save its state.
    Finished,
    /// Stop in the middle, so that it can go on later.
    Suspend,
}

/// A signal, if any, and how long to wait for the end after it.
type Rung = (Option<Kill>, Duration);

const FINISHED: [Rung; 4] = [
    (None, Duration::from_secs(5)),
    (Some(Kill::INT), Duration::from_secs(2)),
    (Some(Kill::TERM), Duration::from_secs(3)),
    (Some(Kill::KILL), Duration::from_secs(2)),
];

/// The transcript is up to a tenth of a second behind. An interrupt would count as an answer, and after SIGTERM Claude
/// Code calls the model once more and writes where it does not find back to: what it goes on from best is a crash.
const SUSPEND: [Rung; 2] = [(None, Duration::from_millis(200)), (Some(Kill::KILL), Duration::from_secs(2))];

const INITIALIZE: &str = "initialize";
const INTERRUPT: &str = "interrupt";

impl Claude {
    /// Starts Claude Code. It is ready for a prompt after [`Signal::Initialized`].
    pub(crate) fn start(
        installation: &Installation,
        children: &Arc<Children>,
        conversation: Conversation,
        model: &str,
        system_prompt: Option<&str>,
        relay: Relay,
        programs: &[Program],
    ) -> Result<Self, StartError> {
        let mut command = installation.command(conversation, model);
        let process = Process::start(children, &mut command)
            .map_err(|source| StartError { path: installation.claude.clone(), source })?;
        let (mapping, signals) = (Mapping::default(), VecDeque::new());
        let claude = Self { process, mapping, signals, children: children.clone(), relay };
        claude.request(INITIALIZE, &json!({
            "subtype": "initialize", "hooks": null, "systemPromptSnapshot": false, "appendSystemPrompt": system_prompt,
            "sdkMcpServers": claude.relay.names(), "mcpServers": program::servers(programs),
        }));
        Ok(claude)
    }

    /// Asks it something. Its text is taken as it is: no slash command, no `@file`.
    pub(crate) fn prompt(&self, text: &str, uuid: Uuid) {
        self.write(&json!({
            "type": "user", "message": {"role": "user", "content": text}, "uuid": uuid,
            "parent_tool_use_id": null, "session_id": "", "client_composed": true,
        }));
    }

    /// Has it summarise the conversation.
    pub(crate) fn compact(&self, keep: &str, uuid: Uuid) {
        let text = format!("/compact {keep}");
        self.write(&json!({
            "type": "user", "message": {"role": "user", "content": text.trim_end()}, "uuid": uuid,
            "parent_tool_use_id": null, "session_id": "",
        }));
    }

    /// Takes back a prompt that the model has not read. Where that is not too late, [`PromptState::Cancelled`] follows.
    ///
    /// [`PromptState::Cancelled`]: super::PromptState::Cancelled
    pub(crate) fn take_back(&self, uuid: Uuid) {
        let request = json!({"subtype": "cancel_async_message", "message_uuid": uuid});
        self.request(&format!("take-back-{uuid}"), &request);
    }

    /// Stops the turn it is in.
    pub(crate) fn interrupt(&self) {
        self.request(INTERRUPT, &json!({"subtype": "interrupt", "cancel_queued": true}));
    }

    /// What it tells next; [`Signal::Exited`] for ever once it has ended. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Signal {
        loop {
            if let Some(signal) = self.signals.pop_front() {
                return signal;
            }
            let output = tokio::select! {
                output = self.process.next() => output,
                reply = self.relay.next() => {
                    self.reply(&reply);
                    continue;
                }
            };
            match output {
                Ok(Output::Line(line)) => match serde_json::from_slice(&line) {
                    Ok(frame) => self.take(frame),
                    Err(error) => tracing::debug!(%error, "Claude Code wrote a line that is no frame"),
                },
                Ok(Output::Ended(code)) => return Signal::Exited { code, stderr: self.process.stderr() },
                Err(error) => {
                    tracing::error!(%error, "Claude Code's output cannot be read");
                    self.process.kill(Kill::KILL);
                    return Signal::Exited { code: -1, stderr: error.to_string() };
                }
            }
        }
    }

    /// Ends it and everything it started.
    pub(crate) async fn end(mut self, how: End) {
        let rungs = match how {
            End::Finished => &FINISHED[..],
            End::Suspend => &SUSPEND[..],
        };
        if how == End::Finished {
            self.process.close_input();
        }
        for (signal, patience) in rungs {
            if let Some(signal) = signal {
                self.process.kill(*signal);
            }
            if tokio::time::timeout(*patience, self.exited()).await.is_ok() {
                break;
            }
        }
        self.children.kill_all().await;
    }

    async fn exited(&mut self) {
        while !matches!(self.next().await, Signal::Exited { .. }) {}
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::ControlRequest { request_id, request: ControlRequest::McpMessage { server_name, message } } => {
                if let Some(reply) = self.relay.pass(&server_name, request_id, message) {
                    self.reply(&reply);
                }
            }
            // Silence would hang the turn.
            Frame::ControlRequest { request_id, request: ControlRequest::Unknown } => self.refuse(&request_id),
            Frame::ControlResponse { response } if response.request_id == INITIALIZE => {
                self.signals.extend(initialized(response));
            }
            frame => self.signals.extend(self.mapping.map(frame)),
        }
    }

    fn reply(&self, Reply { request_id, message }: &Reply) {
        self.write(&json!({
            "type": "control_response",
            "response": {"subtype": "success", "request_id": request_id, "response": {"mcp_response": message}},
        }));
    }

    /// Nothing else that Claude Code may ask for was offered to it.
    fn refuse(&self, request_id: &str) {
        self.write(&json!({
            "type": "control_response",
            "response": {"subtype": "error", "request_id": request_id, "error": "this is not supported"},
        }));
    }

    fn request(&self, id: &str, request: &Value) {
        self.write(&json!({"type": "control_request", "request_id": id, "request": request}));
    }

    fn write(&self, frame: &Value) {
        self.process.write(format!("{frame}\n").into_bytes());
    }
}

fn initialized(response: ControlResponse) -> Vec<Signal> {
    if response.subtype == "success" {
        return vec![Signal::Initialized];
    }
    let text = response.error.unwrap_or_else(|| "Claude Code refused to initialize".into());
    vec![Signal::Turn(Turn { text, ..Turn::default() }), Signal::Idle]
}
