use std::str::FromStr;

use jiff::Timestamp;
use komputer_events::Cursor;

/// A place in an agent's stream: an event's id, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At the event of this id.
    Event(Cursor),
    /// At this many milliseconds since 1970.
    Time(u64),
}

/// Neither a cursor nor a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is neither an event's id like 1790000000123-0 nor a time like 2026-09-21T13:33:20Z")]
pub struct InvalidMoment(String);

impl Moment {
    /// The cursor such that everything after it happened after this moment.
    pub fn last_at(self) -> Cursor {
        match self {
            Self::Event(cursor) => cursor,
            Self::Time(milliseconds) => at(milliseconds, u64::MAX),
        }
    }

    /// The cursor such that everything before it happened before this moment.
    pub fn first_at(self) -> Cursor {
        match self {
            Self::Event(cursor) => cursor,
            Self::Time(milliseconds) => at(milliseconds, 0),
        }
    }
}

fn at(milliseconds: u64, counter: u64) -> Cursor {
    format!("{milliseconds}-{counter}").parse().unwrap_or(Cursor::START)
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(cursor) = text.parse() {
            return Ok(Self::Event(cursor));
        }
        let time: Timestamp = text.parse().map_err(|_| InvalidMoment(text.chars().take(64).collect()))?;
        Ok(Self::Time(u64::try_from(time.as_millisecond()).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_whole_of_its_millisecond() {
        let moment: Moment = "2026-09-21T13:33:20.123Z".parse().unwrap();
        assert_eq!(moment, Moment::Time(1_789_997_600_123));
        assert_eq!(moment.first_at().to_string(), "1789997600123-0");
        assert_eq!(moment.last_at().to_string(), "1789997600123-18446744073709551615");
    }

    #[test]
    fn an_id_is_itself() {
        let moment: Moment = "7-3".parse().unwrap();
        assert_eq!((moment.first_at(), moment.last_at()), ("7-3".parse().unwrap(), "7-3".parse().unwrap()));
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
