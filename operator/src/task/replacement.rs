//! Which task takes the place of those before it.
use komputer_crds::v1beta1::{KomputerTask, TaskMode};
use kube::ResourceExt;

/// Which of two tasks of an agent comes first: the older, of equally old ones by name.
pub fn order(task: &KomputerTask) -> impl Ord + use<> {
    (task.creation_timestamp(), task.name_any())
}

/// The name of the first of `tasks` after `task` that replaces it, where one does; all are of one agent. One that was
/// cancelled before it began replaces none.
pub fn replacement<'a>(task: &KomputerTask, tasks: impl IntoIterator<Item = &'a KomputerTask>) -> Option<String> {
    let replaces = |other: &&KomputerTask| {
        other.spec.mode == Some(TaskMode::Replace) && !other.never_began() && order(other) > order(task)
    };
    tasks.into_iter().filter(replaces).min_by_key(|other| order(other)).map(ResourceExt::name_any)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use komputer_crds::v1beta1::{KomputerTaskSpec, KomputerTaskStatus, TaskPhase};

    use super::*;

    fn task(name: &str, created: i64, mode: TaskMode) -> KomputerTask {
        let mut task = KomputerTask::new(name, KomputerTaskSpec { mode: Some(mode), ..Default::default() });
        task.metadata.creation_timestamp = Timestamp::from_second(created).ok().map(Time);
        task
    }

    #[test]
    fn a_task_is_replaced_by_the_first_after_it_that_replaces() {
        let tasks = [
            task("d", 5, TaskMode::Replace),
            task("a", 1, TaskMode::Replace),
            task("b", 2, TaskMode::Queue),
            task("c", 2, TaskMode::Replace),
        ];
        let of = |index: usize| replacement(&tasks[index], &tasks);
        assert_eq!([of(1), of(2), of(3), of(0)], [Some("c".into()), Some("c".into()), Some("d".into()), None]);
    }

    #[test]
    fn what_was_cancelled_before_it_began_replaces_none() {
        let first = task("a", 1, TaskMode::Queue);
        let mut second = task("b", 2, TaskMode::Replace);
        second.spec.cancel = Some(true);
        assert_eq!(replacement(&first, [&second]), None);
        let mut status = KomputerTaskStatus { phase: Some(TaskPhase::Cancelled), ..Default::default() };
        second.status = Some(status.clone());
        assert_eq!(replacement(&first, [&second]), None);
        status.start_time = Some(Time(Timestamp::UNIX_EPOCH));
        second.status = Some(status);
        assert_eq!(replacement(&first, [&second]), Some("b".into()));
    }
}
