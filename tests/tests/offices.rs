//! A manager makes agents, gives them work and reads what came of it, within what its office allows.
use anyhow::{Context as _, ensure};
use komputer_crds::v1beta1::{KomputerOffice, OfficePhase};
use komputer_tests::{
    agents::{agent, task},
    node::{Node, eventually},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};

/// Three agents, of which the office allows two more than it has; each leaves a word, and one is deleted again.
const SCRIPT: &str = r#"
<<tool: mcp__komputer__create_agent {"name": "ada", "instructions": "{%bash: echo one%}{%text: word of ada%}"}>>
<<tool: mcp__komputer__create_agent {"name": "bob", "instructions": "{%text: word of bob%}"}>>
<<tool: mcp__komputer__create_agent {"name": "eve", "instructions": "{%text: word of eve%}"}>>
<<tool: mcp__komputer__create_agent {"name": "zoe"}>>
<<tool: mcp__komputer__create_agent {"name": "ada", "template": "none-of-yours"}>>
<<tool: mcp__komputer__wait_for_tasks {"agents": ["ada", "bob", "eve"]}>>
<<tool: mcp__komputer__ask_agent {"name": "ada", "instructions": "{%text: second word of ada%}"}>>
<<tool: mcp__komputer__wait_for_tasks {"agents": ["ada"]}>>
<<tool: mcp__komputer__read_results {"name": "ada"}>>
<<tool: mcp__komputer__delete_agent {"name": "eve"}>>
<<tool: mcp__komputer__delete_agent {"name": "stranger"}>>
<<tool: mcp__komputer__create_schedule {"name": "daily", "agent": "bob", "schedule": "0 9 * * *", "instructions": "i"}>>
<<tool: mcp__komputer__list_agents {}>>
<<text: managed>>"#;

/// What the agent's tools gave back, in their order.
async fn tool_outputs(node: &Node, namespace: &str, agent: &str) -> anyhow::Result<Vec<String>> {
    let token = node.token(namespace, "reader", Some("komputer-view")).await?;
    let api = node.service("komputer-api").await?;
    let url = format!("http://{api}/api/v1/agents/{agent}/events?namespace={namespace}&limit=200");
    let events: Value = node.http.get(url).bearer_auth(token).send().await?.json().await?;
    let events = events["events"].as_array().context("no events")?;
    let results = events.iter().filter(|event| event["type"] == "tool_result");
    Ok(results.filter_map(|event| event["payload"]["output"].as_str().map(Into::into)).collect())
}

#[tokio::test]
async fn a_manager_works_with_three_agents_within_what_its_office_allows() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("offices").await?;
    node.apply(&json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerOffice",
        "metadata": { "namespace": namespace, "name": "office" },
        "spec": { "managerRef": { "name": "boss" }, "maxAgents": 3 },
    }))
    .await?;
    let mut stranger = agent(&namespace, "stranger", "<<text: alone>>");
    stranger["spec"]["lifecycle"] = json!({ "afterTask": "Sleep" });
    node.apply(&stranger).await?;
    let mut boss = agent(&namespace, "boss", SCRIPT);
    boss["spec"]["role"] = "Manager".into();
    node.apply(&boss).await?;

    let told = node.ended_task(&namespace, "boss").await?.status.context("a status")?;
    ensure!(told.result.as_deref() == Some("managed"), "{told:?}");
    let outputs = tool_outputs(&node, &namespace, "boss").await?;
    ensure!(outputs.len() == 13, "{outputs:#?}");
    let said = |number: usize, words: &[&str]| {
        let output: &String = &outputs[number];
        ensure!(words.iter().all(|words| output.contains(words)), "{number}: {output}");
        Ok(())
    };
    said(2, &[r#""agent":"eve""#])?;
    said(3, &["KomputerOffice office may have 3 agents and has them"])?;
    said(4, &["was_there_already\":true"])?;
    said(5, &["word of ada", "word of bob", "word of eve"])?;
    said(7, &["second word of ada"])?;
    said(8, &["second word of ada", "\"word of ada"])?;
    said(9, &[r#"{"deleted":"eve"}"#])?;
    said(10, &["you have not made agent stranger"])?;
    said(11, &[r#"{"schedule":"daily"}"#])?;
    said(12, &["ada", "bob"])?;

    let offices = Api::<KomputerOffice>::namespaced(node.client.clone(), &namespace);
    let office = eventually("the office to add up", || async {
        let office = offices.get("office").await?;
        let status = office.status.clone().unwrap_or_default();
        let is_so = status.total_agents == Some(3) && status.phase == Some(OfficePhase::Complete);
        is_so.then_some(office).with_context(|| format!("{status:?}")).map(Some)
    })
    .await?;
    let cost = office.status.and_then(|status| status.total_cost_usd).unwrap_or_default();
    ensure!(cost.parse::<f64>()? > 0.0, "{cost}");

    // The office takes what was made in it, and leaves what was declared.
    offices.delete("office", &DeleteParams::default()).await?;
    eventually("what the manager made to go", || async {
        let names = node.agents(&namespace).list(&ListParams::default()).await?;
        let names: Vec<_> = names.iter().map(ResourceExt::name_any).collect();
        (names == ["boss", "stranger"]).then_some(()).with_context(|| format!("{names:?}")).map(Some)
    })
    .await?;
    let left = node.kubectl(&["get", "komputerschedules", "-n", &namespace, "-o", "name"], "").await?;
    ensure!(left.trim().is_empty(), "{left}");

    // A manager that nobody has opened an office for gets one of its own, which goes with it.
    node.apply(&task(
        &namespace,
        "again",
        "boss",
        r#"<<tool: mcp__komputer__create_agent {"name": "ann"}>><<text: t>>"#,
    ))
    .await?;
    eventually("an office of the manager's own", || async { Ok(offices.get_opt("boss-office").await?) }).await?;
    node.agent_where(&namespace, "ann", |_| true).await?;
    node.agents(&namespace).delete("boss", &DeleteParams::default()).await?;
    eventually("manager, office and agent to go", || async {
        let names = node.agents(&namespace).list(&ListParams::default()).await?;
        let names: Vec<_> = names.iter().map(ResourceExt::name_any).collect();
        let office = offices.get_opt("boss-office").await?;
        (names == ["stranger"] && office.is_none()).then_some(()).with_context(|| format!("{names:?}")).map(Some)
    })
    .await?;
    node.remove_namespace(&namespace).await
}
