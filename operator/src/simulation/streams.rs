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
use crate::inbox::Source;

/// Redis, which may be away.
#[derive(Clone, Default)]
pub(super) struct Redis(pub(super) Arc<Mutex<Streams>>);

/// What Redis has.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) is_away: bool,
    streams: BTreeMap<AgentId, Vec<(String, Entry)>>,
}

impl Streams {
    /// An agent says what it has not said yet; where the stream is another's it begins anew. Answers whether it did.
    pub(super) fn publish(&mut self, workspace: &mut Workspace) -> bool {
        if self.is_away || workspace.published == workspace.journal.len() {
            return false;
        }
        let stream = self.streams.entry(workspace.agent.clone()).or_default();
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

impl Source for Redis {
    fn after<'a>(&'a self, agent: &'a AgentId, uid: &'a str, cursor: Cursor) -> BoxFuture<'a, Result<Page, BusError>> {
        let streams = self.0.lock().unwrap();
        if streams.is_away {
            let source = RedisError::from((ErrorKind::Io, "away"));
            let error = BusError::Redis { address: "redis:6379".parse().unwrap(), action: "read events", source };
            return std::future::ready(Err(error)).boxed();
        }
        let stream = streams.streams.get(agent).map(Vec::as_slice).unwrap_or_default();
        let after: Vec<_> = stream.iter().filter(|(_, entry)| entry.id > cursor).collect();
        let end = after.last().map(|(_, entry)| entry.id);
        let entries = after.into_iter().filter(|(of, _)| of == uid).map(|(_, entry)| entry.clone()).collect();
        std::future::ready(Ok(Page { entries, end, more: false })).boxed()
    }
}
