//! Traces by OpenTelemetry's protocol over HTTP, as its environment variables say
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>); none where they name no endpoint.
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// The variables that name where traces go.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Spans of our own crates only: what libraries do inside is their business, and much of it.
const SPANS: &str = "off,komputer_api=debug,komputer_operator=debug,komputer_telemetry=debug,komputer_webhooks=debug";

/// Sends what is left when it is dropped.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins, where an endpoint is named.
    pub(crate) fn begin(program: &str) -> Option<Result<Self, ExporterBuildError>> {
        ENDPOINTS.into_iter().filter_map(std::env::var_os).find(|endpoint| !endpoint.is_empty())?;
        let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build();
        Some(exporter.map(|exporter| {
            let resource = Resource::builder().with_service_name(program.to_owned()).build();
            Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
        }))
    }

    /// What takes spans from `tracing`.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let filter: Targets = SPANS.parse().unwrap_or_default();
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("komputer")).with_filter(filter)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}
