//! What to do about an office. Pure: everything it knows stands in [`Observed`].
use std::time::Duration;

use komputer_crds::v1beta1::{KomputerOfficeStatus, Role};
use komputer_events::office::Answer;

use super::{
    observe::Observed,
    order::Changing,
    requests::{Outcome, judge},
};
use crate::{
    declared,
    plan::{Effect, Errand, Exactly, Plan, Removal},
};

/// When to look at what has just been changed: the caches say themselves when they show it.
const AT_ONCE: Duration = Duration::from_millis(100);

pub(super) fn decide(observed: &Observed) -> Plan<KomputerOfficeStatus> {
    let mut plan = declared::decide(&observed.declared);
    let office = observed.office();
    if office.metadata.deletion_timestamp.is_some() || observed.declared.namespace_is_going {
        return plan; // garbage collection does the rest
    }
    if observed.manager().is_none() {
        plan.remove.extend(left_behind(observed));
        return plan;
    }
    let Some(pod) = &observed.pod else { return plan };
    let invalid = declared::invalid(office).map(|causes| format!("the office is not valid: {causes}"));
    let is_manager = observed.manager().is_some_and(|manager| manager.spec.role == Some(Role::Manager));
    let invalid = invalid.or_else(|| (!is_manager).then(|| "you are no manager; set spec.role to Manager".into()));
    let (mut made, mut changing) = (0, Changing::default());
    for asked in observed.requests.iter() {
        if changing.concerns(&asked.request) {
            look_again(&mut plan, AT_ONCE);
            continue;
        }
        let outcome = match &invalid {
            Some(words) => Outcome::Answer(Answer::Error(words.clone())),
            None => judge(observed, asked, made),
        };
        let (effect, answer) = match outcome {
            Outcome::Wait(until) => {
                look_again(&mut plan, until.duration_since(observed.declared.now).unsigned_abs());
                continue;
            }
            Outcome::Answer(answer) => (None, answer),
            Outcome::Do(effect, result) => {
                changing.add(&asked.request);
                (Some(effect), Answer::Result(result))
            }
        };
        made += usize::from(effect.as_ref().is_some_and(Effect::makes_agent));
        plan.errands.push(Errand { pod: pod.clone(), id: asked.id.clone(), effect, answer });
    }
    plan
}

fn look_again(plan: &mut Plan<KomputerOfficeStatus>, after: Duration) {
    plan.again = Some(plan.again.map_or(after, |before| before.min(after)));
}

/// What the manager had made, once it has gone.
fn left_behind(observed: &Observed) -> impl Iterator<Item = Removal> {
    let agents = observed.left.agents.iter().filter(|agent| observed.owns(&***agent));
    let agents = agents.filter(|agent| agent.metadata.deletion_timestamp.is_none());
    let schedules = observed.left.schedules.iter().filter(|schedule| schedule.metadata.deletion_timestamp.is_none());
    agents
        .map(|agent| Removal::Agent(Exactly::of(&**agent)))
        .chain(schedules.map(|schedule| Removal::Schedule(Exactly::of(&**schedule))))
}
