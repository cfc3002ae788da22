//! An agent of a squad: the squad makes the pod, and all else is as for any other.
use std::fmt::Write as _;

use super::{LAST_POD, Work, address::address, awake::own_secret, ending::furnish, handover::calls, short};
use crate::agent::{
    Membership,
    build::workspace_path,
    observed::Observed,
    places::Place,
    pod_state::{self, PodState, Trouble, TroubleKind},
    status::Situation,
    template::Resolved,
};

/// Where the agent stands that sits in its squad's pod, or is to.
pub(super) fn seated(observed: &Observed, membership: &Membership, resolved: &Resolved, work: &mut Work) -> Situation {
    let squad = &membership.squad;
    let (Some(pod), Some(seat)) = (&membership.pod, &membership.seat) else {
        return match observed.place {
            Place::Waits { position, limit } => Situation::Queued { position, limit },
            Place::Given | Place::Unknown if membership.pod.is_some() => Situation::Starting(format!(
                "The pod of KomputerSquad {squad} gets a place for the agent as soon as no other member works"
            )),
            Place::Given | Place::Unknown => {
                Situation::Starting(format!("The agent waits for the pod of KomputerSquad {squad}"))
            }
        };
    };
    match pod_state::of_container(pod, &seat.container) {
        PodState::Leaving(_) => Situation::Starting(LAST_POD.into()),
        PodState::Over(why) => {
            let message = format!("{why}; KomputerSquad {squad} makes the next");
            Situation::Fails(Trouble { kind: TroubleKind::PodFailed, message })
        }
        PodState::Fails(trouble) => Situation::Fails(trouble),
        PodState::Lacks(what) => {
            work.apply.push(own_secret(observed, resolved));
            Situation::WaitsForSecret(what)
        }
        PodState::Starting(message) => {
            furnish(observed, pod, resolved, work);
            Situation::Starting(message)
        }
        PodState::Ready { ip } => {
            work.calls = calls(observed, resolved, &address(observed, pod, ip, seat.port));
            if let Some(situation) = short(observed, work) {
                situation
            } else if observed.works() || !work.calls.is_empty() {
                Situation::Working
            } else if membership.stays {
                Situation::Idle
            } else {
                Situation::Starting(format!(
                    "The agent leaves the pod of KomputerSquad {squad} as soon as nobody in it works"
                ))
            }
        }
    }
}

/// What the agent is told of the others in its pod.
pub(super) fn company(observed: &Observed, membership: &Membership) -> Option<String> {
    let seats = &membership.pod.as_deref().filter(|_| membership.seat.is_some())?.seats;
    let own = observed.agent.metadata.name.as_deref().unwrap_or_default();
    let mut text = String::new();
    for other in seats.keys().filter(|other| *other != own) {
        let _ = write!(text, "\n- {other}: {}", workspace_path(other));
    }
    let intro = format!("You are {own}, of the squad {}. The workspaces of its other agents:", membership.squad);
    (!text.is_empty()).then_some(intro + &text)
}
