use serde::Deserialize;
use serde_json::{Map, Value};

/// The part of a Messages API request that matters to a script.
#[derive(Debug, Deserialize)]
pub(crate) struct MessagesRequest {
    pub(crate) model: String,
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    pub(crate) system: Content,
    #[serde(default)]
    pub(crate) tools: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(crate) stream: bool,
    #[serde(default)]
    pub(crate) metadata: Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) role: String,
    pub(crate) content: Content,
}

/// A text, or a list of content blocks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Blocks(Vec<Map<String, Value>>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

impl Content {
    /// The texts that are not inside other blocks, and what a user said while a tool ran.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::Blocks(blocks) => blocks.iter().filter_map(text_of).collect(),
        }
    }
}

fn text_of(block: &Map<String, Value>) -> Option<&str> {
    match block.get("type")?.as_str()? {
        "text" => block.get("text")?.as_str(),
        "tool_result" => said_meanwhile(block.get("content")?.as_str()?),
        _ => None,
    }
}

/// What Claude Code adds to a tool's result where its user has written something while the tool ran: that, and no more.
fn said_meanwhile(result: &str) -> Option<&str> {
    let (_, note) = result.rsplit_once("<system-reminder>\nThe user sent a new message while you were working:\n")?;
    Some(note.split_once("</system-reminder>")?.0)
}

impl Message {
    pub(crate) fn is_from(&self, role: &str) -> bool {
        self.role == role
    }

    /// Whether the message answers a tool call.
    pub(crate) fn has_tool_result(&self) -> bool {
        let Content::Blocks(blocks) = &self.content else { return false };
        blocks.iter().any(|block| block.get("type").is_some_and(|kind| kind == "tool_result"))
    }
}

impl MessagesRequest {
    pub(crate) fn has_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.get("name").is_some_and(|known| known == name))
    }
}
