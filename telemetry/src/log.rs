use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt, panic,
    sync::Once,
};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer as _,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent,
        format::{Format, Json, JsonFields, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// The variable that says what is logged, as `level` or `target=level`, separated by commas.
const FILTER_VARIABLE: &str = "KOMPUTER_LOG";
const DEFAULT_FILTER: &str = "info,kube_client::client::builder=off,rmcp=warn";

/// Ends with the program: what is still to be sent is sent when it is dropped.
#[derive(Debug)]
#[must_use = "traces end with it"]
pub struct Telemetry {
    #[cfg(feature = "traces")]
    _traces: Option<crate::traces::Traces>,
}

/// Logs JSON lines to standard error from here on, panics included, each naming `program`.
///
/// What is logged is read from `KOMPUTER_LOG` (default `info`), for example `info,komputer_api=debug`; its entries add to
/// the default ones, and an entry that cannot be read is named in a warning and the defaults are used.
/// A second call, or a process that already has a tracing subscriber, changes nothing.
///
/// With the feature `traces`, spans are sent by OTLP over HTTP where `OTEL_EXPORTER_OTLP_ENDPOINT` says; a TLS provider has
/// to be installed before.
pub fn init(program: &str) -> Telemetry {
    static FIRST: Once = Once::new();
    let mut telemetry = Telemetry {
        #[cfg(feature = "traces")]
        _traces: None,
    };
    FIRST.call_once(|| telemetry = install(program));
    telemetry
}

fn install(program: &str) -> Telemetry {
    let asked = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let (filter, problem) = filter(&asked);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .fmt_fields(JsonFields::new())
        .event_format(Lines::of(program))
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let registry = tracing_subscriber::registry().with(lines);
    #[cfg(feature = "traces")]
    let (traces, failed) = match crate::traces::Traces::begin(program).transpose() {
        Ok(traces) => (traces, None),
        Err(error) => (None, Some(error)),
    };
    #[cfg(feature = "traces")]
    let registry = registry.with(traces.as_ref().map(crate::traces::Traces::layer));
    if registry.try_init().is_ok() {
        log_panics();
    }
    if let Some(problem) = problem {
        tracing::warn!(
            variable = FILTER_VARIABLE,
            value = asked,
            problem,
            "log filter ignored, using {DEFAULT_FILTER:?}"
        );
    }
    #[cfg(feature = "traces")]
    if let Some(error) = failed {
        tracing::error!(%error, "no traces are sent; look at the variables OTEL_EXPORTER_OTLP_*");
    }
    Telemetry {
        #[cfg(feature = "traces")]
        _traces: traces,
    }
}

fn filter(asked: &str) -> (Targets, Option<String>) {
    match format!("{DEFAULT_FILTER},{asked}").trim_end_matches(',').parse() {
        Ok(filter) => (filter, None),
        Err(problem) => (DEFAULT_FILTER.parse().unwrap_or_default(), Some(problem.to_string())),
    }
}

/// A panic becomes a line like any other, so that nothing reading the log meets text that is not JSON.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(at, backtrace, "panic: {}", panic.payload_as_str().unwrap_or("without a message"));
    }));
}

/// The subscriber's JSON lines, each beginning with the program's name.
struct Lines {
    start: String,
    json: Format<Json>,
}

impl Lines {
    fn of(program: &str) -> Self {
        Self { start: format!("{{\"program\":{program:?},"), json: Format::default().json().flatten_event(true) }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for Lines {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.json.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&self.start)?;
        writer.write_str(line.strip_prefix('{').unwrap_or(&line))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::Level;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_json_and_names_the_program() {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(Lines::of("komputer-\"x\""))
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _span = tracing::info_span!("reconcile", agent = "default/a").entered();
            tracing::info!(tasks = 3, "folded \"events\"");
        });
        let line: serde_json::Value = serde_json::from_slice(&written.0.lock().unwrap()).unwrap();
        assert_eq!(line["program"], "komputer-\"x\"");
        assert_eq!(line["message"], "folded \"events\"");
        assert_eq!((&line["tasks"], &line["level"]), (&3.into(), &"INFO".into()));
        assert_eq!(line["span"]["agent"], "default/a");
    }

    #[test]
    fn what_is_asked_for_adds_to_the_defaults() {
        let (targets, problem) = filter("warn,komputer_api=debug");
        assert_eq!(problem, None);
        assert!(targets.would_enable("komputer_api::watch", &Level::DEBUG));
        assert!(!targets.would_enable("hyper", &Level::INFO));
        assert!(!targets.would_enable("kube_client::client::builder", &Level::ERROR));
        assert!(filter("").0.would_enable("komputer_operator", &Level::INFO));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_reported_and_not_used() {
        let (targets, problem) = filter("komputer_api=loud");
        assert!(problem.is_some());
        assert!(targets.would_enable("komputer_api", &Level::INFO));
    }

    #[test]
    fn a_second_call_changes_nothing() {
        let _first = init("first");
        let _second = init("second");
    }
}
