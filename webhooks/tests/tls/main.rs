//! The HTTPS server, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::stream;
use komputer_webhooks::tls::{HotCertificate, Limits, serve, server_config};
use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};
use reqwest::{Body, Certificate, Client, StatusCode};
use rustls::{pki_types::PrivateKeyDer, sign::CertifiedKey};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
};
use warp::{Filter as _, Reply as _};

struct Server {
    address: SocketAddr,
    certificate: Arc<HotCertificate>,
    stop: Option<oneshot::Sender<()>>,
    /// A request to /slow says that it is here.
    here: Arc<Notify>,
    /// And waits for this.
    go_on: Arc<Notify>,
    ended: JoinHandle<()>,
}

async fn server(limits: Limits) -> Server {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, certificate) = (listener.local_addr().unwrap(), Arc::new(HotCertificate::default()));
    let (stop, stopped) = oneshot::channel();
    let (here, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrives, waits) = (here.clone(), go_on.clone());
    let length = warp::path!("length")
        .and(warp::body::bytes())
        .map(|body: warp::hyper::body::Bytes| body.len().to_string().into_response());
    let echo = warp::path!("echo")
        .and(warp::body::bytes())
        .map(|body: warp::hyper::body::Bytes| warp::reply::Response::new(body.into()));
    let slow = warp::path!("slow").then(move || {
        let (arrives, waits) = (arrives.clone(), waits.clone());
        async move {
            arrives.notify_one();
            waits.notified().await;
            "done".into_response()
        }
    });
    let broken = warp::path!("broken").map(|| -> warp::reply::Response { panic!("as it has to") });
    let routes = length.or(echo).unify().or(slow).unify().or(broken).unify().boxed();
    let config = server_config(certificate.clone(), None).unwrap();
    let ended = tokio::spawn(serve(listener, config, routes, limits, async { _ = stopped.await }));
    Server { address, certificate, stop: Some(stop), here, go_on, ended }
}

impl Server {
    /// Serves a new certificate, and answers a client that trusts no other.
    fn certified(&self) -> Client {
        let Generated { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        self.certificate.set(CertifiedKey::from_der(vec![cert.der().clone()], key, &provider).unwrap());
        let root = Certificate::from_der(cert.der()).unwrap();
        Client::builder().tls_certs_only([root]).no_proxy().build().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

#[tokio::test]
async fn new_handshakes_see_a_new_certificate_at_once() {
    let server = server(Limits::default()).await;
    let none = Client::builder().no_proxy().build().unwrap();
    assert!(none.post(server.url("/length")).send().await.is_err(), "there is no certificate yet");
    let first = server.certified();
    assert_eq!(first.post(server.url("/length")).body("abc").send().await.unwrap().text().await.unwrap(), "3");
    let second = server.certified();
    assert_eq!(second.post(server.url("/length")).body("abc").send().await.unwrap().text().await.unwrap(), "3");
    // What is open goes on.
    assert_eq!(first.post(server.url("/length")).body("ab").send().await.unwrap().text().await.unwrap(), "2");
}

#[tokio::test]
async fn a_body_is_limited_whether_it_says_its_length_or_not() {
    let server = server(Limits { body: 1000, ..Limits::default() }).await;
    let client = server.certified();
    let chunks = stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 200])));
    for body in [Body::from(vec![b'x'; 1001]), Body::wrap_stream(chunks)] {
        let refused = client.post(server.url("/length")).body(body).send().await;
        assert!(refused.is_ok_and(|response| response.status().is_client_error()));
    }
    let answer = client.post(server.url("/length")).body(vec![b'x'; 1000]).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "1000");
}

#[tokio::test]
async fn an_answer_leaves_at_once() {
    let server = server(Limits::default()).await;
    let client = server.certified();
    let mut took = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        let answer = client.post(server.url("/echo")).body(vec![b'x'; 20_000]).send().await.unwrap();
        assert_eq!(answer.bytes().await.unwrap().len(), 20_000);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    // Its end would wait 40 ms for the client to confirm its beginning.
    assert!(took[10] < Duration::from_millis(30), "{took:?}");
}

#[tokio::test]
async fn a_request_that_panics_is_answered_and_others_go_on() {
    let server = server(Limits::default()).await;
    let client = server.certified();
    let slow = tokio::spawn(client.get(server.url("/slow")).send());
    server.here.notified().await;
    let broken = client.get(server.url("/broken")).send().await.unwrap();
    assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
    server.go_on.notify_one();
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "done");
}

#[tokio::test]
async fn requests_under_way_are_answered_before_the_server_ends() {
    let mut server = server(Limits::default()).await;
    let client = server.certified();
    let slow = tokio::spawn(client.get(server.url("/slow")).send());
    server.here.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    server.go_on.notify_one();
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "done");
    server.ended.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn who_does_not_shake_hands_is_sent_away() {
    let server = server(Limits { handshake: Duration::from_millis(50), ..Limits::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
}
