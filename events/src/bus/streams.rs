use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncCommands, Cmd, ErrorKind, Pipeline, RedisError,
    aio::ConnectionManager,
    streams::{StreamId, StreamMaxlen, StreamRangeReply},
};

use super::{
    connection::{Address, BusError, Credentials, managed},
    keys::{bell_key, shard, stream_key},
};
use crate::{AgentId, Cursor};

/// How much of each agent's past Redis keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events, approximately (Redis trims whole nodes of about a hundred).
    pub events: usize,
    /// Time since the last event after which the whole stream goes.
    pub age: Duration,
}

impl Default for Retention {
    /// 10,000 events, 7 days.
    fn default() -> Self {
        Self { events: 10_000, age: Duration::from_hours(7 * 24) }
    }
}

/// One event as it lies in its stream: its JSON is passed on as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub id: Cursor,
    /// The event.
    pub json: String,
}

/// Some events in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The events.
    pub entries: Vec<Entry>,
    /// The id of the last entry looked at, also where it was not for this reader; where to go on.
    pub end: Option<Cursor>,
    /// Whether there may be more after them.
    pub more: bool,
}

/// Agents' streams. Cheap to clone; clones share one connection, which heals itself.
#[derive(Clone)]
pub struct Streams {
    connection: Arc<Mutex<ConnectionManager>>,
    address: Address,
    credentials: Credentials,
}

const UID: &str = "uid";
const EVENT: &str = "event";
/// Rings a bell keeps for a reader that is slow; one that missed some looks at everything.
const BELL_LENGTH: usize = 1_000;

