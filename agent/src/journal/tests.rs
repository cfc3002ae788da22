use std::{
    fs::{self, File},
    io::Write as _,
};

use super::*;

fn agent() -> AgentId {
    AgentId::new("team-a", "ada").unwrap()
}

fn open(directory: &Path, bounds: Bounds) -> Journal {
    Journal::open(directory, agent(), bounds).unwrap()
}

fn say(journal: &Journal, text: &str) -> Event {
    journal.append(Some("t1"), Body::Text { content: text.into() }).unwrap()
}

fn seqs(journal: &Journal) -> Vec<u64> {
    let mut seqs = Vec::new();
    journal.replay(|event| seqs.push(event.seq)).unwrap();
    seqs
}

#[test]
fn events_are_counted_without_a_gap_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let mut last = None;
    for _ in 0..3 {
        let journal = open(directory.path(), Bounds::default());
        for _ in 0..3 {
            let event = say(&journal, "x");
            assert!(last < Some(event.id));
            last = Some(event.id);
        }
    }
    assert_eq!(seqs(&open(directory.path(), Bounds::default())), (1..=9).collect::<Vec<_>>());
}

#[test]
fn a_torn_last_line_is_cut_off_and_its_number_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), Bounds::default());
    say(&journal, "whole");
    let path = journal.writer().segments()[0].path.clone();
    drop(journal);
    File::options().append(true).open(&path).unwrap().write_all(br#"{"id":"1-1","seq":2,"agen"#).unwrap();
    let journal = open(directory.path(), Bounds::default());
    assert_eq!(say(&journal, "next").seq, 2);
    assert_eq!(seqs(&journal), [1, 2]);
}

#[test]
fn a_new_segment_that_was_torn_does_not_lose_the_count() {
    let directory = tempfile::tempdir().unwrap();
    say(&open(directory.path(), Bounds::default()), "first");
    fs::write(directory.path().join(format!("{:020}.jsonl", 2)), "{\"id\"").unwrap();
    assert_eq!(say(&open(directory.path(), Bounds::default()), "second").seq, 2);
    let only = tempfile::tempdir().unwrap();
    fs::write(only.path().join(format!("{:020}.jsonl", 10_001)), "").unwrap();
    assert_eq!(say(&open(only.path(), Bounds::default()), "next").seq, 10_001);
}

#[test]
fn a_damaged_event_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), small());
    (0..30).for_each(|_| drop(say(&journal, "x")));
    let path = journal.writer().segments()[0].path.clone();
    let damaged = fs::read_to_string(&path).unwrap().replacen("\"seq\":3,", "\"s\u{0}q\":3,", 1);
    fs::write(&path, damaged).unwrap();
    let expected: Vec<_> = (1..=30).filter(|seq| *seq != 3).collect();
    assert_eq!(seqs(&open(directory.path(), small())), expected);
}

fn small() -> Bounds {
    Bounds { segment: 1_000, reserve: 1_000, events: 20, published: 1 << 20, unpublished: 1 << 20 }
}

#[test]
fn old_segments_go_only_when_redis_has_them_and_enough_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), small());
    (0..100).for_each(|_| drop(say(&journal, "x")));
    assert_eq!(seqs(&journal).len(), 100);
    assert_eq!(journal.unpublished(), 100);
    journal.acknowledge(100);
    assert_eq!(journal.unpublished(), 0);
    (0..10).for_each(|_| drop(say(&journal, "x")));
    let kept = seqs(&journal);
    assert!((20..40).contains(&kept.len()), "{kept:?}");
    assert_eq!(kept.last(), Some(&110));
}

#[test]
fn even_without_redis_the_journal_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), Bounds { unpublished: 5_000, ..small() });
    (0..200).for_each(|_| drop(say(&journal, "x")));
    let bytes: u64 = journal.writer().segments().iter().map(|segment| segment.length).sum();
    assert!(bytes < 8_000, "{bytes}");
    assert_eq!(journal.beginning().seq + 1, seqs(&journal)[0]);
}

#[test]
fn reading_goes_on_where_it_stopped_across_segments() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), small());
    let ids: Vec<_> = (0..30).map(|_| say(&journal, "x").id).collect();
    let (mut position, mut found) = (journal.beginning(), Vec::new());
    loop {
        let batch = journal.read(position, 7, usize::MAX).unwrap();
        if batch.entries.is_empty() {
            break;
        }
        assert!(batch.entries.len() <= 7);
        found.extend(batch.entries.iter().map(|entry| entry.id));
        position = batch.end;
        assert_eq!(position.seq, found.len() as u64);
    }
    assert_eq!(found, ids);
    say(&journal, "later");
    assert_eq!(journal.read(position, 7, usize::MAX).unwrap().entries.len(), 1);
}

#[test]
fn an_event_is_found_by_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path(), small());
    let ids: Vec<_> = (0..30).map(|_| say(&journal, "x").id).collect();
    for (index, id) in ids.iter().enumerate() {
        let position = journal.after(*id).unwrap().unwrap();
        assert_eq!((position.seq, position.id), (index as u64 + 1, Some(*id)));
        assert_eq!(journal.read(position, 100, usize::MAX).unwrap().entries.len(), 29 - index);
    }
    assert_eq!(journal.after("1-1".parse().unwrap()).unwrap(), None);
    assert_eq!(journal.after(ids[29].next(u64::MAX)).unwrap(), None);
}

#[test]
fn on_a_full_volume_the_journal_goes_on_in_its_reserve() {
    let directory = tempfile::tempdir().unwrap();
    say(&open(directory.path(), small()), "first");
    // No volume has room for this.
    let journal = open(directory.path(), Bounds { reserve: 1 << 43, ..small() });
    (0..30).for_each(|_| drop(say(&journal, "x")));
    assert!(journal.is_short());
    journal.look_for_room().unwrap();
    assert!(journal.is_short());
    assert_eq!(seqs(&journal), (1..=31).collect::<Vec<_>>());
    drop(journal);
    let journal = open(directory.path(), small());
    say(&journal, "there is room again");
    assert!(!journal.is_short());
    assert_eq!(journal.writer().segments().len(), 2);
}
