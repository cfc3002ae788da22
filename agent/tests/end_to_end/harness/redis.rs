use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use komputer_events::{
    AgentId, Cursor, Event,
    bus::{Credentials, Streams, bell_key, shard, stream_key},
};

use super::free_port;

/// A Redis of its own, with the rights an agent has in production.
pub struct Redis {
    port: u16,
    directory: PathBuf,
    child: Option<Child>,
}

pub fn agent_id() -> AgentId {
    AgentId::new("team-a", "ada").unwrap()
}

impl Redis {
    pub fn start(directory: &Path) -> Self {
        let agent = agent_id();
        let users = format!(
            "user default off\nuser admin on >admin ~* +@all\n\
             user agent on >agent resetkeys ~{} ~{} -@all +ping +xadd +xrevrange +expire +del +multi +exec\n",
            stream_key(&agent),
            bell_key(shard(&agent)),
        );
        fs::write(directory.join("users.acl"), users).unwrap();
        let mut redis = Self { port: free_port(), directory: directory.to_owned(), child: None };
        redis.restart();
        redis
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once; nothing of what it held is left.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.kill();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &self.port.to_string()])
            .args(["--aclfile", "users.acl", "--logfile", "redis.log"])
            .current_dir(&self.directory)
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server must be installed"));
    }

    fn streams(&self) -> Streams {
        let credentials = Credentials { username: "admin".into(), password: "admin".into() };
        Streams::new(&self.address().parse().unwrap(), &credentials).unwrap()
    }

    /// What the agent's stream holds; nothing where Redis is not there.
    pub async fn events(&self) -> Vec<Event> {
        let page = self.streams().after(&agent_id(), Some("agent-uid"), Cursor::START, 100_000).await;
        let entries = page.map(|page| page.entries).unwrap_or_default();
        entries.iter().map(|entry| Event::from_json(entry.json.as_bytes()).unwrap()).collect()
    }

    /// Forgets everything, and goes on.
    pub async fn wipe(&self) {
        redis::cmd("FLUSHALL").query_async::<()>(&mut self.streams().connection()).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
