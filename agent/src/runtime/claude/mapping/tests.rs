use serde_json::json;

use super::*;

/// One frame of each kind, as Claude Code 2.1.330 wrote them.
const FRAMES: &str = include_str!("../../../../tests/fixtures/frames.jsonl");

fn captured(is_meant: impl Fn(&Value) -> bool) -> Vec<Signal> {
    let mut mapping = Mapping::default();
    let frames = FRAMES.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    frames.filter(|frame| is_meant(frame)).flat_map(|frame| map(&mut mapping, frame)).collect()
}

fn map(mapping: &mut Mapping, frame: Value) -> Vec<Signal> {
    let text = frame.to_string();
    mapping.map(serde_json::from_value(frame).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn one(frame: Value) -> Vec<Signal> {
    map(&mut Mapping::default(), frame)
}

fn of_type(kind: &str) -> Vec<Signal> {
    captured(|frame| frame["type"] == kind)
}

fn subtype(subtype: &str) -> Vec<Signal> {
    captured(|frame| frame["subtype"] == subtype)
}

#[test]
fn every_captured_frame_can_be_read() {
    assert!(captured(|_| true).len() > 10);
}

#[test]
fn what_the_model_says_and_does_is_told() {
    let text = |content: &str| Signal::Say(Body::Text { content: content.into() });
    assert_eq!(
        of_type("assistant"),
        [
            text("x"),
            text("one "),
            Signal::AuthenticationFailed("Not logged in · Please run /login".into()),
            Signal::Say(Body::Thinking { content: "let me see".into() }),
            Signal::Say(Body::ToolCall {
                id: "toolu_fake_5172dfafbcc04a51b4".into(),
                tool: "Nope".into(),
                input: json!({})
            }),
        ]
    );
    assert_eq!(of_type("stream_event"), [Signal::Delta("2".into())]);
}

#[test]
fn a_result_is_told_with_its_tool_also_where_it_failed() {
    let signals = captured(|frame| matches!(frame["type"].as_str(), Some("assistant" | "user")));
    assert_eq!(
        signals.last(),
        Some(&Signal::Say(Body::ToolResult {
            id: "toolu_fake_5172dfafbcc04a51b4".into(),
            tool: "Nope".into(),
            output: "<tool_use_error>Error: No such tool available: Nope</tool_use_error>".into(),
            is_error: true,
        }))
    );
}

#[test]
fn results_in_blocks_are_text() {
    let content =
        json!([{"type": "text", "text": "a"}, {"type": "image", "source": {}}, {"type": "text", "text": "b"}]);
    let frame = json!({"type": "user", "message": {"content": [
        {"type": "tool_result", "tool_use_id": "t", "content": content},
        {"type": "tool_result", "tool_use_id": "u"},
    ]}});
    let outputs: Vec<_> = one(frame)
        .into_iter()
        .map(|signal| match signal {
            Signal::Say(Body::ToolResult { output, is_error: false, .. }) => output,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(outputs, ["a\n[not text]\nb", ""]);
}

#[test]
fn a_subagent_works_in_the_open_but_does_not_answer() {
    let frame = json!({"type": "assistant", "parent_tool_use_id": "t", "message": {"content": [
        {"type": "text", "text": "found"},
        {"type": "tool_use", "id": "u", "name": "Bash", "input": {"command": "ls"}},
    ]}});
    assert!(matches!(&one(frame)[..], [Signal::Say(Body::ToolCall { .. })]));
    let delta = json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}});
    assert_eq!(one(json!({"type": "stream_event", "parent_tool_use_id": "t", "event": delta})), []);
}

#[test]
fn success_that_is_an_error_is_an_error() {
    let turns: Vec<_> = of_type("result")
        .into_iter()
        .map(|signal| match signal {
            Signal::Turn(turn) => (turn.succeeded, turn.is_api_error, turn.text),
            other => panic!("{other:?}"),
        })
        .collect();
    let failed = |text: &str| (false, false, text.to_owned());
    assert_eq!(turns[1], failed("Reached maximum budget ($0.08)"));
    assert_eq!(turns[2], failed("Reached maximum number of turns (2)"));
    assert!(turns[3].0);
    let (succeeded, is_api_error, _) = turns[4];
    assert!(!succeeded && is_api_error);
}

#[test]
fn the_state_of_the_session_is_told() {
    assert_eq!(subtype("session_state_changed"), [Signal::Idle]);
    assert_eq!(subtype("background_tasks_changed"), [Signal::Background(0)]);
    let compaction = Body::Compaction { trigger: "auto".into(), tokens_before: 195_055, tokens_after: 2_960 };
    assert_eq!(subtype("compact_boundary"), [Signal::Say(compaction)]);
    let retry = Body::ApiRetry { attempt: 1, status: None, error: "unknown".into(), delay_ms: 528 };
    assert_eq!(subtype("api_retry"), [Signal::Say(retry)]);
    let progress =
        Body::ToolProgress { id: "toolu_fake_eed7b610825f439cb9".into(), tool: "Bash".into(), elapsed_seconds: 30 };
    assert_eq!(of_type("tool_progress"), [Signal::Say(progress)]);
}

#[test]
fn a_key_that_is_not_accepted_is_told_at_once() {
    let retry = json!({"type": "system", "subtype": "api_retry", "attempt": 1, "error_status": 401,
        "error": "authentication_failed", "retry_delay_ms": 500.5});
    assert!(matches!(&one(retry)[..], [Signal::Say(_), Signal::AuthenticationFailed(_)]));
}

#[test]
fn what_is_not_known_is_passed_over() {
    for frame in [
        json!({"type": "telepathy", "message": 7}),
        json!({"type": "system", "subtype": "telepathy", "state": 7}),
        json!({"type": "assistant", "message": {"content": [{"type": "telepathy", "text": 7}]}}),
        json!({"type": "stream_event", "event": {"type": "telepathy"}}),
    ] {
        assert_eq!(one(frame), []);
    }
}

#[test]
fn what_is_too_long_is_cut() {
    let long = "x".repeat(100_000);
    let frame = json!({"type": "assistant", "message": {"content": [
        {"type": "text", "text": long},
        {"type": "tool_use", "id": "t", "name": "Write", "input": {"content": long}},
    ]}});
    let signals = one(frame);
    let [Signal::Say(Body::Text { content }), Signal::Say(Body::ToolCall { input: Value::String(input), .. })] =
        &signals[..]
    else {
        panic!("not cut")
    };
    assert!(content.len() <= limits::TEXT && content.ends_with(limits::MARKER));
    assert!(input.len() <= limits::TOOL && input.ends_with(limits::MARKER));
}
