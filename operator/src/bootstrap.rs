//! The Secrets of the installation itself: made once, at random, so that none is ever in a manifest.
use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use komputer_events::bus::Credentials;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use sha2::{Digest, Sha256};

use crate::{carry_out::MANAGER, keys::MasterKey, step::Step};

/// What derived secrets come from.
pub const KEYS: &str = "komputer-keys";
/// Redis' users and passwords; Redis mounts its `users.acl`.
pub const REDIS: &str = "komputer-redis";

/// The installation's own Secrets.
#[derive(Clone)]
pub struct Installation {
    /// What agents' secrets are derived from.
    pub master: MasterKey,
    /// The operator's own user.
    pub redis: Credentials,
}

/// A Secret of the installation that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The apiserver refused.
    #[error("could not read or create Secret {name}: {source}")]
    Api {
        /// Which.
        name: &'static str,
        /// In the apiserver's words.
        #[source]
        source: kube::Error,
    },
    /// A key is missing or has the wrong form.
    #[error(
        "Secret {name}: key {key} is missing or broken; delete the Secret and restart komputer-redis and the agents"
    )]
    Broken {
        /// Which.
        name: &'static str,
        /// Which key.
        key: &'static str,
    },
}

/// Reads the installation's Secrets, and makes those that do not exist. Safe to do in several processes at once.
///
/// # Errors
/// [`BootstrapError`].
pub async fn installation(client: &Client, namespace: &str) -> Result<Installation, BootstrapError> {
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let keys = ensure(&secrets, KEYS, keys).await?;
    let redis = ensure(&secrets, REDIS, redis).await?;
    let master = keys.get("master").and_then(|bytes| bytes.0.clone().try_into().ok()).map(MasterKey::new);
    let password = redis.get("operator-password").and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
    Ok(Installation {
        master: master.ok_or(BootstrapError::Broken { name: KEYS, key: "master" })?,
        redis: Credentials {
            username: "komputer-operator".into(),
            password: password.ok_or(BootstrapError::Broken { name: REDIS, key: "operator-password" })?,
        },
    })
}

type Data = BTreeMap<String, ByteString>;

async fn ensure(secrets: &Api<Secret>, name: &'static str, make: fn() -> Data) -> Result<Data, BootstrapError> {
    let failed = |source| BootstrapError::Api { name, source };
    if let Some(secret) = secrets.get_opt(name).await.map_err(failed)? {
        return Ok(secret.data.unwrap_or_default());
    }
    let labels = [("app.kubernetes.io/part-of", "komputer"), ("app.kubernetes.io/managed-by", MANAGER)];
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.into()),
            labels: Some(labels.map(|(key, value)| (key.into(), value.into())).into()),
            ..Default::default()
        },
        data: Some(make()),
        ..Default::default()
    };
    let params = PostParams { field_manager: Some(MANAGER.into()), ..Default::default() };
    match Step::CreateKeys.around(name, secrets.create(&params, &secret)).await {
        Ok(made) => Ok(made.data.unwrap_or_default()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let other = secrets.get(name).await.map_err(failed)?;
            Ok(other.data.unwrap_or_default())
        }
        Err(source) => Err(failed(source)),
    }
}

fn keys() -> Data {
    let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    [("master".into(), ByteString(random.iter().flat_map(|part| *part.as_bytes()).collect()))].into()
}

fn redis() -> Data {
    let password = || format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let (operator, api) = (password(), password());
    let text = |text: String| ByteString(text.into_bytes());
    [
        ("users.acl".into(), text(users(&operator, &api))),
        ("operator-password".into(), text(operator)),
        ("api-password".into(), text(api)),
    ]
    .into()
}

/// The users of Redis as its ACL file has them, by the passwords of two of them; agents' are made as agents come.
///
/// Nobody without a password; the operator everything; the api reads streams and bells. The default user cannot log in,
/// but must be allowed everything: Redis reads its append-only file as that user, and drops transactions it may not do.
pub fn users(operator: &str, api: &str) -> String {
    let hash = |password: &str| hex::encode(Sha256::digest(password));
    let reads = "+xread +xrange +xrevrange +xlen +xinfo|stream +ping";
    format!(
        "user default off ~* &* +@all\n\
         user komputer-operator on #{} ~* &* +@all\n\
         user komputer-api on #{} %R~komputer-events:* %R~komputer-bell:* resetchannels -@all {reads}\n",
        hash(operator),
        hash(api),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_knows_hashes_and_no_passwords() {
        let data = redis();
        let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
        let (acl, operator, api) = (text("users.acl"), text("operator-password"), text("api-password"));
        assert_ne!(operator, api);
        assert!(!acl.contains(&operator) && !acl.contains(&api));
        assert!(acl.starts_with("user default off ~* "));
        assert_eq!(acl.lines().count(), 3);
    }

    #[test]
    fn a_master_key_fills_a_block() {
        assert_eq!(keys()["master"].0.len(), 64);
    }
}
