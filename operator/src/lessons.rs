//! The content of memories and skills, read when an agent is taught: most of it is never needed, and may be long.
use std::fmt::Debug;

use komputer_crds::v1beta1::{KomputerMemory, KomputerSkill};
use komputer_events::knowledge::{Knowledge, Memory, Skill};
use kube::{Api, Client, Resource, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;

use crate::agent::{Lesson, Source};

/// Reads memories and skills.
#[derive(Clone)]
pub struct Lessons(Client);

impl Lessons {
    /// Of the cluster behind `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// What is in all of `sources`, as it is by now.
    ///
    /// # Errors
    /// The apiserver does not answer, or one of them is gone.
    pub async fn read(&self, sources: &[Source]) -> kube::Result<Knowledge> {
        let mut knowledge = Knowledge::default();
        for source in sources {
            match source.lesson {
                // How it is reached is told with each task, sealed.
                Lesson::Connector => knowledge.connectors.push(source.name.clone()),
                Lesson::Memory => {
                    let memory = self.get::<KomputerMemory>(source).await?;
                    knowledge.memories.push(Memory { name: source.name.clone(), content: memory.spec.content });
                }
                Lesson::Skill => {
                    let KomputerSkill { spec, .. } = self.get(source).await?;
                    let (name, description, content) = (source.name.clone(), spec.description, spec.content);
                    knowledge.skills.push(Skill { name, description, content });
                }
            }
        }
        Ok(knowledge)
    }

    async fn get<K>(&self, source: &Source) -> kube::Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        Api::<K>::namespaced(self.0.clone(), &source.namespace).get(&source.name).await
    }
}
