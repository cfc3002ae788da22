use super::*;

fn request(body: Value) -> MessagesRequest {
    serde_json::from_value(body).unwrap()
}

fn user(text: &str, mark: bool) -> Value {
    let mut block = json!({"type": "text", "text": text});
    if mark {
        block["cache_control"] = json!({"type": "ephemeral"});
    }
    json!({"role": "user", "content": [block]})
}

fn prompt(messages: &[Value]) -> MessagesRequest {
    request(json!({"model": "claude-sonnet-4-6", "messages": messages}))
}

fn total(tokens: Tokens) -> u64 {
    tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h
}

#[test]
fn without_marks_everything_is_input() {
    let mut cache = PromptCache::default();
    let long = prompt(&[user(&"x".repeat(4000), false)]);
    for _ in 0..2 {
        let tokens = cache.account(&long, None);
        assert_eq!(tokens, Tokens { input: prompt_tokens(&long), ..Tokens::default() });
        assert!(tokens.input > 1000);
    }
}

#[test]
fn a_marked_prefix_is_written_once_and_read_afterwards() {
    let mut cache = PromptCache::default();
    let first = prompt(&[user(&"a".repeat(4000), true), user("question", false)]);
    let written = cache.account(&first, None);
    assert!(written.cache_write_5m > 1000 && written.cache_read == 0);
    let read = cache.account(&first, None);
    assert_eq!((read.cache_read, read.cache_write_5m, read.input), (written.cache_write_5m, 0, written.input));
}

#[test]
fn a_growing_conversation_reads_what_it_wrote_even_when_the_mark_moves() {
    let mut cache = PromptCache::default();
    let before = cache.account(&prompt(&[user(&"a".repeat(400), true)]), None);
    let longer = prompt(&[user(&"a".repeat(400), false), user(&"b".repeat(800), true)]);
    let after = cache.account(&longer, None);
    assert_eq!(after.cache_read, before.cache_write_5m);
    assert!(after.cache_write_5m > 200);
    assert_eq!(total(after), prompt_tokens(&longer));
}

#[test]
fn another_prefix_or_model_reads_nothing() {
    let mut cache = PromptCache::default();
    cache.account(&prompt(&[user("same", true)]), None);
    assert_eq!(cache.account(&prompt(&[user("other", true)]), None).cache_read, 0);
    let other_model = request(json!({"model": "claude-opus-4-6", "messages": [user("same", true)]}));
    assert_eq!(cache.account(&other_model, None).cache_read, 0);
}

#[test]
fn an_hour_and_five_minutes_are_counted_apart() {
    let body = request(json!({
        "model": "m",
        "system": [{"type": "text", "text": "s".repeat(4000), "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [user(&"u".repeat(400), true), user("rest", false)],
    }));
    let tokens = PromptCache::default().account(&body, None);
    assert!(tokens.cache_write_1h > 1000 && tokens.cache_write_5m > 100 && tokens.cache_write_5m < 200);
    assert_eq!(total(tokens), prompt_tokens(&body));
    assert_eq!(tokens.usage(0)["cache_creation_input_tokens"], tokens.cache_write_1h + tokens.cache_write_5m);
}

#[test]
fn a_stated_count_is_reported() {
    let mut cache = PromptCache::default();
    let body = prompt(&[user(&"x".repeat(400), true)]);
    assert_eq!(total(cache.account(&body, Some(180_000))), 180_000);
    let again = cache.account(&body, Some(180_000));
    assert!(again.cache_read > 100 && total(again) == 180_000);
    assert_eq!(total(cache.account(&body, Some(0))), 1);
}

#[test]
fn costs_are_exact() {
    let tokens = Tokens { input: 3, cache_read: 1000, cache_write_5m: 100, cache_write_1h: 10, output: 7 };
    assert_eq!(tokens.cost(Prices::of("sonnet")).nano, 9_000 + 300_000 + 375_000 + 60_000 + 105_000);
    assert_eq!(tokens.cost(Prices::of("opus")).to_string(), "0.004245");
}

#[test]
fn the_same_blocks_count_the_same() {
    let blocks = [Block::Text("done".into()), crate::script::bash("echo hi")];
    assert_eq!(output_tokens(&blocks), output_tokens(&blocks.clone()));
    assert!(output_tokens(&blocks) > output_tokens(&blocks[..1]));
}

#[test]
fn a_full_map_forgets_the_oldest() {
    let mut map = BoundedMap::default();
    for key in 0..=MAX_PREFIXES {
        map.insert(key, ());
    }
    assert_eq!((map.get(&0), map.get(&1), map.get(&MAX_PREFIXES)), (None, Some(&()), Some(&())));
}
