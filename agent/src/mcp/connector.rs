//! A connector's server, bridged: Claude Code speaks to this process, and only this process to the server. What opens the
//! server is in no argument, file or environment, and in nothing that Claude Code says of its servers.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, InitializeRequestParams,
        InitializeResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use tokio::{
    io::{DuplexStream, duplex},
    time::{sleep, timeout},
};

use super::{
    Server,
    hide::Hidden,
    line::{Away, Line},
};
use crate::connectors::Logins;

/// How long a server may take to be connected to and to say what it is. Claude Code waits for 30 s.
const GREET: Duration = Duration::from_secs(5);
/// How long a task that begins waits for a server's tools. It is tried again in between, and after that in the next task.
const LIST: Duration = Duration::from_secs(15);
const LIST_AGAIN: Duration = Duration::from_secs(1);
/// How long one call of a tool may take.
const CALL: Duration = Duration::from_mins(10);
/// Tools of one server that Claude is told of.
const TOOLS: usize = 512;
/// Bytes that wait between the two ends of a connection.
const BUFFER: usize = 64 << 10;

/// Which tools each server had last, by the name of the connector: it may be away when the next task begins.
#[derive(Default)]
pub(crate) struct Catalogs(Mutex<HashMap<String, Catalog>>);

/// The address, and the tools there.
type Catalog = (String, Vec<Tool>);

impl Catalogs {
    fn keep(&self, name: &str, url: &str, tools: &[Tool]) {
        self.lock().insert(name.to_owned(), (url.to_owned(), tools.to_vec()));
    }

    fn of(&self, name: &str, url: &str) -> Option<Vec<Tool>> {
        self.lock().get(name).filter(|(at, _)| at == url).map(|(_, tools)| tools.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Catalog>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connector that is reached by HTTP.
#[derive(Clone)]
pub(crate) struct Connector {
    name: String,
    url: String,
    line: Arc<Line>,
    hidden: Hidden,
    catalogs: Arc<Catalogs>,
}

impl Connector {
    pub(crate) fn new(logins: Logins, catalogs: Arc<Catalogs>) -> Self {
        let (name, url, hidden) = (logins.name.clone(), logins.url.clone(), Hidden::default());
        let line = Arc::new(Line::new(url.clone(), logins, hidden.clone()));
        Self { name, url, line, hidden, catalogs }
    }

    /// The server's tools, tried again for a while: without them the whole task has none.
    async fn tools(&self) -> Result<Vec<Tool>, Away> {
        let mut last = Away::Slow(LIST);
        let listed = timeout(LIST, async {
            loop {
                match self.list().await {
                    Ok(tools) => return tools,
                    Err(error) => last = error,
                }
                sleep(LIST_AGAIN).await;
            }
        })
        .await;
        listed.map_err(|_| last)
    }

    async fn list(&self) -> Result<Vec<Tool>, Away> {
        let peer = self.line.peer(GREET).await?;
        let mut tools = self.line.judge(peer.list_all_tools().await).await?;
        if tools.len() > TOOLS {
            tracing::warn!(connector = self.name, tools = tools.len(), "only the first {TOOLS} tools are used");
            tools.truncate(TOOLS);
        }
        Ok(tools)
    }

    async fn call(&self, call: CallToolRequestParams) -> Result<CallToolResult, Away> {
        let peer = self.line.peer(GREET).await?;
        let answered = timeout(CALL, peer.call_tool(call)).await.map_err(|_| Away::Slow(CALL))?;
        self.line.judge(answered).await
    }

    /// What the model is told of a server that cannot be used: it may go on without, or try again.
    fn words(&self, away: &Away) -> String {
        let words = format!("the MCP server {} at {} cannot be used now: {away}", self.name, self.url);
        self.hidden.hide_in_text(&words)
    }
}

impl Server for Connector {
    fn name(&self) -> &str {
        &self.name
    }

    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(BUFFER);
        let connector = self.clone();
        tokio::spawn(async move {
            if let Ok(service) = connector.clone().serve(theirs).await {
                service.waiting().await.ok();
            }
            connector.line.hang_up().await;
        });
        ours
    }
}

impl ServerHandler for Connector {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(self.name.clone(), env!("CARGO_PKG_VERSION")))
    }

    /// What the server says of itself is passed on; one that is away says nothing.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        let mut answer = self.negotiate_initialize(&request)?;
        if let Ok(peer) = self.line.peer(GREET).await {
            let instructions = peer.peer_info().and_then(|info| info.instructions.clone());
            answer.instructions = instructions.map(|words| self.hidden.hide_in_text(&words));
        }
        Ok(answer)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = match self.tools().await {
            Ok(tools) => {
                let tools = self.hidden.hide(tools);
                self.catalogs.keep(&self.name, &self.url, &tools);
                tools
            }
            Err(away) => {
                let words = self.words(&away);
                tracing::warn!(connector = self.name, error = words, "a connector's tools cannot be listed");
                let last = self.catalogs.of(&self.name, &self.url);
                last.ok_or_else(|| ErrorData::internal_error(words, None))?
            }
        };
        Ok(ListToolsResult::with_all_items(tools))
    }

    /// A server that is away is told to the model, which can go on; a protocol error it would never see.
    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut passed_on = CallToolRequestParams::new(call.name);
        passed_on.arguments = call.arguments;
        let answered = tokio::select! {
            answered = self.call(passed_on) => answered,
            () = context.ct.cancelled() => Err(Away::GivenUp),
        };
        let result = match answered {
            Ok(result) => self.hidden.hide(result),
            Err(away) => CallToolResult::error(vec![ContentBlock::text(self.words(&away))]),
        };
        Ok(result.into())
    }
}
