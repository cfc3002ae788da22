use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{AgentId, Cursor, Money, office::OfficeRequest};

/// How much of a payload an event carries; what is longer is cut and ends in [`limits::MARKER`].
pub mod limits {
    /// Bytes of one text, thinking block, result or instruction.
    pub const TEXT: usize = 32 * 1024;
    /// Bytes of one tool's input or output.
    pub const TOOL: usize = 16 * 1024;
    /// What a cut text ends in.
    pub const MARKER: &str = " […cut by komputer]";

    /// `text`, or as much of it as `bytes` allows with the marker at its end.
    pub fn cut(text: &str, bytes: usize) -> String {
        if text.len() <= bytes {
            return text.to_owned();
        }
        let end = text.floor_char_boundary(bytes.saturating_sub(MARKER.len()));
        format!("{}{MARKER}", &text[..end])
    }
}

/// One thing an agent said or did.
///
/// Its JSON is `{id, seq, agentName, namespace, type, timestamp, task, payload}`; payload fields are in `snake_case`,
/// as clients of the system before us know them.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it stands in the agent's stream.
    pub id: Cursor,
    /// Counts the agent's events from 1, without a gap.
    pub seq: u64,
    /// Who it is from.
    pub agent: AgentId,
    /// When it happened, to the millisecond.
    pub timestamp: Timestamp,
    /// The uid of the `KomputerTask` it belongs to.
    pub task: Option<String>,
    /// What happened.
    pub body: Body,
}

/// What happened: the event's `type` and `payload`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum Body {
    /// The agent began, or after an interruption went on with, a task.
    TaskStarted {
        /// What it was asked to do.
        instructions: String,
        /// Whether it goes on in a conversation it had before.
        resuming_session: bool,
        /// The model asked for.
        model: String,
    },
    /// Somebody wrote to the agent while it worked, and it has read that. The event's task is the one that says it.
    UserMessage {
        /// The text.
        content: String,
        /// Whether it went into the running task.
        steer: bool,
        /// The uid of the task that it went into.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<String>,
    },
    /// A block of the model's thinking.
    Thinking {
        /// The text.
        content: String,
    },
    /// A block of the model's answer.
    Text {
        /// The text.
        content: String,
    },
    /// A piece of a block still being written.
    TextDelta {
        /// The piece.
        content: String,
    },
    /// The model uses a tool.
    ToolCall {
        /// Joins it to its result.
        id: String,
        /// The tool's name.
        tool: String,
        /// What it was called with.
        input: Value,
    },
    /// What a tool gave back.
    ToolResult {
        /// The call's id.
        id: String,
        /// The tool's name.
        tool: String,
        /// Its output.
        output: String,
        /// Whether it failed.
        is_error: bool,
    },
    /// A tool still runs.
    ToolProgress {
        /// The call's id.
        id: String,
        /// The tool's name.
        tool: String,
        /// Seconds since it began.
        elapsed_seconds: u64,
    },
    /// The conversation was summarised to make room.
    Compaction {
        /// `auto` or `manual`.
        trigger: String,
        /// Tokens of context before.
        tokens_before: u64,
        /// Tokens of context after.
        tokens_after: u64,
    },
    /// A call to the model failed and is tried again.
    ApiRetry {
        /// Counts from 1.
        attempt: u64,
        /// HTTP status, where there was an answer.
        status: Option<u16>,
        /// The kind of error, in the API's words.
        error: String,
        /// Milliseconds until the next try.
        delay_ms: u64,
    },
    /// What a part of one call to the model cost. Amounts add up: no event repeats what another has said.
    Usage {
        /// The model that answered.
        model: String,
        /// Tokens of this part.
        usage: TokenUsage,
        /// US dollars of this part.
        cost_usd: Money,
    },
    /// The task failed for now, and is tried again.
    TaskRetry {
        /// Counts from 1.
        attempt: u64,
        /// Why it failed, one of those an `error` event has.
        reason: String,
        /// What happened, in the words of whoever noticed.
        error: String,
        /// Milliseconds until it is tried again.
        delay_ms: u64,
    },
    /// The task ended well.
    TaskCompleted(Outcome),
    /// The task was cancelled.
    TaskCancelled {
        /// Why.
        reason: String,
    },
    /// The task failed; no more events of it follow.
    Error {
        /// What happened, in the words of whoever noticed.
        error: String,
        /// One of a closed set, such as `ApiError`.
        reason: String,
    },
    /// The task waits until a budget lets it go on, or goes on after it has waited.
    Budget {
        /// `waiting` or `going_on`.
        state: String,
        /// The `KomputerBudget` that allows the least.
        budget: String,
        /// US dollars the task has cost.
        cost_usd: Money,
        /// US dollars the task may have cost before it calls the model again; absent where nothing limits it any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allowance_usd: Option<Money>,
    },
    /// A manager asks something of its office. Open until it is answered, or its task ends.
    OfficeRequest {
        /// Joins it to its answer.
        id: String,
        /// What it asks.
        request: OfficeRequest,
    },
    /// A manager has the answer to what it asked of its office.
    OfficeAnswer {
        /// The request's id.
        id: String,
        /// Whether it was refused.
        is_error: bool,
    },
    /// The agent process itself changed state.
    Lifecycle {
        /// `ready` or `stopping`.
        state: String,
    },
    /// A type this version does not know.
    #[serde(skip)]
    Other(String),
}

