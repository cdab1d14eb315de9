//! The upstream side: the server of the server-server protocol (MS-WSUSSS 3.1).
//!
//! Owns the answers to the six operations of a synchronization. Refuses to know ports and TLS.
//! What cannot be answered is a SOAP fault; our own failures are logged and become
//! `InternalServerError`. Anchors name the catalog they were given by, so that the anchor of a
//! replaced catalog is answered with `ServerChanged`, also after a restart.

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use model::{UpdateId, UpdateRef, error_chain};
use update_catalog::{Listed, RevisionFilter};
use uuid::Uuid;
use wsus_protocol::{
    AuthConfig, AuthPlugIn, AuthorizationCookie, Blob, ConfigData, Cookie, CookieKind, Credential,
    ErrorCode, Fault, FileUrl, Filter, GetAuthConfig, GetAuthorizationCookie, GetConfigData,
    GetCookie, GetRevisionIdList, GetUpdateData, Language, Message, Operation, ProtocolVersion,
    RevisionIdList, Selected, UpdateData, UpdateIdentity, UpdateRecord, WireTime, decode, encode,
};

use crate::point::Point;
use crate::{Error, limits};

const PLUG_IN: &str = "DssTargeting";
/// Our configuration does not change while a process runs.
const CONFIG_ANCHOR: &str = "1";

/// Why there is no answer but a fault.
#[derive(Debug)]
enum Refused {
    /// The code and the parameter to blame.
    Fault(ErrorCode, &'static str),
    Request(wsus_protocol::Error),
    Internal(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Refused {
        Refused::Internal(error.into())
    }
}

fn invalid(parameter: &'static str) -> Refused {
    Refused::Fault(ErrorCode::InvalidParameters, parameter)
}

pub(crate) async fn serve(point: &Point, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let action = head.headers.get("SOAPAction").and_then(|value| value.to_str().ok());
    let path = head.uri.path();
    let Some(operation) = Operation::find(path, action.unwrap_or_default()) else {
        return plain(StatusCode::NOT_FOUND, "there is no such operation at this address");
    };
    if head.method != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "operations are called by POST");
    }
    let Ok(body) = to_bytes(body, limits::REQUEST_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large or broke off");
    };
    let id = point.ambient.random_id();
    let fault = match answer(point, operation, &body).await {
        Ok(text) => return soap(StatusCode::OK, text),
        Err(Refused::Request(error)) => Fault::of_request(&error, id, operation),
        Err(Refused::Fault(code, parameter)) => Fault::new(code, parameter, id, operation),
        Err(Refused::Internal(error)) => {
            let error = error_chain(&error);
            tracing::error!(%error, fault.id = %id, "an update request failed");
            Fault::new(ErrorCode::InternalServerError, "", id, operation)
        }
    };
    soap(StatusCode::INTERNAL_SERVER_ERROR, fault.encode(&actor(&head.headers, path)))
}

async fn answer(point: &Point, operation: Operation, body: &[u8]) -> Result<String, Refused> {
    Ok(match operation {
        Operation::GetAuthConfig => {
            let GetAuthConfig = read(body)?;
            encode(&auth_config())
        }
        Operation::GetAuthorizationCookie => encode(&point.authorization_cookie(&read(body)?)?),
        Operation::GetCookie => encode(&point.cookie(&read(body)?)?),
        Operation::GetConfigData => encode(&point.config_data(&read(body)?)?),
        Operation::GetRevisionIdList => encode(&point.revision_list(read(body)?).await?),
        Operation::GetUpdateData => encode(&point.update_data(read(body)?).await?),
    })
}

fn read<M: Message>(body: &[u8]) -> Result<M, Refused> {
    decode(body).map_err(Refused::Request)
}

fn actor(headers: &HeaderMap, path: &str) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    format!("http://{}{path}", host.unwrap_or("localhost"))
}

fn soap(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let of_xml = header::HeaderValue::from_static("text/xml; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, of_xml);
    let private = header::HeaderValue::from_static("private, max-age=0");
    response.headers_mut().insert(header::CACHE_CONTROL, private);
    response
}

pub(crate) fn plain(status: StatusCode, reason: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(reason));
    *response.status_mut() = status;
    response
}

fn auth_config() -> AuthConfig {
    let service_url = Operation::GetAuthorizationCookie.path().trim_start_matches('/').to_owned();
    let plug_in = AuthPlugIn { id: PLUG_IN.to_owned(), service_url, parameter: String::new() };
    AuthConfig { last_change: WireTime::from_millis(0), plug_ins: vec![plug_in] }
}

impl Point {
    fn now(&self) -> WireTime {
        WireTime::from_millis(self.ambient.now_ms())
    }

    fn seal(
        &self,
        kind: CookieKind,
        account: Uuid,
        version: ProtocolVersion,
    ) -> (WireTime, Vec<u8>) {
        let expires = WireTime::from_millis(self.ambient.now_ms() + limits::COOKIE_MS);
        let (server_id, protocol_version) = (self.server_id, version);
        let content = Credential { account, server_id, expires, protocol_version };
        (expires, self.cookie_key.seal(kind, &content, self.ambient.bytes()))
    }

