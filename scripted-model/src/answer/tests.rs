use super::*;
use crate::script::bash;

fn answer(blocks: Vec<Block>) -> Answer {
    Answer {
        id: "msg_scripted_1".into(),
        model: "m".into(),
        blocks,
        prompt: Tokens { input: 9, ..Tokens::default() },
        output_tokens: 5,
        stop_reason: None,
        hang: Duration::ZERO,
        drip: Duration::ZERO,
        cut: false,
    }
}

fn data(acts: &[Act]) -> Vec<Value> {
    let written = acts.iter().filter_map(|act| if let Act::Write(bytes) = act { Some(bytes) } else { None });
    written
        .map(|bytes| serde_json::from_slice(&bytes[bytes.iter().position(|&b| b == b'{').unwrap()..]).unwrap())
        .collect()
}

fn kinds(acts: &[Act]) -> Vec<String> {
    data(acts).iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn events_come_in_the_order_of_the_messages_api() {
    let acts = answer(vec![Block::Thinking("hm".into()), bash("echo hé")]).events();
    assert_eq!(
        kinds(&acts),
        [
            ["message_start", "ping"].as_slice(),
            &["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"].repeat(2),
            &["message_delta", "message_stop"],
        ]
        .concat()
    );
    let events = data(&acts);
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 9);
    assert_eq!(events[2]["content_block"], json!({"type": "thinking", "thinking": "", "signature": ""}));
    assert_eq!(events[6]["content_block"]["input"], json!({}));
    assert_eq!(events[6]["content_block"]["id"], "toolu_scripted_1_1");
    let input = [7, 8].map(|at| events[at]["delta"]["partial_json"].as_str().unwrap()).concat();
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap()["command"], "echo hé");
    assert_eq!(events[10]["delta"]["stop_reason"], "tool_use");
    assert_eq!(events[10]["usage"]["output_tokens"], 5);
}

#[test]
fn the_prompt_is_billed_after_the_start_and_the_output_after_the_end() {
    let acts = answer(vec![Block::Text("a b".into())]).events();
    let at = |wanted: &Act| acts.iter().position(|act| act == wanted).unwrap();
    assert_eq!(at(&Act::Bill(Billed::Prompt)), 1);
    assert_eq!(at(&Act::Bill(Billed::Output)), acts.len() - 2);
    assert_eq!(kinds(&acts[..=1]), ["message_start"]);
    assert_eq!(kinds(&acts[at(&Act::Bill(Billed::Output)) - 1..]), ["message_delta", "message_stop"]);
}

#[test]
fn a_cut_answer_stops_in_the_middle() {
    for blocks in [vec![Block::Text("one two three four".into())], vec![bash("x")]] {
        let acts = Answer { cut: true, ..answer(blocks) }.events();
        assert_eq!(acts.last(), Some(&Act::Cut));
        assert!(kinds(&acts).contains(&"content_block_delta".to_owned()));
        assert!(!kinds(&acts).contains(&"message_delta".to_owned()));
        assert!(!acts.contains(&Act::Bill(Billed::Output)));
    }
    let whole = Answer { cut: true, ..answer(vec![Block::Text("x".into())]) }.whole();
    assert_eq!(whole.last(), Some(&Act::Cut));
    assert!(!whole.iter().any(|act| matches!(act, Act::Bill(_))));
}

#[test]
fn text_drips_word_by_word_and_nothing_of_it_is_lost() {
    let text = " one  two\nthree ";
    let acts = Answer { drip: Duration::from_secs(1), ..answer(vec![Block::Text(text.into())]) }.events();
    let said: String = data(&acts).iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert_eq!(said, text);
    let waited: Duration =
        acts.iter().filter_map(|act| if let Act::Wait(wait) = act { Some(*wait) } else { None }).sum();
    assert!(waited > Duration::from_millis(990) && waited <= Duration::from_secs(1), "{waited:?}");
}

#[test]
fn a_hanging_answer_only_pings() {
    let acts = Answer { hang: Duration::from_secs(2), ..answer(vec![Block::Text("late".into())]) }.events();
    assert_eq!(kinds(&acts)[..6], ["message_start", "ping", "ping", "ping", "ping", "ping"]);
    assert_eq!(acts.iter().filter(|act| **act == Act::Wait(PING_EVERY)).count(), 4);
}

#[test]
fn the_whole_answer_says_the_same() {
    let acts = answer(vec![Block::Text("hi".into()), bash("x")]).whole();
    let message = &data(&acts)[0];
    assert_eq!(message["content"][0], json!({"type": "text", "text": "hi"}));
    assert_eq!(message["content"][1]["input"]["command"], "x");
    assert_eq!((&message["stop_reason"], &message["usage"]["output_tokens"]), (&"tool_use".into(), &5.into()));
    let refused = Answer { stop_reason: Some("refusal".into()), ..answer(vec![]) };
    assert_eq!(data(&refused.whole())[0]["stop_reason"], "refusal");
}
