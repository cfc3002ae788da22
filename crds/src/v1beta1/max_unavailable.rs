//! How many agents a change may take out of work at a time.
use std::{borrow::Cow, fmt};

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// So many agents, 1 to 1,000,000, or so many of a hundred, 1 to 100: an integer, or a string like `10%`, as `maxUnavailable` of
/// a Deployment (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-unavailable>).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(try_from = "IntOrString", into = "IntOrString")]
pub struct MaxUnavailable(Share);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    Agents(i32),
    Percent(u8),
}

const MOST: i32 = 1_000_000;

impl MaxUnavailable {
    /// How many that are of `total`: of a hundred rounded down, but one at least, as a change would never come else.
    pub fn of(self, total: usize) -> usize {
        match self.0 {
            Share::Agents(agents) => usize::try_from(agents).unwrap_or(1),
            Share::Percent(percent) => (total * usize::from(percent) / 100).max(1),
        }
    }
}

/// A tenth.
impl Default for MaxUnavailable {
    fn default() -> Self {
        Self(Share::Percent(10))
    }
}

impl fmt::Display for MaxUnavailable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Share::Agents(agents) => write!(to, "{agents}"),
            Share::Percent(percent) => write!(to, "{percent}%"),
        }
    }
}

/// What is no [`MaxUnavailable`].
#[derive(Debug, Error)]
#[error("{0} is neither an integer from 1 to 1000000 nor a percentage from 1% to 100%")]
pub struct NoShare(String);

impl TryFrom<IntOrString> for MaxUnavailable {
    type Error = NoShare;

    fn try_from(value: IntOrString) -> Result<Self, NoShare> {
        match value {
            IntOrString::Int(agents) if (1..=MOST).contains(&agents) => Ok(Self(Share::Agents(agents))),
            IntOrString::Int(agents) => Err(NoShare(agents.to_string())),
            IntOrString::String(text) => {
                let percent = text.strip_suffix('%').filter(|digits| !digits.starts_with(['0', '+']));
                let percent =
                    percent.and_then(|digits| digits.parse().ok()).filter(|percent| (1..=100).contains(percent));
                percent.map(|percent| Self(Share::Percent(percent))).ok_or_else(|| NoShare(format!("{text:?}")))
            }
        }
    }
}

impl From<MaxUnavailable> for IntOrString {
    fn from(MaxUnavailable(share): MaxUnavailable) -> Self {
        match share {
            Share::Agents(agents) => Self::Int(agents),
            Share::Percent(_) => Self::String(MaxUnavailable(share).to_string()),
        }
    }
}

impl JsonSchema for MaxUnavailable {
    fn schema_name() -> Cow<'static, str> {
        "MaxUnavailable".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "minimum": 1,
            "maximum": MOST,
            "maxLength": 4,
            "pattern": "^([1-9][0-9]?|100)%$",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_a_number_or_a_percentage_and_nothing_else() {
        for value in [json!(1), json!(1_000_000), json!("1%"), json!("10%"), json!("100%")] {
            let read: MaxUnavailable = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), value);
        }
        for value in [
            json!(0),
            json!(-1),
            json!(1_000_001),
            json!("0%"),
            json!("101%"),
            json!("10"),
            json!("+1%"),
            json!("01%"),
            json!(""),
        ] {
            let error = serde_json::from_value::<MaxUnavailable>(value.clone()).unwrap_err().to_string();
            assert!(error.starts_with(&value.to_string()) && error.contains("1%"), "{value}: {error}");
        }
    }

    #[test]
    fn a_percentage_is_rounded_down_to_one_at_least() {
        let of = |value, total| serde_json::from_value::<MaxUnavailable>(value).unwrap().of(total);
        assert_eq!(
            [of(json!("10%"), 0), of(json!("10%"), 9), of(json!("10%"), 29), of(json!("100%"), 7)],
            [1, 1, 2, 7]
        );
        assert_eq!([of(json!(3), 1), of(json!(3), 100)], [3, 3]);
        assert_eq!(MaxUnavailable::default().of(100), 10);
    }
}
