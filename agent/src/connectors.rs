//! The MCP servers of the running task. How to reach them is told anew with each task and kept in memory alone: it holds
//! what opens them.
use std::sync::Arc;

use komputer_events::{
    SealError, Sealed, SealingKey,
    connector::{Connector, Login, Server},
};
use tokio::sync::watch;

use crate::{knowledge::Known, mcp::Catalogs, tasks::TaskUid};

/// What this process was told of connectors.
pub(crate) struct Connectors {
    key: SealingKey,
    known: Arc<Known>,
    told: watch::Sender<Option<Told>>,
    /// Which tools servers had last.
    pub(crate) catalogs: Arc<Catalogs>,
}

/// Connectors, and whose they are.
struct Told {
    task: TaskUid,
    connectors: Vec<Connector>,
}

impl Connectors {
    /// None so far. The names of those that the agent has are part of what it knows.
    pub(crate) fn new(key: SealingKey, known: Arc<Known>) -> Self {
        Self { key, known, told: watch::Sender::new(None), catalogs: Arc::default() }
    }

    /// Takes in what is sealed for `task`. Of other tasks nothing is known any more: one runs at a time.
    pub(crate) fn learn(&self, task: TaskUid, sealed: &Sealed) -> Result<(), SealError> {
        let connectors = self.key.open(task.as_str(), sealed)?;
        self.told.send_replace(Some(Told { task, connectors }));
        Ok(())
    }

    /// How `task` logs in to the connector of that name and address.
    pub(crate) fn logins(&self, task: &TaskUid, name: String, url: String, first: Option<Login>) -> Logins {
        Logins { told: self.told.subscribe(), task: task.clone(), name, url, first }
    }

    /// The connectors of `task`. Where the agent has some, waits until they are told: a process that starts again in the
    /// middle of a task has forgotten them.
    pub(crate) async fn of(&self, task: &TaskUid) -> Vec<Connector> {
        let (mut told, mut has_some) = (self.told.subscribe(), self.known.has_connectors());
        loop {
            if let Some(Told { connectors, .. }) = told.borrow_and_update().as_ref().filter(|told| told.task == *task) {
                return connectors.clone();
            }
            if !*has_some.borrow_and_update() {
                return Vec::new();
            }
            tokio::select! {
                _ = told.changed() => {} // the senders live as long as `self`
                _ = has_some.changed() => {}
            }
        }
    }
}

/// How a task logs in to one connector. It may be told anew while the task goes on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Logins {
    told: watch::Receiver<Option<Told>>,
    task: TaskUid,
    pub(crate) name: String,
    pub(crate) url: String,
    first: Option<Login>,
}

impl Logins {
    /// The login as it was told last. To an address that is another meanwhile belongs the one that it began with.
    pub(crate) fn newest(&self) -> Option<Login> {
        let told = self.told.borrow();
        let told = told.as_ref().filter(|told| told.task == self.task);
        let newest = told.and_then(|told| {
            told.connectors.iter().find_map(|Connector { name, server }| match server {
                Server::Http { url, login } if (name, url) == (&self.name, &self.url) => login.clone(),
                _ => None,
            })
        });
        newest.or_else(|| self.first.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use komputer_events::knowledge::Knowledge;

    use super::*;

    fn uid(text: &str) -> TaskUid {
        text.parse().unwrap()
    }

    fn key() -> SealingKey {
        SealingKey::new(&"a".repeat(64)).unwrap()
    }

    fn files() -> Vec<Connector> {
        vec![Connector { name: "files".into(), server: Server::Stdio { command: vec!["files".into()] } }]
    }

    fn agent(directory: &tempfile::TempDir) -> Connectors {
        let known = Known::open(directory.path().join("knowledge.json"), directory.path().join("skills")).unwrap();
        Connectors::new(key(), Arc::new(known))
    }

    /// Whether a process would have to wait for them.
    async fn waits(connectors: &Connectors, task: &TaskUid) -> bool {
        tokio::time::timeout(Duration::from_millis(10), connectors.of(task)).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_has_forgotten_them_waits_until_they_are_told_or_taken_away() {
        let directory = tempfile::tempdir().unwrap();
        let (ours, other) = (uid("t1"), uid("t2"));
        let first = agent(&directory);
        assert_eq!(first.of(&ours).await, [], "it has none");
        first.known.learn(Knowledge { connectors: vec!["files".into()], ..Default::default() }).unwrap();
        first.learn(ours.clone(), &key().seal("t1", &files()).unwrap()).unwrap();
        assert_eq!(first.of(&ours).await, files());
        assert!(waits(&first, &other).await, "each task is told its own");

        let second = agent(&directory);
        assert!(waits(&second, &ours).await);
        let tell = async {
            tokio::task::yield_now().await;
            second.learn(ours.clone(), &key().seal("t1", &files()).unwrap()).unwrap();
        };
        assert_eq!(tokio::join!(second.of(&ours), tell).0, files());
        let take_away = async {
            tokio::task::yield_now().await;
            second.known.learn(Knowledge::default()).unwrap();
        };
        assert_eq!(tokio::join!(second.of(&other), take_away).0, []);
        assert_eq!(second.learn(other, &key().seal("t1", &files()).unwrap()), Err(SealError::Foreign));
    }

    #[tokio::test]
    async fn a_login_that_is_told_anew_is_used_where_it_belongs() {
        let directory = tempfile::tempdir().unwrap();
        let (agent, task) = (agent(&directory), uid("t1"));
        let login = |secret: &str| Login { header: "X-Key".into(), scheme: String::new(), secret: secret.into() };
        let tell = |task: &str, name: &str, url: &str, secret: &str| {
            let server = Server::Http { url: url.into(), login: Some(login(secret)) };
            let connectors = vec![Connector { name: name.into(), server }];
            agent.learn(uid(task), &key().seal(task, &connectors).unwrap()).unwrap();
        };
        let logins = agent.logins(&task, "a".into(), "https://a".into(), Some(login("first")));
        let newest = || logins.newest().map(|login| login.secret);
        tell("t1", "a", "https://a", "second");
        assert_eq!(newest(), Some("second".into()));
        for (task, name, url) in [("t1", "a", "https://b"), ("t1", "b", "https://a"), ("t2", "a", "https://a")] {
            tell(task, name, url, "another's");
            assert_eq!(newest(), Some("first".into()), "{task} {name} {url}");
        }
    }
}
