//! The endpoints over HTTP, as the kubelet and Prometheus see them.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used)]

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use komputer_telemetry::{Health, Registry, serve};
use prometheus_client::metrics::counter::Counter;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
};

/// A free port of an address that no other test here takes ports of.
fn free_address(host: &str) -> SocketAddr {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

async fn connected(address: SocketAddr) -> TcpStream {
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = connected(address).await;
    stream.write_all(format!("{head} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn health_readiness_and_metrics_are_served() {
    let (address, health, registry) = (free_address("127.0.0.2"), Health::default(), Registry::new("komputer-test"));
    let caches = health.check("caches");
    registry.register("events", "Events", Counter::<u64>::default()).inc();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(address, health, registry, async {
        let _ = stopped.await;
    }));

    let healthy = ask(address, "GET /healthz").await;
    assert!(healthy.starts_with("HTTP/1.1 200") && healthy.contains(r#"{"status":"ok"}"#), "{healthy}");

    let waiting = ask(address, "GET /readyz").await;
    assert!(waiting.starts_with("HTTP/1.1 503"), "{waiting}");
    assert!(waiting.contains(r#""failing":{"caches":"not done yet"}"#), "{waiting}");
    caches.pass();
    let ready = ask(address, "GET /readyz?verbose").await;
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains(r#"{"status":"ready"}"#), "{ready}");

    let metrics = ask(address, "GET /metrics").await;
    assert!(metrics.contains("application/openmetrics-text") && metrics.contains("komputer_test_events_total 1\n"));
    for metric in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
        assert!(metrics.contains(&format!("\n{metric} ")), "{metric} is missing from {metrics}");
    }

    let head = ask(address, "HEAD /metrics").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask(address, "POST /healthz").await.starts_with("HTTP/1.1 405"));
    assert!(ask(address, "GET /").await.starts_with("HTTP/1.1 404"));

    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_others_out() {
    let address = free_address("127.0.0.3");
    tokio::spawn(serve(address, Health::default(), Registry::new("komputer-test"), std::future::pending()));
    drop(connected(address).await);
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connected(address).await);
    }
    assert!(ask(address, "GET /healthz").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let served = serve(address, Health::default(), Registry::new("komputer-test"), std::future::pending()).await;
    assert!(served.unwrap_err().to_string().contains(&address.to_string()));
}