    /// Anybody is let in, as the original server does; a known client swaps name and GUID.
    fn authorization_cookie(
        &self,
        request: &GetAuthorizationCookie,
    ) -> Result<AuthorizationCookie, Refused> {
        let GetAuthorizationCookie { account_name, account_guid } = request;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(1..=255).contains(&account_name.len()) || !account_name.chars().all(is_name) {
            return Err(invalid("machineName"));
        }
        let account = account_guid.parse().or_else(|_| account_name.parse());
        let account = account.map_err(|_| invalid("accountGuid"))?;
        let kind = CookieKind::Authorization;
        let (_, data) = self.seal(kind, account, ProtocolVersion::CURRENT);
        Ok(AuthorizationCookie { plug_in: PLUG_IN.to_owned(), data })
    }

    fn cookie(&self, request: &GetCookie) -> Result<Cookie, Refused> {
        let [authorization] = request.authorization.as_slice() else {
            return Err(invalid("authCookies"));
        };
        let refused = || Refused::Fault(ErrorCode::InvalidAuthorizationCookie, "");
        let opened =
            self.cookie_key.open(CookieKind::Authorization, &authorization.data, self.now());
        let account = opened.ok_or_else(refused)?.account;
        let version = request.protocol_version.parse();
        let version = version.map_err(|code| Refused::Fault(code, "protocolVersion"))?;
        let (expires, data) = self.seal(CookieKind::Session, account, version);
        Ok(Cookie { expires, data })
    }

    fn admit(&self, cookie: Option<&Cookie>) -> Result<(), Refused> {
        let admitted = self.cookie_key.admit(cookie, self.server_id, self.now());
        admitted.map(drop).map_err(|code| Refused::Fault(code, ""))
    }

    fn config_data(&self, request: &GetConfigData) -> Result<ConfigData, Refused> {
        self.admit(request.cookie.as_ref())?;
        let language = |id, short: &str, long: &str| {
            let (short, long) = (short.to_owned(), long.to_owned());
            Language { id, short, long, enabled: true }
        };
        let is_known = request.anchor.as_deref() == Some(CONFIG_ANCHOR);
        let languages = vec![language(0, "all", "all"), language(1033, "en", "English")];
        Ok(ConfigData {
            catalog_only_sync: false,
            lazy_sync: true,
            server_hosts_psf_files: false,
            computer_ids_max: 0,
            driver_sets_max: 0,
            hardware_ids_max: 0,
            updates_max: limits::UPDATES_PER_REQUEST,
            anchor: CONFIG_ANCHOR.to_owned(),
            protocol_version: ProtocolVersion::CURRENT.to_string(),
            languages: if is_known { Vec::new() } else { languages },
            decryption_updates_max: limits::UPDATES_PER_REQUEST,
        })
    }

    async fn revision_list(&self, request: GetRevisionIdList) -> Result<RevisionIdList, Refused> {
        self.admit(request.cookie.as_ref())?;
        let Filter { anchor, get_config, categories, classifications, .. } = request.filter;
        let anchor = anchor.map(|anchor| self.own_anchor(&anchor)).transpose()?;
        let listed = |list: Vec<Selected<Uuid>>| -> Vec<Listed> {
            let listed = |s: &Selected<Uuid>| Listed { id: UpdateId(s.id), is_delta: s.delta };
            list.iter().map(listed).collect()
        };
        let filter = match get_config {
            true => RevisionFilter::Config,
            false => RevisionFilter::Updates {
                categories: categories.map(listed),
                classifications: classifications.map(listed),
            },
        };
        let list = self.catalog.revision_list(filter, anchor).await?;
        let wire = |u: UpdateRef| UpdateIdentity { update_id: u.id.0, revision: u.revision };
        Ok(RevisionIdList {
            anchor: format!("{},{}", list.anchor, self.server_id),
            revisions: list.revisions.into_iter().map(wire).collect(),
        })
    }

    fn own_anchor(&self, anchor: &str) -> Result<u64, Refused> {
        let parts = anchor.split_once(',');
        let parts = parts.and_then(|(n, id)| Some((n.parse().ok()?, id.parse::<Uuid>().ok()?)));
        match parts {
            Some((number, id)) if id == self.server_id => Ok(number),
            Some(_) => Err(Refused::Fault(ErrorCode::ServerChanged, "")),
            None => Err(invalid("filter")),
        }
    }

    /// One unknown revision fails the whole call, as with the original server.
    async fn update_data(&self, request: GetUpdateData) -> Result<UpdateData, Refused> {
        self.admit(request.cookie.as_ref())?;
        if request.updates.len() > limits::UPDATES_PER_REQUEST as usize {
            return Err(invalid("updateIds"));
        }
        let named =
            |u: &UpdateIdentity| UpdateRef { id: UpdateId(u.update_id), revision: u.revision };
        let documents = self.catalog.documents(request.updates.iter().map(named).collect()).await?;
        if documents.len() != request.updates.len() {
            return Err(Refused::Fault(ErrorCode::InternalServerError, ""));
        }
        let mut data = UpdateData::default();
        for (identity, stored) in request.updates.into_iter().zip(documents) {
            let update = stored.update;
            let blob = Blob::pack(&stored.xml).map_err(|source| Error::Pack { update, source })?;
            let files = self.catalog.files(update).await?;
            let file_digests = files.iter().map(|file| file.file.sha1.0).collect();
            data.updates.push(UpdateRecord { identity, document: blob, file_digests });
            data.file_urls.extend(files.into_iter().map(|file| FileUrl {
                sha1: file.file.sha1.0,
                public_url: file.sources.into_iter().next().unwrap_or_default(),
                server_url: String::new(),
            }));
        }
        Ok(data)
    }
}
