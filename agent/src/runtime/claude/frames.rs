//! The lines Claude Code writes with `--output-format stream-json`, as far as they matter here.
//!
//! The set grows with every version: an unknown type is [`Frame::Unknown`], and never an error.
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::runtime::PromptState;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Frame {
    Assistant {
        message: Message,
        #[serde(default)]
        parent_tool_use_id: Option<String>,
        #[serde(default)]
        error: Option<String>,
    },
    User {
        message: Message,
    },
    StreamEvent {
        event: StreamEvent,
        #[serde(default)]
        parent_tool_use_id: Option<String>,
    },
    System(System),
    Result(ResultFrame),
    ToolProgress {
        #[serde(default)]
        parent_tool_use_id: Option<String>,
        tool_use_id: String,
        tool_name: String,
        #[serde(default)]
        elapsed_time_seconds: f64,
    },
    CommandLifecycle {
        command_uuid: Uuid,
        state: PromptState,
    },
    ControlRequest {
        request_id: String,
        request: ControlRequest,
    },
    ControlResponse {
        response: ControlResponse,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "subtype", rename_all = "snake_case")]
pub(super) enum System {
    SessionStateChanged {
        state: String,
    },
    BackgroundTasksChanged {
        #[serde(default)]
        tasks: Vec<Value>,
    },
    CompactBoundary {
        compact_metadata: CompactMetadata,
    },
    ApiRetry {
        #[serde(default)]
        attempt: u64,
        #[serde(default)]
        error_status: Option<u16>,
        #[serde(default)]
        error: String,
        #[serde(default)]
        retry_delay_ms: f64,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
pub(super) struct CompactMetadata {
    #[serde(default)]
    pub(super) trigger: String,
    #[serde(default)]
    pub(super) pre_tokens: u64,
    #[serde(default)]
    pub(super) post_tokens: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) content: Content,
}

/// A text, or blocks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
    },
    #[serde(alias = "server_tool_use")]
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(default)]
        content: Option<Content>,
        #[serde(default)]
        is_error: Option<bool>,
    },
    #[serde(other)]
    Unknown,
}

impl Content {
    /// Its texts, and a word for what is not text.
    pub(super) fn into_text(self) -> String {
        let block = |block| match block {
            Block::Text { text } => text,
            _ => "[not text]".to_owned(),
        };
        match self {
            Self::Text(text) => text,
            Self::Blocks(blocks) => blocks.into_iter().map(block).collect::<Vec<_>>().join("\n"),
        }
    }

    pub(super) fn into_blocks(self) -> Vec<Block> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Blocks(blocks) => blocks,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum StreamEvent {
    ContentBlockDelta {
        delta: Delta,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Delta {
    TextDelta {
        text: String,
    },
    #[serde(other)]
    Unknown,
}

/// A result of subtype `success` may still be an error: both fields have to agree.
#[derive(Debug, Deserialize)]
pub(super) struct ResultFrame {
    pub(super) subtype: String,
    #[serde(default)]
    pub(super) is_error: bool,
    #[serde(default)]
    pub(super) result: Option<String>,
    #[serde(default)]
    pub(super) errors: Vec<String>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
    #[serde(default)]
    pub(super) terminal_reason: Option<String>,
    #[serde(default)]
    pub(super) api_error_status: Option<u16>,
}

/// What Claude Code asks of its client.
#[derive(Debug, Deserialize)]
#[serde(tag = "subtype", rename_all = "snake_case")]
pub(super) enum ControlRequest {
    McpMessage {
        server_name: String,
        message: Value,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
pub(super) struct ControlResponse {
    pub(super) request_id: String,
    pub(super) subtype: String,
    #[serde(default)]
    pub(super) error: Option<String>,
}
