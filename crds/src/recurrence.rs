//! When something happens again and again: cron expressions, time zones and lengths of time.
use std::time::Duration;

use croner::{
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// A cron expression of five fields, or of six with seconds first, or a word like `@daily`
/// (<https://en.wikipedia.org/wiki/Cron>).
#[derive(Clone, Debug)]
pub struct Cron(croner::Cron);

/// Why a text is no cron expression.
#[derive(thiserror::Error, Debug)]
pub enum RecurrenceError {
    /// A field has a value that it cannot have, or there are too many or few of them.
    #[error("it is not a cron expression: {0}")]
    Form(#[from] CronError),
    /// There is no such time, as the 30th of February.
    #[error("no time is ever like that")]
    Never,
}

impl Cron {
    /// Reads one.
    ///
    /// # Errors
    /// See [`RecurrenceError`].
    pub fn parse(text: &str) -> Result<Self, RecurrenceError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = Self(parser.parse(text)?);
        cron.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC).map(|_| cron).ok_or(RecurrenceError::Never)
    }

    /// The first time after `after`, by the clocks of `zone`. A time that is left out when clocks go forward comes as soon
    /// as they have; one that is there twice when they go back comes once.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = self.0.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?;
        Some(next.timestamp()).filter(|next| *next > after)
    }

    /// The last time after `after` and not after `until`, in as many steps as the seconds between have binary digits: a
    /// schedule of every second that has slept for a year is no work.
    pub fn latest(&self, after: Timestamp, until: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let next = |after| self.next(after, zone).filter(|next| *next <= until);
        let mut found = next(after)?;
        let mut beyond = until.as_second();
        while found.as_second() < beyond {
            let middle = found.as_second().midpoint(beyond);
            match Timestamp::from_second(middle).ok().and_then(next) {
                Some(later) => found = later,
                None => beyond = middle,
            }
        }
        Some(found)
    }
}

/// The time zone of that name in the IANA database; UTC where there is no name.
pub fn time_zone(name: Option<&str>) -> Option<TimeZone> {
    match name {
        None => Some(TimeZone::UTC),
        Some(name) => TimeZone::get(name).ok(),
    }
}

/// A length of time like `90s`, `10m` or `1h30m`.
pub fn duration(text: &str) -> Option<Duration> {
    text.parse::<SignedDuration>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(cron).unwrap(), time_zone(Some(zone)).unwrap());
        let mut at: Timestamp = after.parse().unwrap();
        let next = || {
            at = cron.next(at, &zone)?;
            Some(at.to_string())
        };
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn expressions_are_those_of_cron() {
        for text in ["0 9 * * 1-5", "*/5 * * * *", "0 0 1,15 * *", "30 */10 * * * *", "@daily", "0 9 * * MON"] {
            assert!(Cron::parse(text).is_ok(), "{text}");
        }
        for text in ["", "0 9 * *", "61 * * * *", "* * * * * * *", "@sometimes", "0 0 30 2 *"] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_those_of_the_zones_clocks() {
        assert_eq!(
            runs("0 9 * * 1-5", "America/New_York", "2026-03-06T20:00:00Z", 2),
            ["2026-03-09T13:00:00Z", "2026-03-10T13:00:00Z"]
        );
        // Clocks go from 02:00 to 03:00 on the 29th.
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // And from 03:00 to 02:00 on the 25th.
        assert_eq!(
            runs("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn the_latest_time_is_the_last_of_all() {
        let zone = time_zone(Some("Europe/Berlin")).unwrap();
        // A week in which clocks go forward, and one in which they go back.
        for start in ["2026-03-26T00:00:00.25Z", "2026-10-22T00:00:00Z"] {
            let start: Timestamp = start.parse().unwrap();
            for text in ["30 2 * * *", "*/20 * * * *", "*/30 0 1-3 * * *", "0 9 * * 1-5"] {
                let cron = Cron::parse(text).unwrap();
                let mut last = None;
                for half_hours in 0..7 * 48_i64 {
                    let until = start + SignedDuration::from_mins(half_hours * 30);
                    while let Some(next) = cron.next(last.unwrap_or(start), &zone).filter(|next| *next <= until) {
                        last = Some(next);
                    }
                    assert_eq!(cron.latest(start, until, &zone), last, "{text} until {until}");
                }
            }
        }
        let cron = Cron::parse("* * * * * *").unwrap();
        let (start, until) = (Timestamp::UNIX_EPOCH, "2026-01-01T00:00:00.9Z".parse().unwrap());
        assert_eq!(cron.latest(start, until, &zone), Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn zones_and_durations_are_those_there_are() {
        assert!(time_zone(Some("Europe/Berlin")).is_some() && time_zone(None).is_some());
        assert!(time_zone(Some("Europe/Atlantis")).is_none());
        assert_eq!(duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(duration("10m0s"), Some(Duration::from_mins(10)));
        assert_eq!(duration("1.5h"), Some(Duration::from_mins(90)));
        assert_eq!((duration("soon"), duration("-1m"), duration("")), (None, None, None));
    }
}
