//! When a status is written, and what people are told of it: the same for every kind.
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use komputer_crds::v1beta1::StatusConditions;

use crate::plan::{Plan, Report, Severity};

/// The slowest that progress is shown (DESIGN 1.3); everything else is shown at once.
pub const PROGRESS: Duration = Duration::from_secs(5);

/// When the object's status was last written, and what it was.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a, S> {
    /// The status.
    pub status: Option<&'a S>,
    /// When this process wrote it.
    pub at: Option<Timestamp>,
}

/// Adds to `plan` that the status is to be `wanted`: now, or later where it differs by mere progress.
pub fn show<S: PartialEq + StatusConditions>(
    mut plan: Plan<S>,
    written: Written<'_, S>,
    wanted: S,
    only_progress: impl Fn(&S, &S) -> bool,
    now: Timestamp,
) -> Plan<S> {
    if written.status == Some(&wanted) {
        return plan;
    }
    let since = written.at.map(|at| now.duration_since(at).unsigned_abs());
    match since.filter(|since| *since < PROGRESS) {
        Some(since) if written.status.is_some_and(|before| only_progress(before, &wanted)) => {
            let due = PROGRESS.saturating_sub(since);
            plan.again = Some(plan.again.map_or(due, |again| again.min(due)));
        }
        _ => {
            let before = written.status.map_or(&[][..], StatusConditions::conditions);
            plan.reports.extend(report(before, wanted.conditions()));
            plan.status = Some(wanted);
        }
    }
    plan
}

/// Reasons with which nothing has failed, and somebody should look all the same.
const TROUBLES: [&str; 4] = ["DependencyNotReady", "WaitsForBudget", "NearLimit", "Exceeded"];

/// What people are told when an object comes to stand elsewhere.
fn report(before: &[Condition], after: &[Condition]) -> Option<Report> {
    let of = |conditions: &[Condition], type_: &str| conditions.iter().find(|found| found.type_ == type_).cloned();
    let (was, is) = (of(before, "Ready"), of(after, "Ready")?);
    let troubled = is.status == "False" || TROUBLES.contains(&is.reason.as_str());
    let is_news = was.map_or(troubled, |was| was.reason != is.reason); // that something new begins well is none
    // Of what goes, nobody needs to be told; and its namespace may take no Events any more.
    if is.reason == "Deleting" || !is_news {
        return None;
    }
    let severity = if troubled { Severity::Warning } else { Severity::Normal };
    Some(Report { severity, reason: is.reason, message: is.message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Progress, Standing, conditions};

    fn standing(progress: Progress, reason: &'static str) -> Vec<Condition> {
        let standing = Standing { progress, reason, message: "m".into() };
        conditions(&standing, None, Some(1), &[], Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn people_are_told_once_of_each_change_and_warned_of_trouble() {
        let starting = standing(Progress::Progressing, "Starting");
        let told = |before: &[Condition], after: &[Condition]| {
            report(before, after).map(|report| (report.severity, report.reason))
        };
        assert_eq!(told(&[], &starting), None, "it has only begun");
        assert_eq!(told(&starting, &starting), None);
        let missing = standing(Progress::Progressing, "DependencyNotReady");
        assert_eq!(told(&[], &missing), Some((Severity::Warning, "DependencyNotReady".into())));
        assert_eq!(told(&starting, &missing), Some((Severity::Warning, "DependencyNotReady".into())));
        let failed = standing(Progress::Stalled, "ApiError");
        assert_eq!(told(&missing, &failed), Some((Severity::Warning, "ApiError".into())));
        assert_eq!(told(&failed, &standing(Progress::Done, "Idle")), Some((Severity::Normal, "Idle".into())));
    }
}
