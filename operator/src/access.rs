//! Agents' users in Redis: each may write its own stream and ring its shard's bell, nothing else.
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use backon::BackoffBuilder;
use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::{
    AgentId,
    bus::{BusError, Streams, bell_key, retry_policy, shard, stream_key},
};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use redis::{Pipeline, RedisError, cmd, pipe};
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    budget::Accounts,
    keys::{Audience, MasterKey},
    step::Step,
};

/// What agents' users are called.
const PREFIX: &str = "komputer-agent:";
/// Users that agents need and may have lost, and users and streams of agents that are gone, are looked for this often.
const SWEEP: Duration = Duration::from_mins(10);

/// Users that are made by one request.
const BATCH: usize = 128;

/// The Redis user of an agent.
pub fn username(agent: &KomputerAgent) -> String {
    format!("{PREFIX}{}/{}", agent.namespace().unwrap_or_default(), agent.name_any())
}

/// Something that concerns who may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// There is an agent object of that uid.
    Agent(AgentId, String),
    /// The agent is gone, and what it said with it.
    Gone(AgentId),
    /// Nothing is left of an agent that was gone.
    Forgotten(AgentId),
    /// Redis may have been restarted and have forgotten its users.
    Restarted,
}

/// What Redis did not do.
#[derive(Debug, thiserror::Error)]
enum AccessError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Creates and removes agents' users.
pub struct Access {
    streams: Streams,
    agents: Store<KomputerAgent>,
    accounts: Accounts,
    master: MasterKey,
    /// Which object each user was made for.
    known: HashMap<AgentId, String>,
}

impl Access {
    /// Access to the Redis behind `streams`, for the agents of `agents`.
    pub fn new(streams: Streams, agents: Store<KomputerAgent>, accounts: Accounts, master: MasterKey) -> Self {
        Self { streams, agents, accounts, master, known: HashMap::new() }
    }

    /// Takes over from whoever led before, for as long as it takes: see [`Accounts::begin`]. Which agents are to be counted
    /// that are gone has to be known before anything is removed.
    pub async fn begin(&self) {
        self.accounts.begin(&self.agents).await;
    }

    /// Acts on notices until they end. After what fails a sweep follows soon: an agent without its user is shut out.
    pub async fn run(mut self, mut notices: mpsc::UnboundedReceiver<Notice>) {
        let mut delays = retry_policy().build();
        let mut sweep = Instant::now();
        let mut news = Vec::new();
        loop {
            let result = tokio::select! {
                count = notices.recv_many(&mut news, BATCH) => match count {
                    0 => return,
                    _ => self.act(&mut news).await,
                },
                () = sleep_until(sweep) => {
                    sweep = Instant::now() + SWEEP;
                    self.sweep().await.inspect(|()| delays = retry_policy().build())
                }
            };
            if let Err(error) = result {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not update the users of Redis");
                sweep = sweep.min(Instant::now() + delays.next().unwrap_or(SWEEP));
            }
        }
    }

    /// Acts on all of them, in their order.
    async fn act(&mut self, notices: &mut Vec<Notice>) -> Result<(), AccessError> {
        let mut new = Vec::new();
        for notice in notices.drain(..) {
            match notice {
                Notice::Agent(agent, uid) => new.push((agent, uid)),
                Notice::Gone(agent) => {
                    self.allow(std::mem::take(&mut new)).await?;
                    self.remove(&agent).await?;
                }
                Notice::Forgotten(agent) => {
                    self.known.remove(&agent);
                    let reference = ObjectRef::new(agent.name()).within(agent.namespace());
                    new.extend(self.agents.get(&reference).and_then(|next| Some((agent, next.uid()?))));
                }
                Notice::Restarted => {
                    self.known.clear();
                    self.allow_all().await?;
                    self.accounts.read(&self.agents).await?;
                }
            }
        }
        Ok(self.allow(new).await?)
    }

    async fn allow_all(&mut self) -> Result<(), RedisError> {
        let all = self.agents.state();
        self.allow(all.iter().filter_map(|agent| Some((id(agent)?, agent.uid()?))).collect()).await
    }

