//! Who may ask the webhooks: the apiserver, by its certificate.
use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Client, ClientBuilder, StatusCode,
    tls::{Certificate, Identity},
};
use serde_json::{Value, json};

use crate::system::{System, agent, system};

/// A client of its own, which trusts the authority of the webhooks.
fn client(system: &System, more: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    let configuration = system.get("default", "validatingwebhookconfigurations", "komputer-webhooks");
    let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap();
    let roots = Certificate::from_pem_bundle(&BASE64_STANDARD.decode(bundle).unwrap()).unwrap();
    more(Client::builder().no_proxy().tls_certs_only(roots)).build().unwrap()
}

fn identity(certificate: &[u8], key: &[u8]) -> Identity {
    Identity::from_pem(&[certificate, key].concat()).unwrap()
}

fn admission() -> Value {
    let object: Value = serde_json::from_str(&agent("default", "a", json!({}))).unwrap();
    let request = json!({ "uid": "1", "operation": "CREATE", "namespace": "default", "object": object });
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request })
}

#[test]
fn strangers_are_told_nothing() {
    let system = system();
    system.block_on(async |_| told(&system).await);
}

async fn told(system: &System) {
    let (validate, convert) = (format!("{}/validate/komputeragents", system.url), format!("{}/convert", system.url));

    // Who does not know the webhooks' authority does not talk to them.
    let ignorant = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    assert!(ignorant.post(&validate).json(&admission()).send().await.unwrap_err().is_connect());

    // Nor does who shows a certificate of somebody else.
    let forged = rcgen::generate_simple_self_signed(["kube-apiserver".to_owned()]).unwrap();
    let forged = identity(forged.cert.pem().as_bytes(), forged.signing_key.serialize_pem().as_bytes());
    let foreign = client(system, |builder| builder.identity(forged));
    assert!(foreign.post(&validate).json(&admission()).send().await.is_err());
    let file = |name: &str| std::fs::read(system.cluster.certificate(name)).unwrap();
    let administrator = client(system, |builder| builder.identity(identity(&file("admin.crt"), &file("admin.key"))));
    assert!(administrator.post(&validate).json(&admission()).send().await.is_err());

    // Who shows none may ask for what anybody could work out, and nothing else.
    let anonymous = client(system, |builder| builder);
    let refused = anonymous.post(&validate).json(&admission()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.text().await.unwrap().contains("--client-ca"));
    let review = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
        "request": { "uid": "1", "desiredAPIVersion": "komputer.komputer.ai/v1beta1", "objects": [] },
    });
    assert_eq!(anonymous.post(&convert).json(&review).send().await.unwrap().status(), StatusCode::OK);

    let (certificate, key) = (file("webhook-client.crt"), file("webhook-client.key"));
    let apiserver = client(system, |builder| builder.identity(identity(&certificate, &key)));
    let answer: Value = apiserver.post(&validate).json(&admission()).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["response"]["allowed"], true);
}
