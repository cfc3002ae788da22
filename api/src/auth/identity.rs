use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;

/// Who the cluster says somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The user's name, like `system:serviceaccount:team-a:dashboard`.
    pub username: String,
    /// The user's uid, where there is one.
    pub uid: Option<String>,
    /// The groups the user is in.
    pub groups: Vec<String>,
    /// What else the authenticator says.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// Whoever asks where callers are not known.
    pub fn anonymous() -> Self {
        Self { username: "anonymous".into(), ..Self::default() }
    }
}

impl From<UserInfo> for Identity {
    fn from(user: UserInfo) -> Self {
        Self {
            username: user.username.unwrap_or_default(),
            uid: user.uid.filter(|uid| !uid.is_empty()),
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default(),
        }
    }
}
