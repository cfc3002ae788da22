//! Memories and skills: taken in at any time, and laid out for Claude Code when a task begins.
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use komputer_events::knowledge::{Knowledge, Memory, Skill};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::workspace::write_durably;

/// What the agent knows, on the volume that outlives the pod.
#[derive(Debug)]
pub(crate) struct Known {
    file: PathBuf,
    /// Where Claude Code finds skills.
    skills: PathBuf,
    record: Mutex<Record>,
    /// Whether the agent has connectors.
    has_connectors: watch::Sender<bool>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Record {
    knowledge: Knowledge,
    /// Skills that may lie there because we put them there; others are the agent's own.
    laid_out: BTreeSet<String>,
}

/// Knowledge that cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KnowledgeError {
    #[error("{0:?} cannot be the name of a skill: expected 1 to 63 lower-case letters, digits, '-' and '.'")]
    Name(String),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl Known {
    /// Takes up what an earlier process was told. A damaged file counts as none: whoever sent it sends it again.
    pub(crate) fn open(file: PathBuf, skills: PathBuf) -> Result<Self, KnowledgeError> {
        let record = match fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json)
                .inspect_err(|error| tracing::error!(path = %file.display(), %error, "what is known is damaged"))
                .unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record::default(),
            Err(source) => return Err(KnowledgeError::Io { path: file, source }),
        };
        let has_connectors = watch::Sender::new(!record.knowledge.connectors.is_empty());
        Ok(Self { file, skills, record: Mutex::new(record), has_connectors })
    }

    /// Forgets what was known before.
    pub(crate) fn learn(&self, knowledge: Knowledge) -> Result<(), KnowledgeError> {
        if let Some(skill) = knowledge.skills.iter().find(|skill| !can_be_a_directory(&skill.name)) {
            return Err(KnowledgeError::Name(skill.name.chars().take(63).collect()));
        }
        let mut record = self.lock();
        if record.knowledge == knowledge {
            return Ok(());
        }
        let mut laid_out = record.laid_out.clone();
        laid_out.extend(knowledge.skills.iter().map(|skill| skill.name.clone()));
        self.write(&mut record, Record { knowledge, laid_out })
    }

    /// Puts skills where Claude Code looks for them, takes away those that are known no more, and answers what belongs into
    /// the system prompt.
    pub(crate) fn lay_out(&self) -> Result<Option<String>, KnowledgeError> {
        let mut record = self.lock();
        for skill in &record.knowledge.skills {
            let directory = self.skills.join(&skill.name);
            let path = directory.join("SKILL.md");
            let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, skill_file(skill)));
            written.map_err(|source| KnowledgeError::Io { path, source })?;
        }
        let known: BTreeSet<_> = record.knowledge.skills.iter().map(|skill| skill.name.clone()).collect();
        for name in record.laid_out.difference(&known) {
            let path = self.skills.join(name);
            match fs::remove_dir_all(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(KnowledgeError::Io { path, source });
                }
                _ => {}
            }
        }
        if record.laid_out != known {
            let knowledge = record.knowledge.clone();
            self.write(&mut record, Record { knowledge, laid_out: known })?;
        }
        Ok(memories(&record.knowledge.memories))
    }

    /// Whether the agent has connectors, now and when that changes.
    pub(crate) fn has_connectors(&self) -> watch::Receiver<bool> {
        self.has_connectors.subscribe()
    }

    fn write(&self, record: &mut Record, new: Record) -> Result<(), KnowledgeError> {
        let json = serde_json::to_vec(&new).map_err(io::Error::from);
        json.and_then(|json| write_durably(&self.file, &json))
            .map_err(|source| KnowledgeError::Io { path: self.file.clone(), source })?;
        *record = new;
        self.has_connectors.send_replace(!record.knowledge.connectors.is_empty());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn can_be_a_directory(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (1..=63).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}

/// As Claude Code reads it; JSON's strings are YAML's.
fn skill_file(Skill { name, description, content }: &Skill) -> String {
    let quoted = serde_json::Value::from(description.as_str());
    format!("---\nname: \"{name}\"\ndescription: {quoted}\n---\n\n{content}\n")
}

/// As komputer.ai said it to its agents.
fn memories(memories: &[Memory]) -> Option<String> {
    let mut text = String::from("## Memory / Knowledge");
    for Memory { name, content } in memories {
        _ = write!(text, "\n\n### {name}\n{}", content.trim_end());
    }
    (!memories.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn open(directory: &Path) -> Known {
        Known::open(directory.join("knowledge.json"), directory.join("skills")).unwrap()
    }

    fn skill(name: &str) -> Skill {
        Skill { name: name.into(), description: "When: \"asked\"".into(), content: "Do it.".into() }
    }

    fn laid_out(directory: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(directory.join("skills")) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn skills_come_and_go_and_the_agents_own_stay() {
        let directory = tempfile::tempdir().unwrap();
        let known = open(directory.path());
        fs::create_dir_all(directory.path().join("skills/own")).unwrap();
        known.learn(Knowledge { skills: vec![skill("review"), skill("tests")], ..Default::default() }).unwrap();
        assert_eq!(known.lay_out().unwrap(), None);
        assert_eq!(laid_out(directory.path()), ["own", "review", "tests"]);
        let file = fs::read_to_string(directory.path().join("skills/review/SKILL.md")).unwrap();
        assert_eq!(file, "---\nname: \"review\"\ndescription: \"When: \\\"asked\\\"\"\n---\n\nDo it.\n");

        known.learn(Knowledge { skills: vec![skill("tests")], ..Default::default() }).unwrap();
        drop(known);
        let known = open(directory.path());
        known.lay_out().unwrap();
        assert_eq!(laid_out(directory.path()), ["own", "tests"]);
        known.learn(Knowledge::default()).unwrap();
        known.lay_out().unwrap();
        assert_eq!(laid_out(directory.path()), ["own"]);
    }

    #[test]
    fn memories_are_said_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let known = open(directory.path());
        let memory = |name: &str, content: &str| Memory { name: name.into(), content: content.into() };
        let memories = vec![memory("style", "Be brief.\n"), memory("team", "We are blue.")];
        known.learn(Knowledge { memories, ..Default::default() }).unwrap();
        let expected = "## Memory / Knowledge\n\n### style\nBe brief.\n\n### team\nWe are blue.";
        assert_eq!(open(directory.path()).lay_out().unwrap().as_deref(), Some(expected));
    }

    #[test]
    fn a_skill_stays_in_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["", "..", ".x", "a/b", "A", &"a".repeat(64)] {
            let knowledge = Knowledge { skills: vec![skill(name)], ..Default::default() };
            assert!(matches!(open(directory.path()).learn(knowledge), Err(KnowledgeError::Name(_))), "{name}");
        }
    }
}