/// How a task ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// The model's last words.
    pub result: String,
    /// Milliseconds from start to end, pauses included.
    pub duration_ms: u64,
    /// Calls to the model.
    pub turns: u64,
    /// Why the model stopped, in the API's words.
    pub stop_reason: String,
    /// Claude's session.
    pub session_id: String,
    /// The model asked for.
    pub model: String,
}

/// Tokens as the Messages API counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenUsage {
    /// Read and not cached.
    pub input_tokens: u64,
    /// Written by the model.
    pub output_tokens: u64,
    /// Read from the cache.
    pub cache_read_input_tokens: u64,
    /// Read and put into the cache.
    pub cache_creation_input_tokens: u64,
}

/// Bytes that are not an event.
#[derive(Debug, thiserror::Error)]
#[error("not an event of an agent: {0}")]
pub struct EventError(String);

impl Body {
    /// Whether no more events of the task follow.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::TaskCompleted(_) | Self::TaskCancelled { .. } | Self::Error { .. })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    id: Cursor,
    seq: u64,
    agent_name: &'a str,
    namespace: &'a str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(flatten)]
    body: &'a Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed<'a> {
    id: Cursor,
    seq: u64,
    agent_name: String,
    namespace: String,
    timestamp: Timestamp,
    #[serde(default)]
    task: Option<String>,
    r#type: String,
    #[serde(borrow)]
    payload: &'a RawValue,
}

impl Event {
    /// The event as JSON, on one line.
    ///
    /// # Errors
    /// Never for the bodies this crate defines, except [`Body::Other`], which only readers see.
    pub fn to_json(&self) -> Result<String, EventError> {
        let wire = Wire {
            id: self.id,
            seq: self.seq,
            agent_name: self.agent.name(),
            namespace: self.agent.namespace(),
            timestamp: format!("{:.3}", self.timestamp),
            task: self.task.as_deref(),
            body: &self.body,
        };
        serde_json::to_string(&wire).map_err(|error| EventError(error.to_string()))
    }

