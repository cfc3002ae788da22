//! The MCP servers of a task: `PUT /v1/tasks/{uid}/connectors`, told before the task itself is handed over, again to a process
//! that has forgotten it, and answered 202 however often it is sent. What it says is sealed: it holds what opens the servers.
use std::fmt;

use serde::{Deserialize, Serialize};

/// An MCP server that a task may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connector {
    /// The `KomputerConnector`'s name; the names of its tools begin with `mcp__<name>__`.
    pub name: String,
    /// How it is reached.
    pub server: Server,
}

/// How an MCP server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Server {
    /// By streamable HTTP.
    Http {
        /// Its address.
        url: String,
        /// What it is to be shown with every request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Login>,
    },
    /// A program in the agent's pod.
    Stdio {
        /// The program and its arguments.
        command: Vec<String>,
    },
}

/// A header that opens an MCP server. Its value is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The header's name.
    pub header: String,
    /// What stands before the secret, like `Bearer `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scheme: String,
    /// The secret.
    pub secret: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}…", self.header, self.scheme)
    }
}
