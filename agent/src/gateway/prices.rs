//! What tokens cost, by model family, in nano-dollars a token (1 = 0.001 USD per million tokens).
//!
//! List prices of the Messages API. A model of no known family is priced as Sonnet, so that its cost is neither nothing
//! nor a reason to fail.
use komputer_events::{Money, TokenUsage};

/// Tokens of a call, with the two kinds of cache writes told apart, and what else the API charges for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Consumption {
    pub(super) tokens: TokenUsage,
    /// Of the tokens written to the cache, those that stay for an hour.
    pub(super) hour_cache_tokens: u64,
    /// Searches the API made on the model's behalf.
    pub(super) web_searches: u64,
}

struct Prices {
    family: &'static str,
    input: u64,
    output: u64,
    cache_read: u64,
    /// For five minutes; an hour costs [`HOUR_CACHE_FACTOR`] times the input.
    cache_write: u64,
}

const SONNET: Prices = Prices { family: "sonnet", input: 3_000, output: 15_000, cache_read: 300, cache_write: 3_750 };

const FAMILIES: [Prices; 3] = [
    Prices { family: "opus", input: 15_000, output: 75_000, cache_read: 1_500, cache_write: 18_750 },
    SONNET,
    Prices { family: "haiku", input: 1_000, output: 5_000, cache_read: 100, cache_write: 1_250 },
];

const HOUR_CACHE_FACTOR: u64 = 2;
/// 10 USD per thousand.
const WEB_SEARCH: u64 = 10_000_000;

impl Consumption {
    /// What it costs with `model`.
    pub(super) fn cost(&self, model: &str) -> Money {
        let prices = FAMILIES.iter().find(|prices| model.contains(prices.family)).unwrap_or(&SONNET);
        let tokens = &self.tokens;
        let hour = self.hour_cache_tokens.min(tokens.cache_creation_input_tokens);
        [
            (tokens.input_tokens, prices.input),
            (tokens.output_tokens, prices.output),
            (tokens.cache_read_input_tokens, prices.cache_read),
            (tokens.cache_creation_input_tokens - hour, prices.cache_write),
            (hour, prices.input * HOUR_CACHE_FACTOR),
            (self.web_searches, WEB_SEARCH),
        ]
        .into_iter()
        .map(|(count, price)| Money::of_tokens(count, price))
        .sum()
    }

    /// What this adds to `earlier`, which says the same of an earlier moment.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let (now, then) = (&self.tokens, &earlier.tokens);
        Self {
            tokens: TokenUsage {
                input_tokens: now.input_tokens.saturating_sub(then.input_tokens),
                output_tokens: now.output_tokens.saturating_sub(then.output_tokens),
                cache_read_input_tokens: now.cache_read_input_tokens.saturating_sub(then.cache_read_input_tokens),
                cache_creation_input_tokens: now
                    .cache_creation_input_tokens
                    .saturating_sub(then.cache_creation_input_tokens),
            },
            hour_cache_tokens: self.hour_cache_tokens.saturating_sub(earlier.hour_cache_tokens),
            web_searches: self.web_searches.saturating_sub(earlier.web_searches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumption(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Consumption {
        let tokens = TokenUsage {
            input_tokens: input,
            output_tokens: output,
            cache_read_input_tokens: cache_read,
            cache_creation_input_tokens: cache_write,
        };
        Consumption { tokens, ..Consumption::default() }
    }

    #[test]
    fn a_million_tokens_cost_what_the_price_list_says() {
        let million = 1_000_000;
        let dollars = |model: &str| {
            [(million, 0, 0, 0), (0, million, 0, 0), (0, 0, million, 0), (0, 0, 0, million)]
                .map(|(input, output, read, write)| consumption(input, output, read, write).cost(model).to_string())
        };
        assert_eq!(dollars("claude-opus-4-8"), ["15.0000", "75.0000", "1.5000", "18.7500"]);
        assert_eq!(dollars("claude-sonnet-4-6"), ["3.0000", "15.0000", "0.3000", "3.7500"]);
        assert_eq!(dollars("claude-haiku-4-5-20251001"), ["1.0000", "5.0000", "0.1000", "1.2500"]);
        assert_eq!(dollars("some-model"), dollars("claude-sonnet-4-6"));
    }

    #[test]
    fn an_hour_in_the_cache_and_a_search_cost_extra() {
        let hour = Consumption { hour_cache_tokens: 400_000, ..consumption(0, 0, 0, 1_000_000) };
        assert_eq!(hour.cost("claude-sonnet-4-6").to_string(), "4.6500");
        let searches = Consumption { web_searches: 3, ..Consumption::default() };
        assert_eq!(searches.cost("claude-sonnet-4-6").to_string(), "0.0300");
    }

    #[test]
    fn parts_of_a_call_add_up() {
        let (early, late) = (consumption(100, 0, 5, 7), consumption(100, 42, 5, 9));
        let parts = [early, late.since(&early)].map(|part| part.cost("claude-opus-4-8"));
        assert_eq!(parts.into_iter().sum::<Money>(), late.cost("claude-opus-4-8"));
    }
}
