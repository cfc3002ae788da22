use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use komputer_crds::{
    v1alpha1::words,
    v1beta1::{KomputerSquad, SquadPhase},
};
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Filter, Readable, time};
use crate::{
    error::ApiError,
    query::Query,
    watch::{Cache, Caches},
};

/// A squad as callers see it: first what upstream shows, in its names and words, then what is new here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SquadView {
    name: String,
    namespace: String,
    phase: Option<SquadPhase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_name: Option<String>,
    members: Vec<MemberView>,
    #[serde(rename = "orphanTTL", skip_serializing_if = "Option::is_none")]
    orphan_ttl: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orphaned_since: Option<String>,
    /// Ready's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    break_up_requested: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,

    conditions: Vec<Condition>,
}

/// A member of a squad.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    name: String,
    /// Whether its container takes tasks.
    ready: bool,
    /// `InProgress`, `Complete` or `Error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_status: Option<&'static str>,
}

/// The squads of a list that are wanted.
#[derive(Debug, Default)]
pub struct SquadFilter {
    member: Option<String>,
}

impl Filter<KomputerSquad> for SquadFilter {
    fn parse(query: &Query) -> Result<Self, ApiError> {
        let member = query.one("member")?.map(|member| crate::query::name("member", member)).transpose()?;
        Ok(Self { member })
    }

    fn wants(&self, squad: &KomputerSquad) -> bool {
        let has = |name: &String| squad.spec.members.iter().any(|member| member.name == *name);
        self.member.as_ref().is_none_or(has)
    }
}

impl Readable for KomputerSquad {
    const PLURAL: &'static str = "squads";
    const SINGULAR: &'static str = "squad";
    type View = SquadView;
    type Filter = SquadFilter;
    type Related = ();

    fn cache(caches: &Caches) -> &Cache<Self> {
        &caches.squads
    }

    fn related(_: &Caches, _: Option<&str>) {}

    fn view(&self, (): &()) -> SquadView {
        let status = self.status.clone().unwrap_or_default();
        let members = self.spec.members.iter().map(|member| {
            let found = status.members.iter().find(|found| found.name == member.name);
            MemberView {
                name: member.name.clone(),
                ready: found.is_some_and(|found| found.ready),
                task_status: found.and_then(|found| found.task_status.as_deref()).map(words::task_status),
            }
        });
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        SquadView {
            name: self.name_any(),
            namespace: self.namespace().unwrap_or_default(),
            phase: status.phase,
            pod_name: status.pod_name,
            members: members.collect(),
            orphan_ttl: self.spec.orphan_ttl.clone(),
            orphaned_since: status.orphaned_since.as_ref().map(time::text),
            message: ready.map(|ready| ready.message.clone()),
            break_up_requested: self.spec.break_up == Some(true),
            created_at: time::created(&self.metadata),
            conditions: status.conditions,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn squad() -> KomputerSquad {
        serde_json::from_value(json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerSquad",
            "metadata": {"name": "crew", "namespace": "team-a", "creationTimestamp": "2026-11-01T10:00:00Z"},
            "spec": {"members": [{"name": "ada"}, {"name": "bob"}], "orphanTTL": "5m"},
            "status": {
                "phase": "Running", "podName": "crew-squad", "orphanedSince": "2026-11-01T10:00:01Z",
                "members": [{"name": "ada", "ready": true, "taskStatus": "Succeeded"}, {"name": "cyd", "ready": true}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_squad_shows_the_members_it_has_now() {
        let expected = json!({
            "name": "crew", "namespace": "team-a", "phase": "Running", "podName": "crew-squad", "orphanTTL": "5m",
            "orphanedSince": "2026-11-01T10:00:01Z", "breakUpRequested": false, "createdAt": "2026-11-01T10:00:00Z",
            "members": [{"name": "ada", "ready": true, "taskStatus": "Complete"}, {"name": "bob", "ready": false}],
            "conditions": [],
        });
        assert_eq!(serde_json::to_value(squad().view(&())).unwrap(), expected);
    }

    #[test]
    fn a_list_is_filtered_by_member() {
        let filter = |value: &str| SquadFilter::parse(&vec![("member".to_owned(), value.to_owned())].into()).unwrap();
        assert_eq!((filter("ada").wants(&squad()), filter("cyd").wants(&squad())), (true, false));
    }
}
