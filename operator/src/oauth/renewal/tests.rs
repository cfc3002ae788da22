//! Against a real token endpoint, by HTTP; of the apiserver there is one Secret.
use std::{convert::Infallible, future::pending};

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::Instant};

use super::*;

/// One Secret, as the apiserver keeps it.
#[derive(Clone)]
struct Kept(Arc<Mutex<Shelf>>);

struct Shelf {
    data: Value,
    version: u32,
    is_immutable: bool,
    /// How many writes are to fail.
    fails: u32,
    writes: u32,
}

impl Kept {
    fn new(document: &Value) -> Self {
        let data = json!({ "token": document.to_string(), "client_id": "me", "client_secret": "secret" });
        Self(Arc::new(Mutex::new(Shelf { data, version: 1, is_immutable: false, fails: 0, writes: 0 })))
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.0.lock().unwrap()
    }

    fn token(&self) -> Value {
        serde_json::from_str(self.shelf().data["token"].as_str().unwrap()).unwrap()
    }

    fn put(&self, document: &Value) {
        let mut shelf = self.shelf();
        shelf.data["token"] = document.to_string().into();
        shelf.version += 1;
    }

    fn client(&self) -> Client {
        let kept = self.clone();
        Client::new(
            tower::service_fn(move |request: Request<Body>| {
                let kept = kept.clone();
                async move { Ok::<_, Infallible>(kept.answer(request).await) }
            }),
            "default",
        )
    }

    async fn answer(&self, request: Request<Body>) -> Response<Full<bytes::Bytes>> {
        assert_eq!(request.uri().path(), "/api/v1/namespaces/tools/secrets/notion");
        let method = request.method().clone();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let (status, answer) = if method == Method::GET { self.read() } else { self.patch(&body) };
        let mut response = Response::new(Full::from(answer.to_string().into_bytes()));
        *response.status_mut() = status;
        response
    }

    fn read(&self) -> (StatusCode, Value) {
        let shelf = self.shelf();
        let data: serde_json::Map<_, _> = shelf
            .data
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| {
                let bytes = ByteString(value.as_str().unwrap().as_bytes().to_vec());
                (key.clone(), serde_json::to_value(bytes).unwrap())
            })
            .collect();
        let metadata = json!({ "name": "notion", "uid": "s1", "resourceVersion": shelf.version.to_string() });
        (StatusCode::OK, json!({ "metadata": metadata, "data": data, "immutable": shelf.is_immutable }))
    }

    fn patch(&self, body: &[u8]) -> (StatusCode, Value) {
        let mut shelf = self.shelf();
        let patch: Value = serde_json::from_slice(body).unwrap();
        let version = shelf.version.to_string();
        if shelf.fails > 0 || patch["metadata"]["resourceVersion"] != *version {
            shelf.fails = shelf.fails.saturating_sub(1);
            let status = json!({ "status": "Failure", "message": "changed", "reason": "Conflict", "code": 409 });
            return (StatusCode::CONFLICT, status);
        }
        let bytes: ByteString = serde_json::from_value(patch["data"]["token"].clone()).unwrap();
        shelf.data["token"] = String::from_utf8(bytes.0).unwrap().into();
        (shelf.version, shelf.writes) = (shelf.version + 1, shelf.writes + 1);
        (StatusCode::OK, json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {} }))
    }
}

/// A token endpoint, and who leads.
struct World {
    address: String,
    _server: JoinHandle<std::io::Result<()>>,
    lead: watch::Sender<Option<Instant>>,
}

impl World {
    async fn new() -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // another test may have
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(scripted_model::serve(listener, scripted_model::Config::default(), pending()));
        let lead = watch::Sender::new(Some(Instant::now() + Duration::from_hours(1)));
        Self { address, _server: server, lead }
    }

    fn renewals(&self, kept: &Kept) -> Renewals {
        Renewals::new(kept.client(), Leadership::new(self.lead.subscribe()), &Registry::new("test")).unwrap()
    }

    fn url(&self, query: &str) -> String {
        format!("http://{}/oauth/token{query}", self.address)
    }
}

fn key() -> SecretKey {
    SecretKey { namespace: "tools".into(), name: "notion".into(), key: "token".into() }
}

/// A token that ends in so many seconds.
fn document(name: &str, number: u32, left: i64) -> Value {
    let end = clock::now().as_second() + left;
    json!({
        "access_token": format!("{name}-access-{number}"), "refresh_token": format!("{name}-refresh-{number}"),
        "expires_at": end, "service": "notion",
    })
}

async fn token(renewals: &Renewals, url: &str) -> Result<String, String> {
    renewals.current(&key(), Some(url)).await.map(|current| current.token.reveal().to_owned())
}

#[tokio::test]
async fn a_token_is_refreshed_once_for_all_that_need_it_and_stays_in_its_secret() {
    let world = World::new().await;
    let kept = Kept::new(&document("a", 1, 3600));
    let (renewals, url) = (world.renewals(&kept), world.url(""));
    assert_eq!(token(&renewals, &url).await, Ok("a-access-1".into()), "it counts for a while");
    kept.put(&document("a", 1, 200));
    let all = futures::future::join_all((0..20).map(|_| token(&renewals, &url))).await;
    assert!(all.iter().all(|token| *token == Ok("a-access-2".into())), "{all:?}");
    let stored = kept.token();
    assert_eq!((&stored["refresh_token"], &stored["service"]), (&json!("a-refresh-2"), &json!("notion")));
    assert!(stored["expires_at"].as_i64().unwrap() > clock::now().as_second() + 3000);
    assert_eq!(kept.shelf().writes, 1);

    // Another process goes on from there.
    kept.put(&document("a", 2, -10));
    assert_eq!(token(&world.renewals(&kept), &url).await, Ok("a-access-3".into()));
    let until = renewals.current(&key(), Some(&url)).await.unwrap().until.unwrap();
    assert!(until > clock::now() + Duration::from_mins(50), "it is looked at again before it ends");
}

