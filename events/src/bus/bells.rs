use std::collections::{BTreeSet, HashMap};

use backon::BackoffBuilder;
use redis::{
    AsyncCommands, RedisError,
    aio::MultiplexedConnection,
    streams::{StreamRangeReply, StreamReadOptions, StreamReadReply},
};
use tokio::sync::mpsc;

use super::{
    connection::{Address, Credentials, blocking, retry_policy},
    keys::{SHARDS, bell_key},
};
use crate::AgentId;

/// Who has something new to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ring {
    /// These agents.
    Agents(BTreeSet<AgentId>),
    /// Possibly anybody: the connection was made anew, and rings may have been missed.
    Anybody,
}

/// Listens to all bells on one connection of its own, for as long as the receiver lives.
pub struct Bells {
    address: Address,
    credentials: Credentials,
    rings: mpsc::Sender<Ring>,
}

/// Rings that wait for a busy reader; then Redis keeps them.
const QUEUE: usize = 64;
/// Milliseconds a read blocks before it looks whether anybody still listens.
const BLOCK: usize = 5_000;
const RINGS_A_READ: usize = 500;

impl Bells {
    /// Starts listening. Must be called within a Tokio runtime.
    pub fn listen(address: &Address, credentials: &Credentials) -> mpsc::Receiver<Ring> {
        let (rings, receiver) = mpsc::channel(QUEUE);
        let bells = Self { address: address.clone(), credentials: credentials.clone(), rings };
        tokio::spawn(bells.run());
        receiver
    }

    async fn run(self) {
        let mut delays = retry_policy().build();
        while !self.rings.is_closed() {
            let Err(error) = self.session(|| delays = retry_policy().build()).await else { return };
            tracing::warn!(error = &error as &dyn std::error::Error, redis = %self.address, "lost the bells");
            if let Some(delay) = delays.next() {
                tokio::time::sleep(delay).await;
            }
        }
    }

    /// One connection's life; `Ok` when nobody listens any more.
    async fn session(&self, connected: impl FnOnce()) -> Result<(), RedisError> {
        let mut connection = blocking(&self.address, &self.credentials).await?;
        let mut positions = positions(&mut connection).await?;
        connected();
        if self.rings.send(Ring::Anybody).await.is_err() {
            return Ok(());
        }
        loop {
            let agents = read(&mut connection, &mut positions).await?;
            if self.rings.is_closed() || !agents.is_empty() && self.rings.send(Ring::Agents(agents)).await.is_err() {
                return Ok(());
            }
        }
    }
}

type Positions = HashMap<String, String>;

async fn positions(connection: &mut MultiplexedConnection) -> Result<Positions, RedisError> {
    let mut positions = Positions::new();
    for shard in 0..SHARDS {
        let key = bell_key(shard);
        let newest: StreamRangeReply = connection.xrevrange_count(&key, "+", "-", 1).await?;
        let id = newest.ids.into_iter().next().map_or_else(|| "0-0".to_owned(), |id| id.id);
        positions.insert(key, id);
    }
    Ok(positions)
}

async fn read(
    connection: &mut MultiplexedConnection,
    positions: &mut Positions,
) -> Result<BTreeSet<AgentId>, RedisError> {
    let (keys, ids): (Vec<_>, Vec<_>) = positions.iter().map(|(key, id)| (key.clone(), id.clone())).unzip();
    let options = StreamReadOptions::default().block(BLOCK).count(RINGS_A_READ);
    let reply: Option<StreamReadReply> = connection.xread_options(&keys, &ids, &options).await?;
    let mut agents = BTreeSet::new();
    for stream in reply.map(|reply| reply.keys).unwrap_or_default() {
        for ring in stream.ids {
            agents.extend(ring.get::<String>("agent").and_then(|agent| agent.parse::<AgentId>().ok()));
            positions.insert(stream.key.clone(), ring.id);
        }
    }
    Ok(agents)
}
