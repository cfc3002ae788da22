//! Claude Code's own record of a conversation: how far a task got before its process died.
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use uuid::Uuid;

use super::frames::Message;

/// How far a prompt got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was never read.
    Unseen,
    /// It was read, and the answer is not complete.
    Interrupted,
    /// The answer is complete.
    Answered {
        /// The model's last words.
        text: String,
        /// Why it stopped, in the API's words.
        stop_reason: String,
    },
}

/// One conversation on disk.
#[derive(Debug)]
pub(crate) struct Transcript {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    uuid: Option<Uuid>,
    #[serde(default)]
    parent_uuid: Option<Uuid>,
    #[serde(default)]
    is_sidechain: bool,
    #[serde(default)]
    is_meta: bool,
    #[serde(default)]
    is_api_error_message: bool,
    #[serde(default)]
    message: Option<Said>,
    #[serde(default)]
    attachment: Option<Attachment>,
}

/// What goes with a message; a prompt that was read in the middle of a turn, for one.
#[derive(Deserialize)]
struct Attachment {
    #[serde(default)]
    source_uuid: Option<Uuid>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(flatten)]
    message: Message,
}

impl Transcript {
    /// The transcript of `session`, where there is one below `config`.
    pub(crate) fn find(config: &Path, session: Uuid) -> io::Result<Option<Self>> {
        let projects = match fs::read_dir(config.join("projects")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            projects => projects?,
        };
        for project in projects {
            let path = project?.path().join(format!("{session}.jsonl"));
            if path.is_file() {
                return Ok(Some(Self { path }));
            }
        }
        Ok(None)
    }

    /// How far the prompt with that id got.
    pub(crate) fn standing(&self, prompt: Uuid) -> io::Result<Standing> {
        let mut standing = Standing::Unseen;
        self.visit(|line, _| {
            standing = line.advance(prompt, std::mem::replace(&mut standing, Standing::Unseen));
        })?;
        Ok(standing)
    }

    /// The ids of all prompts that were read.
    pub(crate) fn prompts(&self) -> io::Result<HashSet<Uuid>> {
        let mut prompts = HashSet::new();
        self.visit(|line, _| prompts.extend(line.prompt()))?;
        Ok(prompts)
    }

    /// Removes the note with which Claude Code told itself to go on, where it was killed before it did. It takes a note
    /// for something it was told already, and would not go on again.
    pub(crate) fn forget_unanswered_note(&self) -> io::Result<()> {
        let mut unanswered: Option<(Uuid, Range<u64>)> = None;
        self.visit(|line, bytes| {
            let answers = |(note, _): &mut (Uuid, _)| line.parent_uuid == Some(*note);
            unanswered.take_if(answers);
            if let Some(uuid) = line.uuid.filter(|_| line.r#type == "user" && line.is_meta) {
                unanswered = Some((uuid, bytes));
            }
        })?;
        unanswered.map_or(Ok(()), |(_, bytes)| self.remove(bytes))
    }

    /// Every line and where it is. One that cannot be read is passed over: a crash leaves one.
    fn visit(&self, mut visit: impl FnMut(Line, Range<u64>)) -> io::Result<()> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        let (mut json, mut start) = (Vec::new(), 0);
        while reader.read_until(b'\n', &mut json)? > 0 {
            let end = start + json.len() as u64;
            if let Ok(line) = serde_json::from_slice(&json) {
                visit(line, start..end);
            }
            start = end;
            json.clear();
        }
        Ok(())
    }

    fn remove(&self, bytes: Range<u64>) -> io::Result<()> {
        let shorter = self.path.with_extension("shorter");
        let (mut from, mut to) = (File::open(&self.path)?, File::create(&shorter)?);
        to.set_permissions(from.metadata()?.permissions())?;
        io::copy(&mut (&mut from).take(bytes.start), &mut to)?;
        from.seek(SeekFrom::Start(bytes.end))?;
        io::copy(&mut from, &mut to)?;
        to.sync_all()?;
        fs::rename(shorter, &self.path)
    }
}

impl Line {
    fn advance(self, prompt: Uuid, before: Standing) -> Standing {
        let is_prompt = self.prompt() == Some(prompt);
        match (&before, self.r#type.as_str()) {
            _ if is_prompt => Standing::Interrupted,
            (Standing::Unseen, _) => before,
            (_, "assistant") if !self.is_sidechain => self.answer(),
            (_, "user") if !self.is_sidechain => Standing::Interrupted,
            _ => before,
        }
    }

