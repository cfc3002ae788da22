//! Secrets that connectors log in with. Each is read when a task is about to need it, by its name, and kept until that task is
//! over, or until it is to be refreshed: nothing here watches Secrets, or lists them (docs/decisions/0011).
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
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
    keys::Sensitive,
    oauth::{Current, Renewals},
    queue::Queue,
};

/// One key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey {
    /// The Secret's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, key } = self;
        write!(f, "Secret {namespace}/{name}: key {key}")
    }
}

/// What a Secret holds under a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// What is shown to the server.
    Plain,
    /// A login by OAuth, and where it is refreshed.
    OAuth(Option<String>),
}

/// What is to be read, and for what: another task, or another process that works on it, is another need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The agent's process.
    pub process: (String, i32),
    /// The task's uid.
    pub task: String,
    /// What is to be read.
    pub keys: Vec<(SecretKey, Form)>,
}

/// What has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Not all of it yet.
    Reading,
    /// All of it.
    Complete(Secrets),
    /// Something is missing; the text says what, and what to do.
    Lacks(String),
}

/// What opens an agent's connectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// By where it stands.
    pub by_key: BTreeMap<SecretKey, Sensitive>,
    /// When it is to be read again, in the middle of a task too.
    pub until: Option<Timestamp>,
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
            return Opened::Complete(Secrets::default());
        }
        let mut open = self.lock();
        if let Some((known, opened, since)) = open.get_mut(agent).filter(|(known, ..)| *known == need) {
            let waited = now.duration_since(*since).unsigned_abs();
            let is_due = match opened {
                Opened::Reading => false,
                Opened::Lacks(_) => true,
                Opened::Complete(secrets) => secrets.until.is_some_and(|until| until <= now),
            };
            if is_due && waited >= AGAIN {
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
    pub async fn run(self, Wanted(wanted): Wanted, client: Client, renewals: Renewals, agents: Queue<KomputerAgent>) {
        let read = |(agent, need): (AgentId, Need)| {
            let (client, renewals, agents, vault) = (client.clone(), renewals.clone(), agents.clone(), self.clone());
            async move {
                let opened = read_all(&client, &renewals, &need.keys).await;
                vault.keep(&agent, &need, opened);
                agents.wake(ObjectRef::new(agent.name()).within(agent.namespace()));
            }
        };
        wanted.for_each_concurrent(AT_ONCE, read).await;
    }

    /// Unless the agent needs something else by now. A task that has begun goes on with what it has where nothing newer is to be
    /// had: it is for the server to say whether that counts still.
    fn keep(&self, agent: &AgentId, need: &Need, opened: Opened) {
        if let Some((_, kept, _)) = self.lock().get_mut(agent).filter(|(known, ..)| known == need) {
            match (&kept, &opened) {
                (Opened::Complete(_), Opened::Lacks(_)) => {}
                _ => *kept = opened,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Kept>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_all(client: &Client, renewals: &Renewals, keys: &[(SecretKey, Form)]) -> Opened {
    let mut secrets = Secrets::default();
    for (key, form) in keys {
        let opens = match form {
            Form::Plain => plain(client, key).await,
            Form::OAuth(url) => renewals.current(key, url.as_deref()).await,
        };
        match opens {
            Ok(Current { token, until }) => {
                secrets.by_key.insert(key.clone(), token);
                secrets.until = secrets.until.into_iter().chain(until).min();
            }
            Err(lack) => return Opened::Lacks(lack),
        }
    }
    Opened::Complete(secrets)
}

async fn plain(client: &Client, key: &SecretKey) -> Result<Current, String> {
    let text = text_of(key, read(client, key).await?.as_ref())?;
    if !can_be_a_header(&text) {
        return Err(format!("{key} is no single line of ASCII text, as a header has to be; correct it"));
    }
    Ok(Current { token: Sensitive::new(text), until: None })
}

/// The Secret, or why it cannot be read.
pub(crate) async fn read(
    client: &Client,
    SecretKey { namespace, name, .. }: &SecretKey,
) -> Result<Option<Secret>, String> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    match tokio::time::timeout(TIMEOUT, api.get_opt(name)).await {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(error)) => Err(format!("Secret {namespace}/{name} could not be read: {}", words(&error))),
        Err(_) => Err(format!("Secret {namespace}/{name} could not be read in time")),
    }
}

/// The text under that key, without the line break that a file ends in; or what is wrong, and what to do.
pub(crate) fn text_of(key: &SecretKey, secret: Option<&Secret>) -> Result<String, String> {
    let Some(secret) = secret else {
        let SecretKey { namespace, name, key } = key;
        return Err(format!("Secret {namespace}/{name} does not exist; create it with key {key}"));
    };
    let Some(bytes) = secret.data.as_ref().and_then(|data| data.get(&key.key)) else {
        return Err(format!("{key} is missing; add it"));
    };
    Ok(std::str::from_utf8(&bytes.0).unwrap_or_default().trim().to_owned())
}

/// Whether a text can stand in a header.
pub(crate) fn can_be_a_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn key() -> SecretKey {
        SecretKey { namespace: "team".into(), name: "github".into(), key: "token".into() }
    }

    fn need(task: &str, restarts: i32) -> Need {
        Need { process: ("p".into(), restarts), task: task.into(), keys: vec![(key(), Form::Plain)] }
    }

    fn opened(text: &str) -> Opened {
        Opened::Complete(Secrets { by_key: [(key(), Sensitive::new(text))].into(), until: None })
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
        assert_eq!(vault.ask(&ada, need("t3", 1), at(0)), Opened::Reading);
        assert_eq!(read(), Some(need("t3", 1)));
        vault.keep(&ada, &need("t3", 1), Opened::Lacks("it is gone".into()));
        assert_eq!(vault.ask(&ada, need("t3", 1), at(9)), Opened::Lacks("it is gone".into()));
        assert_eq!(read(), None);
        assert_eq!(vault.ask(&ada, need("t3", 1), at(10)), Opened::Lacks("it is gone".into()));
        assert_eq!((read(), read()), (Some(need("t3", 1)), None));
        vault.forget(&ada);
        vault.keep(&ada, &need("t3", 1), opened("late"));
        assert_eq!(vault.ask(&ada, need("t3", 1), at(11)), Opened::Reading);
        let nothing = Need { keys: vec![], ..need("t4", 1) };
        assert_eq!(vault.ask(&ada, nothing, at(11)), Opened::Complete(Secrets::default()));
    }

    #[test]
    fn what_is_to_be_refreshed_is_read_again_and_stays_where_nothing_newer_is_to_be_had() {
        let (vault, Wanted(mut wanted)) = Vault::new();
        let ada = AgentId::new("team", "ada").unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let until = |text, second| match opened(text) {
            Opened::Complete(secrets) => Opened::Complete(Secrets { until: Some(at(second)), ..secrets }),
            other => other,
        };
        vault.ask(&ada, need("t1", 0), at(0));
        vault.keep(&ada, &need("t1", 0), until("one", 100));
        let mut asked_at = |second| {
            while wanted.try_recv().is_ok() {}
            let opened = vault.ask(&ada, need("t1", 0), at(second));
            (opened, wanted.try_recv().is_ok())
        };
        assert_eq!(asked_at(99), (until("one", 100), false));
        assert_eq!(asked_at(100), (until("one", 100), true));
        assert_eq!(asked_at(109), (until("one", 100), false), "it is being read");
        vault.keep(&ada, &need("t1", 0), Opened::Lacks("its endpoint is away".into()));
        assert_eq!(asked_at(110), (until("one", 100), true));
        vault.keep(&ada, &need("t1", 0), until("two", 200));
        assert_eq!(asked_at(111), (until("two", 200), false));
    }

    #[test]
    fn what_is_missing_is_named_and_a_line_break_at_the_end_is_none() {
        let secret = |data: &[(&str, &[u8])]| {
            let data = data.iter().map(|(key, value)| (key.to_string(), ByteString(value.to_vec()))).collect();
            Secret { data: Some(data), ..Default::default() }
        };
        let read = |secret: Option<&Secret>| text_of(&key(), secret);
        assert_eq!(read(Some(&secret(&[("token", b"hunter2\n")]))), Ok("hunter2".into()));
        let missing = "Secret team/github does not exist; create it with key token";
        assert_eq!(read(None), Err(missing.into()));
        let lacking = "Secret team/github: key token is missing; add it";
        assert_eq!(read(Some(&secret(&[("other", b"x")]))), Err(lacking.into()));
        assert!(can_be_a_header("hunter2"));
        for wrong in [&b"a\nb"[..], b"", b"\xff", "\u{e4}".as_bytes()] {
            assert!(!can_be_a_header(&read(Some(&secret(&[("token", wrong)]))).unwrap()), "{wrong:?}");
        }
    }
}
