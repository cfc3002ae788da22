use serde_json::{Value, json};

use super::*;

fn chosen(messages: &[Value]) -> Choice {
    choose(&request(messages, &["Bash"])).unwrap()
}

fn request(messages: &[Value], tools: &[&str]) -> MessagesRequest {
    let tools: Vec<_> = tools.iter().map(|name| json!({"name": name})).collect();
    serde_json::from_value(json!({"model": "m", "messages": messages, "tools": tools})).unwrap()
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant() -> Value {
    json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]})
}

fn result_and(text: &str) -> Value {
    let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "<<bash: not a script>>"});
    json!({"role": "user", "content": [result, {"type": "text", "text": text}]})
}

fn says(choice: &Choice) -> &str {
    match choice.step.blocks.last() {
        Some(Block::Text(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

fn runs(choice: &Choice) -> &str {
    match choice.step.blocks.last() {
        Some(Block::ToolUse { input, .. }) => input["command"].as_str().unwrap(),
        other => panic!("no command: {other:?}"),
    }
}

const SCRIPT: &str = "<<bash: one>><<bash: two>><<text: done>>";

#[test]
fn the_number_of_answers_is_the_step() {
    let mut talk = vec![user(SCRIPT)];
    assert_eq!(runs(&chosen(&talk)), "one");
    talk.extend([assistant(), result_and("")]);
    assert_eq!(runs(&chosen(&talk)), "two");
    talk.extend([assistant(), result_and("")]);
    assert_eq!(says(&chosen(&talk)), "done");
    talk.push(assistant());
    assert_eq!(says(&chosen(&talk)), "script finished");
}

#[test]
fn a_steering_text_without_directives_does_not_stop_the_script() {
    let talk = [user(SCRIPT), assistant(), result_and("hurry up")];
    assert_eq!(runs(&chosen(&talk)), "two");
    let resumed = [user(SCRIPT), assistant(), result_and(""), user("Continue from where you left off.")];
    assert_eq!(runs(&chosen(&resumed)), "two");
}

#[test]
fn what_is_said_while_a_tool_runs_takes_over_and_what_the_tool_says_does_not() {
    let note = "<system-reminder>\nThe user sent a new message while you were working:\n<<text: new>>\n\nThis is how \
                Claude Code surfaces it.\n</system-reminder>\n\n<system-reminder>\n<<text: no>>\n</system-reminder>";
    let result = json!({"type": "tool_result", "tool_use_id": "t", "content": format!("<<text: output>>\n\n{note}")});
    let talk = [user(SCRIPT), assistant(), json!({"role": "user", "content": [result]})];
    assert_eq!(says(&chosen(&talk)), "new");
}

#[test]
fn a_newer_script_takes_over() {
    let talk =
        [user(SCRIPT), assistant(), result_and("<system-reminder>The user says: <<text: new>></system-reminder>")];
    assert_eq!(says(&chosen(&talk)), "new");
}

#[test]
fn a_prompt_without_directives_runs_one_command_and_says_who_answers() {
    let mut talk = vec![json!({"role": "user", "content": [
        {"type": "text", "text": "<system-reminder>context</system-reminder>"},
        {"type": "text", "text": "Dear agent,\nwhat is 2+2?"},
    ]})];
    assert_eq!(runs(&chosen(&talk)), "echo \"hello from $(hostname)\"");
    talk.extend([assistant(), result_and("")]);
    let choice = chosen(&talk);
    assert!(says(&choice).starts_with("This is komputer's scripted model, not Claude"));
    assert!(says(&choice).contains("You asked: \"what is 2+2?\""), "{}", says(&choice));
    assert_eq!(choice.step.drip, Duration::from_secs(1));
    let without_shell = choose(&request(&[user("hi")], &["Read"])).unwrap();
    assert!(says(&without_shell).contains("not Claude"));
}

#[test]
fn a_prompt_after_a_finished_script_is_greeted_and_a_notice_is_not() {
    let finished = [user("<<text: done>>"), assistant()];
    let with = |text| [finished.as_slice(), &[user(text)]].concat();
    assert!(runs(&chosen(&with("and now?"))).contains("hello"));
    assert_eq!(says(&chosen(&with("<task-notification>done</task-notification>"))), "script finished");
    assert_eq!(says(&chosen(&with("[Request interrupted by user]"))), "script finished");
}

#[test]
fn a_bad_script_is_refused_until_something_else_is_asked() {
    let bad = user("<<bsh: x>>");
    assert!(choose(&request(std::slice::from_ref(&bad), &[])).is_err());
    assert!(runs(&chosen(&[bad.clone(), user("hello")])).contains("hello"));
    assert_eq!(says(&chosen(&[bad, user("<<text: fine>>")])), "fine");
}

#[test]
fn a_script_is_booked_under_its_hash_or_its_tag() {
    let plain = chosen(&[user(&format!("Please follow: {SCRIPT} Thanks!"))]);
    assert_eq!(plain.tag, digest(SCRIPT));
    assert_eq!(plain.tag.len(), 16);
    assert_eq!(plain.source, SCRIPT);
    assert_eq!(chosen(&[user(SCRIPT), assistant(), result_and("")]).tag, plain.tag);
    assert_eq!(chosen(&[user("<<tag: mine>><<text: x>>")]).tag, "mine");
    assert_eq!(chosen(&[user(" hello\n")]).tag, digest("hello"));
    assert_eq!(digest("hello"), "2cf24dba5fb0a30e");
}

#[test]
fn a_summary_carries_what_is_left() {
    let ask = "Your task is to create a detailed summary of the conversation so far.";
    let choice = chosen(&[user(SCRIPT), assistant(), result_and(ask)]);
    assert!(says(&choice).contains("<summary>SCRIPTED-SUMMARY of 3 messages."));
    assert_eq!(choice.tag, digest(SCRIPT));
    let compacted = user(&format!("This session is continued. {}", says(&choice)));
    let next = chosen(std::slice::from_ref(&compacted));
    assert_eq!((runs(&next), &next.tag), ("two", &choice.tag));
    assert_eq!(says(&chosen(&[compacted, assistant(), result_and("")])), "done");

    let finished = chosen(&[user("<<text: done>>"), assistant(), user(ask)]);
    assert!(says(&finished).contains("Nothing is left to do."));
    assert_eq!(directives(says(&finished)).count(), 0);
}

#[test]
fn an_empty_conversation_is_answered() {
    assert!(says(&chosen(&[])).contains("asked nothing"));
}
