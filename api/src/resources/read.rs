use std::collections::BTreeMap;

use kube::{
    ResourceExt as _,
    core::{DeserializeGuard, Selector, SelectorExt as _},
};
use serde::Serialize;
use warp::{
    Reply as _,
    http::{HeaderMap, header},
    reply::{Response, with_header},
};

use crate::{
    api::Api,
    auth::Access,
    error::ApiError,
    query::{self, PageToken, Paging, Query},
    watch::{Cache, Caches, Kind},
};

/// A kind that is listed and fetched, in a shape of ours.
pub trait Readable: Kind {
    /// What the kind is called in a list's answer and in paths, like `agents`.
    const PLURAL: &'static str;
    /// What one is called in an error, like `agent`.
    const SINGULAR: &'static str;
    /// The shape callers see.
    type View: Serialize;
    /// What a list can be filtered by, beside namespace and labels.
    type Filter: Filter<Self>;

    /// What the shape takes from other kinds; gathered once a request.
    type Related;

    /// Where the kind is kept.
    fn cache(caches: &Caches) -> &Cache<Self>;

    /// Gathers what the shapes of objects in `namespace`, or all of them, take from other kinds.
    fn related(caches: &Caches, namespace: Option<&str>) -> Self::Related;

    /// The object as callers see it. Never holds a secret value.
    fn view(&self, related: &Self::Related) -> Self::View;
}

/// Which objects of a list are wanted.
pub trait Filter<K>: Sized + Send + 'static {
    /// Reads the parameters.
    ///
    /// # Errors
    /// One of them cannot be used.
    fn parse(query: &Query) -> Result<Self, ApiError>;

    /// Whether this object is wanted.
    fn wants(&self, object: &K) -> bool;
}

/// Bytes after which a page ends, whatever its limit: what one answer may take in memory.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// The namespace of a single object where none is given.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Answers `GET /{plural}/{name}`.
///
/// # Errors
/// The caller may not, or there is no such object.
pub async fn get<K: Readable>(api: Api, headers: HeaderMap, query: Query, name: String) -> Result<Response, ApiError> {
    let caller = api.auth.authenticate(&headers).await?;
    let (namespace, name) = place(&query, &name)?;
    api.auth.authorize(&caller, &access::<K>("get", Some(&namespace), Some(&name))).await?;
    let unreadable = |invalid| {
        let kind = K::kind(&());
        ApiError::Unreadable(format!(
            "{kind} {namespace}/{name} does not have the shape of its definition ({invalid}); apply it again"
        ))
    };
    let object = K::cache(&api.caches).get(&namespace, &name).map_err(unreadable)?;
    let Some(DeserializeGuard(Ok(object))) = object.as_deref() else {
        let (kind, parameter) = (K::SINGULAR, "set ?namespace= where it lives elsewhere");
        return Err(ApiError::NotFound(format!("{kind} {name:?} not found in namespace {namespace:?}; {parameter}")));
    };
    Ok(warp::reply::json(&object.view(&K::related(&api.caches, Some(&namespace)))).into_response())
}

/// The namespace and name of the object a request is about.
///
/// # Errors
/// One of them is no Kubernetes name.
pub fn place(query: &Query, name: &str) -> Result<(String, String), ApiError> {
    let namespace = query::name("namespace", query.one("namespace")?.unwrap_or(DEFAULT_NAMESPACE))?;
    Ok((namespace, query::name("name", name)?))
}

/// What `verb` on a kind asks of the cluster.
pub fn access<K: Kind>(verb: &'static str, namespace: Option<&str>, name: Option<&str>) -> Access {
    let owned = |part: Option<&str>| part.map(str::to_owned);
    Access { verb, resource: K::plural(&()).into_owned(), namespace: owned(namespace), name: owned(name) }
}

/// Answers `GET /{plural}`.
///
/// # Errors
/// The caller may not, or a parameter cannot be used.
pub async fn list<K: Readable>(api: Api, headers: HeaderMap, query: Query) -> Result<Response, ApiError> {
    let caller = api.auth.authenticate(&headers).await?;
    let wanted = Wanted::<K>::parse(&query)?;
    api.auth.authorize(&caller, &access::<K>("list", wanted.namespace.as_deref(), None)).await?;
    // Large lists take a while to write: not on a thread that sockets need.
    let _turn = api.lists.acquire().await;
    let caches = api.caches.clone();
    let body = tokio::task::spawn_blocking(move || wanted.answer(&caches)).await;
    let body = body.map_err(|error| ApiError::Unreadable(format!("the list could not be written: {error}")))??;
    Ok(with_header(body, header::CONTENT_TYPE, "application/json").into_response())
}

struct Wanted<K: Readable> {
    namespace: Option<String>,
    labels: Selector,
    filter: K::Filter,
    paging: Paging,
}

impl<K: Readable> Wanted<K> {
    fn parse(query: &Query) -> Result<Self, ApiError> {
        let namespace = query.one("namespace")?.map(|namespace| query::name("namespace", namespace)).transpose()?;
        Ok(Self { namespace, labels: labels(query)?, filter: K::Filter::parse(query)?, paging: Paging::parse(query)? })
    }

