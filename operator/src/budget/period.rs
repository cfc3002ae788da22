//! When a budget's periods begin and end.
use jiff::{Timestamp, Unit, tz::TimeZone};
use komputer_crds::{
    recurrence::time_zone,
    v1beta1::{BudgetPeriod, KomputerBudgetSpec},
};

/// All periods of a budget.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calendar {
    period: BudgetPeriod,
    zone: TimeZone,
}

/// One period: from its start until before its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first moment; none where it has always been.
    pub(super) start: Option<Timestamp>,
    /// The first moment of the next; none where there is no next.
    pub(super) end: Option<Timestamp>,
}

impl Calendar {
    /// Of a spec that is valid.
    pub(super) fn of(spec: &KomputerBudgetSpec) -> Option<Self> {
        Some(Self { period: spec.period, zone: time_zone(spec.time_zone.as_deref())? })
    }

    /// The period that `at` is in. Days and months are those of the zone's clocks: a day has 23 to 25 hours.
    pub(super) fn span(&self, at: Timestamp) -> Span {
        self.bounded(at).unwrap_or_default()
    }

    fn bounded(&self, at: Timestamp) -> Result<Span, jiff::Error> {
        let local = at.to_zoned(self.zone.clone());
        let (start, end) = match self.period {
            BudgetPeriod::Hour => {
                let hour = local.with_time_zone(TimeZone::UTC);
                let start = hour.round(jiff::ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc))?;
                (start.timestamp(), start.checked_add(jiff::Span::new().hours(1))?.timestamp())
            }
            BudgetPeriod::Day => {
                let end = local.tomorrow()?.start_of_day()?;
                (local.start_of_day()?.timestamp(), end.timestamp())
            }
            BudgetPeriod::Month => {
                let start = local.first_of_month()?;
                let end = start.checked_add(jiff::Span::new().months(1))?.start_of_day()?;
                (start.start_of_day()?.timestamp(), end.timestamp())
            }
            BudgetPeriod::Total => return Ok(Span::default()),
        };
        Ok(Span { start: Some(start), end: Some(end) })
    }
}
