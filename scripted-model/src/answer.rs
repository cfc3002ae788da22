use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{accounting::Tokens, script::Block};

const PING_EVERY: Duration = Duration::from_millis(500);

/// One assistant message, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) model: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) prompt: Tokens,
    pub(crate) output_tokens: u64,
    pub(crate) stop_reason: Option<String>,
    pub(crate) hang: Duration,
    pub(crate) drip: Duration,
    /// Whether the connection breaks in the middle.
    pub(crate) cut: bool,
}

/// What happens to a response's body, in order.
#[derive(Debug, PartialEq)]
pub(crate) enum Act {
    Write(Bytes),
    Wait(Duration),
    Bill(Billed),
    Cut,
}

/// The part of a call that has reached the client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Billed {
    Prompt,
    Output,
}

impl Answer {
    /// As one JSON document.
    pub(crate) fn whole(&self) -> Vec<Act> {
        let content: Vec<_> = self.blocks.iter().enumerate().map(|(at, block)| self.content(at, block)).collect();
        let mut body = Bytes::from(self.message(&content, Some(self.stop_reason()), self.output_tokens).to_string());
        let wait = Act::Wait(self.hang + self.drip);
        if self.cut {
            body.truncate(body.len() / 2);
            return vec![wait, Act::Write(body), Act::Cut];
        }
        vec![wait, Act::Write(body), Act::Bill(Billed::Prompt), Act::Bill(Billed::Output)]
    }

    /// As server-sent events.
    pub(crate) fn events(&self) -> Vec<Act> {
        let start = json!({"type": "message_start", "message": self.message(&[], None, 1)});
        let mut acts = vec![event(&start), Act::Bill(Billed::Prompt), ping()];
        for _ in 0..self.hang.as_millis().div_ceil(PING_EVERY.as_millis()) {
            acts.extend([Act::Wait(PING_EVERY), ping()]);
        }
        let mut content: Vec<_> =
            self.blocks.iter().enumerate().flat_map(|(at, block)| self.deltas(at, block)).collect();
        if self.cut {
            content.truncate(content.len() / 2);
            acts.extend(content);
            acts.push(Act::Cut);
            return acts;
        }
        acts.extend(content);
        acts.extend([
            event(&json!({
                "type": "message_delta",
                "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null},
                "usage": self.prompt.usage(self.output_tokens),
            })),
            Act::Bill(Billed::Output),
            event(&json!({"type": "message_stop"})),
        ]);
        acts
    }

    fn message(&self, content: &[Value], stop_reason: Option<&str>, output_tokens: u64) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": self.prompt.usage(output_tokens),
        })
    }

    fn stop_reason(&self) -> &str {
        let calls_tool = self.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        self.stop_reason.as_deref().unwrap_or(if calls_tool { "tool_use" } else { "end_turn" })
    }

    fn content(&self, at: usize, block: &Block) -> Value {
        match block {
            Block::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": signature(text)}),
            Block::Text(text) => json!({"type": "text", "text": text}),
            Block::Compaction(text) => json!({"type": "compaction", "content": text}),
            Block::ToolUse { name, input } => {
                json!({"type": "tool_use", "id": self.tool_id(at), "name": name, "input": input})
            }
        }
    }

    fn tool_id(&self, at: usize) -> String {
        format!("{}_{at}", self.id.replacen("msg_", "toolu_", 1))
    }

    fn deltas(&self, at: usize, block: &Block) -> Vec<Act> {
        let opening = match block {
            Block::Thinking(_) => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Block::Text(_) => json!({"type": "text", "text": ""}),
            Block::Compaction(_) => json!({"type": "compaction", "content": ""}),
            Block::ToolUse { name, .. } => {
                json!({"type": "tool_use", "id": self.tool_id(at), "name": name, "input": {}})
            }
        };
        let mut acts = vec![event(&json!({"type": "content_block_start", "index": at, "content_block": opening}))];
        let mut add =
            |delta: Value| acts.push(event(&json!({"type": "content_block_delta", "index": at, "delta": delta})));
        match block {
            Block::Text(text) => acts.extend(self.dripped(at, text)),
            Block::Thinking(text) => {
                add(json!({"type": "thinking_delta", "thinking": text}));
                add(json!({"type": "signature_delta", "signature": signature(text)}));
            }
            Block::Compaction(text) => add(json!({"type": "compaction_delta", "content": text})),
            Block::ToolUse { input, .. } => {
                let input = input.to_string();
                let (start, end) = input.split_at(input.floor_char_boundary(input.len() / 2));
                add(json!({"type": "input_json_delta", "partial_json": start}));
                add(json!({"type": "input_json_delta", "partial_json": end}));
            }
        }
        acts.push(event(&json!({"type": "content_block_stop", "index": at})));
        acts
    }

    /// A text word by word, at the pace of the step.
    fn dripped(&self, at: usize, text: &str) -> Vec<Act> {
        let words: Vec<_> = text.split_inclusive(char::is_whitespace).collect();
        let pace = self.drip / u32::try_from(words.len()).unwrap_or(u32::MAX).max(1);
        let write = |word: &str| {
            event(&json!({"type": "content_block_delta", "index": at, "delta": {"type": "text_delta", "text": word}}))
        };
        let waits = (!pace.is_zero()).then_some(pace);
        words.into_iter().flat_map(|word| std::iter::once(write(word)).chain(waits.map(Act::Wait))).collect()
    }
}

fn event(data: &Value) -> Act {
    let name = data["type"].as_str().unwrap_or_default();
    Act::Write(format!("event: {name}\ndata: {data}\n\n").into())
}

fn ping() -> Act {
    event(&json!({"type": "ping"}))
}

fn signature(thinking: &str) -> String {
    hex::encode(Sha256::digest(thinking))
}

#[cfg(test)]
mod tests;
