//! The server of the client protocol (MS-WUSP 3.1): what Windows computers ask.
//!
//! Owns which operations computers are answered, their authorization, and their cookies. Refuses
//! to know ports, TLS and compression. Anybody may scan, as with the original server: what a
//! computer says of itself is believed, and nothing secret is told. A computer is told of all
//! updates and reports on them; installed are those that its site has deployed to it. For the
//! computers that come here this update point is what a management point is for agents: it keeps
//! their policy, and passes on who they are and what they say. Without the site all of that waits,
//! and computers are answered from what is here.

use model::{Intent, Timestamp, UpdateId, UpdateRef};
use update_catalog::{Offer, ScanEntry};
use uuid::Uuid;
use wsus_protocol::client::{
    Config, ConfigProperty, Deployment, DeploymentAction, GetAuthorizationCookie,
    GetAuthorizationCookieResponse, GetConfig, GetConfig2, GetConfig2Response, GetCookie,
    GetCookieResponse, RegisterComputer, RegisterComputerResponse,
};
use wsus_protocol::{
    AuthPlugIn, AuthorizationCookie, ClientCookieKind, ClientCredential, Cookie, Endpoint,
    ErrorCode, ProtocolVersion, Service, UpdateIdentity, WireTime,
};

use crate::point::Point;
use crate::soap::{Answer, Refused, not_served, read};

mod audience;
mod events;
mod information;
pub(crate) mod intake;
mod ledger;
pub(crate) mod limits;
mod pages;
mod places;
pub(crate) mod policies;
mod register;
pub(crate) mod registrar;
mod scan;
mod shelf;
mod states;

pub(crate) use pages::Pages;
pub(crate) use places::{Asker, Places};
pub(crate) use register::Register;

use audience::Audience;
use register::Contact;

const PLUG_IN: &str = "SimpleTargeting";
const AUTHORIZATION: &str = "SimpleAuthWebService/SimpleAuth.asmx";
/// What current Windows computers expect of a server that can do category scans.
const PROTOCOL: &str = "3.2";
/// The first protocol of clients that want to be told of their deployments in full.
const FULL_DEPLOYMENTS: (u16, u16) = (1, 8);
/// The first protocol of clients that know updates which only a user can ask for; others are told
/// to install them, but not by themselves.
const OPTIONAL: (u16, u16) = (2, 0);
/// Told everything that there is to tell.
const ALL: u64 = u64::MAX;
/// 2026-11-21: when what the configuration says, and that everything is reported on, was decided.
const CONFIG_CHANGED_MS: i64 = 1_795_219_200_000;

/// Whether this operation is one of computers.
pub(crate) fn is_theirs(endpoint: Endpoint) -> bool {
    match endpoint.service {
        Service::Client | Service::SimpleAuth => true,
        Service::Reporting => events::NAMES.contains(&endpoint.name),
        Service::ServerSync | Service::DssAuth | Service::Monitor => false,
    }
}

pub(crate) async fn answer(
    point: &Point,
    endpoint: Endpoint,
    asker: &Asker<'_>,
    body: &[u8],
) -> Result<Answer, Refused> {
    if endpoint.service == Service::Reporting {
        return events::answer(point, endpoint.name, body).await;
    }
    Ok(match endpoint.name {
        "GetConfig" => {
            let GetConfig { .. } = read(body)?;
            Answer::of(&point.client_config())
        }
        "GetConfig2" => {
            let GetConfig2 { .. } = read(body)?;
            Answer::of(&GetConfig2Response { config: point.client_config() })
        }
        "GetAuthorizationCookie" => Answer::of(&point.authorize_computer(&read(body)?)?),
        "GetCookie" => Answer::of(&point.client_cookie(&read(body)?, asker).await?),
        "RegisterComputer" => Answer::of(&point.register_computer(read(body)?, asker).await?),
        "StartCategoryScan" => Answer::of(&point.start_category_scan(&read(body)?).await?),
        "SyncUpdates" => point.sync_updates(read(body)?).await?,
        "SyncPrinterCatalog" => Answer::of(&point.sync_printers(&read(body)?)?),
        "RefreshCache" => Answer::of(&point.refresh_cache(&read(body)?).await?),
        "GetExtendedUpdateInfo" => Answer::of(&point.update_info(&read(body)?, asker).await?),
        "GetExtendedUpdateInfo2" => Answer::of(&point.update_info_2(&read(body)?, asker).await?),
        "GetFileLocations" => Answer::of(&point.file_locations(&read(body)?, asker).await?),
        _ => return Err(not_served()),
    })
}

