//! The Secret that holds the certificates, and what can be said of them.
use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rustls::sign::CertifiedKey;

use super::{
    IssueError, Lifetimes, Pair, Signer, State,
    chain::Chain,
    issue::{authority, leaf, period},
};

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const PREVIOUS: &str = "ca-old.crt";
const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";

/// The authorities that are trusted and the leaf that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    authority: Pair,
    previous: Option<String>,
    leaf: Pair,
}

impl Certificates {
    /// Those in `secret`, where it has all of them.
    pub fn of(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok().filter(|text| !text.is_empty());
        let pair = |certificate, key| Some(Pair { certificate: text(certificate)?, key: text(key)? });
        Some(Self { authority: pair(AUTHORITY, AUTHORITY_KEY)?, previous: text(PREVIOUS), leaf: pair(LEAF, LEAF_KEY)? })
    }

    /// The data of a Secret that holds them.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let texts = [
            (AUTHORITY, Some(&self.authority.certificate)),
            (AUTHORITY_KEY, Some(&self.authority.key)),
            (PREVIOUS, self.previous.as_ref()),
            (LEAF, Some(&self.leaf.certificate)),
            (LEAF_KEY, Some(&self.leaf.key)),
        ];
        let bytes = |(key, text): (&str, Option<&String>)| Some((key.into(), ByteString(text?.clone().into_bytes())));
        texts.into_iter().filter_map(bytes).collect()
    }

    /// Everything new.
    pub(super) fn create(names: &[String], now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        let authority = authority(now, lifetimes.authority)?;
        let leaf = leaf(&authority, names, now, lifetimes.leaf)?;
        Ok(Self { authority, previous: None, leaf })
    }

    /// A new authority, beside the one that signed the leaf.
    pub(super) fn overlap(&self, names: &[String], now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        let signed_by_previous = self.previous.as_ref().filter(|previous| self.is_signed_by(previous, names, now));
        let previous = signed_by_previous.unwrap_or(&self.authority.certificate).clone();
        Ok(Self { authority: authority(now, lifetimes.authority)?, previous: Some(previous), leaf: self.leaf.clone() })
    }

    /// A new leaf.
    pub(super) fn sign(&self, names: &[String], now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, IssueError> {
        Ok(Self { leaf: leaf(&self.authority, names, now, lifetimes.leaf)?, ..self.clone() })
    }

    /// The same without the authority before.
    pub(super) fn retire(&self) -> Self {
        Self { previous: None, ..self.clone() }
    }

    /// What the apiserver has to trust, in PEM.
    pub(super) fn bundle(&self) -> String {
        format!("{}{}", self.authority.certificate, self.previous.as_deref().unwrap_or_default())
    }

    /// The leaf, as a server wants it.
    pub(super) fn served(&self) -> Result<CertifiedKey, IssueError> {
        self.chain()?.certified()
    }

    fn chain(&self) -> Result<Chain, IssueError> {
        Chain::read(&self.leaf.certificate, &self.leaf.key)
    }

    /// Until when the leaf is valid.
    pub(super) fn leaf_until(&self) -> Result<Timestamp, IssueError> {
        Ok(period(&self.leaf.certificate)?.until)
    }

    /// What [`super::next`] wants to know of them.
    pub(super) fn state(&self, names: &[String], now: Timestamp) -> Result<State, IssueError> {
        let previous = self.previous.as_deref();
        let signer = if self.is_signed_by(&self.authority.certificate, names, now) {
            Signer::Current
        } else if previous.is_some_and(|previous| self.is_signed_by(previous, names, now)) {
            Signer::Previous
        } else {
            Signer::Nobody
        };
        Ok(State {
            authority: period(&self.authority.certificate)?,
            has_previous: previous.is_some(),
            leaf: period(&self.leaf.certificate)?,
            signer,
        })
    }

    /// Whether a client that trusts `authority` alone would take the leaf for each of `names`.
    fn is_signed_by(&self, authority: &str, names: &[String], now: Timestamp) -> bool {
        self.chain().is_ok_and(|chain| chain.is_accepted_by(authority, names, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::certificates::{Step, next};

    fn names() -> Vec<String> {
        vec!["komputer-webhooks.komputer-system.svc".into(), "127.0.0.1".into()]
    }

    fn start() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    fn created() -> Certificates {
        Certificates::create(&names(), start(), &Lifetimes::default()).unwrap()
    }

    /// Whether an apiserver with this bundle takes the leaf.
    fn trusts(bundle: &str, certificates: &Certificates, now: Timestamp) -> bool {
        bundle.split_inclusive("-----END CERTIFICATE-----\n").any(|one| certificates.is_signed_by(one, &names(), now))
    }

    #[test]
    fn a_secret_gives_back_what_it_was_given() {
        let certificates = created().overlap(&names(), start(), &Lifetimes::default()).unwrap();
        let secret = Secret { data: Some(certificates.data()), ..Secret::default() };
        assert_eq!(Certificates::of(&secret), Some(certificates));
        assert_eq!(Certificates::of(&Secret::default()), None);
    }

    #[test]
    fn a_leaf_without_one_of_the_names_is_nobodys() {
        let more: Vec<String> = names().into_iter().chain(["other.example.com".into()]).collect();
        assert_eq!(created().state(&names(), start()).unwrap().signer, Signer::Current);
        assert_eq!(created().state(&more, start()).unwrap().signer, Signer::Nobody);
    }

    #[test]
    fn keys_are_not_in_what_is_logged() {
        assert!(!format!("{:?}", created()).contains("PRIVATE KEY"));
    }

    #[test]
    fn without_its_secret_what_is_served_stays_trusted() {
        let lifetimes = Lifetimes::default();
        let once = created().overlap(&names(), start(), &lifetimes).unwrap();
        let twice = once.overlap(&names(), start(), &lifetimes).unwrap();
        assert_eq!(twice.state(&names(), start()).unwrap().signer, Signer::Previous);
    }

    /// At every moment the leaf is taken by an apiserver that trusts what was last to be trusted, and the change before.
    #[test]
    fn two_years_pass_without_distrust() {
        let (lifetimes, tick) = (Lifetimes::default(), 8);
        let (mut certificates, mut steps) = (created(), Vec::new());
        let (mut now, mut before) = (start(), certificates.bundle());
        let mut trusted_for = Duration::ZERO;
        while now < start() + hours(2 * 365 * 24) {
            now += hours(tick);
            trusted_for += hours(tick).unsigned_abs();
            assert!(trusts(&certificates.bundle(), &certificates, now), "{now}");
            assert!(trusts(&before, &certificates, now), "{now}");
            before = certificates.bundle();
            let state = certificates.state(&names(), now).unwrap();
            let step = next(Some(&state), Some(trusted_for), now, &lifetimes);
            if step == Step::Keep {
                continue;
            }
            let changed = match step {
                Step::Keep | Step::Create => panic!("{step:?} at {now}"),
                Step::Overlap => certificates.overlap(&names(), now, &lifetimes).unwrap(),
                Step::Sign => certificates.sign(&names(), now, &lifetimes).unwrap(),
                Step::Retire => certificates.retire(),
            };
            if changed.bundle() != certificates.bundle() {
                trusted_for = Duration::ZERO;
            }
            certificates = changed;
            steps.push(step);
        }
        assert_eq!(steps.iter().filter(|step| **step == Step::Overlap).count(), 2);
        assert_eq!(steps.iter().filter(|step| **step == Step::Retire).count(), 2);
        assert!(steps.iter().filter(|step| **step == Step::Sign).count() > 24);
    }
}
