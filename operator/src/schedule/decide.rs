//! What to do about a schedule. Pure: everything it knows stands in [`Observed`].
//!
//! Runs begin as CronJob documents it: of those that could not begin at their times only the last begins, within the
//! deadline (<https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>).
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::{ConcurrencyPolicy, KomputerSchedule, KomputerScheduleStatus, ScheduleTrigger};
use kube::ResourceExt;

use super::{
    agent::{self, Standing},
    build::{run_name, task, triggered_name},
    observe::{Observed, TRIGGER},
    runs::Runs,
    status::{Situation, only_progress, standing_so},
    times::{Due, MANY, Times, settled, whole_seconds},
    valid::valid,
};
use crate::{
    conditions,
    plan::{Child, Plan, Removal, Report, Severity},
    status::{Written, show},
};

/// Runs under way at the same time; another waits.
const UNDER_WAY: usize = 100;
/// The longest value of a trigger that is told from another, in characters.
const TRIGGER_VALUE: usize = 253;
/// How often a task is looked for that is not in the cache yet.
const ARRIVAL: Duration = Duration::from_secs(10);

/// What to do about a schedule.
pub fn decide(observed: &Observed) -> Plan<KomputerScheduleStatus> {
    let mut work = Work::of(observed);
    let situation = work.settle();
    let Work { mut plan, mut status, runs, .. } = work;
    if situation != Situation::Deleting {
        plan.remove.extend(runs.beyond_history(observed));
    }
    if runs.awaits_arrival() {
        plan.again = Some(plan.again.map_or(ARRIVAL, |again| again.min(ARRIVAL)));
    }
    runs.write(&mut status);
    let wanted = standing_so(observed, status, &situation);
    let written = Written { status: observed.schedule.status.as_ref(), at: observed.written };
    show(plan, written, wanted, only_progress, observed.now)
}

/// What is to be done, as far as it is decided.
struct Work<'a> {
    observed: &'a Observed,
    schedule: &'a KomputerSchedule,
    runs: Runs,
    status: KomputerScheduleStatus,
    plan: Plan<KomputerScheduleStatus>,
}

/// The runs that are to be.
struct Coming {
    due: Option<Due>,
    next: Option<Timestamp>,
}

impl<'a> Work<'a> {
    fn of(observed: &'a Observed) -> Self {
        let schedule = &*observed.schedule;
        let status = schedule.status.clone().unwrap_or_default();
        Self { observed, schedule, runs: Runs::of(observed), status, plan: Plan::nothing() }
    }

    fn settle(&mut self) -> Situation {
        let next = self.status.next_run_time.take().map(|time| time.0);
        if self.schedule.metadata.deletion_timestamp.is_some() || self.observed.namespace_is_going {
            return Situation::Deleting; // garbage collection does the rest
        }
        let times = match valid(self.schedule) {
            Ok(times) => times,
            Err(causes) => return Situation::Invalid(causes),
        };
        self.part_from_former_agent();
        let coming = self.coming(&times, next);
        let is_last = coming.due.is_none() && coming.next.is_none();
        if is_last && self.runs.under_way().next().is_none() {
            return self.complete();
        }
        if let Some(situation) = self.prepare_agent() {
            let waits = matches!(situation, Situation::WaitsForAgent | Situation::WaitsForName);
            let shown = coming.due.map(|due| due.since).or(coming.next);
            self.await_next(shown.filter(|_| waits && !self.is_suspended()), coming.next);
            return situation;
        }
        if !self.is_suspended() {
            let waits = coming.due.and_then(|due| self.run(due));
            self.await_next(waits.or(coming.next), coming.next);
        }
        self.run_triggered();
        self.replace();
        if self.is_suspended() {
            Situation::Suspended
        } else if let Some(why) = self.agent_is_stalled() {
            Situation::AgentStalled(why)
        } else if is_last || coming.next.is_none() && self.status.next_run_time.is_none() {
            Situation::LastRun
        } else {
            Situation::Scheduled
        }
    }

    /// An agent that was made and is not named any more goes once it has done its runs; the status names it until then.
    fn part_from_former_agent(&mut self) {
        let former = agent::former(self.observed);
        let (busy, idle): (Vec<_>, Vec<_>) = former.into_iter().partition(|former| self.runs.occupy(&former.name));
        self.plan.remove.extend(idle.into_iter().map(Removal::Agent));
        let current = busy.into_iter().next().map_or_else(|| agent::agent_name(self.schedule), |former| former.name);
        self.status.agent_name = Some(current);
    }

    /// Which run is due, and which comes then, where `next` was to be the next one.
    fn coming(&self, times: &Times, next: Option<Timestamp>) -> Coming {
        let (now, spec) = (self.observed.now, &self.schedule.spec);
        if spec.completions.is_some_and(|completions| self.runs.succeeded() >= i64::from(completions)) {
            return Coming { due: None, next: None };
        }
        let created = self.schedule.creation_timestamp().map(|time| time.0);
        let last = self.runs.last.or(created).unwrap_or(now);
        let due = times.due(settled(last, next), now).map(|due| Due { since: next.unwrap_or(due.since), ..due });
        Coming { due, next: times.next(now.max(last)) }
    }

    /// Says which run is the next, and has the schedule looked at when another is due.
    fn await_next(&mut self, shown: Option<Timestamp>, due: Option<Timestamp>) {
        self.status.next_run_time = shown.map(Time);
        self.plan.again = due.and_then(|due| Duration::try_from(due.duration_since(self.observed.now)).ok());
    }

    fn is_suspended(&self) -> bool {
        self.schedule.spec.suspend == Some(true)
    }

