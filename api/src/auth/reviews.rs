use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;

use super::{Access, Identity, Token, recent::Recent};
use crate::error::ApiError;

/// How long a good token is not asked about again.
const ACCEPTED: Duration = Duration::from_mins(1);
/// How long a bad token is not asked about again.
const REFUSED: Duration = Duration::from_secs(10);
/// How long a right, or its absence, is not asked about again.
const RIGHTS: Duration = Duration::from_secs(10);
const TOKENS: usize = 4_096;
const ACCESSES: usize = 16_384;
/// Questions the cluster is asked at once.
const AT_ONCE: usize = 32;
/// How long an answer may take, the wait for a turn included.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers of the cluster about callers. Cheap to clone; clones share what is known.
#[derive(Clone)]
pub struct Reviews(Arc<Inner>);

struct Inner {
    client: Client,
    turns: Semaphore,
    accepted: Recent<[u8; 32], Arc<Identity>>,
    refused: Recent<[u8; 32], String>,
    rights: Recent<(Identity, Access), Result<(), ApiError>>,
}

impl Reviews {
    /// Asks through `client`, which needs `create` on tokenreviews and subjectaccessreviews.
    pub fn new(client: Client) -> Self {
        Self(Arc::new(Inner {
            client,
            turns: Semaphore::new(AT_ONCE),
            accepted: Recent::new(ACCEPTED, TOKENS),
            refused: Recent::new(REFUSED, TOKENS),
            rights: Recent::new(RIGHTS, ACCESSES),
        }))
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] where it is nobody's, [`ApiError::Unavailable`] where the cluster does not say.
    pub async fn authenticate(&self, token: &Token) -> Result<Arc<Identity>, ApiError> {
        if let Some(known) = self.0.known_token(token) {
            return known;
        }
        in_time(async {
            let _turn = self.0.turns.acquire().await;
            match self.0.known_token(token) {
                Some(answered_meanwhile) => answered_meanwhile,
                None => self.0.review_token(token).await,
            }
        })
        .await
    }

    /// Whose token this is by now, whatever was known of it before.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn authenticate_again(&self, token: &Token) -> Result<Arc<Identity>, ApiError> {
        let asked = Instant::now();
        in_time(async {
            let _turn = self.0.turns.acquire().await;
            match self.0.accepted.get_since(&token.fingerprint(), asked) {
                Some(answered_meanwhile) => Ok(answered_meanwhile),
                None => self.0.review_token(token).await,
            }
        })
        .await
    }

    /// Nothing where `identity` may do this.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] where not, [`ApiError::Unavailable`] where the cluster does not say.
    pub async fn authorize(&self, identity: &Identity, access: &Access) -> Result<(), ApiError> {
        let question = (identity.clone(), access.clone());
        if let Some(known) = self.0.rights.get(&question, Instant::now()) {
            return known;
        }
        in_time(async {
            let _turn = self.0.turns.acquire().await;
            let answer = self.0.review_access(identity, access).await?;
            self.0.rights.put(question, answer.clone(), Instant::now());
            answer
        })
        .await
    }
}

impl Inner {
    fn known_token(&self, token: &Token) -> Option<Result<Arc<Identity>, ApiError>> {
        let (fingerprint, now) = (token.fingerprint(), Instant::now());
        let accepted = self.accepted.get(&fingerprint, now).map(Ok);
        accepted.or_else(|| self.refused.get(&fingerprint, now).map(|why| Err(ApiError::Unauthenticated(why))))
    }

    async fn review_token(&self, token: &Token) -> Result<Arc<Identity>, ApiError> {
        let spec = TokenReviewSpec { token: token.expose().to_owned(), ..TokenReviewSpec::default() };
        let review = self.create(TokenReview { spec, ..TokenReview::default() }).await?;
        let status = review.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true)).map(Identity::from);
        if let Some(identity) = user.filter(|identity| !identity.username.is_empty()) {
            let identity = Arc::new(identity);
            self.accepted.put(token.fingerprint(), identity.clone(), Instant::now());
            return Ok(identity);
        }
        self.accepted.forget(&token.fingerprint());
        let why = status.error.map(|error| format!(" ({error})")).unwrap_or_default();
        let why = format!("the cluster does not accept this bearer token{why}; get a new one");
        self.refused.put(token.fingerprint(), why.clone(), Instant::now());
        Err(ApiError::Unauthenticated(why))
    }

    /// The cluster's yes or no; an error where it gave neither.
    async fn review_access(&self, identity: &Identity, access: &Access) -> Result<Result<(), ApiError>, ApiError> {
        let attributes = ResourceAttributes {
            group: Some(komputer_crds::GROUP.into()),
            version: Some(komputer_crds::STORAGE_VERSION.into()),
            resource: Some(access.resource.clone()),
            verb: Some(access.verb.into()),
            namespace: access.namespace.clone(),
            name: access.name.clone(),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(identity.username.clone()),
            uid: identity.uid.clone(),
            groups: Some(identity.groups.clone()),
            extra: Some(identity.extra.clone()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = self.create(SubjectAccessReview { spec, ..SubjectAccessReview::default() }).await?;
        let status = review.status.unwrap_or_default();
        if status.allowed {
            return Ok(Ok(()));
        }
        let why = status.reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}"));
        Ok(Err(ApiError::Forbidden(format!(
            "{:?} may not {access}{}; ask for a RoleBinding to komputer-view",
            identity.username,
            why.unwrap_or_default()
        ))))
    }

    async fn create<R>(&self, review: R) -> Result<R, ApiError>
    where
        R: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        Api::all(self.client.clone()).create(&PostParams::default(), &review).await.map_err(|error| {
            tracing::warn!(error = &error as &dyn Error, kind = %R::kind(&()), "the cluster did not answer a review");
            unavailable()
        })
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(unavailable()))
}

fn unavailable() -> ApiError {
    ApiError::Unavailable("the cluster did not say in time who you are or what you may read".into())
}