    fn wants(&self, object: &K) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| object.meta().namespace.as_deref() == Some(namespace))
            && self.labels.matches(object.meta().labels.as_ref().unwrap_or(const { &BTreeMap::new() }))
            && self.filter.wants(object)
    }

    fn answer(&self, caches: &Caches) -> Result<Vec<u8>, ApiError> {
        let objects = K::cache(caches).select(|object| self.wants(object));
        let page = self.paging.cut(objects, |object| place_of(&**object));
        let related = K::related(caches, self.namespace.as_deref());
        let mut next = page.next;
        let mut body = format!("{{\"{}\":[", K::PLURAL).into_bytes();
        for (index, object) in page.items.iter().enumerate() {
            let DeserializeGuard(Ok(object)) = object.as_ref() else { continue };
            if index > 0 {
                body.push(b',');
            }
            let unwritable = |error| ApiError::Unreadable(format!("{} cannot be written: {error}", object.name_any()));
            serde_json::to_writer(&mut body, &object.view(&related)).map_err(unwritable)?;
            if body.len() > PAGE_BYTES && index + 1 < page.items.len() {
                next = Some(place_of(object));
                break;
            }
        }
        body.push(b']');
        if let Some(next) = next {
            body.extend(format!(",\"continue\":\"{next}\"").into_bytes());
        }
        body.push(b'}');
        Ok(body)
    }
}

fn place_of(object: &impl kube::Resource) -> PageToken {
    PageToken::new(object.meta().namespace.clone().unwrap_or_default(), object.meta().name.clone().unwrap_or_default())
}

/// `label=key=value`, any number of them, and `labelSelector` as Kubernetes has it; all have to hold.
fn labels(query: &Query) -> Result<Selector, ApiError> {
    let mut labels = Selector::default();
    let own = query.all("label").map(|selector| ("label", selector));
    let standard = query.one("labelSelector")?.map(|selector| ("labelSelector", selector));
    for (parameter, selector) in own.chain(standard) {
        let problem = |error: query::InvalidSelector| ApiError::Parameter { parameter, problem: error.to_string() };
        labels.extend(query::parse_selector(selector).map_err(problem)?);
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::KomputerAgent;
    use serde_json::{Value, json};

    use super::*;

    fn agent(namespace: &str, name: &str, labels: &Value, instructions: &str) -> KomputerAgent {
        serde_json::from_value(json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"instructions": instructions},
        }))
        .unwrap()
    }

    fn list(agents: impl IntoIterator<Item = KomputerAgent>, query: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let (tasks, squads, budgets) = (Cache::of([]), Cache::of([]), Cache::of([]));
        let caches = Caches { agents: Cache::of(agents), tasks, squads, budgets };
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
        let body = Wanted::<KomputerAgent>::parse(&query.into()).unwrap().answer(&caches).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let name =
            |agent: &Value| format!("{}/{}", agent["namespace"].as_str().unwrap(), agent["name"].as_str().unwrap());
        let names = body["agents"].as_array().unwrap().iter().map(name).collect();
        (names, body.get("continue").map(|next| next.as_str().unwrap().to_owned()))
    }

    fn three() -> [KomputerAgent; 3] {
        [
            agent("b", "x", &json!({"team": "red", "tier": "1"}), ""),
            agent("a", "z", &json!({"team": "red"}), ""),
            agent("a", "y", &json!({"team": "blue"}), ""),
        ]
    }

    #[test]
    fn a_list_is_ordered_and_filtered() {
        assert_eq!(list(three(), &[]).0, ["a/y", "a/z", "b/x"]);
        assert_eq!(list(three(), &[("namespace", "a")]).0, ["a/y", "a/z"]);
        assert_eq!(list(three(), &[("label", "team=red"), ("label", "tier=1")]).0, ["b/x"]);
        assert_eq!(list(three(), &[("labelSelector", "team in (red,blue),!tier")]).0, ["a/y", "a/z"]);
        assert_eq!(list(three(), &[("namespace", "none")]), (vec![], None));
    }

    #[test]
    fn pages_make_up_the_list() {
        let (mut all, mut next) = (Vec::new(), Some(String::new()));
        while let Some(token) = next {
            let (page, following) = list(three(), &[("limit", "1"), ("continue", &token)]);
            assert_eq!(page.len(), 1);
            all.extend(page);
            next = following;
        }
        assert_eq!(all, ["a/y", "a/z", "b/x"]);
    }

    #[test]
    fn a_page_ends_before_it_gets_too_large_and_says_where_to_go_on() {
        let long = "x".repeat(100_000);
        let agents = || (100..300).map(|n| agent("a", &format!("n{n}"), &json!({}), &long));
        let (first, next) = list(agents(), &[]);
        assert!(first.len() < 100 && first.len() * 100_000 > PAGE_BYTES / 2);
        let (second, _) = list(agents(), &[("continue", &next.unwrap())]);
        assert_eq!(second[0], format!("a/n{}", 100 + first.len()));
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (name, value) in
            [("namespace", "A"), ("label", "a b"), ("labelSelector", "=x"), ("limit", "0"), ("continue", "?")]
        {
            let query = vec![(name.to_owned(), value.to_owned())];
            let error = Wanted::<KomputerAgent>::parse(&query.into()).err().unwrap().to_string();
            assert!(error.starts_with(&format!("parameter {name:?}: ")), "{error}");
        }
    }
}