    /// The id of the prompt that it says was read.
    fn prompt(&self) -> Option<Uuid> {
        match self.r#type.as_str() {
            "user" => self.uuid,
            "attachment" => self.attachment.as_ref()?.source_uuid,
            _ => None,
        }
    }

    fn answer(self) -> Standing {
        match self.message {
            Some(Said { stop_reason: Some(stop_reason), message })
                if stop_reason != "tool_use" && !self.is_api_error_message =>
            {
                Standing::Answered { text: message.content.into_text(), stop_reason }
            }
            _ => Standing::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PROMPT: Uuid = Uuid::from_u128(7);

    fn written(directory: &Path, lines: &[Value]) -> Transcript {
        let project = directory.join("projects/-workspace");
        fs::create_dir_all(&project).unwrap();
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(project.join(format!("{}.jsonl", Uuid::nil())), text.join("\n") + "\n{\"torn").unwrap();
        Transcript::find(directory, Uuid::nil()).unwrap().unwrap()
    }

    fn standing(lines: &[Value]) -> Standing {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), lines).standing(PROMPT).unwrap()
    }

    fn prompt(uuid: Uuid) -> Value {
        json!({"type": "user", "uuid": uuid, "message": {"role": "user", "content": "do"}})
    }

    fn assistant(stop_reason: &str, block: &Value) -> Value {
        json!({"type": "assistant", "uuid": Uuid::max(), "message": {"stop_reason": stop_reason, "content": [block]}})
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    fn call() -> Value {
        assistant("tool_use", &json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {}}))
    }

    #[test]
    fn no_transcript_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Transcript::find(directory.path(), Uuid::nil()).unwrap().is_none());
    }

    #[test]
    fn an_earlier_prompts_answer_is_not_this_ones() {
        let other = prompt(Uuid::from_u128(8));
        assert_eq!(standing(&[other.clone(), assistant("end_turn", &text("old"))]), Standing::Unseen);
        assert_eq!(standing(&[other, assistant("end_turn", &text("old")), prompt(PROMPT)]), Standing::Interrupted);
    }

    #[test]
    fn a_tool_that_was_called_is_not_an_answer() {
        let result = json!({"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t"}]}});
        assert_eq!(standing(&[prompt(PROMPT), call()]), Standing::Interrupted);
        assert_eq!(standing(&[prompt(PROMPT), call(), result]), Standing::Interrupted);
    }

    #[test]
    fn the_last_words_are_the_answer() {
        let noise = json!({"type": "cost-state", "totalCostUSD": 1});
        let done = Standing::Answered { text: "done".into(), stop_reason: "end_turn".into() };
        assert_eq!(standing(&[prompt(PROMPT), call(), assistant("end_turn", &text("done")), noise]), done);
    }

    #[test]
    fn words_of_a_subagent_or_of_the_api_are_not() {
        let mut side = assistant("end_turn", &text("found"));
        side["isSidechain"] = true.into();
        let mut error = assistant("stop_sequence", &text("API Error: 500"));
        error["isApiErrorMessage"] = true.into();
        assert_eq!(standing(&[prompt(PROMPT), call(), side]), Standing::Interrupted);
        assert_eq!(standing(&[prompt(PROMPT), error]), Standing::Interrupted);
    }

    #[test]
    fn a_prompt_that_was_read_in_the_middle_of_a_turn_was_read() {
        let queued = json!({"type": "attachment", "attachment": {"type": "queued_command", "source_uuid": PROMPT}});
        let noise = json!({"type": "attachment", "attachment": {"type": "date", "date": "2026-11-28"}});
        let lines = [prompt(Uuid::from_u128(8)), noise, call(), queued];
        let directory = tempfile::tempdir().unwrap();
        let prompts = written(directory.path(), &lines).prompts().unwrap();
        assert_eq!(prompts, HashSet::from([Uuid::from_u128(8), PROMPT]));
        assert_eq!(standing(&lines), Standing::Interrupted);
        let done = Standing::Answered { text: "done".into(), stop_reason: "end_turn".into() };
        assert_eq!(standing(&[&lines[..], &[assistant("end_turn", &text("done"))]].concat()), done);
    }

    fn note(uuid: u128) -> Value {
        json!({"type": "user", "uuid": Uuid::from_u128(uuid), "isMeta": true, "message": {"content": "Continue"}})
    }

    #[test]
    fn a_note_that_nothing_followed_is_removed_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let mut answer = call();
        answer["parentUuid"] = Uuid::from_u128(1).to_string().into();
        let noise = json!({"type": "cost-state", "totalCostUSD": 1});
        let lines = [prompt(PROMPT), note(1), answer, note(2), noise];
        let transcript = written(directory.path(), &lines);
        for _ in 0..2 {
            transcript.forget_unanswered_note().unwrap();
            let left = fs::read_to_string(&transcript.path).unwrap();
            let expected: Vec<_> = [&lines[..3], &lines[4..]].concat().iter().map(Value::to_string).collect();
            assert_eq!(left, expected.join("\n") + "\n{\"torn");
        }
        assert_eq!(transcript.standing(PROMPT).unwrap(), Standing::Interrupted);
    }
}
