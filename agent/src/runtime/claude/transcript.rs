//! Claude Code's own record of a conversation: how far a task got before its process died.
use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
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
    is_sidechain: bool,
    #[serde(default)]
    is_api_error_message: bool,
    #[serde(default)]
    message: Option<Said>,
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

    /// How far the prompt with that id got. A line that cannot be read is passed over: a crash leaves one.
    pub(crate) fn standing(&self, prompt: Uuid) -> io::Result<Standing> {
        let mut standing = Standing::Unseen;
        let mut reader = BufReader::new(File::open(&self.path)?);
        let mut json = Vec::new();
        while reader.read_until(b'\n', &mut json)? > 0 {
            if let Ok(line) = serde_json::from_slice::<Line>(&json) {
                standing = line.advance(prompt, standing);
            }
            json.clear();
        }
        Ok(standing)
    }
}

impl Line {
    fn advance(self, prompt: Uuid, before: Standing) -> Standing {
        let is_prompt = self.r#type == "user" && self.uuid == Some(prompt);
        match (&before, self.r#type.as_str()) {
            (Standing::Unseen, _) if !is_prompt => before,
            (_, "assistant") if !self.is_sidechain => self.answer(),
            (_, "user") if !self.is_sidechain => Standing::Interrupted,
            _ => before,
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

    fn standing(lines: &[Value]) -> Standing {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join("projects/-workspace");
        fs::create_dir_all(&project).unwrap();
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(project.join(format!("{}.jsonl", Uuid::nil())), text.join("\n") + "\n{\"torn").unwrap();
        Transcript::find(directory.path(), Uuid::nil()).unwrap().unwrap().standing(PROMPT).unwrap()
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
}
