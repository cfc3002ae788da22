//! A Messages API server whose prompt is the script: for tests, benchmarks and the first run without an API key.
//!
//! The newest user text that holds directives drives the answers, and the number of assistant messages after it selects
//! the step. The conversation is all the state there is, so a script survives resumes, forks and restarts.
//!
//! | directive | what it does |
//! |---|---|
//! | `<<text: done>>` | final text, ends the turn |
//! | `<<bash: echo hi>>` | a call of the shell tool |
//! | `<<tool: Name {"a": 1}>>` | a call of any tool |
//! | `<<think: …>>`, `<<say: …>>` | a thinking or text block in the same message as what follows |
//! | `<<a: …>>&<<b: …>>` | both in one message, for parallel tool calls |
//! | `<<slow: 10 words to drip>>` | text that takes that many seconds to arrive |
//! | `<<hang: 30>>` | begins an answer, then only pings for that many seconds, then the text `late` |
//! | `<<err: 529 overloaded_error*2>>` | before the next step: an HTTP error, so many times |
//! | `<<drop: 1>>` | before the next step: breaks the connection in the middle, so many times |
//! | `<<usage: 180000>>` | the prompt tokens that the next step reports |
//! | `<<stop: refusal>>` | the next step's stop reason |
//! | `<<compact: summary>>` | a server-side compaction block in the same message as what follows |
//! | `<<times: 60 bash: echo {n}>>` | repeats a directive, or a script in `{%`…`%}`, with `{n}` counting from 1 |
//! | `<<tag: name>>` | books the calls under this name in the ledger |
//!
//! Inside a directive `{%` and `%}` stand for the brackets, so that a tool's JSON can hold a script for a subagent.
//! A prompt without directives is answered by one shell command and a text that says who answers. A request to sum up
//! the conversation is answered by a summary that carries what is left of the script.
//!
//! What calls cost is kept by this server's own price table, at `GET /ledger`, `GET /ledger?script=<tag>` and
//! `GET /ledger/scripts`. A tag is the first 16 hexadecimal digits of the SHA-256 of the script, which reaches from its
//! first directive to its last, or of the trimmed prompt where it has none. The prompt is billed once the answer's start
//! has been written to the socket, the output once its end has.
//!
//! At `/mcp` there is an MCP server for agents' connectors, which wants a key as the model does. Its tools are `echo`,
//! `refuse`, `large`, `whoami` and `reveal`. At `/oauth/token` such a key is refreshed: `NAME-refresh-3` is exchanged, once, for
//! `NAME-access-4` and `NAME-refresh-4`; `?expires_in=60` says for how long, `?client=header` or `?client=body` where the client
//! `me` with the secret `secret` is to be named.

mod accounting;
mod answer;
mod choose;
mod ledger;
mod logins;
mod model;
mod prices;
mod request;
mod routes;
mod script;
mod server;
mod stream;
mod tools;

pub use choose::digest;
pub use server::{Config, serve};
