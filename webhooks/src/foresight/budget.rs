use serde_json::Value;

use super::Change;

/// What comes of another limit.
pub(super) fn foresight(change: Change<'_>) -> Vec<String> {
    limit(change).into_iter().collect()
}

fn limit(change: Change<'_>) -> Option<String> {
    let (Some(before), Some(limit)) = change.of("/spec/limitUSD")? else { return None };
    let number = |value: &Value| value.as_str()?.parse::<f64>().ok();
    let spent = change.old.pointer("/status/spentUSD")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (was_over, is_over) = (number(spent)? >= number(before)?, number(spent)? >= number(limit)?);
    let what = match (was_over, is_over, change.text("/spec/action")) {
        (_, true, Some("Warn")) => "agents go on, and people are warned",
        (_, true, _) => "its agents stop before their next request",
        (true, false, Some("Warn")) => "nobody is warned any more",
        (true, false, _) => "its agents go on",
        (false, false, _) => "enough is left",
    };
    Some(format!("spec.limitUSD: {} of {} are spent already; {what}", text(spent), text(limit)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &str, limit: &str, action: Option<&str>) -> Vec<String> {
        let old = json!({ "spec": { "limitUSD": before }, "status": { "spentUSD": "6.5" } });
        let new = json!({ "spec": { "limitUSD": limit, "action": action } });
        foresight(Change { namespace: "team", name: "b", old: &old, new: &new })
    }

    #[test]
    fn whom_a_limit_stops_and_lets_go_on_is_told() {
        let spent = |limit: &str, what: &str| [format!("spec.limitUSD: 6.5 of {limit} are spent already; {what}")];
        assert_eq!(told("10", "5", None), spent("5", "its agents stop before their next request"));
        assert_eq!(told("10", "5", Some("Warn")), spent("5", "agents go on, and people are warned"));
        assert_eq!(told("6.50", "12", None), spent("12", "its agents go on"));
        assert_eq!(told("10", "12", None), spent("12", "enough is left"));
        assert_eq!(told("10", "10", None), [""; 0]);
    }
}
