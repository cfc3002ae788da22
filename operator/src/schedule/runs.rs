//! What the runs of a schedule come to. Each run is in the status by its task's name together with the sums that it is
//! part of, so that it is counted once whatever is read, lost or decided again; and a task is deleted only when the
//! status that has been written says how it ended.
use std::{collections::BTreeMap, ops::Add};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use komputer_crds::v1beta1::{KomputerScheduleStatus, KomputerTask, ScheduleRun, TaskPhase};
use komputer_events::Money;
use kube::ResourceExt;

use super::{build::time_of_run, observe::Observed, times::whole_seconds};
use crate::plan::{Exactly, Removal};

/// Runs that a status shows although their tasks are gone.
const REMEMBERED: usize = 10;
/// A task that is not in the cache after this was deleted; before, it may be on its way there.
const ARRIVAL: SignedDuration = SignedDuration::from_secs(30);
/// Tasks that are kept where a schedule says nothing, as CronJob has it.
const SUCCEEDED_KEPT: i32 = 3;
const FAILED_KEPT: i32 = 1;

/// All runs that are known of, and the sums of those that are forgotten.
pub(super) struct Runs {
    /// The newest last.
    known: Vec<ScheduleRun>,
    forgotten: Sums,
    /// Which of them have a task.
    tasks: BTreeMap<String, std::sync::Arc<KomputerTask>>,
    /// The time of the last run.
    pub(super) last: Option<Timestamp>,
}

/// What runs come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    runs: i64,
    succeeded: i64,
    failed: i64,
    cost: Money,
    tokens: i64,
}

impl Runs {
    /// The runs of the status, as their tasks stand now, and those that have a task and are not in the status: who made
    /// that came to nothing before it was written.
    pub(super) fn of(observed: &Observed) -> Self {
        let before = observed.schedule.status.clone().unwrap_or_default();
        let schedule = observed.schedule.name_any();
        let tasks = observed.tasks.iter().map(|task| (task.name_any(), task.clone())).collect();
        let mut runs = Self {
            forgotten: Sums::written(&before).without(Sums::of(&before.runs)),
            last: before.last_run_time.as_ref().map(|time| time.0),
            known: before.runs,
            tasks,
        };
        for task in &observed.tasks {
            let name = task.name_any();
            if !runs.has(&name) {
                let made = task.creation_timestamp().map_or(observed.now, |time| time.0);
                runs.add(name.clone(), made, time_of_run(&schedule, &name));
            }
        }
        for run in &mut runs.known {
            follow(run, runs.tasks.get(&run.name).map(|task| &**task), observed.now);
        }
        runs
    }

