//! Config: the one that counts is the oldest. It says where things are and moves nothing: whoever may write it could have
//! all events go elsewhere.
use komputer_crds::{
    v1beta1::{KomputerConfig, KomputerConfigStatus},
    validate::Kind,
};
use kube::ResourceExt;

use super::{
    decide::{Declared, Verdict},
    world::World,
};
use crate::conditions::Progress;

/// What is known about a config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The config that counts instead.
    pub(super) older: Option<String>,
    /// What its password's Secret lacks.
    pub(super) lacking: Option<String>,
    /// The Redis that is used.
    pub(super) redis: String,
}

impl Declared for KomputerConfig {
    const KIND: Kind = Kind::Config;
    type Facts = Facts;

    fn look(&self, world: &World) -> Facts {
        let age = |config: &KomputerConfig| (config.creation_timestamp(), config.name_any());
        let oldest = world.configs.state().into_iter().min_by_key(|config| age(config));
        let secret = self.spec.redis.password_secret_ref.as_ref();
        let own = secret.filter(|secret| secret.namespace.as_ref().is_none_or(|namespace| *namespace == world.system));
        Facts {
            older: oldest.map(|oldest| oldest.name_any()).filter(|oldest| *oldest != self.name_any()),
            lacking: own.and_then(|secret| world.lacks(&secret.name, &secret.key)),
            redis: world.redis.clone(),
        }
    }

    fn judge(&self, facts: &Facts) -> Verdict<KomputerConfigStatus> {
        let (progress, reason, message) = match facts {
            Facts { older: Some(older), .. } => {
                let message = format!("KomputerConfig {older} is older and counts alone; delete one of them");
                (Progress::Stalled, "Conflicted", message)
            }
            Facts { lacking: Some(lacking), .. } => {
                (Progress::Progressing, "DependencyNotReady", format!("spec.redis.passwordSecretRef: {lacking}"))
            }
            Facts { redis, .. } if *redis == self.spec.redis.address => {
                (Progress::Done, "Available", format!("Redis is at {redis}"))
            }
            Facts { redis, .. } => {
                let message = format!(
                    "Redis is at {redis}, as the operator's --redis-address says, and not at spec.redis.address; make \
                     them equal"
                );
                (Progress::Done, "Available", message)
            }
        };
        Verdict::new(progress, reason, message, KomputerConfigStatus::default())
    }
}
