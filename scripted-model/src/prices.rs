use std::fmt;

/// Prices of a model, in nano-dollars (1 USD = 1,000,000,000) a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prices {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write_5m: u64,
    pub(crate) cache_write_1h: u64,
}

const OPUS: Prices =
    Prices { input: 15_000, output: 75_000, cache_read: 1_500, cache_write_5m: 18_750, cache_write_1h: 30_000 };
const SONNET: Prices =
    Prices { input: 3_000, output: 15_000, cache_read: 300, cache_write_5m: 3_750, cache_write_1h: 6_000 };
const HAIKU: Prices =
    Prices { input: 1_000, output: 5_000, cache_read: 100, cache_write_5m: 1_250, cache_write_1h: 2_000 };

impl Prices {
    /// The prices of the family that a model's name tells; Sonnet's where it tells none.
    pub(crate) fn of(model: &str) -> Self {
        if model.contains("opus") {
            OPUS
        } else if model.contains("haiku") {
            HAIKU
        } else {
            SONNET
        }
    }
}

/// US dollars, exact to the nano-dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dollars {
    pub(crate) nano: u64,
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.nano % 1_000_000_000);
        let shown = fraction.trim_end_matches('0').len().max(4);
        write!(f, "{}.{}", self.nano / 1_000_000_000, &fraction[..shown])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_prices() {
        assert_eq!(Prices::of("claude-opus-4-6"), OPUS);
        assert_eq!(Prices::of("claude-haiku-4-5-20251001"), HAIKU);
        assert_eq!(Prices::of("claude-sonnet-4-6"), SONNET);
        assert_eq!(Prices::of("something-new"), SONNET);
    }

    #[test]
    fn an_hour_of_cache_costs_twice_the_input_and_five_minutes_a_quarter_more() {
        for prices in [OPUS, SONNET, HAIKU] {
            assert_eq!(prices.cache_write_1h, 2 * prices.input);
            assert_eq!(4 * prices.cache_write_5m, 5 * prices.input);
            assert_eq!(10 * prices.cache_read, prices.input);
        }
    }

    #[test]
    fn dollars_show_four_to_nine_decimals() {
        for (nano, shown) in
            [(0, "0.0000"), (83_565_000, "0.083565"), (300, "0.0000003"), (5_250_000_000, "5.2500"), (1, "0.000000001")]
        {
            assert_eq!(Dollars { nano }.to_string(), shown);
        }
    }
}
