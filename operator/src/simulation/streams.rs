//! Redis, which may be away.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::{FutureExt, future::BoxFuture};
use komputer_events::{
    AgentId, Cursor,
    bus::{BusError, Entry, Page},
};
use redis::{ErrorKind, RedisError};

use super::workspace::Workspace;
use crate::{
    budget::{Statement, Statements},
    inbox::Source,
};

/// Redis, which may be away.
#[derive(Clone, Default)]
pub(super) struct Redis(pub(super) Arc<Mutex<Streams>>);

/// What Redis has.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) is_away: bool,
    events: BTreeMap<AgentId, Vec<(String, Entry)>>,
    /// What agents have cost, by their uids.
    pub(super) statements: BTreeMap<String, Statement>,
    /// Agents of which nothing was left, since somebody looked.
    pub(super) forgotten: Vec<(AgentId, String)>,
}

impl Streams {
    /// An agent says what it has not said yet; where the stream is another's it begins anew. Answers whether it did.
    pub(super) fn publish(&mut self, workspace: &mut Workspace) -> bool {
        if self.is_away || workspace.published == workspace.journal.len() {
            return false;
        }
        let stream = self.events.entry(workspace.agent.clone()).or_default();
        let expected = workspace.published.checked_sub(1).map(|last| workspace.journal[last].id);
        if stream.last().map(|(_, entry)| entry.id) != expected {
            stream.clear();
            workspace.published = 0;
        }
        for event in &workspace.journal[workspace.published..] {
            let json = event.to_json().unwrap();
            stream.push((workspace.uid.clone(), Entry { id: event.id, json }));
        }
        workspace.published = workspace.journal.len();
        true
    }
}

impl Redis {
    /// What is there, where it can be reached.
    fn reach<T: Send + 'static>(&self, act: impl FnOnce(&mut Streams) -> T) -> BoxFuture<'static, Result<T, BusError>> {
        let mut streams = self.0.lock().unwrap();
        let result = if streams.is_away {
            let source = RedisError::from((ErrorKind::Io, "away"));
            Err(BusError::Redis { address: "redis:6379".parse().unwrap(), action: "do anything", source })
        } else {
            Ok(act(&mut streams))
        };
        std::future::ready(result).boxed()
    }
}

impl Statements for Redis {
    fn take_over(&self) -> BoxFuture<'_, Result<(), BusError>> {
        self.reach(|_| ()) // nothing is on its way for any time
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Statement>, BusError>> {
        self.reach(|streams| streams.statements.values().cloned().collect())
    }

    fn write<'a>(&'a self, statement: &'a Statement) -> BoxFuture<'a, Result<(), BusError>> {
        let statement = statement.clone();
        self.reach(|streams| drop(streams.statements.insert(statement.uid.clone(), statement)))
    }

    fn forget<'a>(
        &'a self,
        agent: &'a AgentId,
        uids: &'a [String],
        with_stream: bool,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        self.reach(|streams| {
            streams.events.retain(|of, _| of != agent || !with_stream);
            streams.statements.retain(|uid, _| !uids.contains(uid));
            streams.forgotten.extend(uids.iter().map(|uid| (agent.clone(), uid.clone())));
        })
    }
}

impl Source for Redis {
    fn after<'a>(&'a self, agent: &'a AgentId, uid: &'a str, cursor: Cursor) -> BoxFuture<'a, Result<Page, BusError>> {
        self.reach(|streams| streams.after(agent, uid, cursor))
    }
}

impl Streams {
    fn after(&self, agent: &AgentId, uid: &str, cursor: Cursor) -> Page {
        let stream = self.events.get(agent).map(Vec::as_slice).unwrap_or_default();
        let after: Vec<_> = stream.iter().filter(|(_, entry)| entry.id > cursor).collect();
        let end = after.last().map(|(_, entry)| entry.id);
        let entries = after.into_iter().filter(|(of, _)| of == uid).map(|(_, entry)| entry.clone()).collect();
        Page { entries, end, more: false }
    }
}
