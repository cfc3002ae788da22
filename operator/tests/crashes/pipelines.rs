//! What users do, each pipeline in a namespace of its own, and what they wait for.
use futures::future::BoxFuture;
use komputer_tests::node::eventually;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::played::{mind::ENDLESS, space::Space};

/// A pipeline, and what it is called.
pub type Pipeline = (&'static str, fn(Space) -> BoxFuture<'static, ()>);

/// All of them.
pub const PIPELINES: [Pipeline; 6] = [
    ("agents", |space| Box::pin(agents(space))),
    ("tasks", |space| Box::pin(tasks(space))),
    ("schedules", |space| Box::pin(schedules(space))),
    ("squads", |space| Box::pin(squads(space))),
    ("budgets", |space| Box::pin(budgets(space))),
    ("offices", |space| Box::pin(offices(space))),
];

/// Agents work, sleep, are woken, grow, finish, and are deleted.
async fn agents(space: Space) {
    space.apply("KomputerMemory", "facts", json!({ "content": "The sky is blue." })).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "github" }, "stringData": { "token": "hunter2" },
    });
    space.api("Secret").patch("github", &PatchParams::apply("test"), &Patch::Apply(&secret)).await.unwrap();
    let auth = json!({ "secretKeyRef": { "name": "github", "key": "token" } });
    let server = json!({ "transport": "StreamableHTTP", "url": "https://mcp.example.com", "auth": auth });
    space.apply("KomputerConnector", "github", server).await;
    let storage = |size: &str| json!({ "size": size, "storageClassName": "grows" });
    let sleeps = json!({
        "instructions": "one", "lifecycle": { "afterTask": "Sleep" }, "memories": [{ "name": "facts" }],
        "connectors": [{ "name": "github" }], "storage": storage("1Gi"),
    });
    space.apply("KomputerAgent", "sleeper", sleeps).await;
    space
        .apply("KomputerAgent", "finisher", json!({ "instructions": "one", "lifecycle": { "afterTask": "Delete" } }))
        .await;
    space.apply("KomputerAgent", "grower", json!({ "storage": storage("1Gi") })).await;
    space.apply("KomputerAgent", "goer", json!({ "instructions": "one" })).await;
    space.stands("KomputerAgent", "sleeper", "Sleeping", |status| status["tasks"]["succeeded"] == 1).await;
    space.gone("Pod", "sleeper").await;

    space.task("wakes", json!({ "agentRef": { "name": "sleeper" }, "instructions": "two" })).await;
    space.stands("KomputerAgent", "sleeper", "Sleeping", |status| status["tasks"]["succeeded"] == 2).await;
    space.stands("KomputerAgent", "finisher", "Finished", |status| status["tasks"]["succeeded"] == 1).await;
    space.gone("Pod", "finisher").await;
    space.gone("PersistentVolumeClaim", "finisher").await;

    space.stands("KomputerAgent", "grower", "Idle", |_| true).await;
    space.apply("KomputerAgent", "grower", json!({ "storage": storage("2Gi") })).await;
    space.until("PersistentVolumeClaim", "grower", |claim| claim["status"]["capacity"]["storage"] == "2Gi").await;

    space.stands("KomputerAgent", "goer", "Idle", |status| status["tasks"]["succeeded"] == 1).await;
    space.delete("KomputerAgent", "goer").await;
    for kind in ["KomputerAgent", "Pod", "PersistentVolumeClaim", "Secret"] {
        space.gone(kind, "goer").await;
    }
}

/// Tasks wait for each other, are told things, replace each other, are deleted in their middle, and go when their time is over.
async fn tasks(space: Space) {
    let of = |instructions: &str| json!({ "agentRef": { "name": "worker" }, "instructions": instructions });
    space.apply("KomputerAgent", "worker", json!({})).await;
    space.task("first", of("one")).await;
    let mut brief = of("two");
    brief["ttlAfterFinished"] = "1s".into();
    space.task("brief", brief).await;
    space.gone("KomputerTask", "brief").await;

    space.apply("KomputerTask", "endless", of(ENDLESS)).await;
    space.phase("endless", "Running").await;
    let mut steers = of("hurry");
    steers["mode"] = "Steer".into();
    space.apply("KomputerTask", "steers", steers).await;
    space.phase("steers", "Running").await;
    let mut replaces = of("three");
    replaces["mode"] = "Replace".into();
    space.task("replaces", replaces).await;
    space.phase("endless", "Cancelled").await;
    space.phase("steers", "Cancelled").await;

    space.apply("KomputerTask", "unwanted", of(ENDLESS)).await;
    space.phase("unwanted", "Running").await;
    space.delete("KomputerTask", "unwanted").await;
    space.task("wanted", of("four")).await;
    let done = json!({ "succeeded": 4, "failed": 0, "cancelled": 3 });
    space.stands("KomputerAgent", "worker", "Idle", |status| status["tasks"] == done).await;
}

