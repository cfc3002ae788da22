//! Who may look: as the apiserver says of the same objects.
use komputer_tests::{
    agents::agent,
    node::Node,
    socket::{Socket, refusal},
};

#[tokio::test]
async fn strangers_and_people_without_the_right_see_nothing() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("authorization").await?;
    node.apply(&agent(&namespace, "ada", "<<text: secret plans>>")).await?;
    let api = node.service("komputer-api").await?;
    let allowed = node.token(&namespace, "allowed", Some("komputer-view")).await?;
    let denied = node.token(&namespace, "denied", None).await?;

    for (token, expected) in
        [(None, 401), (Some("nonsense"), 401), (Some(denied.as_str()), 403), (Some(allowed.as_str()), 200)]
    {
        for path in ["agents/ada", "agents/ada/events", "agents", "tasks"] {
            let url = format!("http://{api}/api/v1/{path}?namespace={namespace}");
            let request = token.map_or(node.http.get(&url), |token| node.http.get(&url).bearer_auth(token));
            assert_eq!(request.send().await?.status().as_u16(), expected, "{path} with {token:?}");
        }
        let socket = Socket::open(&api, token, &namespace, "ada", Some("0")).await;
        let status = socket.as_ref().err().and_then(refusal).unwrap_or(200);
        assert_eq!(status, expected, "a socket with {token:?}");
    }
    let everywhere = node.http.get(format!("http://{api}/api/v1/agents")).bearer_auth(&allowed).send().await?;
    assert_eq!(everywhere.status().as_u16(), 403, "a right in one namespace is none in all");
    node.remove_namespace(&namespace).await
}
