//! MCP servers in this process. Claude Code reaches them through the pipe it is spoken to, so that nothing of them is in its
//! arguments, its environment or its files.
pub(crate) mod connector;
mod hide;
mod keyed;
mod line;
pub(crate) mod office;
mod relay;

use tokio::io::DuplexStream;

pub(crate) use connector::Catalogs;
pub(crate) use relay::{Relay, Reply};

/// Any of them.
pub(crate) type AnyServer = Box<dyn Server + Send + Sync>;

/// A server that tasks may use.
pub(crate) trait Server {
    /// What Claude Code calls it; the names of its tools begin with `mcp__<name>__`.
    fn name(&self) -> &str;
    /// A new connection: JSON-RPC messages, one a line. The server ends with it.
    fn connect(&self) -> DuplexStream;
}
