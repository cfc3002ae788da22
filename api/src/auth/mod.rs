//! Who asks, and what they may: both are questions to the cluster, so there are no users or rules of our own.
mod identity;
mod local;
mod recent;
mod reviews;
mod token;

use std::{sync::Arc, time::Duration};

use kube::Client;
use warp::http::HeaderMap;

pub use identity::Identity;
pub use reviews::Reviews;
pub use token::{SUBPROTOCOL, Token, subprotocols};

use crate::error::ApiError;

/// How callers are known.
#[derive(Clone)]
pub enum Auth {
    /// By their Kubernetes bearer token, with the rights the cluster gives them.
    Kubernetes(Reviews),
    /// Not at all: whoever is on this machine reads everything.
    None,
}

/// What somebody wants to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// `get` or `list`.
    pub verb: &'static str,
    /// The kind, like `komputeragents`.
    pub resource: String,
    /// The namespace; all of them where absent.
    pub namespace: Option<String>,
    /// The object; all of them where absent.
    pub name: Option<String>,
}

/// Somebody whose token was good, with the token: it is asked about again while a socket is open.
#[derive(Clone)]
pub struct Caller {
    identity: Arc<Identity>,
    token: Option<Token>,
}

impl Caller {
    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Auth {
    /// Asks the cluster behind `client`.
    pub fn kubernetes(client: Client) -> Self {
        Self::Kubernetes(Reviews::new(client))
    }

    /// Who sent these headers.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] without a good token, [`ApiError::Unavailable`] where the cluster does not say.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        match self {
            Self::None => {
                local::check(headers)?;
                Ok(Caller { identity: Arc::new(Identity::anonymous()), token: None })
            }
            Self::Kubernetes(reviews) => {
                let token = token::of(headers)?;
                Ok(Caller { identity: reviews.authenticate(&token).await?, token: Some(token) })
            }
        }
    }

    /// Nothing where `caller` may do this.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] where not, [`ApiError::Unavailable`] where the cluster does not say.
    pub async fn authorize(&self, caller: &Caller, access: &Access) -> Result<(), ApiError> {
        match self {
            Self::None => Ok(()),
            Self::Kubernetes(reviews) => reviews.authorize(&caller.identity, access).await,
        }
    }

    /// Ends when `caller` may not do this any more, with why; asks every `interval`.
    ///
    /// A cluster that does not answer for [`UNKNOWN`] counts as a no.
    pub async fn revoked(&self, caller: &Caller, access: &Access, interval: Duration) -> ApiError {
        let mut last_yes = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(interval).await;
            match self.check_again(caller, access).await {
                Ok(()) => last_yes = tokio::time::Instant::now(),
                Err(ApiError::Unavailable(_)) if last_yes.elapsed() < UNKNOWN => {}
                Err(error) => return error,
            }
        }
    }

    async fn check_again(&self, caller: &Caller, access: &Access) -> Result<(), ApiError> {
        let (Self::Kubernetes(reviews), Some(token)) = (self, &caller.token) else { return Ok(()) };
        let identity = reviews.authenticate_again(token).await?;
        reviews.authorize(&identity, access).await
    }
}

/// How long an open socket outlives the cluster's silence about its caller.
const UNKNOWN: Duration = Duration::from_mins(5);

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}.{}", self.verb, self.resource, komputer_crds::GROUP)?;
        if let Some(name) = &self.name {
            write!(f, " {name:?}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace:?}"),
            None => write!(f, " in all namespaces"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_is_named_in_full() {
        let mut access = Access {
            verb: "get",
            resource: "komputeragents".into(),
            namespace: Some("team-a".into()),
            name: Some("ada".into()),
        };
        assert_eq!(access.to_string(), "get komputeragents.komputer.komputer.ai \"ada\" in namespace \"team-a\"");
        access = Access { verb: "list", namespace: None, name: None, ..access };
        assert_eq!(access.to_string(), "list komputeragents.komputer.komputer.ai in all namespaces");
    }
}
