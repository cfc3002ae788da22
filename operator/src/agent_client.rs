//! Speaks to agents' HTTP servers.
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use komputer_events::{SealError, SealingKey, connector::Connector, task::Allowance};
use reqwest::{Client, Method, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tracing::{Instrument as _, debug_span};

use crate::{
    agent::Source,
    keys::Sensitive,
    lessons::Lessons,
    plan::{Call, PodAddress},
};

/// An agent that could not be told something. It is told again.
#[derive(Debug, thiserror::Error)]
pub enum AgentCallError {
    /// No connection, or no answer.
    #[error("the agent at {ip} could not be reached: {source}")]
    Unreachable {
        /// The pod's address.
        ip: String,
        /// Why.
        #[source]
        source: WireError,
    },
    /// What the agent is to know could not be read.
    #[error("what the agent is to know could not be read: {0}")]
    Unread(#[source] Box<kube::Error>),
    /// How connectors are reached could not be sealed.
    #[error("how the agent reaches its connectors could not be sealed: {0}")]
    Unsealed(#[from] SealError),
    /// An answer other than the one expected.
    #[error("the agent at {ip} answered {status} to {what}: {body}")]
    Refused {
        /// The pod's address.
        ip: String,
        /// What it was asked.
        what: &'static str,
        /// The HTTP status.
        status: StatusCode,
        /// The beginning of its answer.
        body: String,
    },
}

/// What keeps a request from being answered.
pub type WireError = Box<dyn std::error::Error + Send + Sync>;

/// A request to an agent's server.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) pod: PodAddress,
    pub(crate) method: Method,
    /// Below `/v1/`.
    pub(crate) path: String,
    /// JSON, where there is any.
    pub(crate) body: Vec<u8>,
}

/// Carries requests to agents' servers, and their answers back.
pub(crate) trait Wire: Send + Sync {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<(StatusCode, String), WireError>>;
}

impl Wire for Client {
    fn ask(&self, Asked { pod, method, path, body }: Asked) -> BoxFuture<'_, Result<(StatusCode, String), WireError>> {
        async move {
            let url = format!("http://{}:{}/v1/{path}", pod.ip, pod.port);
            let request = self.request(method, url).bearer_auth(pod.token.reveal());
            let request = request.header(CONTENT_TYPE, "application/json").body(body);
            let answer = request.send().await?;
            let status = answer.status();
            let body = if status.is_success() { String::new() } else { answer.text().await.unwrap_or_default() };
            Ok((status, body))
        }
        .boxed()
    }
}

/// Speaks to agents. Cheap to clone.
#[derive(Clone)]
pub struct AgentClient {
    wire: Arc<dyn Wire>,
    lessons: Lessons,
    /// (pod uid, what was said): a pod that has heard something is not told again.
    heard: Arc<Mutex<HashSet<(String, String)>>>,
    /// What each agent was taught last.
    taught: Arc<Mutex<HashMap<Server, Vec<Source>>>>,
    /// What each agent was allowed last, and for which task.
    allowed: Arc<Mutex<HashMap<Server, (String, Allowance)>>>,
    /// The digest of how each process was told to reach its connectors last, and for which task.
    connected: Arc<Mutex<HashMap<Server, [u8; 32]>>>,
}

/// An agent's server, by its pod's uid and its port.
type Server = (String, u16);

/// More than any installation has agents; past it everybody may be told once more.
const HEARD: usize = 100_000;

impl AgentClient {
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new(lessons: Lessons) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([]) // agents speak plain HTTP, and the operator's image holds no certificates
            .build()?;
        Ok(Self::over(Arc::new(http), lessons))
    }

    /// Over a wire.
    pub(crate) fn over(wire: Arc<dyn Wire>, lessons: Lessons) -> Self {
        let (heard, taught, allowed, connected) = Default::default();
        Self { wire, lessons, heard, taught, allowed, connected }
    }

    /// Says `call`, unless this pod has heard it.
    ///
    /// # Errors
    /// The agent did not take it; saying it again is safe.
    pub async fn call(&self, call: &Call) -> Result<(), AgentCallError> {
        let (pod, uid, what) = match call {
            Call::Steer { pod, uid, .. } => (pod, uid, "the message"),
            Call::Teach { pod, sources } => return self.teach(pod, sources).await,
            Call::Connect { pod, task, connectors, seal } => return self.connect(pod, task, connectors, seal).await,
            Call::Allow { pod, uid, allowance } => return self.allow(pod, uid, allowance).await,
            Call::PutTask { pod, uid, .. } => (pod, uid, "the task"),
            Call::CancelTask { pod, uid } => (pod, uid, "the cancellation"),
            Call::Answer { pod, id, .. } => (pod, id, "the answer"),
        };
        let is_cancellation = matches!(call, Call::CancelTask { .. });
        let said = match call {
            Call::Steer { task, .. } => format!("{what} {uid} to {task}"),
            _ => format!("{what} {uid}"),
        };
        let said = (pod.uid.clone(), said);
        if self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(&said) {
            return Ok(());
        }
        // Made only now: a task may be long, and a working agent's is decided upon again and again.
        let sent = match call {
            Call::PutTask { request, .. } => self.put(pod, what, format!("tasks/{uid}"), request).await,
            Call::Answer { answer, .. } => self.put(pod, what, format!("requests/{uid}/answer"), answer).await,
            Call::Steer { task, message, .. } => {
                self.put(pod, what, format!("tasks/{task}/messages/{uid}"), message).await
            }
            _ => self.send(pod, what, Method::POST, format!("tasks/{uid}/cancel"), Vec::new()).await,
        };
        match sent {
            // What the agent does not know, it does not do.
            Err(AgentCallError::Refused { status: StatusCode::NOT_FOUND, .. }) if is_cancellation => {}
            // It does not work on that task any more, as its events are about to say, or not yet again.
            Err(AgentCallError::Refused { status: StatusCode::CONFLICT, .. }) if matches!(call, Call::Steer { .. }) => {
                return Ok(());
            }
            result => result?,
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= HEARD {
            heard.clear();
        }
        heard.insert(said);
        Ok(())
    }

    /// Hands over the content of `sources`, unless they are what this pod was taught last.
    async fn teach(&self, pod: &PodAddress, sources: &[Source]) -> Result<(), AgentCallError> {
        let taught = || self.taught.lock().unwrap_or_else(PoisonError::into_inner);
        let agent = (pod.uid.clone(), pod.port);
        if taught().get(&agent).is_some_and(|taught| taught == sources) {
            return Ok(());
        }
        let knowledge = self.lessons.read(sources).await.map_err(|error| AgentCallError::Unread(Box::new(error)))?;
        self.put(pod, "what it is to know", "knowledge".into(), &knowledge).await?;
        let mut taught = taught();
        if taught.len() >= HEARD {
            taught.clear();
        }
        taught.insert(agent, sources.to_vec());
        Ok(())
    }

    /// Says what a task may cost, unless that is what this pod was told last.
    async fn allow(&self, pod: &PodAddress, uid: &str, allowance: &Allowance) -> Result<(), AgentCallError> {
        let allowed = || self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        let said = (uid.to_owned(), allowance.clone());
        let agent = (pod.uid.clone(), pod.port);
        if allowed().get(&agent) == Some(&said) {
            return Ok(());
        }
        self.put(pod, "the allowance", format!("tasks/{uid}/allowance"), allowance).await?;
        let mut allowed = allowed();
        if allowed.len() >= HEARD {
            allowed.clear();
        }
        allowed.insert(agent, said);
        Ok(())
    }

    /// Says how a task reaches its connectors, unless that is what this process was told last.
    async fn connect(
        &self,
        pod: &PodAddress,
        task: &str,
        connectors: &[Connector],
        seal: &Sensitive,
    ) -> Result<(), AgentCallError> {
        let connected = || self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let said = serde_json::to_vec(&(pod.restarts, task, connectors)).map_err(|_| SealError::Content)?;
        let (agent, said) = ((pod.uid.clone(), pod.port), Sha256::digest(said).into());
        if connected().get(&agent) == Some(&said) {
            return Ok(());
        }
        let sealed = SealingKey::new(seal.reveal())?.seal(task, connectors)?;
        self.put(pod, "how to reach connectors", format!("tasks/{task}/connectors"), &sealed).await?;
        let mut connected = connected();
        if connected.len() >= HEARD {
            connected.clear();
        }
        connected.insert(agent, said);
        Ok(())
    }

    async fn put(
        &self,
        pod: &PodAddress,
        what: &'static str,
        path: String,
        content: &impl Serialize,
    ) -> Result<(), AgentCallError> {
        let unreachable =
            |source: serde_json::Error| AgentCallError::Unreachable { ip: pod.ip.clone(), source: source.into() };
        let body = serde_json::to_vec(content).map_err(unreachable)?;
        self.send(pod, what, Method::PUT, path, body).await
    }

    async fn send(
        &self,
        pod: &PodAddress,
        what: &'static str,
        method: Method,
        path: String,
        body: Vec<u8>,
    ) -> Result<(), AgentCallError> {
        let unreachable = |source| AgentCallError::Unreachable { ip: pod.ip.clone(), source };
        let asked = self.wire.ask(Asked { pod: pod.clone(), method, path, body });
        let span = debug_span!("tell", what, pod = pod.uid);
        let (status, body) = asked.instrument(span).await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(());
        }
        let body = body.chars().take(200).collect();
        Err(AgentCallError::Refused { ip: pod.ip.clone(), what, status, body })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use komputer_events::{Sealed, connector::Login, connector::Server as McpServer};
    use kube::client::Body;

    use super::*;

    /// Takes everything, and keeps it.
    #[derive(Clone, Default)]
    struct Ear(Arc<Mutex<Vec<Heard>>>);

    /// A path, and what was sent there.
    type Heard = (String, Vec<u8>);

    impl Wire for Ear {
        fn ask(&self, Asked { path, body, .. }: Asked) -> BoxFuture<'_, Result<(StatusCode, String), WireError>> {
            self.0.lock().unwrap().push((path, body));
            async { Ok((StatusCode::ACCEPTED, String::new())) }.boxed()
        }
    }

    #[tokio::test]
    async fn how_to_reach_connectors_is_told_sealed_and_once_to_each_process_for_each_task() {
        let nobody = tower::service_fn(async |_: Request<Body>| {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let ear = Ear::default();
        let client = AgentClient::over(Arc::new(ear.clone()), Lessons::new(kube::Client::new(nobody, "default")));
        let login = |secret: &str| Login { header: "X-Key".into(), scheme: String::new(), secret: secret.into() };
        let connector = |secret: &str| {
            let server = McpServer::Http { url: "https://mcp.example.com".into(), login: Some(login(secret)) };
            Connector { name: "mcp".into(), server }
        };
        let key = "a".repeat(64);
        let told = [("t1", 0, "one"), ("t1", 0, "one"), ("t1", 1, "one"), ("t2", 1, "one"), ("t2", 1, "two")];
        for (task, restarts, secret) in told {
            let (uid, ip, token) = ("p".into(), "10.0.0.1".into(), Sensitive::new("t"));
            let pod = PodAddress { uid, restarts, ip, port: 8000, token };
            let (connectors, seal) = (vec![connector(secret)], Sensitive::new(key.clone()));
            client.call(&Call::Connect { pod, task: task.into(), connectors, seal }).await.unwrap();
        }
        let heard = ear.0.lock().unwrap();
        let opened: Vec<_> = heard
            .iter()
            .map(|(path, body)| {
                assert!(!String::from_utf8_lossy(body).contains("mcp.example.com"), "it is sealed");
                let task = path.split('/').nth(1).unwrap();
                let sealed: Sealed = serde_json::from_slice(body).unwrap();
                let opened = SealingKey::new(&key).unwrap().open(task, &sealed).unwrap();
                (path.as_str(), opened)
            })
            .collect();
        let expected = [("t1", "one"), ("t1", "one"), ("t2", "one"), ("t2", "two")];
        let paths = expected.map(|(task, _)| format!("tasks/{task}/connectors"));
        let expected: Vec<_> =
            paths.iter().zip(expected).map(|(path, (_, secret))| (path.as_str(), vec![connector(secret)])).collect();
        assert_eq!(opened, expected);
    }
}
