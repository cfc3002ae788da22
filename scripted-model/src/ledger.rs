use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    accounting::Tokens,
    prices::{Dollars, Prices},
};

/// Scripts beyond this many are booked together under [`OTHERS`].
const MAX_SCRIPTS: usize = 100_000;
const OTHERS: &str = "others";

/// Part of a call's bill: its prompt once its answer has begun, or its output once that is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) script: String,
    /// The script's beginning, for people.
    pub(crate) preview: String,
    pub(crate) model: String,
    /// One with the prompt, none with the output.
    pub(crate) calls: u64,
    #[serde(flatten)]
    pub(crate) tokens: Tokens,
}

/// What was billed, in all and for each script.
#[derive(Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    all: Account,
    scripts: BTreeMap<String, Account>,
    file: Option<File>,
}

#[derive(Clone, Default)]
struct Account {
    preview: String,
    models: BTreeMap<String, Line>,
}

#[derive(Clone, Copy, Default)]
struct Line {
    calls: u64,
    tokens: Tokens,
}

impl Ledger {
    /// A ledger that goes on where the entries in the file at `path` end, and appends to it.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).read(true).open(path)?;
        let mut books = Books::default();
        let mut line = String::new();
        let mut reader = BufReader::new(&file);
        while reader.read_line(&mut line)? > 0 {
            match serde_json::from_str(line.trim()) {
                Ok(entry) => books.add(&entry),
                Err(error) => tracing::warn!(path = %path.display(), %error, "ledger line skipped: it is no entry"),
            }
            if !line.ends_with('\n') {
                (&file).write_all(b"\n")?;
            }
            line.clear();
        }
        books.file = Some(file);
        Ok(Self { books: Mutex::new(books) })
    }

    pub(crate) fn book(&self, entry: &Entry) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.add(entry);
        if let Err(error) = books.append(entry) {
            tracing::error!(%error, "ledger entry not written to the file: it will be missing after a restart");
        }
    }

    /// Everything billed, or what one script was billed.
    pub(crate) fn report(&self, script: Option<&str>) -> Value {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let account = script.map_or(Some(&books.all), |script| books.scripts.get(script));
        account.cloned().unwrap_or_default().report()
    }

    /// The scripts seen, by tag.
    pub(crate) fn scripts(&self) -> Value {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = books.scripts.iter().map(|(tag, account)| (tag.clone(), account.row()));
        json!({ "scripts": rows.collect::<serde_json::Map<_, _>>() })
    }
}

impl Books {
    fn add(&mut self, entry: &Entry) {
        self.all.add(entry);
        let is_new = !self.scripts.contains_key(&entry.script);
        let tag = if is_new && self.scripts.len() >= MAX_SCRIPTS { OTHERS } else { &entry.script };
        let account = self.scripts.entry(tag.to_owned()).or_default();
        if account.preview.is_empty() && tag != OTHERS {
            account.preview.clone_from(&entry.preview);
        }
        account.add(entry);
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

impl Account {
    fn add(&mut self, entry: &Entry) {
        let line = self.models.entry(entry.model.clone()).or_default();
        line.calls += entry.calls;
        line.tokens += entry.tokens;
    }

    fn calls(&self) -> u64 {
        self.models.values().map(|line| line.calls).sum()
    }

    fn cost(&self) -> Dollars {
        let costs = self.models.iter().map(|(model, line)| line.tokens.cost(Prices::of(model)).nano);
        Dollars { nano: costs.sum() }
    }

    fn row(&self) -> Value {
        json!({"calls": self.calls(), "cost_usd": self.cost().to_string(), "preview": self.preview})
    }

    fn report(&self) -> Value {
        let models = self.models.iter().map(|(model, line)| {
            let mut report = json!(line.tokens);
            report["calls"] = line.calls.into();
            report["cost_usd"] = line.tokens.cost(Prices::of(model)).to_string().into();
            (model.clone(), report)
        });
        let models: serde_json::Map<_, _> = models.collect();
        json!({"calls": self.calls(), "cost_usd": self.cost().to_string(), "models": models})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(script: &str, model: &str, input: u64) -> Entry {
        let tokens = Tokens { input, ..Tokens::default() };
        Entry { script: script.into(), preview: format!("<<{script}>>"), model: model.into(), calls: 1, tokens }
    }

    fn output(script: &str, model: &str, output: u64) -> Entry {
        Entry { calls: 0, tokens: Tokens { output, ..Tokens::default() }, ..prompt(script, model, 0) }
    }

    #[test]
    fn scripts_and_models_are_kept_apart_and_add_up() {
        let ledger = Ledger::default();
        ledger.book(&prompt("a", "claude-sonnet-4-6", 1000));
        ledger.book(&output("a", "claude-sonnet-4-6", 10));
        ledger.book(&prompt("b", "claude-opus-4-6", 100));
        let all = ledger.report(None);
        assert_eq!((&all["calls"], &all["cost_usd"]), (&2.into(), &"0.00465".into()));
        assert_eq!(all["models"]["claude-sonnet-4-6"]["input_tokens"], 1000);
        assert_eq!(ledger.report(Some("a"))["cost_usd"], "0.00315");
        assert_eq!(ledger.report(Some("b"))["models"]["claude-opus-4-6"]["cost_usd"], "0.0015");
        assert_eq!(ledger.report(Some("c")), json!({"calls": 0, "cost_usd": "0.0000", "models": {}}));
        assert_eq!(ledger.scripts()["scripts"]["b"], json!({"calls": 1, "cost_usd": "0.0015", "preview": "<<b>>"}));
    }

    #[test]
    fn a_file_carries_the_ledger_over_a_restart_even_when_its_last_line_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        Ledger::open(&path).unwrap().book(&prompt("a", "m", 5));
        File::options().append(true).open(&path).unwrap().write_all(b"{\"script\":\"a\",\"mo").unwrap();
        Ledger::open(&path).unwrap().book(&output("a", "m", 7));
        let report = Ledger::open(&path).unwrap().report(Some("a"));
        assert_eq!(report["calls"], 1);
        assert_eq!(
            (&report["models"]["m"]["input_tokens"], &report["models"]["m"]["output_tokens"]),
            (&5.into(), &7.into())
        );
    }

    #[test]
    fn too_many_scripts_are_booked_together() {
        let ledger = Ledger::default();
        for n in 0..=MAX_SCRIPTS {
            ledger.book(&prompt(&n.to_string(), "m", 1));
        }
        assert_eq!(ledger.report(Some(OTHERS))["calls"], 1);
        assert_eq!(ledger.report(None)["calls"], MAX_SCRIPTS + 1);
    }
}
