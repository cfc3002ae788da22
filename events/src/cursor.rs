use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The id of an event in its agent's stream, and so a reader's position: milliseconds since 1970 and a counter.
///
/// The form is Redis' own stream id, so the same text works in an event, a status, a URL and `XRANGE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor {
    milliseconds: u64,
    counter: u64,
}

/// Not `MILLISECONDS-COUNTER`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a cursor: expected MILLISECONDS-COUNTER as in an event's id, or 0 for the beginning")]
pub struct InvalidCursor(String);

impl Cursor {
    /// Before the first event.
    pub const START: Self = Self { milliseconds: 0, counter: 0 };

    /// Before every event of that millisecond since 1970.
    pub const fn at(milliseconds: u64) -> Self {
        Self { milliseconds, counter: 0 }
    }

    /// The id of an event that happens at `now_ms`, after this one. A clock that runs backwards does not matter.
    #[must_use]
    pub fn next(self, now_ms: u64) -> Self {
        if now_ms > self.milliseconds {
            Self { milliseconds: now_ms, counter: 0 }
        } else {
            Self { milliseconds: self.milliseconds, counter: self.counter + 1 }
        }
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(self) -> u64 {
        self.milliseconds
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.counter)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCursor(text.chars().take(64).collect());
        let (milliseconds, counter) = text.split_once('-').unwrap_or((text, "0"));
        let number = |part: &str| part.parse::<u64>().map_err(|_| invalid());
        Ok(Self { milliseconds: number(milliseconds)?, counter: number(counter)? })
    }
}

impl TryFrom<String> for Cursor {
    type Error = InvalidCursor;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_only_grow_whatever_the_clock_does(times in prop::collection::vec(any::<u32>(), 1..50)) {
            let mut last = Cursor::START;
            for time in times {
                let next = last.next(u64::from(time));
                prop_assert!(next > last);
                prop_assert_eq!(next.to_string().parse::<Cursor>().unwrap(), next);
                last = next;
            }
        }
    }

    #[test]
    fn a_wrong_cursor_is_named() {
        assert_eq!("x-1".parse::<Cursor>(), Err(InvalidCursor("x-1".into())));
        assert_eq!("7".parse::<Cursor>().unwrap().to_string(), "7-0");
    }
}