    /// Reads what [`Self::to_json`] wrote. A type that is not known becomes [`Body::Other`]: the set grows.
    ///
    /// # Errors
    /// The bytes are not JSON, or lack a field, or a known type has a wrong payload.
    pub fn from_json(json: &[u8]) -> Result<Self, EventError> {
        let invalid = |error: serde_json::Error| EventError(error.to_string());
        let parsed: Parsed = serde_json::from_slice(json).map_err(invalid)?;
        let agent = AgentId::new(parsed.namespace, parsed.agent_name).map_err(|error| EventError(error.to_string()))?;
        let body = Body::parse(&parsed.r#type, parsed.payload).map_err(invalid)?;
        Ok(Self { id: parsed.id, seq: parsed.seq, agent, timestamp: parsed.timestamp, task: parsed.task, body })
    }
}

impl Body {
    fn parse(kind: &str, payload: &RawValue) -> Result<Self, serde_json::Error> {
        if !KNOWN.contains(&kind) {
            return Ok(Self::Other(kind.to_owned()));
        }
        serde_json::from_value(serde_json::json!({ "type": kind, "payload": payload }))
    }
}

const KNOWN: [&str; 19] = [
    "task_started",
    "user_message",
    "thinking",
    "text",
    "text_delta",
    "tool_call",
    "tool_result",
    "tool_progress",
    "compaction",
    "api_retry",
    "usage",
    "task_retry",
    "task_completed",
    "task_cancelled",
    "error",
    "budget",
    "office_request",
    "office_answer",
    "lifecycle",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::office::Named;

    fn event(body: Body) -> Event {
        Event {
            id: "1790000000123-4".parse().unwrap(),
            seq: 9,
            agent: AgentId::new("team-a", "ada").unwrap(),
            timestamp: "2026-09-21T13:33:20.123Z".parse().unwrap(),
            task: Some("0f0e".into()),
            body,
        }
    }

    #[test]
    fn an_event_reads_as_clients_of_the_system_before_us_know_it() {
        let text = event(Body::Text { content: "hello".into() }).to_json().unwrap();
        let expected = json!({
            "id": "1790000000123-4", "seq": 9, "agentName": "ada", "namespace": "team-a", "type": "text",
            "timestamp": "2026-09-21T13:33:20.123Z", "task": "0f0e", "payload": {"content": "hello"},
        });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }

    #[test]
    fn every_type_is_read_back() {
        let usage = TokenUsage { input_tokens: 1, output_tokens: 2, ..TokenUsage::default() };
        let (id, tool) = (String::from("t1"), String::from("Bash"));
        let bodies = [
            Body::TaskStarted { instructions: "x".into(), resuming_session: true, model: "m".into() },
            Body::UserMessage { content: "x".into(), steer: true, into: Some("t2".into()) },
            Body::Thinking { content: "x".into() },
            Body::Text { content: "x".into() },
            Body::TextDelta { content: "x".into() },
            Body::ToolCall { id: id.clone(), tool: tool.clone(), input: json!({"command": "ls"}) },
            Body::ToolResult { id: id.clone(), tool: tool.clone(), output: "x".into(), is_error: false },
            Body::ToolProgress { id, tool, elapsed_seconds: 30 },
            Body::Compaction { trigger: "auto".into(), tokens_before: 9, tokens_after: 1 },
            Body::ApiRetry { attempt: 1, status: Some(529), error: "overloaded".into(), delay_ms: 500 },
            Body::Usage { model: "m".into(), usage, cost_usd: Money::from_nano(17) },
            Body::TaskRetry { attempt: 1, reason: "ApiError".into(), error: "500".into(), delay_ms: 10_000 },
            Body::TaskCompleted(Outcome { result: "done".into(), ..Outcome::default() }),
            Body::TaskCancelled { reason: "asked".into() },
            Body::Error { error: "401".into(), reason: "ApiError".into() },
            Body::Budget {
                state: "waiting".into(),
                budget: "team".into(),
                cost_usd: Money::from_nano(17),
                allowance_usd: Some(Money::from_nano(16)),
            },
            Body::OfficeRequest { id: "r".into(), request: OfficeRequest::DeleteAgent(Named { name: "bob".into() }) },
            Body::OfficeAnswer { id: "r".into(), is_error: true },
            Body::Lifecycle { state: "ready".into() },
        ];
        assert_eq!(bodies.len(), KNOWN.len());
        for body in bodies {
            let event = event(body);
            assert_eq!(Event::from_json(event.to_json().unwrap().as_bytes()).unwrap(), event);
        }
    }

    #[test]
    fn a_type_of_a_later_version_is_no_error() {
        let json = event(Body::Text { content: "x".into() }).to_json().unwrap().replace("\"text\"", "\"telepathy\"");
        assert_eq!(Event::from_json(json.as_bytes()).unwrap().body, Body::Other("telepathy".into()));
    }

    #[test]
    fn a_cut_text_says_so_and_keeps_whole_characters() {
        let cut = limits::cut(&"ä".repeat(50), 60);
        assert!(cut.len() <= 60 && cut.ends_with(limits::MARKER), "{cut}");
        assert_eq!(limits::cut("short", 60), "short");
    }
}
