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
    /// The texts that are not inside other blocks.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::Blocks(blocks) => blocks.iter().filter_map(text_of).collect(),
        }
    }
}

fn text_of(block: &Map<String, Value>) -> Option<&str> {
    if block.get("type")? == "text" { block.get("text")?.as_str() } else { None }
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
