//! Squad: judged, and not carried out yet. Its status says so, so that nobody waits for it.
use komputer_crds::{
    v1beta1::{KomputerSquad, KomputerSquadStatus},
    validate::Kind,
};
use kube::ResourceExt;

use super::{
    decide::{Declared, Verdict},
    world::World,
};
use crate::conditions::Progress;

/// A member that an older squad has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The agent.
    pub(super) member: String,
    /// The squad that has it.
    pub(super) squad: String,
}

impl Declared for KomputerSquad {
    const KIND: Kind = Kind::Squad;
    type Facts = Option<Conflict>;

    /// Of two squads with the same member the older has it, or that whose name is first.
    fn look(&self, world: &World) -> Option<Conflict> {
        let age = |squad: &KomputerSquad| (squad.creation_timestamp(), squad.name_any());
        let squads = world.squads.state();
        let older = squads.iter().filter(|other| other.namespace() == self.namespace() && age(other) < age(self));
        let mut conflicts: Vec<_> = older
            .flat_map(|other| {
                let both = other
                    .spec
                    .members
                    .iter()
                    .filter(|theirs| self.spec.members.iter().any(|ours| ours.name == theirs.name));
                both.map(|member| Conflict { member: member.name.clone(), squad: other.name_any() })
            })
            .collect();
        conflicts.sort_by(|one, other| one.member.cmp(&other.member));
        conflicts.into_iter().next()
    }

    fn judge(&self, conflict: &Option<Conflict>) -> Verdict<KomputerSquadStatus> {
        let (reason, message) = match conflict {
            Some(Conflict { member, squad }) => {
                let message = format!(
                    "spec.members: KomputerSquad {squad} is older and has {member}; remove it from one of them"
                );
                ("Conflicted", message)
            }
            None => (
                "NotImplemented",
                "This version of komputer does not run squads; its agents run each in a pod of its own".into(),
            ),
        };
        Verdict::new(Progress::Stalled, reason, message, KomputerSquadStatus::default())
    }
}
