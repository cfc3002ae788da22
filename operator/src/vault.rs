//! Secrets that connectors log in with. Each is read when a task is about to need it, by its name, and kept until that task is
//! over: nothing here watches Secrets, or lists them (docs/decisions/0011).
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, channel::mpsc};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::AgentId;
use kube::{Api, Client, runtime::reflector::ObjectRef};

use crate::{
    carry_out::{TIMEOUT, words},
    controller::Queue,
    keys::Sensitive,
};

/// One key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey {
    /// The Secret's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
}

/// What is to be read, and for what: another task, or another process that works on it, is another need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The agent's process.
    pub process: (String, i32),
    /// The task's uid.
    pub task: String,
    /// What is to be read.
    pub keys: Vec<SecretKey>,
}

/// What has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Not all of it yet.
    Reading,
    /// All of it.
    Complete(BTreeMap<SecretKey, Sensitive>),
    /// Something is missing; the text says what, and what to do.
    Lacks(String),
}

/// After how long it is looked again for what was missing.
pub const AGAIN: Duration = Duration::from_secs(10);
/// Agents whose Secrets are read at the same time.
const AT_ONCE: usize = 16;

/// Has Secrets read. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    open: Arc<Mutex<HashMap<AgentId, Kept>>>,
    wanted: mpsc::UnboundedSender<(AgentId, Need)>,
}

/// What an agent needs, what of it has been read, and since when that was asked for.
type Kept = (Need, Opened, Timestamp);

/// What is to be read. An agent is in it once for each of its needs.
pub struct Wanted(mpsc::UnboundedReceiver<(AgentId, Need)>);

impl Vault {
    /// A vault, and what it wants to have read by [`Vault::run`].
    pub fn new() -> (Self, Wanted) {
        let (wanted, to_read) = mpsc::unbounded();
        (Self { open: Arc::default(), wanted }, Wanted(to_read))
    }

    /// What the agent needs, as far as it has been read. The agent is looked at again once it is.
    pub fn ask(&self, agent: &AgentId, need: Need, now: Timestamp) -> Opened {
        if need.keys.is_empty() {
            return Opened::Complete(BTreeMap::new());
        }
        let mut open = self.lock();
        if let Some((known, opened, since)) = open.get_mut(agent).filter(|(known, ..)| *known == need) {
            let is_stale = matches!(opened, Opened::Lacks(_)) && now.duration_since(*since).unsigned_abs() >= AGAIN;
            if is_stale {
                *since = now;
                let _ = self.wanted.unbounded_send((agent.clone(), known.clone()));
            }
            return opened.clone();
        }
        open.insert(agent.clone(), (need.clone(), Opened::Reading, now));
        let _ = self.wanted.unbounded_send((agent.clone(), need));
        Opened::Reading
    }

    /// The agent needs nothing any more.
    pub fn forget(&self, agent: &AgentId) {
        self.lock().remove(agent);
    }

    /// Reads what is wanted, and has the agents that want it looked at.
    pub async fn run(self, Wanted(wanted): Wanted, client: Client, agents: Queue<KomputerAgent>) {
        let read = |(agent, need): (AgentId, Need)| {
            let (client, agents, vault) = (client.clone(), agents.clone(), self.clone());
            async move {
                let opened = read(&client, &need.keys).await;
                vault.keep(&agent, &need, opened);
                let _ = agents.unbounded_send(ObjectRef::new(agent.name()).within(agent.namespace()));
            }
        };
        wanted.for_each_concurrent(AT_ONCE, read).await;
    }

