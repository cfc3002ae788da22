use std::{fmt, iter::Sum, ops::Add, str::FromStr};

use serde::{Deserialize, Serialize};

/// US dollars, exact to the nano-dollar: a token's price is a whole number of nano-dollars, so sums never round.
///
/// Written as a decimal string with at least four and at most nine fraction digits, between 0 and 9,000,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    nano: u64,
}

/// Not an amount of US dollars.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not an amount in US dollars: expected digits with at most nine decimals, like \"0.25\"")]
pub struct InvalidMoney(String);

const NANO: u64 = 1_000_000_000;
const MAX_DOLLARS: u64 = 9_000_000_000;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self { nano: 0 };

    /// From nano-dollars (1 USD = 1,000,000,000).
    pub const fn from_nano(nano: u64) -> Self {
        Self { nano }
    }

    /// In nano-dollars.
    pub const fn nano(self) -> u64 {
        self.nano
    }

    /// What `tokens` cost at a price given in nano-dollars a token.
    #[must_use]
    pub fn of_tokens(tokens: u64, nano_per_token: u64) -> Self {
        Self { nano: tokens.saturating_mul(nano_per_token) }
    }

    /// The difference, or nothing where `other` is more.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self { nano: self.nano.saturating_sub(other.nano) }
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nano: self.nano.saturating_add(other.nano) }
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.nano % NANO);
        let shown = fraction.trim_end_matches('0').len().max(4);
        write!(f, "{}.{}", self.nano / NANO, &fraction[..shown])
    }
}

impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidMoney(text.chars().take(64).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return Err(invalid());
        }
        let dollars: u64 = whole.parse().map_err(|_| invalid())?;
        let nano: u64 = format!("{fraction:0<9}").parse().map_err(|_| invalid())?;
        if dollars > MAX_DOLLARS { Err(invalid()) } else { Ok(Self { nano: dollars * NANO + nano }) }
    }
}

impl TryFrom<String> for Money {
    type Error = InvalidMoney;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nano in 0..=MAX_DOLLARS * NANO) {
            let money = Money::from_nano(nano);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }

    #[test]
    fn amounts_look_like_money() {
        assert_eq!(Money::of_tokens(22_284, 3_750).to_string(), "0.083565");
        assert_eq!(Money::of_tokens(1, 300).to_string(), "0.0000003");
        assert_eq!("5".parse::<Money>().unwrap().to_string(), "5.0000");
        for bad in ["", ".5", "1.", "-1", "1e3", "0.1234567891", "99999999999", "1,0"] {
            assert_eq!(bad.parse::<Money>(), Err(InvalidMoney(bad.into())), "{bad}");
        }
    }
}
