//! One reader for many clients, without sockets.
use std::time::Duration;

use komputer_api::{
    live::{Ended, Frame, Hub, QueueLimits, Start, Subscription},
    metrics::Metrics,
};
use komputer_events::{
    Cursor,
    bus::{Bells, Streams},
};
use komputer_telemetry::Registry;
use tokio::{task::JoinSet, time::timeout};

use komputer_tests::redis::credentials;

use super::redis::{Producer, Redis, USER};

const ROOMY: QueueLimits = QueueLimits { frames: 10_000, bytes: 100_000_000 };

fn hub(redis: &Redis) -> Hub {
    let rings = Bells::listen(&redis.address(), &credentials(USER));
    Hub::start(redis.streams(), rings, Metrics::new(&Registry::new("komputer-api")))
}

fn subscribe(hub: &Hub, redis: &Redis, producer: &Producer, start: Start, limits: QueueLimits) -> Subscription {
    Subscription::new(hub.clone(), redis.streams(), producer.agent.clone(), start, limits)
}

/// Waits for this many frames, and that no more follow.
async fn hear(subscription: &mut Subscription, count: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    let waiting = async {
        while frames.len() < count {
            frames.extend(subscription.next().await.unwrap());
        }
    };
    timeout(Duration::from_secs(30), waiting).await.expect("frames are missing");
    let more = timeout(Duration::from_millis(100), subscription.next()).await;
    assert!(more.is_err(), "more than {count} frames: {more:?}");
    frames
}

fn frames_of(producer: &Producer) -> Vec<Frame> {
    producer.said.iter().cloned().map(Frame::event).collect()
}

#[tokio::test]
async fn whoever_joins_whenever_gets_each_event_once_and_in_order() {
    let redis = Redis::start().await;
    let hub = hub(&redis);
    let mut ada = Producer::new(&redis, "team-a", "ada");
    let from = |start| subscribe(&hub, &redis, &ada, start, ROOMY);
    let mut clients = vec![(0, from(Start::Live(Cursor::START))), (0, from(Start::Replay(Cursor::START)))];
    let mut heard: Vec<Vec<Frame>> = vec![vec![]; 2];
    for round in 0..20 {
        ada.say(3 + round % 7 * 40).await;
        let known = ada.said.len();
        let half = ada.said[known / 2].id;
        let mut late = subscribe(&hub, &redis, &ada, Start::Replay(half), ROOMY);
        heard.push(late.next().await.unwrap());
        clients.push((known / 2 + 1, late));
        for ((_, client), heard) in clients.iter_mut().zip(&mut heard).take(round) {
            if let Ok(frames) = timeout(Duration::from_millis(1), client.next()).await {
                heard.extend(frames.unwrap());
            }
        }
    }
    let all = frames_of(&ada);
    for ((skipped, client), mut heard) in clients.iter_mut().zip(heard) {
        let missing = all.len() - *skipped - heard.len();
        heard.extend(hear(client, missing).await);
        assert_eq!(heard, all[*skipped..], "from {skipped}");
    }
}

#[tokio::test]
async fn a_slow_client_is_cut_off_and_delays_nobody() {
    let redis = Redis::start().await;
    let hub = hub(&redis);
    let mut ada = Producer::new(&redis, "team-a", "ada");
    let tight = QueueLimits { frames: 8, bytes: 100_000_000 };
    let mut slow = subscribe(&hub, &redis, &ada, Start::Live(Cursor::START), tight);
    let mut quick = subscribe(&hub, &redis, &ada, Start::Live(Cursor::START), ROOMY);
    ada.say(3).await;
    let first = hear(&mut slow, 3).await;
    hear(&mut quick, 3).await;
    ada.say(300).await;
    assert_eq!(hear(&mut quick, 300).await, frames_of(&ada)[3..]);
    assert!(slow.overflowed());
    let (mut heard, ended) = (
        first,
        loop {
            match slow.next().await {
                Ok(frames) => assert!(frames.len() <= 8),
                Err(ended) => break ended,
            }
        },
    );
    assert_eq!(ended, Ended::Overflow);

    // It goes on where it was, and misses nothing.
    let resumed = Start::Replay(heard.last().unwrap().cursor);
    heard.extend(hear(&mut subscribe(&hub, &redis, &ada, resumed, ROOMY), 300).await);
    assert_eq!(heard, frames_of(&ada));
}

