//! What a connection may take.
use std::{net::SocketAddr, time::Duration};

use komputer_api::server::{Limits, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use warp::{Filter as _, Reply as _};

struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

/// Answers `/` at once and `/slow` after a second.
async fn served(limits: Limits) -> Served {
    let slow = warp::path!("slow").then(|| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        "slow".into_response()
    });
    let routes = warp::path::end().map(|| "quick".into_response()).or(slow).unify().boxed();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    Served { address, shutdown: shutdown.clone(), server: tokio::spawn(serve(listener, routes, limits, shutdown)) }
}

/// What the server says until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await.expect("the connection stays open").unwrap();
    String::from_utf8(said).unwrap()
}

const QUICK: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_request_that_never_ends_and_a_connection_that_never_asks_are_closed() {
    let limits = Limits { header_read: Duration::from_millis(300), ..Limits::default() };
    let Served { address, .. } = served(limits).await;
    let mut unfinished = TcpStream::connect(address).await.unwrap();
    unfinished.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    rest(&mut unfinished).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(QUICK).await.unwrap();
    assert!(rest(&mut idle).await.ends_with("quick"));
}

#[tokio::test]
async fn a_request_line_and_headers_have_a_largest_size() {
    let Served { address, .. } = served(Limits { header_bytes: 16 * 1024, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000)).as_bytes()).await.unwrap();
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 414") || said.starts_with("HTTP/1.1 431"), "{said}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let Served { address, .. } = served(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(QUICK).await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(QUICK).await.unwrap();
    assert!(timeout(Duration::from_millis(300), second.read_exact(&mut answer)).await.is_err());
    drop(first);
    timeout(Duration::from_secs(30), second.read_exact(&mut answer)).await.expect("it is never answered").unwrap();
}

#[tokio::test]
async fn what_is_being_answered_is_finished_before_it_stops() {
    let Served { address, shutdown, server } = served(Limits::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    shutdown.cancel();
    assert!(rest(&mut stream).await.ends_with("slow"));
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
