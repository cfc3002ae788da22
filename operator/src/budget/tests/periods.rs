//! When periods begin, and in which a cost is.
use super::{super::period::Calendar, *};

fn spans(period: &str, zone: Option<&str>, times: &[&str]) -> Vec<(String, String)> {
    let mut spec = json!({ "limitUSD": "1", "period": period });
    if let Some(zone) = zone {
        spec["timeZone"] = zone.into();
    }
    let calendar = Calendar::of(&budget("b", &spec).spec).unwrap();
    let shown = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
    times.iter().map(|time| calendar.span(at(time))).map(|span| (shown(span.start), shown(span.end))).collect()
}

fn span(start: &str, end: &str) -> (String, String) {
    (start.into(), end.into())
}

#[test]
fn periods_are_those_of_the_zones_clocks() {
    assert_eq!(
        spans("Hour", None, &["2026-03-10T12:59:59.999Z", "2026-03-10T13:00:00Z"]),
        [span("2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z"), span("2026-03-10T13:00:00Z", "2026-03-10T14:00:00Z")]
    );
    assert_eq!(spans("Day", None, &["2026-03-10T00:00:00Z"]), [span("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")]);
    assert_eq!(
        spans("Day", Some("Asia/Kathmandu"), &["2026-03-10T18:14:59Z", "2026-03-10T18:15:00Z"]),
        [span("2026-03-09T18:15:00Z", "2026-03-10T18:15:00Z"), span("2026-03-10T18:15:00Z", "2026-03-11T18:15:00Z")]
    );
    assert_eq!(
        spans("Month", Some("America/New_York"), &["2026-03-10T12:00:00Z", "2026-12-31T23:00:00Z"]),
        [span("2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"), span("2026-12-01T05:00:00Z", "2027-01-01T05:00:00Z")]
    );
    assert_eq!(spans("Total", None, &["2026-03-10T12:00:00Z"]), [span("never", "never")]);
}

#[test]
fn days_on_which_clocks_change_are_shorter_or_longer() {
    let berlin = Some("Europe/Berlin");
    assert_eq!(
        spans("Day", berlin, &["2026-03-29T12:00:00Z", "2026-10-25T12:00:00Z"]),
        [span("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), span("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")]
    );
    // Where clocks go forward at midnight, the day begins at one.
    assert_eq!(
        spans("Day", Some("Africa/Cairo"), &["2026-04-24T12:00:00Z"]),
        [span("2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z")]
    );
}

#[test]
fn a_cost_is_in_the_period_that_it_came_about_in_however_late_it_is_heard_of() {
    let day = budget("day", &json!({ "limitUSD": "1", "period": "Day" }));
    let mut team = Team::new(std::slice::from_ref(&day), &["ada", "bob"]);
    let spent = |team: &mut Team| {
        team.ask("ada");
        team.ask("bob");
        team.namespace.standing("day", team.now).unwrap().spent.to_string()
    };
    team.now = at("2026-03-10T23:59:59.999Z");
    team.spend("ada", "0.2");
    team.now = at("2026-03-11T00:00:00Z");
    assert_eq!(spent(&mut team), "0.0000");
    team.spend("bob", "0.3");
    assert_eq!(spent(&mut team), "0.3000");
    // An event of before midnight arrives after one of after: it is of a day that is over.
    team.now = at("2026-03-10T23:59:58Z");
    team.spend("bob", "0.4");
    team.now = at("2026-03-11T00:00:01Z");
    assert_eq!(spent(&mut team), "0.3000");
}
