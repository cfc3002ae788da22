use proptest::prelude::*;

use super::*;

fn steps(text: &str) -> Vec<Step> {
    parse(text).unwrap().steps
}

fn blocks(text: &str) -> Vec<Vec<Block>> {
    steps(text).into_iter().map(|step| step.blocks).collect()
}

fn text(text: &str) -> Block {
    Block::Text(text.into())
}

#[test]
fn a_message_ends_with_text_or_a_tool_call() {
    assert_eq!(
        blocks("please <<think: hm>><<say: first>> <<bash: echo hi>>\n<<text: done>>"),
        [vec![Block::Thinking("hm".into()), text("first"), bash("echo hi")], vec![text("done")]]
    );
}

#[test]
fn an_ampersand_joins_calls() {
    assert_eq!(blocks("<<bash: a>>&<<bash: b>><<text: c>>"), [vec![bash("a"), bash("b")], vec![text("c")]]);
    assert_eq!(blocks("<<bash: a>>&"), [vec![bash("a")]]);
}

#[test]
fn a_tool_takes_json_and_a_nested_script() {
    let expected = Block::ToolUse { name: "Agent".into(), input: json!({"prompt": "<<bash: x>><<text: y>>"}) };
    assert_eq!(blocks(r#"<<tool: Agent {"prompt": "{%bash: x%}{%text: y%}"}>>"#), [[expected]]);
    assert_eq!(blocks("<<tool: Now>>"), [[Block::ToolUse { name: "Now".into(), input: json!({}) }]]);
}

#[test]
fn a_shell_may_redirect() {
    assert_eq!(blocks("<<bash: cat <<EOF\nx\nEOF>>"), [[bash("cat <<EOF\nx\nEOF")]]);
    assert_eq!(blocks("<<bash: echo x %} log>>"), [[bash("echo x >> log")]]);
}

#[test]
fn waits_usage_stop_and_failures_belong_to_the_step_they_precede() {
    let steps = steps(
        "<<err: 529 overloaded_error*2>><<err: 429>><<drop:>><<usage: 180000>><<stop: refusal>><<slow: 1.5 a b>><<hang: 2>>",
    );
    assert_eq!(steps.len(), 2);
    assert_eq!(
        steps[0].failures,
        [
            Failure::Http { status: 529, kind: "overloaded_error".into(), times: 2 },
            Failure::Http { status: 429, kind: "rate_limit_error".into(), times: 1 },
            Failure::Cut { times: 1 }
        ]
    );
    assert_eq!((steps[0].prompt_tokens, steps[0].stop_reason.as_deref()), (Some(180_000), Some("refusal")));
    assert_eq!((steps[0].drip, &steps[0].blocks), (Duration::from_millis(1500), &vec![text("a b")]));
    assert_eq!((steps[1].hang, &steps[1].blocks), (Duration::from_secs(2), &vec![text("late")]));
}

#[test]
fn a_failure_at_the_end_is_recovered_from() {
    assert_eq!(blocks("<<err: 500>>"), [[text("recovered")]]);
}

#[test]
fn a_refusal_needs_no_text() {
    assert_eq!(blocks("<<stop: refusal>>"), [[]]);
}

#[test]
fn times_repeats_a_directive_or_a_script() {
    assert_eq!(blocks("<<times: 2 bash: echo {n}>><<text: end>>"), [[bash("echo 1")], [bash("echo 2")], [text("end")]]);
    assert_eq!(blocks("<<times: 2 {%say: {n}%}{%bash: x%}>>"), [[text("1"), bash("x")], [text("2"), bash("x")]]);
    assert_eq!(blocks("<<times: 2 {%bash: {n}%}&>><<text: end>>"), [vec![bash("1"), bash("2"), text("end")]]);
    assert_eq!(steps("<<times: 200 bash: true>>").len(), 200);
    assert_eq!(parse("<<times: 9999 {%times: 9999 bash: true%}>>"), Err(BadScript::TooLong));
    assert_eq!(parse("<<times: 18446744073709551615 {%%}>>"), Err(BadScript::TooLong));
    assert_eq!(parse(&("<<times: 1 ".repeat(100_000) + "bash: true>>")), Err(BadScript::TooLong));
}

#[test]
fn a_step_keeps_its_source() {
    let script = "<<err: 500>><<bash: {%a%}>>&<<bash: b>>";
    assert_eq!(steps(script)[0].source, script);
}

#[test]
fn a_tag_names_the_script() {
    assert_eq!(parse("<<tag: run-7>><<text: x>>").unwrap().tag.as_deref(), Some("run-7"));
}

#[test]
fn a_bad_script_says_what_is_wrong() {
    for (script, message) in [
        ("<<bsh: ls>>", "<<bsh: …>> is no directive"),
        ("<<tool: X {>>", "expected a tool's name and a JSON object"),
        ("<<slow: soon x>>", "seconds between 0 and 3600"),
        ("<<hang: -1>>", "seconds between 0 and 3600"),
        ("<<hang: NaN>>", "seconds between 0 and 3600"),
        ("<<err: 200>>", "an HTTP error like"),
        ("<<usage: many>>", "a number of tokens"),
        ("<<times: bash: x>>", "a count and a directive"),
        ("<<drop: x>>", "a count"),
        ("<<tag: a b>>", "at most 64 letters"),
        ("<<tag: alone>>", "the script has no step"),
    ] {
        let error = parse(script).unwrap_err().to_string();
        assert!(error.contains(message), "{script}: {error}");
    }
}

#[test]
fn other_brackets_are_no_directives() {
    for text in ["cat <<EOF >> x", "cout << a >> b", "<<a::b>>", "<<: x>>", "<<bash: x", "a << b: c >> d"] {
        assert_eq!(directives(text).count(), 0, "{text}");
    }
    assert_eq!(directives("<<<bash: x>>").count(), 1);
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "(<<|>>|&|:| |\\{%|%\\}|bash|times|err|slow|9|é|\\PC){0,40}") {
        let _ = parse(&text);
    }
}
