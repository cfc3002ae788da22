//! Conditions that kstatus, Argo CD and `kubectl wait` read the same way (gitops S1–S16).
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// How far an object is from what its spec says. One variant a row of the documented state table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// On its way, nothing wrong.
    Progressing,
    /// Failed, and tried again by itself.
    Retrying,
    /// Failed, until somebody changes something.
    Stalled,
    /// As the spec says.
    Done,
    /// Going away.
    Deleting,
}

/// Where an object stands: a row of the table, its reason and what to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The row.
    pub progress: Progress,
    /// PascalCase, from a closed set.
    pub reason: &'static str,
    /// Names the object, the field and the next action.
    pub message: String,
}

/// Something that is true of an object wherever it stands, as a condition that is there while it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The condition's type.
    pub type_: &'static str,
    /// PascalCase, from a closed set.
    pub reason: &'static str,
    /// Names the field and the next action.
    pub message: String,
}

/// The conditions for `standing` and `remarks`; the time of one that has not changed stays.
pub fn conditions(
    standing: &Standing,
    remarks: impl IntoIterator<Item = Remark>,
    generation: Option<i64>,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let (ready, second) = match standing.progress {
        Progress::Progressing => ("Unknown", Some(("Reconciling", standing.reason))),
        Progress::Retrying => ("False", Some(("Reconciling", "ProgressingWithRetry"))),
        Progress::Stalled => ("False", Some(("Stalled", standing.reason))),
        Progress::Done => ("True", None),
        Progress::Deleting => ("False", Some(("Reconciling", standing.reason))),
    };
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        let unchanged = before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            observed_generation: generation,
            last_transition_time: unchanged.map_or_else(
                || Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
                |condition| condition.last_transition_time.clone(),
            ),
        }
    };
    let mut conditions = vec![condition("Ready", ready, standing.reason, &standing.message)];
    conditions.extend(second.map(|(type_, reason)| condition(type_, "True", reason, &standing.message)));
    let remarks = remarks.into_iter();
    conditions.extend(remarks.map(|remark| condition(remark.type_, "True", remark.reason, &remark.message)));
    conditions
}

/// Why an object cannot go on without a change, where it cannot.
pub fn stalled(conditions: &[Condition]) -> Option<&str> {
    let stalled = conditions.iter().find(|condition| condition.type_ == "Stalled" && condition.status == "True");
    stalled.map(|condition| condition.message.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(progress: Progress) -> Vec<(String, String, String)> {
        let standing = Standing { progress, reason: "Because", message: "m".into() };
        conditions(&standing, None, Some(3), &[], Timestamp::UNIX_EPOCH)
            .into_iter()
            .map(|condition| (condition.type_, condition.status, condition.reason))
            .collect()
    }

    #[test]
    fn the_state_table_holds() {
        let row = |type_: &str, status: &str, reason: &str| (type_.into(), status.into(), reason.into());
        assert_eq!(
            rows(Progress::Progressing),
            [row("Ready", "Unknown", "Because"), row("Reconciling", "True", "Because")]
        );
        assert_eq!(
            rows(Progress::Retrying),
            [row("Ready", "False", "Because"), row("Reconciling", "True", "ProgressingWithRetry")]
        );
        assert_eq!(rows(Progress::Stalled), [row("Ready", "False", "Because"), row("Stalled", "True", "Because")]);
        assert_eq!(rows(Progress::Done), [row("Ready", "True", "Because")]);
        assert_eq!(rows(Progress::Deleting), [row("Ready", "False", "Because"), row("Reconciling", "True", "Because")]);
    }

    #[test]
    fn remarks_change_nothing_else() {
        let standing = Standing { progress: Progress::Done, reason: "Because", message: "m".into() };
        let remark = Remark { type_: "Deprecated", reason: "Because", message: "spec.a: does nothing".into() };
        let conditions = conditions(&standing, [remark], Some(3), &[], Timestamp::UNIX_EPOCH);
        assert_eq!(conditions.iter().map(|found| found.type_.as_str()).collect::<Vec<_>>(), ["Ready", "Deprecated"]);
        assert_eq!(conditions[0].message, "m");
        assert_eq!((conditions[1].status.as_str(), conditions[1].message.as_str()), ("True", "spec.a: does nothing"));
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let at = |progress, second: i64, before: &[Condition]| {
            let standing = Standing { progress, reason: "Because", message: second.to_string() };
            conditions(&standing, None, Some(1), before, Timestamp::from_second(second).unwrap())
        };
        let first = at(Progress::Done, 5, &[]);
        let second = at(Progress::Done, 9, &first);
        assert_eq!(second[0].last_transition_time, first[0].last_transition_time);
        assert_eq!(second[0].message, "9");
        let third = at(Progress::Stalled, 12, &second);
        assert_eq!(third[0].last_transition_time.0.as_second(), 12);
    }
}
