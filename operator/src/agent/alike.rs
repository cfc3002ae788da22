//! What agents of a template have alike is kept once, however many of them are in a cache.
use std::sync::Arc;

use komputer_crds::v1beta1::{Effective, KomputerAgent};

/// So many different ones are compared with, the last that were met: whoever has as many templates shares less.
const COMPARED: usize = 64;

/// What the last agents came to.
#[derive(Default)]
pub(crate) struct Alike(Vec<Arc<Effective>>);

impl Alike {
    /// Has the agent share its status's `effective` with others that have the same.
    pub(crate) fn share(&mut self, agent: &mut KomputerAgent) {
        let Some(own) = agent.status.as_mut().and_then(|status| status.effective.as_mut()) else { return };
        if let Some(place) = self.0.iter().position(|other| other == own) {
            *own = self.0.remove(place);
        }
        self.0.truncate(COMPARED - 1);
        self.0.insert(0, own.clone());
    }
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{KomputerAgentSpec, KomputerAgentStatus};

    use super::*;

    fn shared(alike: &mut Alike, image: usize) -> Arc<Effective> {
        let effective = Effective { image: image.to_string(), ..Effective::default() };
        let mut agent = KomputerAgent::new("ada", KomputerAgentSpec::default());
        agent.status = Some(KomputerAgentStatus { effective: Some(Arc::new(effective)), ..Default::default() });
        alike.share(&mut agent);
        agent.status.unwrap().effective.unwrap()
    }

    #[test]
    fn equal_ones_are_one_as_long_as_not_too_many_others_come_between() {
        let mut alike = Alike::default();
        let first = shared(&mut alike, 0);
        for other in 1..COMPARED {
            assert_eq!(shared(&mut alike, other).image, other.to_string());
        }
        assert!(Arc::ptr_eq(&first, &shared(&mut alike, 0)));
        shared(&mut alike, COMPARED);
        assert!(Arc::ptr_eq(&first, &shared(&mut alike, 0)), "who was met last is kept");
        for other in 1..=COMPARED {
            shared(&mut alike, other);
        }
        assert!(!Arc::ptr_eq(&first, &shared(&mut alike, 0)));
        alike.share(&mut KomputerAgent::new("ada", KomputerAgentSpec::default()));
    }
}
