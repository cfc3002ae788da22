//! When runs begin.
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use komputer_crds::{
    recurrence::{Cron, time_zone},
    v1beta1::KomputerScheduleSpec,
};

/// More runs than this that could not begin at their times are not counted, as CronJob has it
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#starting-deadline>).
pub(super) const MANY: usize = 100;

/// All times at which a run begins; whole seconds, as tasks are named after them.
pub(super) enum Times {
    Cron(Box<Cron>, TimeZone),
    Once(Timestamp),
}

/// A run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Its time.
    pub(super) time: Timestamp,
    /// The time of the first that waits since then; an older one does not begin.
    pub(super) since: Timestamp,
    /// Those before it that did not begin, at most [`MANY`] and one.
    pub(super) left_out: usize,
}

impl Times {
    /// Of a spec that is valid.
    pub(super) fn of(spec: &KomputerScheduleSpec) -> Option<Self> {
        match (&spec.schedule, &spec.at) {
            (Some(cron), None) => {
                Some(Self::Cron(Box::new(Cron::parse(cron).ok()?), time_zone(spec.time_zone.as_deref())?))
            }
            (None, Some(at)) => Some(Self::Once(whole_seconds(at.0))),
            _ => None,
        }
    }

    /// The first time after `after`.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron, zone) => cron.next(after, zone),
            Self::Once(at) => Some(*at).filter(|at| *at > after),
        }
    }

    /// The last time after `after` and not after `now`.
    pub(super) fn due(&self, after: Timestamp, now: Timestamp) -> Option<Due> {
        let time = match self {
            Self::Cron(cron, zone) => cron.latest(after, now, zone),
            Self::Once(_) => self.next(after).filter(|at| *at <= now),
        }?;
        let all = std::iter::successors(self.next(after), |before| self.next(*before));
        Some(Due { time, since: time, left_out: all.take_while(|before| *before < time).take(MANY + 1).count() })
    }
}

/// What is due is later than this. A run begins once, and a time that a change of the spec makes of what is past is no
/// time that was missed: whatever is before the next run that the status speaks of has been settled.
pub(super) fn settled(last: Timestamp, next: Option<Timestamp>) -> Timestamp {
    let before = next.and_then(|next| next.checked_sub(SignedDuration::from_secs(1)).ok());
    before.map_or(last, |before| before.max(last))
}

/// Kubernetes' times are whole seconds.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
