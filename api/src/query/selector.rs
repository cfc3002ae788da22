//! Label selectors, as `kubectl -l` writes them.
use std::collections::BTreeSet;

use kube::core::{Expression, Selector};

/// A label selector that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a label requirement: expected key, !key, key=value, key!=value, key in (a,b) or key notin (a,b)")]
pub struct InvalidSelector(String);

/// Reads requirements separated by commas; an object has to meet all of them.
///
/// # Errors
/// A requirement cannot be read.
pub fn parse(text: &str) -> Result<Selector, InvalidSelector> {
    requirements(text).into_iter().map(requirement).collect()
}

/// Splits at the commas outside parentheses.
fn requirements(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn requirement(text: &str) -> Result<Expression, InvalidSelector> {
    let invalid = || InvalidSelector(text.chars().take(128).collect());
    let (expression, keys) = if let Some(key) = text.strip_prefix('!') {
        (Expression::DoesNotExist(key.trim().into()), key)
    } else if let Some((key, value)) = text.split_once("!=") {
        (Expression::NotEqual(key.trim().into(), value.trim().into()), key)
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (Expression::Equal(key.trim().into(), value.trim().into()), key)
    } else if let Some((key, operator, values)) = set(text) {
        match operator {
            "in" => (Expression::In(key.into(), values), key),
            "notin" => (Expression::NotIn(key.into(), values), key),
            _ => return Err(invalid()),
        }
    } else {
        (Expression::Exists(text.into()), text)
    };
    if is_key(keys.trim()) && values(&expression).all(is_value) { Ok(expression) } else { Err(invalid()) }
}

fn set(text: &str) -> Option<(&str, &str, BTreeSet<String>)> {
    let (head, values) = text.strip_suffix(')')?.split_once('(')?;
    let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
    Some((key.trim(), operator, values.split(',').map(|value| value.trim().to_owned()).collect()))
}

fn values(expression: &Expression) -> Box<dyn Iterator<Item = &str> + '_> {
    match expression {
        Expression::In(_, values) | Expression::NotIn(_, values) => Box::new(values.iter().map(String::as_str)),
        Expression::Equal(_, value) | Expression::NotEqual(_, value) => Box::new(std::iter::once(value.as_str())),
        Expression::Exists(_) | Expression::DoesNotExist(_) => Box::new(std::iter::empty()),
    }
}

fn is_key(key: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    prefix.len() <= 253 && prefix.bytes().all(is_label_byte) && !name.is_empty() && is_value(name)
}

fn is_value(value: &str) -> bool {
    value.len() <= 63 && value.bytes().all(is_label_byte)
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kube::core::SelectorExt as _;

    use super::*;

    fn chooses(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels: BTreeMap<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        parse(selector).unwrap().matches(&labels)
    }

    #[test]
    fn every_form_of_requirement_is_read() {
        let labels = [("app", "web"), ("example.com/tier", "gold")];
        for yes in [
            "",
            "app",
            "!missing",
            "app=web",
            "app==web",
            "app = web , example.com/tier=gold",
            "app!=db",
            "missing!=x",
            "app in (db, web)",
            "app notin (db)",
            "missing notin (a,b)",
        ] {
            assert!(chooses(yes, &labels), "{yes}");
        }
        for no in ["missing", "!app", "app=db", "app=web,missing", "app!=web", "app in (db)", "app notin (web,db)"] {
            assert!(!chooses(no, &labels), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for bad in ["=x", "a b", "a in (b", "a around (b)", "a=b c", "a>1", "a/b/c d=x", "!"] {
            assert_eq!(parse(bad).unwrap_err(), InvalidSelector(bad.into()), "{bad}");
        }
        assert_eq!(parse("ok,no way").unwrap_err(), InvalidSelector("no way".into()));
    }
}
