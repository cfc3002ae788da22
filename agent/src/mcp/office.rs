//! A manager's tools, as an MCP server.
use std::sync::Arc;

use komputer_events::office::{Answer, OfficeRequest};
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use serde_json::json;
use tokio::io::{DuplexStream, duplex};

use super::Server;
use crate::{office::Requests, tasks::Account};

/// What Claude is told of them.
const INSTRUCTIONS: &str = "You manage other agents. Each works in a pod and a workspace of its own, remembers what it has \
    done, and knows nothing of what you have not told it. Make one for each independent part of the work, give them all \
    their tasks, and only then wait for the tasks. Delete agents that you need no more.";

/// Bytes that wait between the two ends of a connection.
const BUFFER: usize = 64 << 10;

/// The office of the running task's manager.
#[derive(Clone)]
pub(crate) struct Office {
    requests: Arc<Requests>,
    account: Arc<Account>,
}

impl Office {
    /// The office, as asked in that task.
    pub(crate) fn new(requests: Arc<Requests>, account: Arc<Account>) -> Self {
        Self { requests, account }
    }
}

impl Server for Office {
    fn name(&self) -> &'static str {
        "komputer"
    }

    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(BUFFER);
        let office = self.clone();
        tokio::spawn(async move {
            if let Ok(service) = office.serve(theirs).await {
                service.waiting().await.ok();
            }
        });
        ours
    }
}

impl ServerHandler for Office {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("komputer", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = OfficeRequest::tools().into_iter().map(|tool| {
            let input = tool.input.as_object().cloned().unwrap_or_default();
            Tool::new(tool.name, tool.description, Arc::new(input))
        });
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    /// What is wrong with a call is told to the model, which can mend it; a protocol error it would never see.
    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let wire = json!({ "tool": call.name, "input": call.arguments.unwrap_or_default() });
        let answer = match serde_json::from_value::<OfficeRequest>(wire) {
            Ok(request) => self.requests.ask(&self.account, request).await,
            Err(error) => Answer::Error(format!("{error}; look at the tool's input and call it again")),
        };
        let result = match answer {
            Answer::Result(result) => CallToolResult::success(vec![ContentBlock::text(result.to_string())]),
            Answer::Error(words) => CallToolResult::error(vec![ContentBlock::text(words)]),
        };
        Ok(result.into())
    }
}
