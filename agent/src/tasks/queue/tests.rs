use std::path::Path;

use komputer_events::{AgentId, Event, task::Message};

use super::*;
use crate::journal::Bounds;

fn open(directory: &Path) -> Queue {
    let tasks = directory.join("tasks");
    std::fs::create_dir_all(&tasks).unwrap();
    let journal = directory.join("journal");
    std::fs::create_dir_all(&journal).unwrap();
    let agent = AgentId::new("team-a", "ada").unwrap();
    let journal = Arc::new(Journal::open(&journal, agent, Bounds::default()).unwrap());
    Queue::open(Store::new(tasks), journal).unwrap()
}

fn uid(text: &str) -> TaskUid {
    text.parse().unwrap()
}

fn request(instructions: &str) -> TaskRequest {
    let text = String::from;
    let (name, instructions, model) = (text("t"), text(instructions), text("m"));
    TaskRequest {
        name,
        instructions,
        model,
        system_prompt: None,
        max_cost_usd: None,
        max_turns: None,
        deadline_ms: None,
        retries: 0,
        compact: false,
    }
}

fn terminal_events(queue: &Queue) -> Vec<String> {
    let mut tasks = Vec::new();
    let note = |event: Event| tasks.extend(event.task.filter(|_| event.body.is_terminal()));
    queue.journal.replay(note).unwrap();
    tasks
}

fn waiting(queue: &Queue) -> Vec<String> {
    queue.overview().waiting.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_was_accepted_is_worked_on_in_order_by_whoever_comes_next() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    for name in ["b", "a", "c"] {
        queue.submit(uid(name), request(name)).unwrap();
    }
    assert_eq!(queue.next().await.uid, uid("b"));
    assert_eq!(queue.overview().running, Some(uid("b")));
    drop(queue);
    let queue = open(directory.path());
    assert_eq!(waiting(&queue), ["b", "a", "c"]);
    queue.submit(uid("d"), request("d")).unwrap();
    assert_eq!(waiting(&open(directory.path())), ["b", "a", "c", "d"]);
}

#[tokio::test]
async fn a_task_is_done_once_however_often_it_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    for _ in 0..2 {
        queue.submit(uid("a"), request("x")).unwrap();
    }
    assert_eq!(waiting(&queue), ["a"]);
    assert!(matches!(queue.submit(uid("a"), request("y")), Err(QueueError::Conflict(_))));
    let job = queue.next().await;
    queue.end(&job.uid, cancelled()).unwrap();
    queue.submit(uid("a"), request("x")).unwrap();
    assert_eq!(queue.overview(), Overview::default());
    assert!(matches!(queue.submit(uid("a"), request("y")), Err(QueueError::Conflict(_))));
}

#[test]
fn a_full_queue_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    for number in 0..WAITING {
        queue.submit(uid(&format!("t{number}")), request("x")).unwrap();
    }
    assert!(matches!(queue.submit(uid("more"), request("x")), Err(QueueError::Full)));
    queue.cancel(&uid("t7")).unwrap();
    queue.submit(uid("more"), request("x")).unwrap();
}

#[tokio::test]
async fn a_cancel_ends_a_task_once_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    for name in ["running", "waiting"] {
        queue.submit(uid(name), request(name)).unwrap();
    }
    let job = queue.next().await;
    assert!(matches!(queue.cancel(&uid("nobody")), Err(QueueError::Unknown(_))));
    for _ in 0..2 {
        queue.cancel(&uid("waiting")).unwrap();
        queue.cancel(&job.uid).unwrap();
    }
    assert!(job.cancelled.is_cancelled());
    assert_eq!(terminal_events(&queue), ["waiting"]);
    // The process dies before it can end the running task.
    drop(queue);
    let queue = open(directory.path());
    assert_eq!(queue.overview(), Overview::default());
    assert_eq!(terminal_events(&queue), ["waiting", "running"]);
    assert_eq!(terminal_events(&open(directory.path())), ["waiting", "running"]);
}

#[tokio::test]
async fn a_task_whose_end_is_in_the_journal_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    queue.submit(uid("a"), request("x")).unwrap();
    queue.next().await;
    queue.journal.append(Some("a"), cancelled()).unwrap();
    drop(queue);
    assert_eq!(open(directory.path()).overview(), Overview::default());
}

#[tokio::test]
async fn what_a_task_has_used_up_is_known_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    queue.submit(uid("a"), request("x")).unwrap();
    let job = queue.next().await;
    let usage = |nano| {
        let usage = komputer_events::TokenUsage { input_tokens: 1, ..Default::default() };
        Body::Usage { model: "m".into(), usage, cost_usd: komputer_events::Money::from_nano(nano) }
    };
    let mut tally = Tally::default();
    tally.fold(&queue.journal.append(Some("a"), usage(5)).unwrap());
    queue.checkpoint(&job.uid, &tally).unwrap();
    queue.journal.append(Some("a"), usage(7)).unwrap();
    queue.journal.append(Some("other"), usage(100)).unwrap();
    drop(queue);
    let tally = open(directory.path()).next().await.work.tally;
    assert_eq!((tally.turns, tally.cost.nano()), (2, 12));
}

fn message(text: &str) -> Message {
    Message { text: text.into(), deadline_ms: None }
}

#[tokio::test]
async fn a_message_outlives_the_process_until_it_has_ended_and_is_not_said_again() {
    let directory = tempfile::tempdir().unwrap();
    let queue = open(directory.path());
    queue.submit(uid("a"), request("x")).unwrap();
    assert!(matches!(queue.send(&uid("a"), uid("m"), message("x")), Err(QueueError::NotRunning(_))));
    queue.next().await;
    queue.send(&uid("a"), uid("m"), message("x")).unwrap();
    assert!(matches!(queue.send(&uid("a"), uid("m"), message("y")), Err(QueueError::Conflict(_))));
    assert!(matches!(queue.submit(uid("m"), request("x")), Err(QueueError::Sent(_))));
    drop(queue);
    let queue = open(directory.path());
    let letters = queue.next().await.mailbox.all();
    assert_eq!(letters.iter().map(|letter| letter.uid.as_str()).collect::<Vec<_>>(), ["m"]);

    // The process dies once the journal says that the message has ended.
    queue.journal.append(Some("m"), cancelled()).unwrap();
    drop(queue);
    let queue = open(directory.path());
    let mailbox = queue.next().await.mailbox;
    queue.send(&uid("a"), uid("m"), message("x")).unwrap();
    queue.submit(uid("m"), request("x")).unwrap();
    assert_eq!((mailbox.all(), waiting(&queue)), (vec![], vec![]));
}