#[tokio::test]
async fn each_kind_of_client_is_known_to_its_endpoint() {
    let world = World::new().await;
    for query in ["?client=header", "?client=body"] {
        let kept = Kept::new(&document(&query[8..], 1, -10));
        let refreshed = token(&world.renewals(&kept), &world.url(query)).await;
        assert_eq!(refreshed, Ok(format!("{}-access-2", &query[8..])));
    }
}

#[tokio::test]
async fn what_was_given_counts_also_while_it_cannot_be_written() {
    let world = World::new().await;
    let kept = Kept::new(&document("b", 1, -10));
    let (renewals, url) = (world.renewals(&kept), world.url(""));
    kept.shelf().fails = 1;
    let current = renewals.current(&key(), Some(&url)).await.unwrap();
    assert_eq!(current.token.reveal(), "b-access-2");
    assert!(current.until.unwrap() <= clock::now() + SHORTEST, "it is tried again soon");
    assert_eq!(kept.token()["refresh_token"], "b-refresh-1");
    assert_eq!(
        token(&renewals, &url).await,
        Ok("b-access-2".into()),
        "the endpoint would not give another for the old one"
    );
    assert_eq!(kept.token()["refresh_token"], "b-refresh-2");

    // Also where the endpoint is away before it could be.
    kept.put(&document("h", 1, -10));
    kept.shelf().fails = 2;
    assert_eq!(token(&renewals, &world.url("?expires_in=1")).await, Ok("h-access-2".into()));
    assert!(token(&renewals, "http://127.0.0.1:1/").await.unwrap_err().contains("cannot be reached"));
    assert_eq!(token(&renewals, &url).await, Ok("h-access-3".into()));

    // Who logs in anew meanwhile is right.
    kept.put(&document("b", 2, -10));
    kept.shelf().fails = 1;
    assert_eq!(token(&renewals, &url).await, Ok("b-access-3".into()));
    kept.put(&document("c", 7, 3600));
    assert_eq!(token(&renewals, &url).await, Ok("c-access-7".into()));
    assert_eq!(kept.token()["refresh_token"], "c-refresh-7");
}

#[tokio::test]
async fn a_refusal_is_said_and_not_asked_for_again_until_somebody_logs_in() {
    let world = World::new().await;
    let kept = Kept::new(&document("d", 1, -10));
    let (renewals, url) = (world.renewals(&kept), world.url(""));
    token(&renewals, &url).await.unwrap();
    kept.put(&document("d", 1, -10));
    let words = format!(
        "Secret tools/notion: key token cannot be refreshed at {url}: it answered 400 invalid_grant; log in anew, or correct \
         spec.auth of the connector"
    );
    assert_eq!(token(&renewals, &url).await, Err(words.clone()));
    let nowhere = "http://127.0.0.1:1/";
    assert!(token(&renewals, nowhere).await.unwrap_err().contains("invalid_grant"), "the endpoint is not asked");
    kept.put(&document("d", 2, -10));
    assert_eq!(token(&renewals, &url).await, Ok("d-access-3".into()));

    // One that counts still is used as long as it does.
    kept.put(&document("d", 1, 200));
    let current = renewals.current(&key(), Some(&url)).await.unwrap();
    assert_eq!(current.token.reveal(), "d-access-1");
    assert!(current.until.unwrap() <= clock::now() + SHORTEST);
    let counted = |result| renewals.refreshes.get_or_create(&Refresh { result }).get();
    assert_eq!(["ok", "refused", "away"].map(counted), [2, 2, 0]);
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_asked_for() {
    let world = World::new().await;
    let kept = Kept::new(&document("e", 1, -10));
    let (renewals, url) = (world.renewals(&kept), world.url(""));
    kept.shelf().is_immutable = true;
    assert!(token(&renewals, &url).await.unwrap_err().contains("the Secret is immutable"));
    kept.shelf().is_immutable = false;
    world.lead.send_replace(None);
    assert!(token(&renewals, &url).await.unwrap_err().contains("another operator leads now"));
    world.lead.send_replace(Some(Instant::now() + Duration::from_hours(1)));
    assert_eq!(token(&renewals, &url).await, Ok("e-access-2".into()), "nobody has used it up");
}

#[tokio::test]
async fn who_waits_may_go_and_what_was_given_is_written_all_the_same() {
    let world = World::new().await;
    let kept = Kept::new(&document("f", 1, -10));
    let (renewals, url) = (world.renewals(&kept), world.url(""));
    let waiting = token(&renewals, &url);
    assert!(futures::poll!(std::pin::pin!(waiting)).is_pending(), "it has begun, and nobody waits for it any more");
    renewals.finish().await;
    assert_eq!(kept.token()["refresh_token"], "f-refresh-2");
}

#[tokio::test]
async fn what_is_no_document_is_used_as_it_is() {
    let world = World::new().await;
    let kept = Kept::new(&document("g", 1, -10));
    let renewals = world.renewals(&kept);
    assert_eq!(renewals.current(&key(), None).await.unwrap().token.reveal(), "g-access-1", "nobody says where");
    kept.shelf().data["token"] = "ghp_4711\n".into();
    assert_eq!(token(&renewals, &world.url("")).await, Ok("ghp_4711".into()));
    kept.put(&json!({ "refresh_token": "x", "expires_at": 0 }));
    let words = renewals.current(&key(), None).await.unwrap_err();
    assert!(words.contains("holds neither a token nor JSON with an access_token"), "{words}");
}