#[tokio::test]
async fn a_client_that_was_away_too_long_is_told_what_is_gone() {
    let redis = Redis::start().await;
    let hub = hub(&redis);
    let mut ada = Producer::new(&redis, "team-a", "ada");
    ada.retention.events = 100;
    for _ in 0..10 {
        ada.say(100).await;
    }
    let kept = redis.streams().after(&ada.agent, None, Cursor::START, 1_000).await.unwrap().entries;
    assert!(kept.len() < 900, "Redis trims");
    let (oldest, all) = (ada.said.len() - kept.len(), frames_of(&ada));
    for (after, cursor) in [(0, Cursor::START), (5, ada.said[4].id)] {
        let mut client = subscribe(&hub, &redis, &ada, Start::Replay(cursor), ROOMY);
        let heard = hear(&mut client, kept.len() + 1).await;
        assert_eq!(heard[0], Frame::gap(cursor, kept[0].id), "after {after}");
        assert_eq!(heard[1..], all[oldest..]);
    }
    let mut client = subscribe(&hub, &redis, &ada, Start::Replay(kept[0].id), ROOMY);
    assert_eq!(hear(&mut client, kept.len() - 1).await, all[oldest + 1..], "nothing is missing, nothing is said");
}

#[tokio::test]
async fn an_agent_made_anew_under_the_same_name_is_heard_from_its_first_event() {
    let redis = Redis::start().await;
    let hub = hub(&redis);
    let mut old = Producer::new(&redis, "team-a", "ada");
    let mut client = subscribe(&hub, &redis, &old, Start::Live(Cursor::START), ROOMY);
    old.say(5).await;
    hear(&mut client, 5).await;
    let last = old.delete().await;
    let mut new = Producer::later(&redis, "team-a", "ada", last);
    new.say(3).await;
    assert_eq!(hear(&mut client, 3).await, frames_of(&new));
    let mut resumed = subscribe(&hub, &redis, &new, Start::Replay(last), ROOMY);
    assert_eq!(hear(&mut resumed, 3).await, frames_of(&new), "resumed from the old one's last event");
}

#[tokio::test]
async fn a_redis_that_lost_everything_and_is_refilled_repeats_and_loses_nothing() {
    let mut redis = Redis::start().await;
    let hub = hub(&redis);
    let mut ada = Producer::new(&redis, "team-a", "ada");
    let mut client = subscribe(&hub, &redis, &ada, Start::Live(Cursor::START), ROOMY);
    ada.say(50).await;
    let mut heard = hear(&mut client, 50).await;

    redis.replace().await;
    // Somebody who was away comes back before the agent has refilled its stream.
    let mut resumed = subscribe(&hub, &redis, &ada, Start::Replay(ada.said[19].id), ROOMY);
    assert!(timeout(Duration::from_millis(500), resumed.next()).await.is_err(), "nothing is there yet");
    ada.refill().await;
    ada.say(10).await;
    heard.extend(hear(&mut client, 10).await);
    assert_eq!(heard, frames_of(&ada));
    assert_eq!(hear(&mut resumed, 40).await, frames_of(&ada)[20..]);
}

#[tokio::test]
async fn a_cursor_from_the_future_harms_nobody_else() {
    let redis = Redis::start().await;
    let hub = hub(&redis);
    let mut ada = Producer::new(&redis, "team-a", "ada");
    let future: Cursor = "9999999999999-0".parse().unwrap();
    let mut strange = subscribe(&hub, &redis, &ada, Start::Replay(future), ROOMY);
    assert!(timeout(Duration::from_millis(200), strange.next()).await.is_err());
    let mut client = subscribe(&hub, &redis, &ada, Start::Live(Cursor::START), ROOMY);
    ada.say(5).await;
    assert_eq!(hear(&mut client, 5).await, frames_of(&ada));
    assert!(timeout(Duration::from_millis(200), strange.next()).await.is_err());
}

/// Below the interval at which the hub looks at everything: what is heard only then was not heard.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_join_while_agents_speak_miss_nothing_and_hear_nothing_twice() {
    let redis = Redis::start().await;
    let hub = hub(&redis);
    let mut speakers = JoinSet::new();
    for n in 0..40 {
        let speaker = Producer::new(&redis, "team-a", &format!("speaker-{n}"));
        speakers.spawn(speak_to_joiners(speaker, hub.clone(), redis.streams()));
    }
    while let Some(spoke) = speakers.join_next().await {
        spoke.unwrap();
    }
}

async fn speak_to_joiners(mut speaker: Producer, hub: Hub, streams: Streams) {
    const EVENTS: usize = 60;
    let mut clients = JoinSet::new();
    for _ in 0..EVENTS / 3 {
        let start = Start::Replay(Cursor::START);
        let mut client = Subscription::new(hub.clone(), streams.clone(), speaker.agent.clone(), start, ROOMY);
        clients.spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < EVENTS {
                heard.extend(timeout(AT_ONCE, client.next()).await.expect("nothing is heard").unwrap());
            }
            heard
        });
        speaker.say(1).await;
        speaker.say(2).await;
    }
    while let Some(heard) = clients.join_next().await {
        assert_eq!(heard.unwrap(), frames_of(&speaker));
    }
}
