//! From what Claude Code writes to what the agent says.
use std::collections::HashMap;

use komputer_events::{Body, limits};
use serde_json::Value;

use super::frames::{Block, Content, Delta, Frame, ResultFrame, StreamEvent, System};
use crate::runtime::{Signal, Turn};

/// Maps frames in the order they come; a tool's result does not say which tool it is from.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    /// Names of the tools whose result is awaited, by call.
    tools: HashMap<String, String>,
}

const AUTHENTICATION_FAILED: &str = "authentication_failed";

impl Mapping {
    /// What one frame means, in order. Frames of the control protocol mean nothing here.
    pub(super) fn map(&mut self, frame: Frame) -> Vec<Signal> {
        match frame {
            Frame::Assistant { message, parent_tool_use_id, error } => {
                self.assistant(message.content, parent_tool_use_id.is_none(), error.as_deref())
            }
            Frame::User { message } => self.results(message.content),
            Frame::StreamEvent { event, parent_tool_use_id: None } => delta(event),
            Frame::System(system) => system_signals(system),
            Frame::Result(result) => vec![Signal::Turn(turn(result))],
            Frame::ToolProgress { parent_tool_use_id, tool_use_id, tool_name, elapsed_time_seconds } => {
                let id = parent_tool_use_id.unwrap_or(tool_use_id);
                vec![Signal::Say(Body::ToolProgress {
                    id,
                    tool: tool_name,
                    elapsed_seconds: whole(elapsed_time_seconds),
                })]
            }
            Frame::CommandLifecycle { command_uuid, state } => vec![Signal::Prompt(command_uuid, state)],
            Frame::StreamEvent { .. }
            | Frame::ControlRequest { .. }
            | Frame::ControlResponse { .. }
            | Frame::Unknown => Vec::new(),
        }
    }

    /// A subagent's words are not the agent's answer; what it does is told all the same.
    fn assistant(&mut self, content: Content, is_own: bool, error: Option<&str>) -> Vec<Signal> {
        if error == Some(AUTHENTICATION_FAILED) {
            return vec![Signal::AuthenticationFailed(content.into_text())];
        }
        content.into_blocks().into_iter().filter_map(|block| self.block(block, is_own)).collect()
    }

    fn block(&mut self, block: Block, is_own: bool) -> Option<Signal> {
        let cut = |text: &str| limits::cut(text, limits::TEXT);
        let body = match block {
            Block::Text { text } if is_own => Body::Text { content: cut(&text) },
            Block::Thinking { thinking } if is_own && !thinking.is_empty() => {
                Body::Thinking { content: cut(&thinking) }
            }
            Block::ToolUse { id, name, input } => {
                self.tools.insert(id.clone(), name.clone());
                Body::ToolCall { id, tool: name, input: cut_input(input) }
            }
            _ => return None,
        };
        Some(Signal::Say(body))
    }

    fn results(&mut self, content: Content) -> Vec<Signal> {
        let mut signals = Vec::new();
        for block in content.into_blocks() {
            if let Block::ToolResult { tool_use_id: id, content, is_error } = block {
                let tool = self.tools.remove(&id).unwrap_or_default();
                let output = limits::cut(&content.map(Content::into_text).unwrap_or_default(), limits::TOOL);
                let is_error = is_error.unwrap_or_default();
                signals.push(Signal::Say(Body::ToolResult { id, tool, output, is_error }));
            }
        }
        signals
    }
}

fn delta(event: StreamEvent) -> Vec<Signal> {
    match event {
        StreamEvent::ContentBlockDelta { delta: Delta::TextDelta { text } } => vec![Signal::Delta(text)],
        StreamEvent::ContentBlockDelta { .. } | StreamEvent::Unknown => Vec::new(),
    }
}

fn system_signals(system: System) -> Vec<Signal> {
    match system {
        System::SessionStateChanged { state } => match state.as_str() {
            "idle" => vec![Signal::Idle],
            "running" => vec![Signal::Running],
            _ => Vec::new(),
        },
        System::BackgroundTasksChanged { tasks } => vec![Signal::Background(tasks.len())],
        System::CompactBoundary { compact_metadata: compact } => vec![Signal::Say(Body::Compaction {
            trigger: compact.trigger,
            tokens_before: compact.pre_tokens,
            tokens_after: compact.post_tokens,
        })],
        System::ApiRetry { attempt, error_status: status, error, retry_delay_ms } => {
            let failed = (error == AUTHENTICATION_FAILED)
                .then(|| Signal::AuthenticationFailed("the model's API does not accept the key".into()));
            let retry = Body::ApiRetry { attempt, status, error, delay_ms: whole(retry_delay_ms) };
            [Signal::Say(retry)].into_iter().chain(failed).collect()
        }
        System::Unknown => Vec::new(),
    }
}

fn turn(result: ResultFrame) -> Turn {
    Turn {
        succeeded: !result.is_error && result.subtype == "success",
        text: result.result.unwrap_or_else(|| {
            if result.errors.is_empty() { result.subtype.clone() } else { result.errors.join("; ") }
        }),
        stop_reason: result.stop_reason.unwrap_or_default(),
        is_api_error: result.terminal_reason.as_deref() == Some("api_error"),
        api_status: result.api_error_status,
    }
}

/// A tool's input stays JSON unless it is too long; then it is a cut text of it.
fn cut_input(input: Value) -> Value {
    let json = input.to_string();
    if json.len() <= limits::TOOL { input } else { Value::String(limits::cut(&json, limits::TOOL)) }
}

/// Milliseconds and seconds come with decimals; a number that is none is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate, which is wanted")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