    /// Sees to it that there is an agent, where one is needed; the situation where there cannot be one.
    fn prepare_agent(&mut self) -> Option<Situation> {
        let standing = agent::standing(self.observed);
        let is_away = self.observed.agent.is_none() || standing == Standing::Going;
        if is_away && self.is_suspended() && self.new_trigger().is_none() {
            return None;
        }
        match standing {
            Standing::There(_) => None,
            Standing::ToApply(wanted) => {
                self.plan.apply.push(Child::Agent(wanted));
                None
            }
            Standing::Missing => Some(Situation::WaitsForAgent),
            Standing::Going => Some(Situation::WaitsForName),
            Standing::Foreign => Some(Situation::Conflicted),
        }
    }

    fn agent_is_stalled(&self) -> Option<String> {
        let status = self.observed.agent.as_deref()?.status.as_ref()?;
        conditions::stalled(&status.conditions).map(str::to_owned)
    }

    /// Begins the run that is due, leaves it out, or answers since when it waits.
    fn run(&mut self, due: Due) -> Option<Timestamp> {
        let spec = &self.schedule.spec;
        let late = self.observed.now.duration_since(due.time);
        if spec.starting_deadline_seconds.is_some_and(|deadline| late > SignedDuration::from_secs(deadline)) {
            let message = format!(
                "The run of {} could not begin within spec.startingDeadlineSeconds and is left out; raise it where it should",
                due.time
            );
            self.skip(due.time, Severity::Warning, "RunMissed", message);
            return None;
        }
        let policy = spec.concurrency_policy.unwrap_or_default();
        if let Some(message) = self.must_wait(policy) {
            let message = format!("The run of {} waits: {message}", due.since);
            self.skip(due.since, Severity::Normal, "RunWaits", message);
            return Some(due.since);
        }
        let name = run_name(&self.schedule.name_any(), due.time);
        let message = match due.left_out {
            0 => format!("KomputerTask {name} does the run of {}", due.time),
            count => {
                format!("KomputerTask {name} does the run of {}; left out before it: {}", due.time, many(count))
            }
        };
        if due.left_out > MANY {
            let message = format!(
                "{} runs could not begin at their times, and only the last of them does; set spec.startingDeadlineSeconds, \
                 or check the clocks",
                many(due.left_out)
            );
            self.report(Severity::Warning, "TooManyMissedRuns", message);
        }
        self.begin(name, Some(due.time), message);
        None
    }

    /// Why no run may begin now.
    fn must_wait(&self, policy: ConcurrencyPolicy) -> Option<String> {
        let count = self.runs.under_way().count();
        let oldest = self.runs.under_way().next()?;
        if policy == ConcurrencyPolicy::Forbid {
            Some(format!(
                "KomputerTask {} is under way; cancel it, or set spec.concurrencyPolicy to Allow or Replace",
                oldest.name
            ))
        } else if count >= UNDER_WAY {
            Some(format!(
                "{count} KomputerTasks are under way; set spec.concurrencyPolicy to Forbid, or runs less often"
            ))
        } else {
            None
        }
    }

    /// Somebody asks for a run now, whatever the policy and also while suspended.
    fn run_triggered(&mut self) {
        let Some(value) = self.new_trigger() else { return };
        if self.runs.under_way().count() >= UNDER_WAY {
            return; // it begins when others have ended
        }
        let before = self.status.last_trigger.as_ref().map(|trigger| trigger.time.0);
        let name = triggered_name(&self.schedule.name_any(), &value, before);
        let message = format!("KomputerTask {name} does the run that was triggered");
        self.begin(name, None, message);
        self.note_trigger(value);
    }

    fn new_trigger(&self) -> Option<String> {
        let value: String = self.schedule.annotations().get(TRIGGER)?.chars().take(TRIGGER_VALUE).collect();
        let before = self.status.last_trigger.as_ref().map(|trigger| trigger.value.as_str());
        (before != Some(value.as_str())).then_some(value)
    }

    fn note_trigger(&mut self, value: String) {
        self.status.last_trigger = Some(ScheduleTrigger { value, time: Time(whole_seconds(self.observed.now)) });
    }

    fn begin(&mut self, name: String, time: Option<Timestamp>, message: String) {
        if self.runs.has(&name) {
            return; // it was made before, and the status was not written
        }
        self.plan.apply.push(Child::Task(Box::new(task(self.schedule, &name, time))));
        self.runs.add(name, self.observed.now, time);
        self.report(Severity::Normal, "RunStarted", message);
    }

    fn skip(&mut self, time: Timestamp, severity: Severity, reason: &str, message: String) {
        if self.status.last_skipped_time.as_ref().is_none_or(|before| before.0 != time) {
            self.status.last_skipped_time = Some(Time(time));
            self.report(severity, reason, message);
        }
    }

    fn replace(&mut self) {
        if self.schedule.spec.concurrency_policy == Some(ConcurrencyPolicy::Replace) {
            self.plan.apply.extend(self.runs.replaced().into_iter().map(Child::Cancellation));
        }
    }

    /// Nothing is to be run any more.
    fn complete(&mut self) -> Situation {
        self.plan.remove.extend(agent::dismissal(self.observed));
        if let Some(value) = self.new_trigger() {
            let message = "No run was triggered, because the schedule is completed; raise spec.completions, or set a later \
                           spec.at";
            self.report(Severity::Warning, "TriggerRefused", message.into());
            self.note_trigger(value);
        }
        if self.runs.last.is_none() { Situation::TooLate } else { Situation::Completed }
    }

    fn report(&mut self, severity: Severity, reason: &str, message: String) {
        self.plan.reports.push(Report { severity, reason: reason.into(), message });
    }
}

fn many(count: usize) -> String {
    if count > MANY { format!("more than {MANY}") } else { count.to_string() }
}
