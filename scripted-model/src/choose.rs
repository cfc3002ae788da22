use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::{
    request::{Message, MessagesRequest},
    script::{self, BadScript, Block, Script, Step, directives},
};

/// The answer to a request, and the script it is booked under.
#[derive(Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) step: Step,
    pub(crate) tag: String,
    /// The script itself.
    pub(crate) source: String,
}

/// Chooses the answer from the conversation alone, so that it survives resumes, forks and restarts.
///
/// The newest user text with directives is the script, and the number of assistant messages after it the step. Where a
/// script is finished or bad, a newer prompt without directives is greeted instead.
pub(crate) fn choose(request: &MessagesRequest) -> Result<Choice, BadScript> {
    let messages = &request.messages;
    let found = newest_script(messages);
    let prompt = newest_prompt(messages, found.as_ref().map_or(0, |(at, _)| at + 1));
    let running = match found.map(|(at, source)| Running::read(messages, at, source)).transpose() {
        Err(bad) if prompt.is_none() => return Err(bad),
        running => running.ok().flatten(),
    };
    if asks_for_summary(messages) {
        return Ok(summary(messages, running.as_ref()));
    }
    Ok(match (running, prompt) {
        (Some(running), _) if !running.left().is_empty() => running.choice(running.left()[0].clone()),
        (_, Some((at, prompt))) => booked_under(prompt, greeting(request, at, prompt)),
        (Some(running), None) => running.choice(saying("script finished")),
        (None, None) => booked_under("", saying("This is komputer's scripted model, and it was asked nothing.")),
    })
}

/// A script and how far it is.
struct Running {
    source: String,
    script: Script,
    done: usize,
}

impl Running {
    fn read(messages: &[Message], at: usize, source: String) -> Result<Self, BadScript> {
        Ok(Self { script: script::parse(&source)?, source, done: answers_after(messages, at) })
    }

    fn left(&self) -> &[Step] {
        self.script.steps.get(self.done..).unwrap_or_default()
    }

    fn tag(&self) -> String {
        self.script.tag.clone().unwrap_or_else(|| digest(&self.source))
    }

    fn choice(&self, step: Step) -> Choice {
        Choice { step, tag: self.tag(), source: self.source.clone() }
    }
}

/// The first 16 hexadecimal digits of a text's SHA-256, like a script's tag.
pub fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..8])
}

fn booked_under(source: &str, step: Step) -> Choice {
    Choice { step, tag: digest(source), source: source.into() }
}

fn saying(text: &str) -> Step {
    Step { blocks: vec![Block::Text(text.into())], ..Step::default() }
}

fn answers_after(messages: &[Message], at: usize) -> usize {
    messages[at + 1..].iter().filter(|message| message.is_from("assistant")).count()
}

/// The newest user message with directives, and the last of its texts that has some, from the first directive to the last.
/// A prompt that got no answer is in one message with the next one.
fn newest_script(messages: &[Message]) -> Option<(usize, String)> {
    messages.iter().enumerate().rev().filter(|(_, message)| message.is_from("user")).find_map(|(at, message)| {
        let source = |text: &str| {
            let mut found = directives(text);
            let start = found.next().map(|first| (first.start, first.end))?;
            let end = found.last().map_or(start.1, |last| last.end);
            Some(text[start.0..end].to_owned())
        };
        Some((at, message.content.texts().into_iter().rev().find_map(source)?))
    })
}

/// The newest prompt of a person from message `from` on, which begins a turn and is none of the notices that agents
/// write into conversations, like `<system-reminder>`.
fn newest_prompt(messages: &[Message], from: usize) -> Option<(usize, &str)> {
    let begins_turn = |message: &Message| message.is_from("user") && !message.has_tool_result();
    let is_prompt =
        |text: &&str| !text.is_empty() && !text.starts_with('<') && !text.starts_with("[Request interrupted");
    messages.iter().enumerate().skip(from).rev().filter(|(_, message)| begins_turn(message)).find_map(
        |(at, message)| {
            let text = message.content.texts().into_iter().map(str::trim).rfind(is_prompt)?;
            Some((at, text))
        },
    )
}

/// What somebody sees who gives no script: one real command, then who answers here and how to reach Claude.
fn greeting(request: &MessagesRequest, at: usize, prompt: &str) -> Step {
    let has_shell = request.has_tool("Bash") || request.has_tool("bash");
    if has_shell && answers_after(&request.messages, at) == 0 {
        return Step { blocks: vec![script::bash("echo \"hello from $(hostname)\"")], ..Step::default() };
    }
    let last_line: String = prompt.lines().last().unwrap_or_default().chars().take(200).collect();
    let text = format!(
        "This is komputer's scripted model, not Claude: it answers every prompt like this, for play money. \
         You asked: \"{last_line}\". \
         To reach Claude, name the Secret with your Anthropic API key in the template's model.apiKeySecretRef and \
         remove its model.baseURL."
    );
    Step { drip: Duration::from_secs(1), ..saying(&text) }
}

/// Whether the agent wants the conversation summed up to make room.
fn asks_for_summary(messages: &[Message]) -> bool {
    let Some(last) = messages.iter().rfind(|message| message.is_from("user")) else { return false };
    let text: String = last.content.texts().join("\n").chars().take(4000).collect::<String>().to_lowercase();
    let wants_summary = ["create", "write", "provide", "produce"].iter().any(|verb| {
        let after = text.match_indices(verb).map(|(at, verb)| &text[at + verb.len()..]);
        after.into_iter().any(|rest| {
            let sentence: String = rest.chars().take_while(|&c| c != '.').take(67).collect();
            sentence.contains("summary")
        })
    });
    wants_summary && text.contains("conversation")
}

/// A summary that carries what is left of the script, so that the task goes on after it.
fn summary(messages: &[Message], running: Option<&Running>) -> Choice {
    let left: String = running.into_iter().flat_map(Running::left).map(|step| step.source.as_str()).collect();
    let tag = running.map_or_else(|| digest(""), Running::tag);
    let left =
        if left.is_empty() { "Nothing is left to do.".into() } else { format!("Left to do: <<tag: {tag}>>{left}") };
    let text = format!(
        "<analysis>scripted</analysis>\n<summary>SCRIPTED-SUMMARY of {} messages. {left}</summary>",
        messages.len()
    );
    let source = running.map(|running| running.source.clone()).unwrap_or_default();
    Choice { step: saying(&text), tag, source }
}

#[cfg(test)]
mod tests;
