//! What managers were answered, until their streams say so: nothing is done twice that another request may have undone.
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use komputer_crds::v1beta1::KomputerOffice;
use kube::runtime::reflector::ObjectRef;

use crate::fold::OpenRequests;

/// Ids of answered requests, by office.
#[derive(Debug, Default)]
pub struct Answered(Mutex<HashMap<ObjectRef<KomputerOffice>, BTreeSet<String>>>);

impl Answered {
    pub(super) fn add(&self, office: &ObjectRef<KomputerOffice>, id: &str) {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.entry(office.clone()).or_default().insert(id.to_owned());
    }

    /// Of these those that were not answered; forgets what the stream has by now.
    pub(super) fn open(&self, office: &ObjectRef<KomputerOffice>, mut requests: OpenRequests) -> OpenRequests {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = answered.get_mut(office) {
            ids.retain(|id| requests.iter().any(|asked| asked.id == *id));
            requests.close(ids);
            if ids.is_empty() {
                answered.remove(office);
            }
        }
        requests
    }

    pub(super) fn forget(&self, office: &ObjectRef<KomputerOffice>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(office);
    }
}

#[cfg(test)]
mod tests {
    use komputer_events::{
        AgentId, Body, Cursor, Event,
        office::{Nothing, OfficeRequest},
    };

    use super::*;
    use crate::fold::Fold as _;

    fn asked(ids: &[&str]) -> OpenRequests {
        let mut requests = OpenRequests::default();
        for (id, number) in ids.iter().zip(1..) {
            requests.fold(&Event {
                id: Cursor::at(number),
                seq: number,
                agent: AgentId::new("team", "boss").unwrap(),
                timestamp: jiff::Timestamp::UNIX_EPOCH,
                task: Some("t".into()),
                body: Body::OfficeRequest { id: (*id).into(), request: OfficeRequest::ListAgents(Nothing {}) },
            });
        }
        requests
    }

    #[test]
    fn what_was_answered_is_open_no_more_and_forgotten_once_the_stream_says_so() {
        let (answered, office) = (Answered::default(), ObjectRef::new("office").within("team"));
        answered.add(&office, "one");
        assert_eq!(
            answered.open(&office, asked(&["one", "two"])).iter().map(|asked| &*asked.id).collect::<Vec<_>>(),
            ["two"]
        );
        let other = ObjectRef::new("other").within("team");
        assert_eq!(answered.open(&other, asked(&["one"])), asked(&["one"]));
        assert_eq!(answered.open(&office, asked(&["two"])), asked(&["two"]));
        assert!(answered.0.lock().unwrap().is_empty());
        answered.add(&office, "two");
        answered.forget(&office);
        assert_eq!(answered.open(&office, asked(&["two"])), asked(&["two"]), "another office of that name");
    }
}