    /// Whether there is a run whose task is called so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.known.iter().any(|run| run.name == name)
    }

    /// Adds a run that begins, of a time of the schedule or none.
    pub(super) fn add(&mut self, name: String, made: Timestamp, time: Option<Timestamp>) {
        let made = whole_seconds(made);
        self.last = self.last.max(Some(time.unwrap_or(made)));
        let start_time = Time(made);
        self.known.push(ScheduleRun { name, start_time, phase: TaskPhase::Pending, cost_usd: None, tokens: None });
    }

    /// Those under way, oldest first.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &ScheduleRun> {
        self.known.iter().filter(|run| !run.phase.is_terminal())
    }

    /// How many have succeeded.
    pub(super) fn succeeded(&self) -> i64 {
        self.sums().succeeded
    }

    /// Whether the agent of that name has a run under way.
    pub(super) fn occupy(&self, agent: &str) -> bool {
        let mut tasks = self.under_way().filter_map(|run| self.tasks.get(&run.name));
        tasks.any(|task| task.spec.agent_ref.name == agent)
    }

    /// Tasks under way that the newest run replaces.
    pub(super) fn replaced(&self) -> Vec<Exactly> {
        let newest = self.known.last().map(|run| &run.name);
        let older = self.under_way().filter(|run| Some(&run.name) != newest);
        let tasks = older.filter_map(|run| self.tasks.get(&run.name));
        let wanted = tasks.filter(|task| task.spec.cancel != Some(true) && task.metadata.deletion_timestamp.is_none());
        wanted.map(|task| Exactly::of(&**task)).collect()
    }

    /// Tasks beyond what the schedule keeps, of which the written status says how they ended.
    pub(super) fn beyond_history(&self, observed: &Observed) -> Vec<Removal> {
        let written = observed.schedule.status.as_ref().map_or(&[][..], |status| &status.runs);
        let spec = &observed.schedule.spec;
        let kept = |limit: Option<i32>, default| usize::try_from(limit.unwrap_or(default)).unwrap_or_default();
        let succeeded = kept(spec.successful_tasks_history_limit, SUCCEEDED_KEPT);
        let failed = kept(spec.failed_tasks_history_limit, FAILED_KEPT);
        let beyond = |succeeds: bool, kept: usize| {
            let ended = self.known.iter().rev().filter(|run| run.phase.is_terminal());
            let alike = ended.filter(move |run| (run.phase == TaskPhase::Succeeded) == succeeds);
            let tasks = alike.filter_map(|run| Some((run, self.tasks.get(&run.name)?))).skip(kept);
            tasks.filter(|(run, task)| written.contains(run) && task.metadata.deletion_timestamp.is_none())
        };
        let all = beyond(true, succeeded).chain(beyond(false, failed));
        all.map(|(_, task)| Removal::Task(Exactly::of(&**task))).collect()
    }

    /// Whether a task may still be on its way to the cache.
    pub(super) fn awaits_arrival(&self) -> bool {
        self.under_way().any(|run| !self.tasks.contains_key(&run.name))
    }

    /// Says of all runs what a status says of them.
    pub(super) fn write(self, status: &mut KomputerScheduleStatus) {
        let sums = self.sums();
        if let Some(run) = self.known.last() {
            status.last_run_name = Some(run.name.clone());
            status.last_run_phase = Some(run.phase);
            status.last_run_cost_usd.clone_from(&run.cost_usd);
            status.last_run_tokens = run.tokens;
        }
        status.last_run_time = self.last.map(Time);
        status.run_count = Some(sums.runs);
        status.successful_runs = Some(sums.succeeded);
        status.failed_runs = Some(sums.failed);
        status.total_cost_usd = Some(sums.cost.to_string());
        status.total_tokens = Some(sums.tokens);
        let forgettable = self.known.len().saturating_sub(REMEMBERED);
        let known = self.known.into_iter().enumerate();
        let shown = known.filter(|(index, run)| {
            *index >= forgettable || !run.phase.is_terminal() || self.tasks.contains_key(&run.name)
        });
        status.runs = shown.map(|(_, run)| run).collect();
    }

    fn sums(&self) -> Sums {
        self.forgotten + Sums::of(&self.known)
    }
}

/// Takes into account how the run's task stands.
fn follow(run: &mut ScheduleRun, task: Option<&KomputerTask>, now: Timestamp) {
    match task {
        Some(task) => {
            let status = task.status.as_ref();
            run.phase = task.phase();
            run.cost_usd = status.and_then(|status| status.cost_usd.clone());
            run.tokens = status.and_then(|status| status.tokens).map(komputer_crds::v1beta1::Tokens::total);
        }
        None if !run.phase.is_terminal() && now.duration_since(run.start_time.0) > ARRIVAL => {
            run.phase = TaskPhase::Cancelled;
        }
        None => {}
    }
}

fn money(text: Option<&String>) -> Money {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl Sums {
    /// What a status says that all runs come to.
    fn written(status: &KomputerScheduleStatus) -> Self {
        Self {
            runs: status.run_count.unwrap_or_default(),
            succeeded: status.successful_runs.unwrap_or_default(),
            failed: status.failed_runs.unwrap_or_default(),
            cost: money(status.total_cost_usd.as_ref()),
            tokens: status.total_tokens.unwrap_or_default(),
        }
    }

    fn of(runs: &[ScheduleRun]) -> Self {
        runs.iter().map(Self::of_one).fold(Self::default(), Add::add)
    }

    fn of_one(run: &ScheduleRun) -> Self {
        let failed = matches!(run.phase, TaskPhase::Failed | TaskPhase::Cancelled);
        Self {
            runs: 1,
            succeeded: i64::from(run.phase == TaskPhase::Succeeded),
            failed: i64::from(failed),
            cost: money(run.cost_usd.as_ref()),
            tokens: run.tokens.unwrap_or_default(),
        }
    }

    fn without(self, other: Self) -> Self {
        let rest = |all: i64, part: i64| all.saturating_sub(part).max(0);
        Self {
            runs: rest(self.runs, other.runs),
            succeeded: rest(self.succeeded, other.succeeded),
            failed: rest(self.failed, other.failed),
            cost: self.cost.saturating_sub(other.cost),
            tokens: rest(self.tokens, other.tokens),
        }
    }
}

impl Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs.saturating_add(other.runs),
            succeeded: self.succeeded.saturating_add(other.succeeded),
            failed: self.failed.saturating_add(other.failed),
            cost: self.cost + other.cost,
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }
}