fn config_changed() -> WireTime {
    WireTime::from_millis(CONFIG_CHANGED_MS)
}

fn named(update: &UpdateIdentity) -> UpdateRef {
    UpdateRef { id: UpdateId(update.update_id), revision: update.revision }
}

/// A revision's number as messages have it.
fn wire_id(local_id: i64) -> Option<i32> {
    i32::try_from(local_id).ok()
}

impl Point {
    fn client_config(&self) -> Config {
        let service_url = AUTHORIZATION.to_owned();
        let plug_in = AuthPlugIn { id: PLUG_IN.to_owned(), service_url, parameter: String::new() };
        let property = |name: &str, value: String| ConfigProperty { name: name.to_owned(), value };
        let properties = vec![
            property("MaxExtendedUpdatesPerRequest", limits::DETAILS_MAX.to_string()),
            property(
                "PackageServerShare",
                format!(r"\\{}\UpdateServicesPackages", self.config.name),
            ),
            property("ProtocolVersion", PROTOCOL.to_owned()),
            property("IsInventoryRequired", "0".to_owned()),
            property("ClientReportingLevel", "2".to_owned()),
        ];
        Config {
            last_change: config_changed(),
            is_registration_required: true,
            plug_ins: vec![plug_in],
            allowed_event_ids: Vec::new(),
            properties,
        }
    }

    fn wire_now(&self) -> WireTime {
        WireTime::from_millis(self.ambient.now_ms())
    }

    fn authorize_computer(
        &self,
        request: &GetAuthorizationCookie,
    ) -> Result<GetAuthorizationCookieResponse, Refused> {
        let client: Uuid = request.client_id.parse().map_err(|_| Refused::parameter("clientId"))?;
        if !(1..=limits::NAME_BYTES_MAX).contains(&request.dns_name.len()) {
            return Err(Refused::parameter("dnsName"));
        }
        let content = ClientCredential {
            client,
            server_id: self.server_id,
            expires: WireTime::from_millis(self.ambient.now_ms() + limits::COOKIE_MS),
            config_changed: WireTime::MIN,
            deployments_seen: 0,
            scanned: 0,
            scan_ended: WireTime::MIN,
            audience: 0,
            told_through: 0,
            protocol_version: ProtocolVersion::CURRENT,
        };
        let data = self.seal_client(ClientCookieKind::Authorization, &content);
        let cookie = AuthorizationCookie { plug_in: PLUG_IN.to_owned(), data };
        Ok(GetAuthorizationCookieResponse { cookie })
    }

    fn contact(&self, asker: &Asker<'_>) -> Contact {
        Contact { at_ms: self.ambient.now_ms(), address: asker.address }
    }

    async fn client_cookie(
        &self,
        request: &GetCookie,
        asker: &Asker<'_>,
    ) -> Result<GetCookieResponse, Refused> {
        let [authorization] = request.authorization.as_slice() else {
            return Err(Refused::parameter("authCookies"));
        };
        let kind = ClientCookieKind::Authorization;
        let authorized = self.cookie_key.open_client(kind, &authorization.data);
        let is_ours = |content: &ClientCredential| {
            content.server_id == self.server_id && self.wire_now() < content.expires
        };
        let authorized = authorized.filter(is_ours);
        let authorized =
            authorized.ok_or_else(|| Refused::with(ErrorCode::InvalidAuthorizationCookie, ""))?;
        let version = request.protocol_version.parse();
        let content = ClientCredential {
            config_changed: request.last_change,
            protocol_version: version.map_err(|code| Refused::with(code, "protocolVersion"))?,
            ..self.as_before(authorized, request.old_cookie.as_ref())
        };
        self.computers.note_contact(content.client, self.contact(asker)).await?;
        self.registrar.news();
        Ok(GetCookieResponse { cookie: Some(self.session_cookie(&content)) })
    }

    /// What the computer knows outlives its cookie. Of a cookie we cannot read nothing is known,
    /// and the computer is told again.
    fn as_before(&self, authorized: ClientCredential, old: Option<&Cookie>) -> ClientCredential {
        let kind = ClientCookieKind::Session;
        let old = old.and_then(|old| self.cookie_key.open_client(kind, &old.data));
        let same = old
            .filter(|old| (old.client, old.server_id) == (authorized.client, authorized.server_id));
        same.map_or(authorized, |old| ClientCredential {
            deployments_seen: old.deployments_seen,
            scanned: old.scanned,
            scan_ended: old.scan_ended,
            audience: old.audience,
            told_through: old.told_through,
            ..authorized
        })
    }

