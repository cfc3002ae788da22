//! What lies between the operator and the world: requests wait until the simulation answers them.
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, channel::mpsc, future::BoxFuture};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;

use super::apiserver::{Answer, Apiserver, Patch, Place, refusal};
use crate::agent_client::{Asked, Wire, WireError};

/// The body of an answer.
type Content = UnsyncBoxBody<Bytes, Infallible>;

/// What a request asks of the apiserver.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) method: Method,
    pub(super) place: Place,
    of_status: bool,
    is_apply: bool,
    body: Value,
}

/// A request that has not been answered.
pub(super) enum Pending {
    Cluster(Wanted, oneshot::Sender<Result<Answer, WireError>>),
    Agent(Asked, oneshot::Sender<Result<(StatusCode, String), WireError>>),
}

/// One operator's connections. They end with it.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) pending: Vec<Pending>,
    watching: BTreeMap<u64, mpsc::UnboundedSender<Bytes>>,
    is_dead: bool,
}

/// What the simulation and the connections of an operator share.
#[derive(Clone)]
pub(super) struct Network {
    pub(super) apiserver: Arc<Mutex<Apiserver>>,
    pub(super) lines: Arc<Mutex<Lines>>,
    watches: Arc<Mutex<u64>>,
}

impl Network {
    pub(super) fn new() -> Self {
        Self { apiserver: Arc::default(), lines: Arc::default(), watches: Arc::default() }
    }

    /// For another operator.
    pub(super) fn anew(&self) -> Self {
        Self { lines: Arc::default(), ..self.clone() }
    }

    pub(super) fn etcd(&self) -> MutexGuard<'_, Apiserver> {
        self.apiserver.lock().unwrap()
    }

    pub(super) fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap()
    }

    /// A client that speaks to it.
    pub(super) fn client(&self) -> Client {
        let network = self.clone();
        let answer = move |request: Request<Body>| {
            let network = network.clone();
            async move { network.answer(request).await }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Content>, WireError> {
        if self.lines().is_dead {
            return std::future::pending().await;
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let query: BTreeMap<_, _> = form_urlencoded(parts.uri.query().unwrap_or_default());
        let (plural, namespace, name, of_status) = place(parts.uri.path());
        if parts.method == Method::GET && name.is_empty() {
            let selector = query.get("labelSelector").and_then(|selector| selector.split_once('='));
            let selector = selector.map(|(key, value)| (key.to_owned(), value.to_owned()));
            if query.contains_key("watch") {
                let version = query.get("resourceVersion").and_then(|version| version.parse().ok());
                return Ok(self.watch(&plural, selector, version.unwrap_or_default()));
            }
            return Ok(response((200, self.etcd().list(&plural, selector.as_ref()))));
        }
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        let type_ = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name =
            if name.is_empty() { body["metadata"]["name"].as_str().unwrap_or_default().to_owned() } else { name };
        let wanted = Wanted {
            method: parts.method,
            place: (plural, namespace, name),
            of_status,
            is_apply: type_.contains("apply-patch"),
            body,
        };
        let (sender, receiver) = oneshot::channel();
        self.lines().pending.push(Pending::Cluster(wanted, sender));
        Ok(response(receiver.await??))
    }

    fn watch(&self, plural: &str, selector: Option<(String, String)>, version: u64) -> Response<Content> {
        let mut last = self.watches.lock().unwrap();
        *last += 1;
        let (sender, receiver) = mpsc::unbounded();
        let mut etcd = self.etcd();
        etcd.watch(*last, plural, selector, version);
        let mut lines = self.lines();
        lines.watching.extract_if(.., |_, line| line.is_closed()).for_each(|(id, _)| etcd.unwatch(id));
        lines.watching.insert(*last, sender);
        let frames = receiver.map(|line| Ok::<_, Infallible>(hyper::body::Frame::data(line)));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }

    /// Whether the watch is of this operator.
    pub(super) fn watches(&self, id: u64) -> bool {
        self.lines().watching.contains_key(&id)
    }

    /// Tells a watch of this operator what has happened next.
    pub(super) fn tell(&self, id: u64) {
        let Some(event) = self.etcd().tell(id) else { return };
        if let Some(line) = self.lines().watching.get(&id) {
            let _ = line.unbounded_send(Bytes::from(format!("{event}\n")));
        }
    }

    /// Ends a watch, whose events are not kept any more: all is to be listed anew.
    pub(super) fn expire(&self, choose: impl FnOnce(usize) -> usize) {
        let mut lines = self.lines();
        let ids: Vec<_> = lines.watching.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[choose(ids.len())];
        let line = lines.watching.remove(&id).unwrap();
        let (_, gone) = refusal(410, "Expired", "too old resource version");
        let _ =
            line.unbounded_send(Bytes::from(format!("{}\n", serde_json::json!({ "type": "ERROR", "object": gone }))));
        self.etcd().unwatch(id);
    }

    /// Nobody is told anything any more.
    pub(super) fn hang_up(&self) -> Vec<Pending> {
        let lines = std::mem::replace(&mut *self.lines(), Lines { is_dead: true, ..Lines::default() });
        lines.watching.keys().for_each(|id| self.etcd().unwatch(*id));
        lines.pending
    }
}

impl Wanted {
    pub(super) fn is_of_status(&self) -> bool {
        self.of_status
    }
}

/// Does what is wanted.
pub(super) fn execute(apiserver: &mut Apiserver, wanted: Wanted) -> Answer {
    let Wanted { method, place, of_status, is_apply, body } = wanted;
    match method {
        Method::GET => match apiserver.objects.get(&place) {
            Some(found) => (200, found.clone()),
            None => refusal(404, "NotFound", "not found"),
        },
        Method::POST => apiserver.create(place, body),
        Method::PATCH => apiserver.patch(place, Patch { of_status, is_apply, body }),
        Method::DELETE => apiserver.delete(&place, body["preconditions"]["uid"].as_str()),
        other => panic!("{other} is not simulated"),
    }
}

fn response((code, body): Answer) -> Response<Content> {
    Response::builder().status(code).body(Full::from(body.to_string()).boxed_unsync()).unwrap()
}

/// Kind, namespace, name, and whether it is about the status.
fn place(path: &str) -> (String, String, String, bool) {
    let mut parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.drain(..if parts[0] == "api" { 2 } else { 3 });
    let namespace = if parts[0] == "namespaces" && parts.len() > 2 { parts.drain(..2).nth(1).unwrap() } else { "" };
    let part = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
    (part(0), namespace.to_owned(), part(1), part(2) == "status")
}

fn form_urlencoded(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.replace("%2F", "/").replace("%3D", "="))).collect()
}

impl Wire for Network {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<(StatusCode, String), WireError>> {
        let (sender, receiver) = oneshot::channel();
        self.lines().pending.push(Pending::Agent(asked, sender));
        async move { receiver.await? }.boxed()
    }
}
