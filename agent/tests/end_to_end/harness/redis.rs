use komputer_events::{
    AgentId, Cursor, Event,
    bus::{bell_key, shard, stream_key},
};
use komputer_tests::redis::{self as server, Memory};

/// A Redis of its own, with the rights an agent has in production.
pub struct Redis(server::Redis);

pub fn agent_id() -> AgentId {
    AgentId::new("team-a", "ada").unwrap()
}

impl Redis {
    pub fn start() -> Self {
        let agent = agent_id();
        let users = format!(
            "user default off\nuser admin on >admin ~* +@all\n\
             user agent on >agent resetkeys ~{} ~{} -@all +ping +xadd +xrevrange +expire +del +multi +exec\n",
            stream_key(&agent),
            bell_key(shard(&agent)),
        );
        Self(server::Redis::start(&users, Memory::Lost).unwrap())
    }

    pub fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// Ends it at once; nothing of what it held is left.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.0.restart().unwrap();
    }

    /// What the agent's stream holds; nothing where Redis is not there.
    pub async fn events(&self) -> Vec<Event> {
        let streams = self.0.streams("admin").unwrap();
        let page = streams.after(&agent_id(), Some("agent-uid"), Cursor::START, 100_000).await;
        let entries = page.map(|page| page.entries).unwrap_or_default();
        entries.iter().map(|entry| Event::from_json(entry.json.as_bytes()).unwrap()).collect()
    }

    /// Forgets everything, and goes on.
    pub async fn wipe(&self) {
        let mut connection = self.0.streams("admin").unwrap().connection();
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    }
}
