use crate::AgentId;

/// Streams are spread over this many shards; a stream and its shard's bell share a Redis Cluster slot.
pub const SHARDS: u16 = 64;

/// The shard of an agent, by FNV-1a of `namespace/name`: stable across versions, processes and languages.
pub fn shard(agent: &AgentId) -> u16 {
    let hash = agent
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u16::try_from(hash % u64::from(SHARDS)).unwrap_or_default()
}

/// The agent's stream of events.
pub fn stream_key(agent: &AgentId) -> String {
    format!("komputer-events:{{{}}}:{agent}", shard(agent))
}

/// The stream that gets an entry whenever one of the shard's agents said something.
pub fn bell_key(shard: u16) -> String {
    format!("komputer-bell:{{{shard}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_change() {
        let agent = AgentId::new("team-a", "ada").unwrap();
        assert_eq!(stream_key(&agent), "komputer-events:{13}:team-a/ada");
        assert_eq!(bell_key(shard(&agent)), "komputer-bell:{13}");
    }

    #[test]
    fn agents_spread_over_all_shards() {
        let mut counts = vec![0; usize::from(SHARDS)];
        for n in 0..6400 {
            counts[usize::from(shard(&AgentId::new("default", format!("agent-{n}")).unwrap()))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
