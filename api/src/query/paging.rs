use std::str::FromStr;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::Query;
use crate::error::ApiError;

/// The most objects a page can be asked to hold.
const MOST: usize = 10_000;

/// Which part of a list is wanted. Lists are in order of namespace and name, so a page starts after an object's place,
/// whether or not that object is still there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// The most objects to answer with; no limit where absent.
    pub limit: Option<usize>,
    /// The object the last page ended with.
    pub after: Option<PageToken>,
}

/// The place of an object in a list; opaque to callers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageToken {
    namespace: String,
    name: String,
}

/// `continue` is not a token of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not a token of this API; pass on the \"continue\" of the last answer unchanged, or leave it out")]
pub struct InvalidToken;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The objects, in order.
    pub items: Vec<T>,
    /// Where the next page starts, if there is one.
    pub next: Option<PageToken>,
}

impl Paging {
    /// Reads `limit` and `continue`.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn parse(query: &Query) -> Result<Self, ApiError> {
        Ok(Self { limit: query.number("limit", 1..=MOST)?, after: query.parsed("continue")? })
    }

    /// The wanted part of `items`, each under the place `place` gives it.
    pub fn cut<T>(&self, items: Vec<T>, place: impl Fn(&T) -> PageToken) -> Page<T> {
        let mut placed: Vec<_> = items.into_iter().map(|item| (place(&item), item)).collect();
        placed.retain(|(place, _)| self.after.as_ref().is_none_or(|after| place > after));
        placed.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let limit = self.limit.unwrap_or(usize::MAX);
        let more = placed.len() > limit;
        placed.truncate(limit);
        let next = placed.last().filter(|_| more).map(|(place, _)| place.clone());
        Page { items: placed.into_iter().map(|(_, item)| item).collect(), next }
    }
}

impl PageToken {
    /// The place of an object.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for PageToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(format!("{}/{}", self.namespace, self.name)))
    }
}

impl FromStr for PageToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken)?;
        let place = String::from_utf8(bytes).map_err(|_| InvalidToken)?;
        let (namespace, name) = place.split_once('/').ok_or(InvalidToken)?;
        Ok(Self::new(namespace, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(paging: &Paging, names: &[&str]) -> Page<String> {
        let items = names.iter().map(|name| (*name).to_owned()).collect();
        paging.cut(items, |name| PageToken::new("default", name))
    }

    #[test]
    fn pages_join_to_the_whole_list_whatever_vanishes_between_them() {
        let first = page(&Paging { limit: Some(2), after: None }, &["c", "a", "b"]);
        assert_eq!(first.items, ["a", "b"]);
        let token: PageToken = first.next.unwrap().to_string().parse().unwrap();
        let second = page(&Paging { limit: Some(2), after: Some(token) }, &["a", "c", "d"]);
        assert_eq!((second.items, second.next), (vec!["c".to_owned(), "d".to_owned()], None));
    }

    #[test]
    fn without_a_limit_everything_is_on_one_page() {
        assert_eq!(page(&Paging::default(), &["b", "a"]), Page { items: vec!["a".into(), "b".into()], next: None });
    }

    #[test]
    fn a_foreign_token_is_refused() {
        for bad in ["%%%", "YQ", "not a token"] {
            assert_eq!(bad.parse::<PageToken>(), Err(InvalidToken), "{bad}");
        }
    }
}
