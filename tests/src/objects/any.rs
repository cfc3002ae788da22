//! Any object, or part of one, with the names and words of its kind in any place.
use komputer_crds::convert::Version;
use serde_json::{Value, json};

use super::{Fields, Kind, Result, Unstructured};

/// Names that mean something in many places, and those that are hard to write down.
const NAMES: [&str; 9] = ["name", "namespace", "key", "ref", "spec", "template", "role", "afterTask", "x~/"];
/// What texts are made of.
const LETTERS: &[char] = &['a', 'b', '/', '-', '.', '~', ' ', '"', '\\', '0', 'é', '\u{1f980}', '\n'];

impl Kind {
    /// Anything that says it is an object of the kind.
    ///
    /// # Errors
    /// Never, because bytes that are used up are taken for zeros.
    pub fn any(&self, version: Version, bytes: &mut Unstructured<'_>) -> Result<Value> {
        let metadata = bytes.choose(&[0, 1, 2])?;
        let metadata = match metadata {
            0 => json!({}),
            1 => json!({ "name": "a", "namespace": "n", "labels": { "team": "blue" } }),
            _ => {
                json!({ "name": "a", "uid": "u", "annotations": { "x": "y" }, "managedFields": [{ "manager": "m" }] })
            }
        };
        let mut object = json!({ "apiVersion": version.api_version(), "kind": self.name, "metadata": metadata });
        for part in ["spec", "status", "other"] {
            match bytes.int_in_range(0..=5)? {
                0 => {}
                1 => object[part] = any_value(&self.words, bytes)?,
                _ => object[part] = self.fields(bytes)?.into(),
            }
        }
        Ok(object)
    }

    /// Fields of the kind, and others, with any value.
    pub(super) fn fields(&self, bytes: &mut Unstructured<'_>) -> Result<Fields> {
        let mut fields = Fields::new();
        for _ in 0..bytes.int_in_range(0..=8)? {
            fields.insert(self.any_name(bytes)?, any_value(&self.words, bytes)?);
        }
        Ok(fields)
    }

    /// The name of a field, mostly of one there is.
    pub(super) fn any_name(&self, bytes: &mut Unstructured<'_>) -> Result<String> {
        if bytes.ratio(3, 4)? { Ok(bytes.choose(&self.names)?.clone()) } else { text(bytes) }
    }
}

/// Any JSON, three levels deep at most; some texts are among `words`.
///
/// # Errors
/// Never, because bytes that are used up are taken for zeros.
pub fn any_value(words: &[String], bytes: &mut Unstructured<'_>) -> Result<Value> {
    value(words, bytes, 3)
}

fn value(words: &[String], bytes: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let kinds = if depth == 0 { 5 } else { 7 };
    Ok(match bytes.int_in_range(0..=kinds)? {
        0 => Value::Null,
        1 => bytes.arbitrary::<bool>()?.into(),
        2 => number(bytes)?,
        3 => text(bytes)?.into(),
        4 | 5 if words.is_empty() => "word".into(),
        4 | 5 => bytes.choose(words)?.as_str().into(),
        6 => {
            let items = 0..bytes.int_in_range(0..=4)?;
            items.map(|_| value(words, bytes, depth - 1)).collect::<Result<_>>()?
        }
        _ => {
            let fields = 0..bytes.int_in_range(0..=4)?;
            let field = |_| Ok(((*bytes.choose(&NAMES)?).to_owned(), value(words, bytes, depth - 1)?));
            fields.map(field).collect::<Result<Fields>>()?.into()
        }
    })
}

/// Whole numbers up to their borders, and others down to the last digit.
pub(super) fn number(bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=5)? {
        0 => bytes.int_in_range(-9..=99i64)?.into(),
        1 => bytes.arbitrary::<i64>()?.into(),
        2 => bytes.arbitrary::<u64>()?.into(),
        3 => (*bytes.choose(&[i64::MIN, i64::MAX, -1, 1 << 53, (1 << 53) + 1])?).into(),
        4 => u64::MAX.into(),
        // None where it is infinite or no number.
        _ => bytes.arbitrary::<f64>()?.into(),
    })
}

/// A few letters, some of which have to be escaped somewhere.
pub(super) fn text(bytes: &mut Unstructured<'_>) -> Result<String> {
    let letters = 0..bytes.int_in_range(0..=6)?;
    letters.map(|_| bytes.choose(LETTERS).copied()).collect()
}
