//! Clients and what they say of themselves (docs/data-model.md, "State vectors").

use std::net::IpAddr;

use crate::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientId, ComplianceState,
    DeploymentId, EnforcementState, Invalid, SiteCode, SourceScan, Timestamp, UpdateId, UpdateRef,
};

/// Who runs a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    Agent,
    Simulated,
    /// The Windows Update Agent, which talks to a software update point.
    Windows,
}

impl ClientKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ClientKind::Agent => "agent",
            ClientKind::Simulated => "simulated",
            ClientKind::Windows => "windows",
        }
    }

    pub fn from_name(name: &str) -> Result<ClientKind, Invalid> {
        match name {
            "agent" => Ok(ClientKind::Agent),
            "simulated" => Ok(ClientKind::Simulated),
            "windows" => Ok(ClientKind::Windows),
            _ => Err(Invalid::new("client kind", format!("there is no kind \"{name}\""))),
        }
    }
}

/// A managed computer, owned by its assigned primary site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    pub id: ClientId,
    pub kind: ClientKind,
    pub name: String,
    pub site: SiteCode,
    /// Such as `linux debian 12` or `windows 10.0.26100`.
    pub os: String,
    pub architecture: String,
    pub agent_version: String,
    /// Of the computer; empty where that is not known.
    pub manufacturer: String,
    pub model: String,
    /// No finer than a day, so that a heartbeat is not a change (DRS-06).
    pub seen_on: Timestamp,
    /// Where it was seen last.
    pub address: Option<IpAddr>,
}

/// Enforcement detail of an item that is in progress or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    pub item: u32,
    pub state: EnforcementState,
    /// Exit code, HRESULT or OS error of the last step.
    pub code: i32,
    pub at: Timestamp,
}

/// Where a deployment stands on a client: topics 300, 301 and 302.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentState {
    pub compliance: AssignmentCompliance,
    /// Nothing, before anything is done for it.
    pub enforcement: Option<AssignmentEnforcement>,
    pub evaluation: AssignmentEvaluation,
    /// Exit code, HRESULT or OS error of what failed last; 0: nothing did.
    pub code: i32,
    pub at: Timestamp,
}

/// The last scan of a client: topic 501.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastScan {
    pub state: SourceScan,
    /// The address of the update point; empty: none was asked.
    pub server: String,
    /// When it came to be in that state, by the client's clock.
    pub at: Timestamp,
    pub duration_ms: u64,
    /// What was transferred for it.
    pub bytes: u64,
    /// As [`crate::Hresult`] reads it; 0: nothing failed.
    pub code: i32,
}

/// Everything a site knows of a client's updates. Encoded canonically: equal content, equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    pub client: ClientId,
    /// Drawn anew when a client loses its memory; serials start over with it.
    pub incarnation: u64,
    pub serial: u64,
    /// The highest catalog version a scan has covered.
    pub covered: u64,
    pub scanned_at: Timestamp,
    pub scan_error: Option<String>,
    /// Something the client said is missing here; a full report closes the gap.
    pub gap: bool,
    /// Ascending item numbers.
    pub required: Vec<u32>,
    pub installed: Vec<u32>,
    /// What the client could not judge: a rule asks for something it cannot tell.
    pub unjudged: Vec<u32>,
    /// Ascending by item.
    pub detail: Vec<Detail>,
    /// Ascending; those that the client has policy for.
    pub deployments: Vec<(DeploymentId, DeploymentState)>,
    pub scan: Option<LastScan>,
}

/// What a client says of one update; absence from a full report means not required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateState {
    pub state: ComplianceState,
    pub enforcement: Option<(EnforcementState, i32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    pub update: UpdateRef,
    pub state: UpdateState,
    pub at: Timestamp,
}

/// What a client says of one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentChange {
    pub deployment: DeploymentId,
    /// Nothing: policy has taken it away.
    pub state: Option<DeploymentState>,
}

impl Vector {
    /// Every item it names, with the state that says.
    pub fn listed(&self) -> impl Iterator<Item = (u32, ComplianceState)> {
        let lists = [
            (&self.required, ComplianceState::Required),
            (&self.installed, ComplianceState::Installed),
            (&self.unjudged, ComplianceState::Unknown),
        ];
        lists.into_iter().flat_map(|(list, state)| list.iter().map(move |item| (*item, state)))
    }
}

/// A server that a client does not believe, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedServer {
    pub url: String,
    pub reason: String,
}

/// A version of itself that a client has tried and given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUpVersion {
    pub version: String,
    /// What runs instead.
    pub running: String,
    pub code: i32,
    pub reason: String,
}

/// Something that a client remembered, and set aside because it is damaged or not its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    pub what: String,
    pub reason: String,
    /// How much has been set aside there, with this.
    pub count: u64,
}

/// A batch of state messages of one client, with consecutive serial numbers (STATE-13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateReport {
    pub client: ClientId,
    pub incarnation: u64,
    pub serial_from: u64,
    pub serial_to: u64,
    /// The catalog version of the last scan; 0 before the first.
    pub covered: u64,
    pub scanned_at: Timestamp,
    pub scan_error: Option<String>,
    /// Whether `changes` and `deployments` are everything the client knows rather than what
    /// changed.
    pub full: bool,
    pub changes: Vec<StateChange>,
    /// [`state_digest`] over the client's whole knowledge after `serial_to`.
    pub digest_after: [u8; 32],
    pub deployments: Vec<DeploymentChange>,
    /// [`deployment_digest`] over all of the client's deployments after `serial_to`.
    pub deployments_digest: [u8; 32],
    /// As it is now; nothing before the first.
    pub scan: Option<LastScan>,
    /// Servers that it refused since it last said so.
    pub refused: Vec<RefusedServer>,
    /// Versions of itself that it gave up since it last said so.
    pub given_up: Vec<GivenUpVersion>,
    /// What it set aside since it last said so.
    pub set_aside: Vec<SetAside>,
}

/// What the site answers to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    Applied,
    /// Its serials were here already; nothing changed.
    Known,
    /// Something is missing: the client shall send everything.
    SendFull,
    /// Later serials of this incarnation are known, and this is the last. A client that has not
    /// sent it was put back to what it was before, and shall send everything after it.
    Behind(u64),
}

/// Digest over the states a client holds, given in ascending order of update id. Not-required
/// updates are not part of it.
pub fn state_digest(states: impl IntoIterator<Item = (UpdateId, ComplianceState)>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (id, state) in states {
        hasher.update(id.as_bytes());
        hasher.update(&[state as u8]);
    }
    *hasher.finalize().as_bytes()
}

/// Digest over where a client's deployments stand, given in ascending order; not over when they
/// came to stand so.
pub fn deployment_digest(
    deployments: impl IntoIterator<Item = (DeploymentId, DeploymentState)>,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (id, state) in deployments {
        let enforcement = state.enforcement.map_or(0, |enforcement| enforcement as u8);
        hasher.update(id.as_bytes());
        hasher.update(&[state.compliance as u8, enforcement, state.evaluation as u8]);
        hasher.update(&state.code.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}
