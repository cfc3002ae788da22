//! MCP servers that Claude Code starts itself.
use serde_json::{Map, Value, json};

/// An MCP server that is spoken to over its standard input and output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The names of its tools begin with `mcp__<name>__`.
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

/// What Claude Code would hand down of its way to the model.
const KEPT_BACK: [&str; 2] = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"];

/// As `initialize` names them. `env` drops what is the model's: where a variable is set to nothing, it is there still.
pub(super) fn servers(programs: &[Program]) -> Map<String, Value> {
    let server = |Program { name, command }: &Program| {
        let kept_back = KEPT_BACK.into_iter().flat_map(|variable| ["-u", variable]);
        let arguments: Vec<_> = kept_back.chain(command.iter().map(String::as_str)).collect();
        (name.clone(), json!({ "type": "stdio", "command": "env", "args": arguments }))
    };
    programs.iter().map(server).collect()
}
