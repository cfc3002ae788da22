//! How an agent stands with its budgets, kept outside of its object: what it has cost outlives it (docs/decisions/0010).
use std::collections::BTreeSet;

use futures::{FutureExt, future::BoxFuture, future::try_join_all};
use komputer_events::{
    AgentId, Cursor, Money,
    bus::{BusError, SHARDS, Streams, shard},
};
use redis::{AsyncCommands, RedisError, pipe};
use serde::{Deserialize, Serialize};

use super::shares::Shares;
use crate::access;

/// How an agent stood with its budgets at some event. The next ones are in its stream.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Statement {
    /// The agent.
    pub agent: AgentId,
    /// Which object of that name.
    pub uid: String,
    /// The last event taken into account.
    pub cursor: Cursor,
    /// What it had cost by then.
    pub shares: Shares,
    /// The uids of the budgets that count what it costs from there on.
    pub budgets: BTreeSet<String>,
    /// What it may have cost since.
    pub reserved: Money,
}

/// Where statements are kept.
pub trait Statements: Send + Sync {
    /// Has nothing arrive any more that is on its way from whoever led before.
    fn take_over(&self) -> BoxFuture<'_, Result<(), BusError>>;
    /// All there are.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Statement>, BusError>>;
    /// Keeps one in the place of the agent's last.
    fn write<'a>(&'a self, statement: &'a Statement) -> BoxFuture<'a, Result<(), BusError>>;
    /// Forgets agents of one name that are gone: their statements and, where that is said, their user and stream.
    fn forget<'a>(
        &'a self,
        agent: &'a AgentId,
        uids: &'a [String],
        with_stream: bool,
    ) -> BoxFuture<'a, Result<(), BusError>>;
}

/// Where the statements of a shard's agents are, by the agents' uids.
pub(crate) fn statements_key(shard: u16) -> String {
    format!("komputer-spend:{{{shard}}}")
}

impl Statements for Streams {
    fn take_over(&self) -> BoxFuture<'_, Result<(), BusError>> {
        self.end_others().boxed()
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Statement>, BusError>> {
        let of_shard = async |shard| self.connection().hvals::<_, Vec<String>>(statements_key(shard)).await;
        async move {
            let found = try_join_all((0..SHARDS).map(of_shard)).await;
            let found = found.map_err(failed(self, "read what agents have cost"))?;
            Ok(found.iter().flatten().filter_map(|statement| read(statement)).collect())
        }
        .boxed()
    }

    fn write<'a>(&'a self, statement: &'a Statement) -> BoxFuture<'a, Result<(), BusError>> {
        async move {
            let json = serde_json::to_string(statement).unwrap_or_default();
            let key = statements_key(shard(&statement.agent));
            let written = self.connection().hset::<_, _, _, ()>(key, &statement.uid, json).await;
            written.map_err(failed(self, "write what an agent has cost"))
        }
        .boxed()
    }

    fn forget<'a>(
        &'a self,
        agent: &'a AgentId,
        uids: &'a [String],
        with_stream: bool,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        async move {
            let mut all = pipe();
            all.atomic().hdel(statements_key(shard(agent)), uids).ignore();
            if with_stream {
                access::remove(&mut all, agent);
            }
            let done = all.query_async::<()>(&mut self.connection()).await;
            done.map_err(failed(self, "forget an agent"))
        }
        .boxed()
    }
}

/// One that cannot be read is nobody's: it was written by this program.
fn read(json: &str) -> Option<Statement> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::error!(%error, "what an agent has cost cannot be read, and is not counted"))
        .ok()
}

fn failed(streams: &Streams, action: &'static str) -> impl Fn(RedisError) -> BusError {
    let address = streams.address().clone();
    move |source| BusError::Redis { address: address.clone(), action, source }
}
