//! What a process sends of its spans, to a collector that the test is.
#![cfg(feature = "traces")]
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::Command,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::ResourceSpans,
};
use prost::Message as _;

const CHILD: &str = "KOMPUTER_TELEMETRY_TEST_CHILD";

/// Takes one export, as a collector does.
fn take(listener: &TcpListener) -> (String, Vec<ResourceSpans>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length = head.to_lowercase().split_once("content-length: ").unwrap().1.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    let request = ExportTraceServiceRequest::decode(&*body).unwrap();
    (head.lines().next().unwrap().to_owned(), request.resource_spans)
}

#[tokio::test]
async fn spans_are_sent_where_the_environment_says_and_the_last_with_the_end() {
    if std::env::var_os(CHILD).is_some() {
        rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
        let telemetry = komputer_telemetry::init("tested");
        let target = "komputer_operator::controller";
        tracing::debug_span!(target: "komputer_operator::controller", "reconcile", name = "ada").in_scope(|| {
            tracing::debug_span!(target: "komputer_operator::carry_out", "write").in_scope(|| {});
            tracing::info_span!(target: "somebody_else", "noise").in_scope(|| {});
        });
        tracing::info!(target, "said");
        drop(telemetry);
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let test = "spans_are_sent_where_the_environment_says_and_the_last_with_the_end";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "yes")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (request, resources) = take(&listener);
    assert_eq!(request, "POST /v1/traces HTTP/1.1");
    let attributes = &resources[0].resource.as_ref().unwrap().attributes;
    let service = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    assert_eq!(service.value.as_ref().unwrap().value, Some(Value::StringValue("tested".into())));
    let spans = &resources[0].scope_spans[0].spans;
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["write", "reconcile"]);
    assert_eq!((&spans[0].trace_id, &spans[0].parent_span_id), (&spans[1].trace_id, &spans[1].span_id));
    let ended = child.wait_with_output().unwrap();
    let log = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success() && log.contains("said") && !log.contains("reconcile"), "{log}");
}