    /// Unless the agent needs something else by now.
    fn keep(&self, agent: &AgentId, need: &Need, opened: Opened) {
        if let Some((_, kept, _)) = self.lock().get_mut(agent).filter(|(known, ..)| known == need) {
            *kept = opened;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Kept>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(client: &Client, keys: &[SecretKey]) -> Opened {
    let mut opened = BTreeMap::new();
    for wanted in keys {
        let SecretKey { namespace, name, .. } = wanted;
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        let value = match tokio::time::timeout(TIMEOUT, api.get_opt(name)).await {
            Ok(Ok(secret)) => value(wanted, secret.as_ref()),
            Ok(Err(error)) => Err(format!("Secret {namespace}/{name} could not be read: {}", words(&error))),
            Err(_) => Err(format!("Secret {namespace}/{name} could not be read in time")),
        };
        match value {
            Ok(value) => drop(opened.insert(wanted.clone(), value)),
            Err(lack) => return Opened::Lacks(lack),
        }
    }
    Opened::Complete(opened)
}

/// The text under that key, without the line break that a file ends in; or what is wrong, and what to do.
fn value(SecretKey { namespace, name, key }: &SecretKey, secret: Option<&Secret>) -> Result<Sensitive, String> {
    let Some(secret) = secret else {
        return Err(format!("Secret {namespace}/{name} does not exist; create it with key {key}"));
    };
    let Some(bytes) = secret.data.as_ref().and_then(|data| data.get(key)) else {
        return Err(format!("Secret {namespace}/{name}: key {key} is missing; add it"));
    };
    let text = std::str::from_utf8(&bytes.0).unwrap_or_default().trim();
    let can_be_a_header = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    can_be_a_header.then(|| Sensitive::new(text)).ok_or_else(|| {
        format!(
            "Secret {namespace}/{name}: key {key} is no single line of ASCII text, as a header has to be; correct it"
        )
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn key() -> SecretKey {
        SecretKey { namespace: "team".into(), name: "github".into(), key: "token".into() }
    }

    fn need(task: &str, restarts: i32) -> Need {
        Need { process: ("p".into(), restarts), task: task.into(), keys: vec![key()] }
    }

    fn opened(text: &str) -> Opened {
        Opened::Complete([(key(), Sensitive::new(text))].into())
    }

    #[test]
    fn each_task_and_each_process_has_it_read_anew_and_what_is_missing_after_a_while() {
        let (vault, Wanted(mut wanted)) = Vault::new();
        let ada = AgentId::new("team", "ada").unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut read = || wanted.try_recv().ok().map(|(_, need)| need);
        for need in [need("t1", 0), need("t1", 1), need("t2", 1)] {
            assert_eq!(vault.ask(&ada, need.clone(), at(0)), Opened::Reading);
            assert_eq!(vault.ask(&ada, need.clone(), at(0)), Opened::Reading);
            assert_eq!((read(), read()), (Some(need.clone()), None));
            vault.keep(&ada, &need, opened("x"));
            assert_eq!(vault.ask(&ada, need, at(100)), opened("x"));
            assert_eq!(read(), None);
        }
        vault.keep(&ada, &need("t1", 1), opened("late"));
        vault.keep(&ada, &need("t2", 1), Opened::Lacks("it is gone".into()));
        assert_eq!(vault.ask(&ada, need("t2", 1), at(9)), Opened::Lacks("it is gone".into()));
        assert_eq!(read(), None);
        assert_eq!(vault.ask(&ada, need("t2", 1), at(10)), Opened::Lacks("it is gone".into()));
        assert_eq!((read(), read()), (Some(need("t2", 1)), None));
        vault.forget(&ada);
        vault.keep(&ada, &need("t2", 1), opened("late"));
        assert_eq!(vault.ask(&ada, need("t2", 1), at(11)), Opened::Reading);
        let nothing = Need { keys: vec![], ..need("t3", 1) };
        assert_eq!(vault.ask(&ada, nothing, at(11)), Opened::Complete(BTreeMap::new()));
    }

    #[test]
    fn what_is_missing_is_named_and_a_line_break_at_the_end_is_none() {
        let secret = |data: &[(&str, &[u8])]| {
            let data = data.iter().map(|(key, value)| (key.to_string(), ByteString(value.to_vec()))).collect();
            Secret { data: Some(data), ..Default::default() }
        };
        let read = |secret: Option<&Secret>| value(&key(), secret).map(|value| value.reveal().to_owned());
        assert_eq!(read(Some(&secret(&[("token", b"hunter2\n")]))), Ok("hunter2".into()));
        let missing = "Secret team/github does not exist; create it with key token";
        assert_eq!(read(None), Err(missing.into()));
        let lacking = "Secret team/github: key token is missing; add it";
        assert_eq!(read(Some(&secret(&[("other", b"x")]))), Err(lacking.into()));
        for wrong in [&b"a\nb"[..], b"", b"\xff", "\u{e4}".as_bytes()] {
            let refused = read(Some(&secret(&[("token", wrong)]))).unwrap_err();
            assert!(refused.contains("key token is no single line"), "{refused}");
        }
    }
}
