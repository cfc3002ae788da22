//! Reads off an answer of the Messages API what it costs, while the answer passes by.
use komputer_events::TokenUsage;
use serde::Deserialize;

use super::prices::Consumption;

/// A line longer than this is content, never a count of tokens.
const LINE: usize = 64 << 10;

/// What a part of a call used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) model: String,
    pub(super) consumption: Consumption,
}

/// Meters one call. A charge comes out with the bytes that name it, so nothing is owed when the answer is cut off.
#[derive(Debug, Default)]
pub(super) struct Meter {
    line: Vec<u8>,
    skips: bool,
    model: String,
    charged: Consumption,
    named: Consumption,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StreamEvent {
    MessageStart {
        message: Message,
    },
    MessageDelta {
        usage: Usage,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    model: String,
    usage: Usage,
}

/// Counts are cumulative; what an event does not repeat has not changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    server_tool_use: Option<ServerToolUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_1h_input_tokens: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerToolUse {
    web_search_requests: u64,
}

impl Meter {
    /// Takes the next bytes of an event stream.
    pub(super) fn stream(&mut self, bytes: &[u8]) -> Vec<Charge> {
        let mut charges = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.skips || self.line.len() + piece.len() > LINE {
                self.skips = true;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                charges.extend(self.event());
                self.line.clear();
                self.skips = false;
            }
        }
        charges
    }

    /// Takes an answer that came in one piece.
    pub(super) fn message(&mut self, json: &[u8]) -> Vec<Charge> {
        let Ok(message) = serde_json::from_slice::<Message>(json) else { return Vec::new() };
        let start = self.start(&message);
        self.named.update(&message.usage);
        start.into_iter().chain(self.charge()).collect()
    }

    /// What the API has named and nobody was charged for yet.
    fn charge(&mut self) -> Option<Charge> {
        let consumption = self.named.since(&self.charged);
        self.charged = self.named;
        (consumption != Consumption::default()).then(|| Charge { model: self.model.clone(), consumption })
    }

    fn event(&mut self) -> Option<Charge> {
        let json = self.line.strip_prefix(b"data:")?;
        match serde_json::from_slice(json).ok()? {
            StreamEvent::MessageStart { message } => self.start(&message),
            StreamEvent::MessageDelta { usage } => {
                self.named.update(&usage);
                self.charge()
            }
            StreamEvent::Other => None,
        }
    }

    /// The first count of what was written is a placeholder.
    fn start(&mut self, message: &Message) -> Option<Charge> {
        self.model.clone_from(&message.model);
        self.named.update(&message.usage);
        self.named.tokens.output_tokens = 0;
        self.charge()
    }
}

impl Consumption {
    fn update(&mut self, usage: &Usage) {
        let set = |count: &mut u64, named: Option<u64>| *count = named.unwrap_or(*count);
        let TokenUsage { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } =
            &mut self.tokens;
        set(input_tokens, usage.input_tokens);
        set(output_tokens, usage.output_tokens);
        set(cache_read_input_tokens, usage.cache_read_input_tokens);
        set(cache_creation_input_tokens, usage.cache_creation_input_tokens);
        set(&mut self.hour_cache_tokens, usage.cache_creation.as_ref().map(|cache| cache.ephemeral_1h_input_tokens));
        set(&mut self.web_searches, usage.server_tool_use.as_ref().map(|tools| tools.web_search_requests));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"m","model":"claude-sonnet-4-6","content":[],"#,
        r#""usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":5,"#,
        r#""cache_creation":{"ephemeral_5m_input_tokens":12,"ephemeral_1h_input_tokens":8},"output_tokens":1}}}"#,
        "\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    );
    const DELTA: &str = concat!(
        "event: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":42}}"#,
        "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );

    fn charge(input: u64, output: u64, read: u64, write: u64, hour: u64) -> Charge {
        let tokens = TokenUsage {
            input_tokens: input,
            output_tokens: output,
            cache_read_input_tokens: read,
            cache_creation_input_tokens: write,
        };
        let consumption = Consumption { tokens, hour_cache_tokens: hour, web_searches: 0 };
        Charge { model: "claude-sonnet-4-6".into(), consumption }
    }

    #[test]
    fn what_is_read_is_charged_at_the_start_and_what_is_written_at_the_end() {
        let mut meter = Meter::default();
        assert_eq!(meter.stream(START.as_bytes()), [charge(3, 0, 5, 20, 8)]);
        assert_eq!(meter.stream(DELTA.as_bytes()), [charge(0, 42, 0, 0, 0)]);
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        for size in [1, 2, 7, 100] {
            let mut meter = Meter::default();
            let stream = format!("{START}{DELTA}");
            let charges: Vec<_> = stream.as_bytes().chunks(size).flat_map(|bytes| meter.stream(bytes)).collect();
            assert_eq!(charges, [charge(3, 0, 5, 20, 8), charge(0, 42, 0, 0, 0)], "{size}");
        }
    }

    #[test]
    fn counts_that_grow_are_charged_by_what_they_grow() {
        let mut meter = Meter::default();
        meter.stream(START.as_bytes());
        let written = [10, 10, 42].map(|count| {
            let usage = format!("data: {{\"type\":\"message_delta\",\"usage\":{{\"output_tokens\":{count}}}}}\n\n");
            meter.stream(usage.as_bytes())
        });
        assert_eq!(written, [vec![charge(0, 10, 0, 0, 0)], vec![], vec![charge(0, 32, 0, 0, 0)]]);
    }

    #[test]
    fn an_answer_in_one_piece_is_charged_like_a_stream() {
        let json = br#"{"model":"claude-sonnet-4-6","usage":{"input_tokens":3,"output_tokens":42}}"#;
        assert_eq!(Meter::default().message(json), [charge(3, 0, 0, 0, 0), charge(0, 42, 0, 0, 0)]);
        assert_eq!(Meter::default().message(br#"{"input_tokens":9}"#), []);
        assert_eq!(Meter::default().message(b"not JSON"), []);
    }

    #[test]
    fn searches_and_what_they_read_are_charged_at_the_end() {
        let mut meter = Meter::default();
        meter.stream(START.as_bytes());
        let usage = r#"{"input_tokens":103,"output_tokens":42,"server_tool_use":{"web_search_requests":2}}"#;
        let charges = meter.stream(format!("data: {{\"type\":\"message_delta\",\"usage\":{usage}}}\n\n").as_bytes());
        let [Charge { consumption, .. }] = &charges[..] else { panic!("{charges:?}") };
        assert_eq!((consumption.tokens.input_tokens, consumption.web_searches), (100, 2));
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let mut meter = Meter::default();
        for _ in 0..100 {
            meter.stream(&[b'x'; 10_000]);
        }
        assert!(meter.line.capacity() <= 2 * LINE);
        assert_eq!(meter.stream(format!("\n{START}").as_bytes()).len(), 1);
    }
}
