//! The steps that a world can take.
use std::time::Duration;

use reqwest::StatusCode;

use super::{
    World, kubelet,
    network::Pending,
    operator::{Standby, master},
};
use crate::{agent_client::Asked, keys::Audience};

impl World {
    /// Some request is answered; where things may go wrong, it may never have arrived, or nobody hears the answer.
    pub(super) fn answer(&mut self, is_calm: bool) -> bool {
        let Some(operator) = &self.operator else { return false };
        let mut lines = operator.network.lines();
        lines.pending.retain(|pending| match pending {
            Pending::Cluster(_, sender) => !sender.is_closed(),
            Pending::Agent(_, sender) => !sender.is_closed(),
        });
        if lines.pending.is_empty() {
            return false;
        }
        let index = self.random.below(lines.pending.len());
        let pending = lines.pending.swap_remove(index);
        drop(lines);
        let fate = if is_calm { 99 } else { self.random.below(100) };
        match pending {
            Pending::Cluster(_, sender) if fate == 0 => drop(sender.send(Err("no route".into()))),
            Pending::Cluster(wanted, sender) => {
                let answer = self.execute(wanted);
                let _ = sender.send(if fate == 1 { Err("connection reset".into()) } else { Ok(answer) });
            }
            Pending::Agent(_, sender) if fate == 0 => drop(sender.send(Err("no route".into()))),
            Pending::Agent(asked, sender) => {
                let answer = self.serve(&asked);
                let answer = answer.ok_or_else(|| "connection refused".into());
                let _ = sender.send(if fate == 1 { Err("connection reset".into()) } else { answer });
            }
        }
        true
    }

    /// What the agent's server answers that listens there, where one does.
    pub(super) fn serve(&mut self, asked: &Asked) -> Option<(StatusCode, String)> {
        let processes = self.kubelet.processes(&self.network.etcd());
        let process = processes.into_iter().find(|found| found.ip == asked.pod.ip && found.port == asked.pod.port)?;
        let uid = self.agents.workspaces.get(&process.volume)?.uid.clone();
        let code = if asked.pod.token == master().derive(Audience::AgentHttp, &uid) {
            self.agents.serve(&process.volume, &asked.path, &asked.body, self.now)
        } else {
            401
        };
        if self.agents.undo(&process.volume, self.now, &mut self.random) {
            self.publish_of(&process);
        }
        Some((StatusCode::from_u16(code).unwrap(), String::new()))
    }

    /// Some cache hears of the next change, unless nobody hears of its kind.
    pub(super) fn tell(&mut self) -> bool {
        let behind = self.network.etcd().behind().into_iter();
        let behind: Vec<_> = behind.filter(|(_, plural)| Some(plural) != self.unheard.as_ref()).collect();
        if behind.is_empty() {
            return false;
        }
        let (id, _) = self.random.of(&behind);
        self.tell_watch(id);
        true
    }

    pub(super) fn tell_watch(&mut self, id: u64) {
        let networks =
            [self.operator.as_ref().map(|leads| &leads.network), self.standby.as_ref().map(|waits| &waits.network)];
        if let Some(network) = networks.into_iter().flatten().find(|network| network.watches(id)) {
            network.tell(id);
        }
    }

    /// Somebody looks at an object.
    pub(super) fn look(&mut self) -> bool {
        let Some(operator) = &mut self.operator else { return false };
        let ready = operator.ready();
        if ready.is_empty() {
            return false;
        }
        let chosen = self.random.of(&ready);
        operator.look(&chosen);
        true
    }

    pub(super) async fn hear(&mut self) {
        let Some(operator) = &mut self.operator else { return };
        let rings: Vec<_> = operator.rings.iter().cloned().collect();
        if !rings.is_empty() {
            let agent = self.random.of(&rings);
            operator.hear(&agent).await;
        }
    }

    /// Some agent that can works on.
    pub(super) fn work(&mut self) {
        for process in self.processes() {
            if self.agents.work(&process.volume, self.now, &mut self.random) {
                return;
            }
        }
    }

    /// Some agent publishes what it has said.
    pub(super) fn publish(&mut self) {
        for process in self.processes() {
            if self.publish_of(&process) {
                return;
            }
        }
    }

    /// The agents' processes, in some order.
    fn processes(&mut self) -> Vec<kubelet::Process> {
        let mut processes = self.kubelet.processes(&self.network.etcd());
        let first = self.random.below(processes.len().max(1));
        processes.rotate_left(first);
        processes
    }

    pub(super) fn publish_of(&mut self, process: &kubelet::Process) -> bool {
        let workspace = self.agents.workspaces.get_mut(&process.volume).unwrap();
        let said = self.redis.0.lock().unwrap().publish(workspace);
        if said && let Some(operator) = &mut self.operator {
            operator.rings.insert(process.agent.clone());
        }
        said
    }

    pub(super) fn care(&mut self, is_calm: bool) -> bool {
        let etcd = &mut self.network.apiserver.lock().unwrap();
        let said = self.kubelet.step(etcd, &mut self.agents, &self.redis, &mut self.random, is_calm);
        let rings = self.agents.workspaces.values().map(|workspace| workspace.agent.clone());
        if let Some(operator) = self.operator.as_mut().filter(|_| said) {
            operator.rings.extend(rings); // a pod that ends may have said its last
        }
        said
    }

    pub(super) fn collect_garbage(&mut self) -> bool {
        let random = &mut self.random;
        let did = self.network.apiserver.lock().unwrap().collect_garbage(|count| random.below(count));
        let etcd = self.network.etcd();
        let gone: Vec<_> = self.agents.workspaces.keys().filter(|volume| !etcd.has_uid(volume)).cloned().collect();
        drop(etcd);
        gone.iter().for_each(|volume| self.agents.wipe(volume));
        did
    }

    /// For a while nobody hears of a kind.
    pub(super) fn delay_kind(&mut self) {
        let plurals: Vec<_> = self.network.etcd().behind().into_iter().map(|(_, plural)| plural).collect();
        let is_over = plurals.is_empty() || self.random.happens(300);
        self.unheard = if is_over { None } else { Some(self.random.of(&plurals)) };
    }

    pub(super) fn toggle_redis(&mut self) {
        let is_away = self.random.happens(300);
        self.redis.0.lock().unwrap().is_away = is_away;
    }

    /// A watch begins anew; whoever waits to try again does not wait here.
    pub(super) async fn expire(&mut self) {
        let Some(operator) = &self.operator else { return };
        let random = &mut self.random;
        operator.network.expire(|count| random.below(count));
        self.passes(Duration::from_secs(6)).await;
    }

    /// A second replica fills its caches, and waits for its turn.
    pub(super) async fn stand_by(&mut self) {
        if self.standby.is_none() {
            self.standby = Some(Standby::start(self.network.anew(), self.limit).await);
        }
    }

    /// What a leader wrote that is none any more arrives.
    pub(super) fn arrive_late(&mut self) {
        if let Some(wanted) = self.late.pop() {
            self.execute(wanted);
        }
    }
}
