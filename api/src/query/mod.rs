//! What stands behind the `?`: each parameter becomes a value or an error that names it.
mod moment;
mod paging;
mod selector;

use std::str::FromStr;

pub use moment::Moment;
pub use paging::{Page, PageToken, Paging};
pub use selector::{InvalidSelector, parse as parse_selector};

use crate::error::ApiError;

/// The parameters of a request, in order; unknown ones are ignored, as the Kubernetes API does.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl From<Vec<(String, String)>> for Query {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

impl Query {
    /// Every value of a parameter that may be given more than once.
    pub fn all<'a>(&'a self, parameter: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == parameter).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter; an empty one counts as absent.
    ///
    /// # Errors
    /// It is given more than once.
    pub fn one(&self, parameter: &'static str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(parameter);
        let first = values.next();
        if values.next().is_some() {
            return Err(ApiError::Parameter { parameter, problem: "is given more than once; give it once".into() });
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter as a `T`.
    ///
    /// # Errors
    /// It is given more than once, or is no `T`.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, parameter: &'static str) -> Result<Option<T>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|error: T::Err| ApiError::Parameter { parameter, problem: error.to_string() })
        };
        self.one(parameter)?.map(parse).transpose()
    }

    /// A whole number within `range`.
    ///
    /// # Errors
    /// It is given more than once, or is not such a number.
    pub fn number(
        &self,
        parameter: &'static str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, ApiError> {
        let parse = |text: &str| {
            text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| ApiError::Parameter {
                parameter,
                problem: format!("{text:?} is not a whole number from {} to {}", range.start(), range.end()),
            })
        };
        self.one(parameter)?.map(parse).transpose()
    }
}

/// The name of a namespace or an object, as it stands in a path or a query.
///
/// # Errors
/// It is no name that Kubernetes could have accepted.
pub fn name(parameter: &'static str, text: &str) -> Result<String, ApiError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= 253 && bytes.iter().copied().all(allowed) && end(bytes.first()) && end(bytes.last()) {
        return Ok(text.to_owned());
    }
    let shown: String = text.chars().take(64).collect();
    let problem = format!("{shown:?} is not a Kubernetes name: expected lower-case letters, digits, '-' and '.'");
    Err(ApiError::Parameter { parameter, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn query(pairs: &[(&str, &str)]) -> Query {
        Query(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_number_is_within_its_range_or_named() {
        assert_eq!(query(&[("limit", "200")]).number("limit", 1..=200), Ok(Some(200)));
        assert_eq!(query(&[("limit", "")]).number("limit", 1..=200), Ok(None));
        assert_eq!(query(&[]).number("limit", 1..=200), Ok(None));
        for bad in ["0", "201", "-1", "x", "1.5"] {
            let error = query(&[("limit", bad)]).number("limit", 1..=200).unwrap_err();
            assert_eq!(error.to_string(), format!("parameter \"limit\": {bad:?} is not a whole number from 1 to 200"));
        }
    }

    #[test]
    fn a_parameter_is_given_once() {
        let error = query(&[("limit", "1"), ("limit", "2")]).number("limit", 1..=9).unwrap_err();
        assert_eq!(error.to_string(), "parameter \"limit\": is given more than once; give it once");
    }

    #[test]
    fn names_are_those_of_kubernetes() {
        assert_eq!(name("name", "ada-1.x"), Ok("ada-1.x".into()));
        for bad in ["", "Ada", "a_b", "-a", "a-", "a/b", "a b", "ä", &"a".repeat(254)] {
            assert!(name("name", bad).is_err(), "{bad}");
        }
    }
}
