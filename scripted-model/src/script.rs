use std::time::Duration;

use serde_json::{Value, json};

/// A script follows at most this many directives, repeated ones included.
const MAX_DIRECTIVES: usize = 20_000;
/// How deep `times` may stand in `times`.
const MAX_DEPTH: usize = 4;
/// No directive waits longer.
const MAX_WAIT_SECONDS: f64 = 3600.0;

/// What a prompt tells the model to answer, one step for each assistant message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// The name the script's calls are booked under, where it gives one.
    pub(crate) tag: Option<String>,
}

/// One assistant message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Step {
    pub(crate) blocks: Vec<Block>,
    /// The prompt tokens to report instead of the counted ones.
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) failures: Vec<Failure>,
    /// How long the text takes to arrive.
    pub(crate) drip: Duration,
    /// The silence, but for pings, before the first block.
    pub(crate) hang: Duration,
    pub(crate) stop_reason: Option<String>,
    /// The directives that made the step.
    pub(crate) source: String,
}

/// One content block of an assistant message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Block {
    Thinking(String),
    Text(String),
    ToolUse { name: String, input: Value },
    Compaction(String),
}

/// What goes wrong, so many times, before a step is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    Http { status: u16, kind: String, times: u32 },
    Cut { times: u32 },
}

/// A directive that cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(crate) enum BadScript {
    #[error("<<{name}: …>> is no directive; there are {KNOWN}")]
    Unknown { name: String },
    #[error("<<{name}: {argument}>> cannot be read: expected {expected}")]
    Argument { name: String, argument: String, expected: &'static str },
    #[error(
        "the script follows more than {MAX_DIRECTIVES} directives, or nests `times` more than {MAX_DEPTH} deep: repeat less"
    )]
    TooLong,
    #[error("the script has no step: end it with <<text: …>>")]
    NoStep,
}

const KNOWN: &str = "bash, tool, think, say, text, slow, hang, err, drop, compact, usage, stop, times and tag";

/// `<<name: argument>>`, as it stands in a text.
pub(crate) struct Directive<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    name: &'a str,
    argument: &'a str,
    /// Whether `&` ties it to the next one.
    joined: bool,
}

/// The directives in `text`, in order.
pub(crate) fn directives(text: &str) -> impl Iterator<Item = Directive<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text.get(at..)?.find("<<")?;
            let body = start + 2;
            let close = body + text[body..].find(">>")?;
            at = start + 1;
            let Some((name, argument)) = text[body..close].split_once(':') else { continue };
            let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_name || argument.starts_with(':') {
                continue;
            }
            let joined = text[close + 2..].starts_with('&');
            let end = close + 2 + usize::from(joined);
            at = end;
            return Some(Directive { start, end, name, argument: argument.trim(), joined });
        }
    })
}

/// The script in `text`.
///
/// # Errors
/// Where a directive is unknown or cannot be read, or the script has no step or too many.
pub(crate) fn parse(text: &str) -> Result<Script, BadScript> {
    let mut parser = Parser::default();
    parser.read(text, 0)?;
    if let Some(step) = parser.open.take() {
        parser.close(step);
    }
    if parser.script.steps.is_empty() { Err(BadScript::NoStep) } else { Ok(parser.script) }
}

#[derive(Default)]
struct Parser {
    script: Script,
    /// The step that the next directive adds to.
    open: Option<Step>,
    followed: usize,
}

impl Parser {
    fn read(&mut self, text: &str, depth: usize) -> Result<(), BadScript> {
        self.count()?;
        for directive in directives(text) {
            self.count()?;
            match directive.name {
                "times" if depth == MAX_DEPTH => return Err(BadScript::TooLong),
                "times" => self.repeat(&directive, depth + 1)?,
                "tag" => self.script.tag = Some(directive.tag()?),
                _ => self.add(&directive, &text[directive.start..directive.end])?,
            }
        }
        Ok(())
    }

    /// Counts empty repetitions too, so that no script runs on without making anything.
    fn count(&mut self) -> Result<(), BadScript> {
        self.followed += 1;
        if self.followed > MAX_DIRECTIVES { Err(BadScript::TooLong) } else { Ok(()) }
    }

    fn repeat(&mut self, directive: &Directive<'_>, depth: usize) -> Result<(), BadScript> {
        let (times, body) = directive.number_and_rest("a count and a directive, like `60 bash: echo {n}`")?;
        let body = if body.starts_with("{%") { unescaped(body) } else { format!("<<{body}>>") };
        for n in 1..=times {
            self.read(&body.replace("{n}", &n.to_string()), depth)?;
        }
        Ok(())
    }

    fn add(&mut self, directive: &Directive<'_>, source: &str) -> Result<(), BadScript> {
        let mut step = self.open.take().unwrap_or_default();
        let ends = step.follow(directive)?;
        step.source.push_str(source);
        if ends && !directive.joined {
            self.close(step);
        } else {
            self.open = Some(step);
        }
        Ok(())
    }