/// Runs are triggered, kept, forgotten and replaced; the agent comes from the schedule and goes when that is completed.
async fn schedules(space: Space) {
    let spec = |instructions: &str, completions: i32| {
        json!({
            "schedule": "0 0 1 1 *", "suspend": true, "agent": {}, "task": { "instructions": instructions },
            "concurrencyPolicy": "Replace", "successfulTasksHistoryLimit": 1, "completions": completions,
        })
    };
    let trigger = async |value: &str| {
        let annotations = json!({ "metadata": { "annotations": { "komputer.komputer.ai/trigger": value } } });
        let schedules = space.api("KomputerSchedule");
        schedules.patch("often", &PatchParams::default(), &Patch::Merge(&annotations)).await.unwrap();
        space.until("KomputerSchedule", "often", |schedule| schedule["status"]["lastTrigger"]["value"] == value).await;
    };
    let succeeded = async |count: i32| {
        space.until("KomputerSchedule", "often", |schedule| schedule["status"]["successfulRuns"] == count).await;
    };
    space.apply("KomputerSchedule", "often", spec("run", 9)).await;
    trigger("one").await;
    succeeded(1).await;
    trigger("two").await;
    succeeded(2).await;
    eventually("one of the two to be forgotten", || async {
        let tasks = space.api("KomputerTask").list(&ListParams::default()).await?;
        Ok((tasks.items.len() == 1).then_some(()))
    })
    .await
    .unwrap();
    space.apply("KomputerSchedule", "often", spec(ENDLESS, 9)).await;
    trigger("three").await;
    space.until("KomputerSchedule", "often", |schedule| schedule["status"]["lastRunPhase"] == "Running").await;
    space.apply("KomputerSchedule", "often", spec("run", 9)).await;
    trigger("four").await;
    succeeded(3).await;
    space.until("KomputerSchedule", "often", |schedule| schedule["status"]["failedRuns"] == 1).await;
    space.apply("KomputerSchedule", "often", spec("run", 3)).await;
    space.stands("KomputerSchedule", "often", "Completed", |_| true).await;
    space.gone("KomputerAgent", "often-agent").await;
}

/// A squad forms, makes an agent, lets it go, and another that nobody is a member of goes.
async fn squads(space: Space) {
    let members = |members: Value| json!({ "members": members });
    for name in ["ada", "bob"] {
        space.apply("KomputerAgent", name, json!({})).await;
        space.stands("KomputerAgent", name, "Idle", |_| true).await;
    }
    // One after the other, so that they move in so: of two at once, either pod may be gone first.
    let two = json!([{ "name": "ada" }, { "name": "bob" }]);
    for some in [json!([{ "name": "ada" }]), two.clone()] {
        space.apply("KomputerSquad", "crew", members(some.clone())).await;
        space.seats("crew-squad", some.as_array().map_or(0, Vec::len)).await;
        space.stands("KomputerSquad", "crew", "Running", |_| true).await;
    }
    let three = json!([{ "name": "ada" }, { "name": "bob" }, { "name": "cyd", "template": { "instructions": "one" } }]);
    space.apply("KomputerSquad", "crew", members(three)).await;
    space.stands("KomputerAgent", "cyd", "Idle", |status| status["tasks"]["succeeded"] == 1).await;
    space.task("seated", json!({ "agentRef": { "name": "ada" }, "instructions": "two" })).await;

    space.apply("KomputerSquad", "crew", members(two)).await;
    space.gone("KomputerAgent", "cyd").await;
    space.seats("crew-squad", 2).await;
    space.stands("KomputerSquad", "crew", "Running", |_| true).await;

    let mut nobodys = members(json!([{ "name": "nobody" }]));
    nobodys["orphanTTL"] = "1s".into();
    space.apply("KomputerSquad", "nobodys", nobodys).await;
    space.gone("KomputerSquad", "nobodys").await;
}

