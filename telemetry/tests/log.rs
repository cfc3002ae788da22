//! What a process writes to standard error.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

const CHILD: &str = "KOMPUTER_TELEMETRY_TEST_CHILD";

/// Runs the test `name` of this file in a process of its own, and gives the lines it logs.
fn logged_by(name: &str, filter: &str) -> Vec<Value> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "yes")
        .env("KOMPUTER_LOG", filter)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    String::from_utf8(child.stderr).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
fn every_line_is_json_once() {
    if is_child() {
        let _first = komputer_telemetry::init("first");
        let _second = komputer_telemetry::init("second");
        tracing::info!(answer = 42, "hello");
        tracing::debug!("too quiet");
        let _ = std::panic::catch_unwind(|| panic!("broken {}", "thing"));
        return;
    }
    let lines = logged_by("every_line_is_json_once", "");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[0]["program"], &lines[0]["message"]), (&"first".into(), &"hello".into()));
    assert_eq!((&lines[0]["answer"], &lines[0]["level"]), (&42.into(), &"INFO".into()));
    assert_eq!((&lines[1]["level"], &lines[1]["message"]), (&"ERROR".into(), &"panic: broken thing".into()));
    assert!(lines[1]["at"].as_str().unwrap().contains("tests/log.rs:"), "{lines:?}");
}

#[test]
fn the_filter_comes_from_the_environment() {
    if is_child() {
        let _telemetry = komputer_telemetry::init("filtered");
        tracing::info!("quiet");
        tracing::debug!(target: "loud", "heard");
        return;
    }
    let lines = logged_by("the_filter_comes_from_the_environment", "warn,loud=debug");
    let messages: Vec<_> = lines.iter().map(|line| &line["message"]).collect();
    assert_eq!(messages, ["heard"]);

    let ignored = logged_by("the_filter_comes_from_the_environment", "loud=very");
    assert_eq!((&ignored[0]["level"], &ignored[0]["value"]), (&"WARN".into(), &"loud=very".into()));
    assert_eq!(ignored[1]["message"], "quiet");
}