    /// Makes the users that are missing, many at a time: after a restart there are as many as agents. One whose name is
    /// that of an agent which is gone and not forgotten waits for that.
    async fn allow(&mut self, mut agents: Vec<(AgentId, String)>) -> Result<(), RedisError> {
        let ledger = self.accounts.ledger();
        agents.retain(|(agent, uid)| self.known.get(agent) != Some(uid) && !ledger.has_predecessor(agent, uid));
        let of_namespaces = agents.chunk_by(|(one, _), (other, _)| one.namespace() == other.namespace());
        for batch in of_namespaces.flat_map(|agents| agents.chunks(BATCH)) {
            let mut users = pipe();
            for (agent, uid) in batch {
                let password = self.master.derive(Audience::Redis, uid);
                users.cmd("ACL").arg("SETUSER").arg(format!("{PREFIX}{agent}"));
                users.arg(rules(agent, &hex::encode(Sha256::digest(password.reveal())))).ignore();
            }
            let namespace = batch.first().map(|(agent, _)| agent.namespace()).unwrap_or_default();
            let mut connection = self.streams.connection();
            Step::CreateUser.around(namespace, users.query_async::<()>(&mut connection)).await?;
            self.known.extend(batch.iter().cloned());
        }
        Ok(())
    }

    /// Removes what a gone agent has in Redis, unless what it has cost is counted still.
    async fn remove(&mut self, agent: &AgentId) -> Result<(), RedisError> {
        self.known.remove(agent);
        if self.accounts.ledger().has_predecessor(agent, "") {
            return Ok(());
        }
        let mut connection = self.streams.connection();
        let mut both = pipe();
        remove(both.atomic(), agent);
        Step::DeleteUser.around(agent.namespace(), both.query_async(&mut connection)).await
    }

    /// Makes users that are missing and removes those of agents that went while nobody looked.
    async fn sweep(&mut self) -> Result<(), AccessError> {
        self.agents.wait_until_ready().await.ok();
        let users: Vec<String> = cmd("ACL").arg("USERS").query_async(&mut self.streams.connection()).await?;
        let users: BTreeSet<AgentId> =
            users.iter().filter_map(|user| user.strip_prefix(PREFIX)?.parse().ok()).collect();
        self.known.retain(|agent, _| users.contains(agent));
        self.allow_all().await?;
        let agents: BTreeSet<AgentId> = self.agents.state().iter().filter_map(|agent| id(agent)).collect();
        for gone in users.difference(&agents) {
            self.remove(gone).await?;
        }
        Ok(self.accounts.read(&self.agents).await?)
    }
}

/// Removes an agent's user and stream, at once: by its user alone a sweep finds what an agent has left.
pub(crate) fn remove(pipe: &mut Pipeline, agent: &AgentId) {
    pipe.cmd("ACL").arg("DELUSER").arg(format!("{PREFIX}{agent}")).ignore().del(stream_key(agent)).ignore();
}

/// Redis ACL rules, see <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
fn rules(agent: &AgentId, password_sha256: &str) -> Vec<String> {
    let mut rules: Vec<String> = ["reset", "on", "resetchannels", "-@all"].map(Into::into).into();
    rules.push(format!("#{password_sha256}"));
    rules.push(format!("~{}", stream_key(agent)));
    rules.push(format!("~{}", bell_key(shard(agent))));
    let commands = ["xadd", "xrevrange", "expire", "del", "multi", "exec", "discard", "ping"];
    rules.extend(commands.map(|command| format!("+{command}")));
    rules
}

fn id(agent: &KomputerAgent) -> Option<AgentId> {
    AgentId::new(agent.namespace()?, agent.name_any()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_reaches_two_keys_and_eight_commands() {
        let agent = AgentId::new("team-a", "ada").unwrap();
        let rules = rules(&agent, "00ff").join(" ");
        let expected = "reset on resetchannels -@all #00ff ~komputer-events:{13}:team-a/ada ~komputer-bell:{13} \
                        +xadd +xrevrange +expire +del +multi +exec +discard +ping";
        assert_eq!(rules, expected);
    }
}