/// Agents spend from a budget, and what one has cost outlives it.
async fn budgets(space: Space) {
    space.apply("KomputerBudget", "team", json!({ "limitUSD": "5", "period": "Total" })).await;
    for name in ["goes", "stays"] {
        space.apply("KomputerAgent", name, json!({ "instructions": "one" })).await;
        space.stands("KomputerAgent", name, "Idle", |status| status["tasks"]["succeeded"] == 1).await;
    }
    space.delete("KomputerAgent", "goes").await;
    space.gone("KomputerAgent", "goes").await;
    let spent = "0.010000001";
    space.until("KomputerBudget", "team", |budget| budget["status"]["departedUSD"] == spent).await;
    space.task("later", json!({ "agentRef": { "name": "stays" }, "instructions": "two" })).await;
    let all = "0.030000003";
    space.until("KomputerBudget", "team", |budget| budget["status"]["spentUSD"] == all).await;
}

/// A manager has agents and a schedule made, gives and awaits tasks, and has one of each deleted again.
async fn offices(space: Space) {
    let agent = |name: &str| {
        let input = json!({ "name": name, "instructions": format!("of {name}"), "after_task": "keep_running" });
        json!({ "tool": "create_agent", "input": input })
    };
    let ask = |tool: &str, input: Value| json!({ "tool": tool, "input": input });
    let wait = |name: &str| ask("wait_for_tasks", json!({ "agents": [name] }));
    let daily = json!({ "name": "daily", "agent": "ada", "schedule": "0 9 1 1 *", "instructions": "i" });
    let requests = json!([
        agent("ada"),
        wait("ada"),
        ask("ask_agent", json!({ "name": "ada", "instructions": "more" })),
        wait("ada"),
        ask("create_schedule", daily),
        ask("delete_schedule", json!({ "name": "daily" })),
        agent("eve"),
        wait("eve"),
        ask("delete_agent", json!({ "name": "eve" })),
    ]);
    space.apply("KomputerAgent", "boss", json!({ "role": "Manager", "instructions": requests.to_string() })).await;
    space.stands("KomputerAgent", "boss", "Idle", |status| status["tasks"]["succeeded"] == 1).await;
    space.stands("KomputerAgent", "ada", "Idle", |status| status["tasks"]["succeeded"] == 2).await;
    space.gone("KomputerAgent", "eve").await;
    space.gone("KomputerSchedule", "daily").await;
    space.until("KomputerOffice", "boss-office", |office| office["status"]["totalCostUSD"] == "0.030000003").await;
}

impl Space {
    /// Makes a task and waits until it has succeeded; one that goes then is not waited for.
    async fn task(&self, name: &str, spec: Value) {
        let is_kept = spec.get("ttlAfterFinished").is_none();
        self.apply("KomputerTask", name, spec).await;
        if is_kept {
            self.phase(name, "Succeeded").await;
        }
    }

    async fn phase(&self, task: &str, phase: &str) {
        self.until("KomputerTask", task, |task| task["status"]["phase"] == phase).await;
    }

    /// Waits until Ready has that reason and the status is so.
    async fn stands(&self, kind: &str, name: &str, reason: &str, is_so: impl Fn(&Value) -> bool) {
        self.until(kind, name, |object| {
            let conditions = object["status"]["conditions"].as_array();
            let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
            ready.is_some_and(|ready| ready["reason"] == reason) && is_so(&object["status"])
        })
        .await;
    }

    /// Waits until so many are in a squad's pod.
    async fn seats(&self, pod: &str, count: usize) {
        self.until("Pod", pod, |pod| pod["spec"]["containers"].as_array().is_some_and(|all| all.len() == count)).await;
    }

    async fn until(&self, kind: &str, name: &str, is_so: impl Fn(&Value) -> bool) {
        eventually(&format!("{kind} {}/{name}", self.namespace), || async {
            let Some(object) = self.api(kind).get_opt(name).await? else { anyhow::bail!("it is not there") };
            if is_so(&object.data) { Ok(Some(())) } else { Err(anyhow::anyhow!("it says {}", object.data["status"])) }
        })
        .await
        .unwrap();
    }

    async fn gone(&self, kind: &str, name: &str) {
        eventually(&format!("{kind} {}/{name} to go", self.namespace), || async {
            Ok(self.api(kind).get_opt(name).await?.is_none().then_some(()))
        })
        .await
        .unwrap();
    }
}
