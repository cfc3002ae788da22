use std::{collections::HashMap, collections::VecDeque, hash::Hash};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    prices::{Dollars, Prices},
    request::{Content, MessagesRequest},
    script::Block,
};

/// The Messages API looks for a cached prefix this many blocks before each mark.
const LOOK_BACK: usize = 20;
const MAX_PREFIXES: usize = 100_000;

/// Tokens of one or many calls, by the price they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    #[serde(rename = "input_tokens")]
    pub(crate) input: u64,
    #[serde(rename = "cache_read_input_tokens")]
    pub(crate) cache_read: u64,
    #[serde(rename = "cache_creation_5m_input_tokens")]
    pub(crate) cache_write_5m: u64,
    #[serde(rename = "cache_creation_1h_input_tokens")]
    pub(crate) cache_write_1h: u64,
    #[serde(rename = "output_tokens")]
    pub(crate) output: u64,
}

impl Tokens {
    /// As the API's `usage`, where `output` is what it says so far.
    pub(crate) fn usage(&self, output: u64) -> Value {
        json!({
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write_5m + self.cache_write_1h,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_5m,
                "ephemeral_1h_input_tokens": self.cache_write_1h,
            },
            "output_tokens": output,
            "service_tier": "standard",
        })
    }

    pub(crate) fn cost(&self, prices: Prices) -> Dollars {
        let nano = self.input * prices.input
            + self.cache_read * prices.cache_read
            + self.cache_write_5m * prices.cache_write_5m
            + self.cache_write_1h * prices.cache_write_1h
            + self.output * prices.output;
        Dollars { nano }
    }
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.cache_read += other.cache_read;
        self.cache_write_5m += other.cache_write_5m;
        self.cache_write_1h += other.cache_write_1h;
        self.output += other.output;
    }
}

/// A crude but monotonic count: four bytes a token.
fn tokens_in(text: &str) -> u64 {
    (text.len() as u64 / 4).max(1)
}

/// What an answer's blocks count.
pub(crate) fn output_tokens(blocks: &[Block]) -> u64 {
    let count = |block: &Block| match block {
        Block::Thinking(text) | Block::Text(text) | Block::Compaction(text) => tokens_in(text) + 8,
        Block::ToolUse { name, input } => tokens_in(name) + tokens_in(&input.to_string()) + 16,
    };
    blocks.iter().map(count).sum()
}

/// A prompt up to and with one of its blocks.
struct Prefix {
    hash: [u8; 32],
    tokens: u64,
    mark: Option<CacheFor>,
}

/// How long a cache mark asks to keep the prefix.
#[derive(Clone, Copy, PartialEq)]
enum CacheFor {
    FiveMinutes,
    OneHour,
}

/// All prefixes of a prompt, shortest first.
fn prefixes(request: &MessagesRequest) -> Vec<Prefix> {
    let mut hasher = Sha256::new_with_prefix(&request.model);
    let mut tokens = 0;
    let mut prefixes = Vec::new();
    let mut add = |role: &str, text: &str, mark| {
        hasher.update(role);
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
        tokens += tokens_in(text);
        prefixes.push(Prefix { hash: hasher.clone().finalize().into(), tokens, mark });
    };
    for tool in &request.tools {
        add("tool", &without_mark(tool), mark_of(tool));
    }
    let contents = request.messages.iter().map(|message| (message.role.as_str(), &message.content));
    for (role, content) in std::iter::once(("system", &request.system)).chain(contents) {
        match content {
            Content::Text(text) => add(role, &json!({"type": "text", "text": text}).to_string(), None),
            Content::Blocks(blocks) => blocks.iter().for_each(|block| add(role, &without_mark(block), mark_of(block))),
        }
    }
    prefixes
}

fn mark_of(block: &Map<String, Value>) -> Option<CacheFor> {
    let mark = block.get("cache_control").filter(|mark| !mark.is_null())?;
    Some(if mark.get("ttl").is_some_and(|ttl| ttl == "1h") { CacheFor::OneHour } else { CacheFor::FiveMinutes })
}

fn without_mark(block: &Map<String, Value>) -> String {
    let kept: Map<_, _> =
        block.iter().filter(|(key, _)| *key != "cache_control").map(|(k, v)| (k.clone(), v.clone())).collect();
    Value::Object(kept).to_string()
}

/// How many tokens a prompt has.
pub(crate) fn prompt_tokens(request: &MessagesRequest) -> u64 {
    whole(&prefixes(request))
}

/// All of a prompt, and one token that no mark covers: the opening of the answer.
fn whole(prefixes: &[Prefix]) -> u64 {
    prefixes.last().map_or(0, |longest| longest.tokens) + 1
}

/// The prompt cache: prefixes that earlier calls marked.
#[derive(Default)]
pub(crate) struct PromptCache {
    known: BoundedMap<[u8; 32], ()>,
}

impl PromptCache {
    /// Counts a prompt and remembers what it marks; `stated` replaces the count, and nothing is written then.
    pub(crate) fn account(&mut self, request: &MessagesRequest, stated: Option<u64>) -> Tokens {
        let prefixes = prefixes(request);
        let marks: Vec<usize> = (0..prefixes.len()).filter(|&at| prefixes[at].mark.is_some()).collect();
        let in_reach = marks.iter().flat_map(|&at| at.saturating_sub(LOOK_BACK)..=at);
        let read = in_reach.filter(|&at| self.known.get(&prefixes[at].hash).is_some()).max();
        let read = read.map_or(0, |at| prefixes[at].tokens);
        for &at in &marks {
            self.known.insert(prefixes[at].hash, ());
        }
        if let Some(total) = stated {
            let cache_read = read.min(total.saturating_sub(1));
            return Tokens { input: total.max(1) - cache_read, cache_read, ..Tokens::default() };
        }
        let up_to = |wanted: Option<CacheFor>| {
            let last = marks.iter().rev().find(|&&at| wanted.is_none() || prefixes[at].mark == wanted);
            last.map_or(0, |&at| prefixes[at].tokens.saturating_sub(read))
        };
        let (written, for_an_hour) = (up_to(None), up_to(Some(CacheFor::OneHour)));
        Tokens {
            input: whole(&prefixes) - read - written,
            cache_read: read,
            cache_write_5m: written - for_an_hour,
            cache_write_1h: for_an_hour,
            output: 0,
        }
    }
}

/// A map that forgets its oldest key when it is full.
pub(crate) struct BoundedMap<K, V> {
    values: HashMap<K, V>,
    oldest_first: VecDeque<K>,
}

impl<K, V> Default for BoundedMap<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), oldest_first: VecDeque::new() }
    }
}

impl<K: Hash + Eq + Clone, V> BoundedMap<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_some() {
            return;
        }
        self.oldest_first.push_back(key);
        if self.oldest_first.len() > MAX_PREFIXES {
            self.oldest_first.pop_front().map(|oldest| self.values.remove(&oldest));
        }
    }
}

#[cfg(test)]
mod tests;
