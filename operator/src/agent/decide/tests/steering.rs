//! What is said to an agent in the middle of its task, and what becomes a task of its own.
use komputer_events::task::Message;

use super::*;

/// A task for an agent that may be busy, made so many seconds after the epoch.
fn said(name: &str, mode: TaskMode, created: i64, phase: TaskPhase) -> (Arc<KomputerTask>, TaskPhase) {
    let (mut task, phase) = task(name, phase);
    let made = Arc::make_mut(&mut task);
    (made.spec.mode, made.spec.deadline) = (Some(mode), Some("1m".into()));
    made.metadata.creation_timestamp = Timestamp::from_second(created).ok().map(Time);
    (task, phase)
}

/// What the agent is told, but for what it is to know and may cost.
fn told(observed: &Observed) -> Vec<String> {
    let told = decide(observed).calls.into_iter().filter_map(|call| match call {
        Call::PutTask { uid, request, .. } => {
            Some(format!("put {uid}{}", if request.compact { " compact" } else { "" }))
        }
        Call::Steer { task, uid, message, .. } => {
            assert_eq!(message, Message { text: format!("do {}", &uid[..1]), deadline_ms: Some(60_000) });
            Some(format!("say {uid} to {task}"))
        }
        Call::CancelTask { uid, .. } => Some(format!("cancel {uid}")),
        Call::Connect { .. } | Call::Teach { .. } | Call::Allow { .. } | Call::Answer { .. } => None,
    });
    told.collect()
}

#[test]
fn a_busy_agent_is_told_at_once_and_an_idle_one_in_its_turn() {
    let mut observed = awake();
    let steers = said("c", TaskMode::Steer, 3, TaskPhase::Pending);
    observed.tasks = vec![
        said("a", TaskMode::Queue, 1, TaskPhase::Running),
        said("b", TaskMode::Queue, 2, TaskPhase::Pending),
        steers.clone(),
    ];
    assert_eq!(told(&observed), ["put a-uid", "say c-uid to a-uid"]);
    observed.tasks[2] = said("c", TaskMode::Steer, 3, TaskPhase::Running);
    assert_eq!(told(&observed), ["put a-uid"], "it was read");
    observed.tasks[2] = steers;
    observed.tasks[0] = said("a", TaskMode::Queue, 1, TaskPhase::Succeeded);
    assert_eq!(told(&observed), ["put b-uid"], "what nobody has read waits");
    observed.tasks[1] = said("b", TaskMode::Queue, 2, TaskPhase::Running);
    assert_eq!(told(&observed), ["put b-uid", "say c-uid to b-uid"]);
    observed.tasks[1] = said("b", TaskMode::Queue, 2, TaskPhase::Failed);
    assert_eq!(told(&observed), ["put c-uid"]);
}

#[test]
fn an_older_task_is_never_said_in_the_middle_of_a_newer_one() {
    let mut observed = awake();
    observed.tasks =
        vec![said("a", TaskMode::Steer, 1, TaskPhase::Pending), said("b", TaskMode::Queue, 2, TaskPhase::Running)];
    assert_eq!(told(&observed), ["put b-uid"]);
}

#[test]
fn what_is_cancelled_replaced_or_deleted_is_taken_back() {
    let mut observed = awake();
    let mut steers = said("b", TaskMode::Steer, 2, TaskPhase::Pending);
    Arc::make_mut(&mut steers.0).spec.cancel = Some(true);
    observed.tasks = vec![said("a", TaskMode::Queue, 1, TaskPhase::Running), steers.clone()];
    assert_eq!(told(&observed), ["put a-uid", "cancel b-uid"]);
    // Its status says so before the agent does.
    steers.1 = TaskPhase::Cancelled;
    Arc::make_mut(&mut steers.0).status.as_mut().unwrap().phase = Some(TaskPhase::Cancelled);
    observed.tasks[1] = steers;
    assert_eq!(told(&observed), ["put a-uid", "cancel b-uid"]);
    let deleted = &mut observed.tasks[1];
    *deleted = said("b", TaskMode::Steer, 2, TaskPhase::Pending);
    Arc::make_mut(&mut deleted.0).metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    assert_eq!(told(&observed), ["put a-uid"]);

    observed.tasks[1] = said("b", TaskMode::Steer, 2, TaskPhase::Pending);
    observed.tasks.push(said("c", TaskMode::Replace, 3, TaskPhase::Pending));
    assert_eq!(
        told(&observed),
        ["put a-uid", "cancel a-uid"],
        "the running one ends, and takes with it what it has read"
    );
}

#[test]
fn a_compaction_is_a_task_like_any_other() {
    let mut observed = awake();
    let mut compaction = said("a", TaskMode::Queue, 1, TaskPhase::Pending);
    Arc::make_mut(&mut compaction.0).spec.compact = Some(true);
    observed.tasks = vec![compaction];
    assert_eq!(told(&observed), ["put a-uid compact"]);
}
