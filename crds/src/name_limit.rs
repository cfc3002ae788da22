//! How long names of objects may be, where others are named after them.
use kube::core::{Reason, Rule};

use crate::validate::Kind;

/// What the rule about a name begins with. It judges creation alone: an object that is there keeps its name, and has to
/// be changed and deleted all the same (gitops V8).
const RULE: &str = "oldSelf.hasValue() || self.metadata.name.size() <= ";

/// How long the names of a kind's objects may be, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameLimit {
    pub(crate) characters: usize,
    why: &'static str,
}

impl NameLimit {
    pub(crate) const AGENT: Self =
        Self { characters: 54, why: ", because the agent's pod and tasks are named after it" };
    pub(crate) const SCHEDULE: Self = Self { characters: 52, why: ", because tasks are named after it" };
    pub(crate) const SKILL: Self = Self { characters: 63, why: ", because it names a directory of the agent" };
    pub(crate) const SQUAD: Self = Self { characters: 54, why: ", because the squad's pod is named after it" };
    pub(crate) const TASK: Self = Self { characters: 63, why: "" };

    /// The limit of a kind; nothing where there is no other than the apiserver's.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Agent => Some(Self::AGENT),
            Kind::Schedule => Some(Self::SCHEDULE),
            Kind::Skill => Some(Self::SKILL),
            Kind::Squad => Some(Self::SQUAD),
            Kind::Task => Some(Self::TASK),
            Kind::Budget
            | Kind::ClusterTemplate
            | Kind::Config
            | Kind::Connector
            | Kind::Memory
            | Kind::Office
            | Kind::Template => None,
        }
    }

    /// As a rule of the kind's definition.
    pub(crate) fn rule(self) -> Rule {
        Rule::new(format!("{RULE}{}", self.characters))
            .message(format!("metadata.name {}; choose a shorter name", self.text()).as_str())
            .reason(Reason::FieldValueInvalid)
            .field_path(".metadata.name")
            .optional_old_self(true)
    }

    /// How many characters the rule of a definition allows, where it is one of these.
    pub(crate) fn characters_of(rule: &str) -> Option<u64> {
        rule.strip_prefix(RULE)?.parse().ok()
    }

    pub(crate) fn allows(self, name: &str) -> bool {
        name.chars().count() <= self.characters
    }

    pub(crate) fn text(self) -> String {
        format!("must be at most {} characters{}", self.characters, self.why)
    }
}
