//! Questions to a management point, and the short one to an update point, one function each:
//! encode, ask, decode.

use std::collections::BTreeMap;

use model::{AssignedFile, ReportOutcome, RoleKind, ServerRef, Sha256, SiteCode, error_chain};
use rpc::limits::{FOUND_URLS_MAX, MESSAGE_BYTES_MAX};
use rpc::pb::client::client_service_client::ClientServiceClient;
use rpc::pb::client::{
    GetLocationsRequest, GetPolicyRequest, GetPolicyResponse, RegisterRequest,
    SendInventoryRequest, SendStateRequest,
};
use rpc::pb::management::{FileLocations, Outcome, Point, SignedHead};
use rpc::pb::metadata::metadata_service_client::MetadataServiceClient;
use rpc::pb::metadata::{FindFilesRequest, FoundFile, WantedFile};
use tonic::transport::Channel;

use crate::servers::{Servers, pass_over};
use crate::{Error, limits};
use client::fallback::Fetching;
use client::policy::Offer;

/// A management point that is being asked.
pub(crate) struct ManagementPoint<'a> {
    servers: &'a Servers,
    url: &'a str,
    client: ClientServiceClient<Channel>,
}

impl<'a> ManagementPoint<'a> {
    pub(crate) fn new(
        servers: &'a Servers,
        server: &'a ServerRef,
    ) -> Result<ManagementPoint<'a>, Error> {
        let client = ClientServiceClient::new(servers.connection(server, &server.url)?.channel());
        let client = client.max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(ManagementPoint { servers, url: &server.url, client })
    }

    pub(crate) async fn register(&mut self, request: RegisterRequest) -> Result<(), Error> {
        self.servers.answer(self.url, self.client.register(request)).await.map(drop)
    }

    /// Nothing if there is no newer policy.
    pub(crate) async fn policy(
        &mut self,
        request: GetPolicyRequest,
    ) -> Result<Option<Offer>, Error> {
        let answer = self.servers.answer(self.url, self.client.get_policy(request)).await?;
        let GetPolicyResponse { head, parts } = answer;
        let Some(SignedHead { head, signature, key_statement }) = head else { return Ok(None) };
        Ok(Some(Offer { head, signature, statement: key_statement, parts }))
    }

    /// Nothing if the site has not answered yet: the report is safe on the management point.
    pub(crate) async fn send_state(
        &mut self,
        report: &model::StateReport,
    ) -> Result<Option<ReportOutcome>, Error> {
        let request = SendStateRequest { report: Some(report.into()) };
        let answer = self.servers.answer(self.url, self.client.send_state(request)).await?;
        Ok(match answer.outcome() {
            Outcome::Behind => Some(ReportOutcome::Behind(answer.known_serial)),
            outcome => meant(outcome),
        })
    }

    /// Nothing if the site has not answered yet: the report is safe on the management point.
    pub(crate) async fn send_inventory(
        &mut self,
        report: &model::InventoryReport,
    ) -> Result<Option<ReportOutcome>, Error> {
        let request = SendInventoryRequest { report: Some(report.into()) };
        // A report is large, and so would be everything that waits for this.
        let call = Box::pin(self.client.send_inventory(request));
        let answer = self.servers.answer(self.url, call).await?;
        Ok(meant(answer.outcome()))
    }

    /// The distribution points of each file, best first.
    pub(crate) async fn locations(
        &mut self,
        files: &[AssignedFile],
    ) -> Result<BTreeMap<Sha256, Vec<ServerRef>>, Error> {
        let sha256 = files.iter().map(|file| file.sha256.0.to_vec()).collect();
        let request = GetLocationsRequest { sha256 };
        let answer = self.servers.answer(self.url, self.client.get_locations(request)).await?;
        let located = answer.files.into_iter().map(|FileLocations { sha256, points }| {
            let points = points.into_iter().take(limits::POINTS_MAX).map(point);
            Ok((Sha256::from_slice(&sha256)?, points.collect::<Result<_, _>>()?))
        });
        located.collect::<Result<_, _>>().map_err(Error::answer(self.url))
    }
}

/// Where an update point knows files to be offered to everybody; those without an address are not
/// named.
pub(crate) async fn addresses(
    servers: &Servers,
    server: &ServerRef,
    files: &[&Fetching],
) -> Result<BTreeMap<Sha256, Vec<String>>, Error> {
    let url = &server.url;
    let mut client = MetadataServiceClient::new(servers.connection(server, url)?.channel());
    let wanted = files.iter().map(|Fetching { file, update, .. }| WantedFile {
        update: update.id.as_bytes().to_vec(),
        revision: update.revision,
        name: file.name.clone(),
        size: file.size,
        sha256: file.sha256.0.to_vec(),
    });
    let request = FindFilesRequest { files: wanted.collect() };
    let answer = servers.answer(url, client.find_files(request)).await?;
    let found = answer.files.into_iter().map(|FoundFile { sha256, mut urls }| {
        urls.truncate(FOUND_URLS_MAX);
        Ok((Sha256::from_slice(&sha256)?, urls))
    });
    found.collect::<Result<_, _>>().map_err(Error::answer(url))
}

fn meant(outcome: Outcome) -> Option<ReportOutcome> {
    match outcome {
        Outcome::Unspecified => None,
        Outcome::Applied => Some(ReportOutcome::Applied),
        Outcome::Known => Some(ReportOutcome::Known),
        // What could not be read is said once more, with everything else.
        Outcome::SendFull | Outcome::Rejected | Outcome::Behind => Some(ReportOutcome::SendFull),
    }
}

/// Asks one management point after the other; nothing if none answers.
pub(crate) async fn first_to_answer<T, F: Future<Output = Result<T, Error>>>(
    servers: &Servers,
    failure: &'static str,
    ask: impl Fn(ServerRef) -> F,
) -> Result<Option<T>, Error> {
    first_of(servers, RoleKind::ManagementPoint, failure, ask).await
}

/// Asks one server of a kind after the other; nothing if none answers.
pub(crate) async fn first_of<T, F: Future<Output = Result<T, Error>>>(
    servers: &Servers,
    kind: RoleKind,
    failure: &'static str,
    ask: impl Fn(ServerRef) -> F,
) -> Result<Option<T>, Error> {
    for server in servers.of(kind) {
        let url = server.url.clone();
        match ask(server).await {
            Ok(answer) => {
                servers.served(kind);
                return Ok(Some(answer));
            }
            Err(error) => {
                if error.is_senseless() {
                    servers.refusals.note(&url, &error_chain(&error), servers.now());
                }
                servers.failed(kind, pass_over(&url, failure, error)?);
            }
        }
    }
    servers.unserved(kind);
    Ok(None)
}

fn point(point: Point) -> Result<ServerRef, model::Invalid> {
    let Point { url, http_url, site, after_minutes } = point;
    let kind = RoleKind::DistributionPoint;
    Ok(ServerRef { kind, site: SiteCode::new(&site)?, url, http_url, after_minutes })
}