    fn seal_client(&self, kind: ClientCookieKind, content: &ClientCredential) -> Vec<u8> {
        self.cookie_key.seal_client(kind, content, self.ambient.bytes())
    }

    fn session_cookie(&self, content: &ClientCredential) -> Cookie {
        let data = self.seal_client(ClientCookieKind::Session, content);
        Cookie { expires: content.expires, data }
    }

    fn admit_computer(&self, cookie: Option<&Cookie>) -> Result<ClientCredential, Refused> {
        let (now, changed) = (self.wire_now(), config_changed());
        let admitted = self.cookie_key.admit_client(cookie, self.server_id, now, changed);
        admitted.map_err(|code| Refused::with(code, ""))
    }

    /// Whoever asks for updates must have said first what it is.
    async fn admit_registered(&self, cookie: Option<&Cookie>) -> Result<ClientCredential, Refused> {
        let content = self.admit_computer(cookie)?;
        match self.computers.knows(content.client).await? {
            true => Ok(content),
            false => Err(Refused::with(ErrorCode::RegistrationRequired, "")),
        }
    }

    async fn register_computer(
        &self,
        request: RegisterComputer,
        asker: &Asker<'_>,
    ) -> Result<RegisterComputerResponse, Refused> {
        let client = self.admit_computer(request.cookie.as_ref())?.client;
        let (incarnation, contact) = (self.ambient.random_u64(), self.contact(asker));
        match self.computers.register(client, request.computer, incarnation, contact).await? {
            true => {
                self.registrar.news();
                Ok(RegisterComputerResponse {})
            }
            false => Err(Refused::with(ErrorCode::ServerBusy, "")),
        }
    }
}

/// To whom deployments are worded, and how.
#[derive(Clone, Copy, Debug)]
struct Terms<'a> {
    version: ProtocolVersion,
    audience: &'a Audience,
    /// When what is not deployed came to be so.
    undecided_since: Timestamp,
}

impl<'a> Terms<'a> {
    fn of(known: &ClientCredential, audience: &'a Audience) -> Terms<'a> {
        let undecided_since = Timestamp(CONFIG_CHANGED_MS);
        Terms { version: known.protocol_version, audience, undecided_since }
    }

    /// For updates of which the computer was told otherwise before.
    fn anew(self) -> Terms<'a> {
        Terms { undecided_since: self.audience.made_at, ..self }
    }
}

/// What a computer is told to do with an update.
fn deployment(entry: &ScanEntry, terms: Terms<'_>) -> Option<Deployment> {
    let version = (terms.version.major, terms.version.minor);
    let own = terms.audience.decisions.get(&entry.update.id);
    let decision = own.filter(|_| entry.offer == Offer::Update);
    let (action, is_assigned) = match (entry.offer, decision.map(|decision| decision.intent)) {
        (Offer::Update, Some(Intent::Required)) => (DeploymentAction::Install, true),
        (Offer::Update, Some(Intent::Uninstall)) => (DeploymentAction::Uninstall, true),
        (Offer::Update, Some(Intent::Available)) if version >= OPTIONAL => {
            (DeploymentAction::OptionalInstall, false)
        }
        (Offer::Update, Some(Intent::Available)) => (DeploymentAction::Install, false),
        (Offer::Update, None) => (DeploymentAction::PreDeploymentCheck, true),
        (Offer::Member, _) => (DeploymentAction::Bundle, true),
        (Offer::Evaluated, _) => (DeploymentAction::Evaluate, true),
    };
    let revision = wire_id(entry.local_id)?;
    // Another number for each deployment of each update, and none of a revision.
    let number = |decision: &audience::Decision| {
        let mixed = decision.number ^ revision.cast_unsigned();
        ((mixed & 0x3fff_ffff) | 0x4000_0000).cast_signed()
    };
    let since = decision.map_or(terms.undecided_since, |decision| decision.since);
    let deadline = decision.and_then(|decision| decision.deadline);
    let zero = (version >= FULL_DEPLOYMENTS).then_some(0);
    Some(Deployment {
        id: decision.map_or(revision, number),
        action,
        deadline: deadline.map(|at| WireTime::from_millis(at.0)),
        is_assigned,
        last_change: WireTime::from_millis(since.0).date(),
        download_priority: None,
        hardware_ids: Vec::new(),
        auto_select: zero,
        auto_download: zero,
        supersedence_behavior: zero,
        flag_bitmask: None,
    })
}
