//! An agent cannot be above itself.
use super::Cause;

/// The managers above `agent`, the nearest first, up to the first that has none or is there a second time.
pub fn managers(agent: &str, manager_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut above, mut next) = (Vec::new(), manager_of(agent));
    while let Some(manager) = next {
        let again = manager == agent || above.contains(&manager);
        next = if again { None } else { manager_of(&manager) };
        above.push(manager);
    }
    above
}

/// What is wrong with an agent that has these [`managers`] above it, where it is one of them.
pub fn circle(agent: &str, managers: &[String]) -> Option<Cause> {
    let path = || std::iter::once(agent).chain(managers.iter().map(String::as_str)).collect::<Vec<_>>().join(" → ");
    let why = || format!("{} is a circle; name another manager in one of them, or remove it", path());
    managers.last().is_some_and(|last| last == agent).then(|| Cause::forbidden("spec.managerRef", why()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_wrong_for_those_in_it_and_not_for_those_below() {
        let manager_of = |agent: &str| match agent {
            "a" | "c" => Some("b".to_owned()),
            "b" => Some("c".to_owned()),
            _ => None,
        };
        assert_eq!(managers("nobody", manager_of), Vec::<String>::new());
        assert_eq!(managers("a", manager_of), ["b", "c", "b"]);
        assert_eq!(circle("a", &managers("a", manager_of)), None);
        let cause = circle("b", &managers("b", manager_of)).unwrap();
        let why = "b → c → b is a circle; name another manager in one of them, or remove it";
        assert_eq!(cause.to_string(), format!("spec.managerRef: Forbidden: {why}"));
    }
}