    fn close(&mut self, mut step: Step) {
        if step.blocks.is_empty() && step.stop_reason.is_none() {
            step.blocks.push(Block::Text("recovered".into()));
        }
        self.script.steps.push(step);
    }
}

impl Step {
    /// Adds what a directive says; true where the assistant message ends with it.
    fn follow(&mut self, directive: &Directive<'_>) -> Result<bool, BadScript> {
        let text = || unescaped(directive.argument);
        match directive.name {
            "think" => self.blocks.push(Block::Thinking(text())),
            "say" => self.blocks.push(Block::Text(text())),
            "compact" => self.blocks.push(Block::Compaction(text())),
            "usage" => self.prompt_tokens = Some(directive.number_and_rest("a number of tokens")?.0),
            "stop" => self.stop_reason = Some(text()),
            "err" => self.failures.push(directive.http_failure()?),
            "drop" => self.failures.push(Failure::Cut { times: directive.times()? }),
            "text" => return Ok(self.end_with(Block::Text(text()))),
            "bash" => return Ok(self.end_with(bash(&text()))),
            "tool" => return Ok(self.end_with(directive.tool()?)),
            "slow" => {
                let (seconds, rest) = directive.argument.split_once(' ').unwrap_or((directive.argument, ""));
                self.drip = directive.seconds(seconds)?;
                return Ok(self.end_with(Block::Text(unescaped(rest))));
            }
            "hang" => {
                self.hang = directive.seconds(directive.argument)?;
                return Ok(self.end_with(Block::Text("late".into())));
            }
            name => return Err(BadScript::Unknown { name: name.into() }),
        }
        Ok(false)
    }

    fn end_with(&mut self, block: Block) -> bool {
        self.blocks.push(block);
        true
    }
}

/// A call of the shell tool.
pub(crate) fn bash(command: &str) -> Block {
    Block::ToolUse { name: "Bash".into(), input: json!({"command": command, "description": "run"}) }
}

/// `{%` and `%}` stand for the brackets inside a directive.
fn unescaped(argument: &str) -> String {
    argument.replace("{%", "<<").replace("%}", ">>")
}

impl Directive<'_> {
    fn bad(&self, expected: &'static str) -> BadScript {
        let argument = self.argument.chars().take(80).collect();
        BadScript::Argument { name: self.name.into(), argument, expected }
    }

    fn number_and_rest(&self, expected: &'static str) -> Result<(u64, &str), BadScript> {
        let (number, rest) = self.argument.split_once(' ').unwrap_or((self.argument, ""));
        number.parse().map(|number| (number, rest.trim())).map_err(|_| self.bad(expected))
    }

    fn seconds(&self, text: &str) -> Result<Duration, BadScript> {
        let seconds = text.parse().ok().filter(|seconds| (0.0..=MAX_WAIT_SECONDS).contains(seconds));
        seconds.map(Duration::from_secs_f64).ok_or_else(|| self.bad("seconds between 0 and 3600"))
    }

    fn times(&self) -> Result<u32, BadScript> {
        if self.argument.is_empty() { Ok(1) } else { self.argument.parse().map_err(|_| self.bad("a count")) }
    }

    fn tool(&self) -> Result<Block, BadScript> {
        let (name, input) = self.argument.split_once(' ').unwrap_or((self.argument, "{}"));
        let input = serde_json::from_str(&unescaped(input)).ok().filter(Value::is_object);
        let input = input.ok_or_else(|| self.bad("a tool's name and a JSON object"))?;
        Ok(Block::ToolUse { name: name.into(), input })
    }

    fn tag(&self) -> Result<String, BadScript> {
        let fits = (1..=64).contains(&self.argument.len())
            && self.argument.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if fits { Ok(self.argument.into()) } else { Err(self.bad("at most 64 letters, digits, `.`, `_` and `-`")) }
    }

    /// `529 overloaded_error*2`, where the kind and the count may be absent.
    fn http_failure(&self) -> Result<Failure, BadScript> {
        let bad = || self.bad("an HTTP error like `529 overloaded_error*2`");
        let (error, times) = self.argument.split_once('*').unwrap_or((self.argument, "1"));
        let (status, kind) = error.trim().split_once(' ').unwrap_or((error.trim(), ""));
        let status = status.parse().ok().filter(|status| (400..600).contains(status)).ok_or_else(bad)?;
        let kind = if kind.is_empty() { error_kind(status) } else { kind.trim() };
        Ok(Failure::Http { status, kind: kind.into(), times: times.trim().parse().map_err(|_| bad())? })
    }
}

/// The `error.type` that the Messages API gives with a status.
pub(crate) fn error_kind(status: u16) -> &'static str {
    match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests;