impl Streams {
    /// Does not wait for Redis to be there.
    ///
    /// # Errors
    /// The address or the credentials cannot be used at all.
    pub fn new(address: &Address, credentials: &Credentials) -> Result<Self, BusError> {
        let connection = managed(address, credentials).map_err(|source| BusError::Redis {
            address: address.clone(),
            action: "set up a connection",
            source,
        })?;
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self { connection, address: address.clone(), credentials: credentials.clone() })
    }

    /// The connection, for commands that are not about streams.
    pub fn connection(&self) -> ConnectionManager {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is connected to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Ends all other connections of this user: what was sent over them and not read yet by Redis never is.
    ///
    /// # Errors
    /// [`BusError::Redis`].
    pub async fn end_others(&self) -> Result<(), BusError> {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("USER").arg(&self.credentials.username).arg("SKIPME").arg("yes");
        let done = kill.query_async::<()>(&mut self.connection()).await;
        done.map_err(|source| self.failed("end the connections of whoever led before", source))
    }

    /// The id of the newest event, or nothing where there is none.
    ///
    /// # Errors
    /// [`BusError::Redis`].
    pub async fn last(&self, agent: &AgentId) -> Result<Option<Cursor>, BusError> {
        let newest = Cmd::xrevrange_count(stream_key(agent), "+", "-", 1);
        let ids = self.read("find the newest event", &newest).await?;
        Ok(ids.first().and_then(|id| id.id.parse().ok()))
    }

    /// Appends `batch` to the agent's stream and rings its bell, all or nothing.
    ///
    /// # Errors
    /// [`BusError::Diverged`] where the stream did not end at `expected`: nothing is known to be appended, and the
    /// producer must [`Self::refill`]. Any other error may mean appended or not; ask [`Self::last`].
    pub async fn append(
        &self,
        agent: &AgentId,
        uid: &str,
        expected: Option<Cursor>,
        batch: &[Entry],
        retention: Retention,
    ) -> Result<(), BusError> {
        let found = self.last(agent).await?;
        if found != expected {
            let text = |cursor: Option<Cursor>| cursor.map(|cursor| cursor.to_string());
            return Err(BusError::Diverged { agent: agent.to_string(), expected: text(expected), found: text(found) });
        }
        self.write(agent, uid, batch, retention, redis::pipe()).await
    }

    /// Like [`Self::append`], after throwing away what is there.
    ///
    /// # Errors
    /// [`BusError::Redis`].
    pub async fn refill(
        &self,
        agent: &AgentId,
        uid: &str,
        batch: &[Entry],
        retention: Retention,
    ) -> Result<(), BusError> {
        let mut pipe = redis::pipe();
        pipe.del(stream_key(agent)).ignore();
        self.write(agent, uid, batch, retention, pipe).await
    }

    async fn write(
        &self,
        agent: &AgentId,
        uid: &str,
        batch: &[Entry],
        retention: Retention,
        mut pipe: Pipeline,
    ) -> Result<(), BusError> {
        let key = stream_key(agent);
        let length = StreamMaxlen::Approx(retention.events);
        pipe.atomic();
        for entry in batch {
            let fields = [(UID, uid), (EVENT, entry.json.as_str())];
            pipe.xadd_maxlen(&key, length, entry.id.to_string(), &fields).ignore();
        }
        pipe.expire(&key, i64::try_from(retention.age.as_secs()).unwrap_or(i64::MAX)).ignore();
        let bell = bell_key(shard(agent));
        pipe.xadd_maxlen(&bell, StreamMaxlen::Approx(BELL_LENGTH), "*", &[("agent", agent.to_string())]).ignore();
        let mut connection = self.connection();
        pipe.query_async::<()>(&mut connection).await.map_err(|source| self.failed("append events", source))
    }

    /// Up to `count` events after `cursor`, oldest first; with a `uid` only those of that agent object.
    ///
    /// # Errors
    /// [`BusError::Redis`].
    pub async fn after(
        &self,
        agent: &AgentId,
        uid: Option<&str>,
        cursor: Cursor,
        count: usize,
    ) -> Result<Page, BusError> {
        let range = Cmd::xrange_count(stream_key(agent), format!("({cursor}"), "+", count);
        Ok(page(self.read("read events", &range).await?, uid, count))
    }

    /// Up to `count` events before `cursor` (or the newest), oldest first.
    ///
    /// # Errors
    /// [`BusError::Redis`].
    pub async fn before(&self, agent: &AgentId, cursor: Option<Cursor>, count: usize) -> Result<Page, BusError> {
        let end = cursor.map_or_else(|| "+".to_owned(), |cursor| format!("({cursor}"));
        let range = Cmd::xrevrange_count(stream_key(agent), end, "-", count);
        let mut ids = self.read("read events", &range).await?;
        ids.reverse();
        Ok(page(ids, None, count))
    }

    /// Removes the agent's stream.
    ///
    /// # Errors
    /// [`BusError::Redis`].
    pub async fn remove(&self, agent: &AgentId) -> Result<(), BusError> {
        self.connection().del::<_, ()>(stream_key(agent)).await.map_err(|source| self.failed("remove a stream", source))
    }

    /// Asks for a range. A connection that broke is only noticed when it is used, when Redis may have been back for long:
    /// then it is asked once more.
    async fn read(&self, action: &'static str, range: &Cmd) -> Result<Vec<StreamId>, BusError> {
        let ask = || async { range.query_async::<StreamRangeReply>(&mut self.connection()).await };
        let reply = match ask().await {
            Err(error) if error.is_unrecoverable_error() => ask().await,
            reply => reply,
        };
        Ok(reply.map_err(|source| self.failed(action, source))?.ids)
    }

    fn failed(&self, action: &'static str, source: RedisError) -> BusError {
        // The connection manager keeps a refused login for ever, but a user may only not have been made yet.
        if source.kind() == ErrorKind::AuthenticationFailed
            && let Ok(fresh) = managed(&self.address, &self.credentials)
        {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        BusError::Redis { address: self.address.clone(), action, source }
    }
}

fn page(ids: Vec<StreamId>, uid: Option<&str>, count: usize) -> Page {
    let more = ids.len() == count;
    let end = ids.last().and_then(|id| id.id.parse().ok());
    let of_this_agent = |id: &StreamId| uid.is_none_or(|uid| id.get::<String>(UID).is_some_and(|found| found == uid));
    let entries = ids
        .into_iter()
        .filter(of_this_agent)
        .filter_map(|id| Some(Entry { id: id.id.parse().ok()?, json: id.get(EVENT)? }))
        .collect();
    Page { entries, end, more }
}
