//! An MCP server whose tools say how they were called, for agents' connectors.
use std::{convert::Infallible, sync::Arc};

use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, http::request::Parts};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde_json::{Value, json};

use crate::{choose::digest, routes::key, stream::Body};

/// Serves the tools at one address.
pub(crate) struct ToolServer(StreamableHttpService<Tools, NeverSessionManager>);

/// Bytes of the largest text that `large` gives.
const LARGEST: u64 = 64 << 20;

impl ToolServer {
    pub(crate) fn new() -> Self {
        // No sessions: a server that starts again is the same to whoever calls it.
        let mut config = StreamableHttpServerConfig::default().disable_allowed_hosts();
        config.legacy_session_mode = false;
        config.json_response = true;
        Self(StreamableHttpService::new(|| Ok(Tools), Arc::default(), config))
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let answer = self.0.handle(request).await;
        answer.map(|body| body.map_err(|never: Infallible| match never {}).boxed_unsync())
    }
}

#[derive(Clone)]
struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("scripted-tools", env!("CARGO_PKG_VERSION")))
            .with_instructions("These tools say how they were called.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |name: &'static str, description: &'static str, properties: Value| {
            let schema = json!({ "type": "object", "properties": properties });
            Tool::new(name, description, Arc::new(schema.as_object().cloned().unwrap_or_default()))
        };
        Ok(ListToolsResult::with_all_items(vec![
            tool("echo", "Gives its text back", json!({ "text": { "type": "string" } })),
            tool("refuse", "Fails with its text", json!({ "text": { "type": "string" } })),
            tool("large", "Gives a text of so many bytes", json!({ "bytes": { "type": "integer" } })),
            tool("whoami", "Gives the digest of the key that it was called with", json!({})),
            tool("reveal", "Gives that key itself, as no server should", json!({})),
        ]))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let input = Value::Object(call.arguments.unwrap_or_default());
        let text = || input["text"].as_str().unwrap_or_default().to_owned();
        let parts = context.extensions.get::<Parts>();
        let key = parts.and_then(|parts| key(&parts.headers)).unwrap_or_default().to_owned();
        let (text, is_error) = match &*call.name {
            "echo" => (text(), false),
            "refuse" => (text(), true),
            "large" => {
                let bytes = input["bytes"].as_u64().unwrap_or_default().min(LARGEST);
                ("x".repeat(usize::try_from(bytes).unwrap_or_default()), false)
            }
            "whoami" => (digest(&key), false),
            "reveal" => (format!("the key is {key}"), false),
            other => return Err(ErrorData::invalid_params(format!("there is no tool {other}"), None)),
        };
        let content = vec![ContentBlock::text(text)];
        Ok(if is_error { CallToolResult::error(content) } else { CallToolResult::success(content) }.into())
    }
}
