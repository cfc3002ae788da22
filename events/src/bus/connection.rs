use std::{fmt, str::FromStr, time::Duration};

use backon::ExponentialBuilder;
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};

/// Where Redis is: `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// A Redis user and its password. The password is never shown.
#[derive(Clone)]
pub struct Credentials {
    /// The ACL user.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// What can go wrong between a process and Redis. All of it may pass; callers retry with [`retry_policy`].
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Redis cannot be reached, or refused a command.
    #[error("Redis at {address} failed to {action}: {source}")]
    Redis {
        /// Where it was asked.
        address: Address,
        /// What it was asked to do.
        action: &'static str,
        /// In its own words.
        #[source]
        source: RedisError,
    },
    /// The stream does not end where its producer left it: it was wiped, or somebody else wrote to it.
    #[error("the stream of {agent} ends at {found:?} and not at {expected:?}; it must be refilled from the journal")]
    Diverged {
        /// Whose stream.
        agent: String,
        /// The last id the producer knows.
        expected: Option<String>,
        /// The last id there is.
        found: Option<String>,
    },
}

/// `HOST:PORT` is missing a part.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an address of Redis: expected HOST:PORT, like komputer-redis.komputer-system:6379")]
pub struct InvalidAddress(String);

impl Address {
    /// The Redis at `port` of `host`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        if host.is_empty() { Err(invalid()) } else { Ok(Self { host: host.to_owned(), port }) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:…", self.username)
    }
}

/// The one retry policy of everything that waits for a peer: 100 ms doubling to 5 s, with jitter, for ever.
pub fn retry_policy() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times()
}

const CONNECT: Duration = Duration::from_secs(2);
/// A command that Redis has not answered by then counts as failed.
const RESPONSE: Duration = Duration::from_secs(5);

pub(crate) fn client(address: &Address, credentials: &Credentials) -> Result<Client, RedisError> {
    let login = RedisConnectionInfo::default()
        .set_username(&credentials.username)
        .set_password(&credentials.password)
        .set_skip_set_lib_name();
    let info = ConnectionAddr::Tcp(address.host.clone(), address.port).into_connection_info()?;
    Client::open(info.set_redis_settings(login))
}

/// Connects when first used and again whenever the connection is lost.
pub(crate) fn managed(address: &Address, credentials: &Credentials) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(RESPONSE))
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(client(address, credentials)?, config)
}

/// One connection for one blocking reader: a blocked command holds up every other on the same connection.
pub(crate) async fn blocking(
    address: &Address,
    credentials: &Credentials,
) -> Result<MultiplexedConnection, RedisError> {
    let config = redis::AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(None);
    client(address, credentials)?.get_multiplexed_async_connection_with_config(&config).await
}
