//! What others can see of a process: logs, health, metrics, gRPC health and reflection.
//!
//! Owns the formats and paths. Refuses to know what a component does; components say by name
//! whether they are ready.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::{Error, Problems};

/// The `[log]` section of every configuration file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSection {
    /// `text` or `json`.
    pub format: String,
    /// A level, or a filter as in `RUST_LOG`, which overrides it.
    pub filter: String,
}

impl Default for LogSection {
    fn default() -> LogSection {
        LogSection { format: "text".to_owned(), filter: "info".to_owned() }
    }
}

/// How to log.
#[derive(Clone, Debug)]
pub struct Log {
    json: bool,
    filter: String,
}

impl Log {
    pub fn validate(section: &LogSection, problems: &mut Problems) -> Option<Log> {
        let filter = problems.check("log.filter", EnvFilter::from_str(&section.filter));
        let json = match section.format.as_str() {
            "text" => Ok(false),
            "json" => Ok(true),
            other => Err(format!("\"{other}\" is no format; write text or json")),
        };
        let json = problems.check("log.format", json)?;
        filter.map(|_| Log { json, filter: section.filter.clone() })
    }

    /// Logs of this process go to standard error from now on.
    pub(crate) fn start(&self) -> Result<(), Error> {
        let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| self.filter.clone());
        let filter = EnvFilter::try_new(wanted).map_err(Error::Log)?;
        let builder =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        let builder = builder.with_ansi(std::io::stderr().is_terminal());
        // A second start in one process (several commands in a test) keeps the first.
        let _ = if self.json { builder.json().try_init() } else { builder.try_init() };
        Ok(())
    }
}

/// Which components of the process are not ready, and why. A component counts from its first word.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>);

impl Health {
    pub fn ready(&self, component: &'static str) {
        self.set(component, Ok(()));
    }

    pub fn waiting(&self, component: &'static str, reason: impl Into<String>) {
        self.set(component, Err(reason.into()));
    }

    fn set(&self, component: &'static str, state: Result<(), String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(component, state);
    }

    /// One line per component that waits.
    fn reasons(&self) -> Vec<String> {
        let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = states.iter().filter_map(|(name, state)| Some((name, state.as_ref().err()?)));
        waiting.map(|(name, reason)| format!("{name}: {reason}")).collect()
    }
}

/// The metrics of the process.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Seconds; from a query in memory to a long transfer.
    const BUCKETS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0];

    /// Collects what the `metrics` macros record. Once per process.
    pub fn install() -> Result<Metrics, Error> {
        let builder =
            PrometheusBuilder::new().set_buckets(&Metrics::BUCKETS).map_err(Error::Metrics)?;
        builder.install_recorder().map(Metrics).map_err(Error::Metrics)
    }

    pub(crate) fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// `/healthz`, `/readyz`, `/metrics`, gRPC health and reflection.
pub fn routes(health: Health, metrics: Metrics) -> Router {
    let (_, grpc_health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(rpc::DESCRIPTORS)
        .build_v1()
        .expect("the descriptors were compiled with the program");
    let mut grpc = tonic::service::Routes::builder();
    grpc.add_service(grpc_health).add_service(reflection);
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(async move || metrics.0.render()))
        .merge(grpc.routes().into_axum_router())
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    let reasons = health.reasons();
    if reasons.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
}
