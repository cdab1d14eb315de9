//! The conversation with an upstream update service (MS-WSUSSS 3.2).
//!
//! Owns authorization, cookies and their renewal, retries, and batches of documents. Refuses to
//! know what is done with what comes. A server may fail at one unknown id with the whole batch:
//! such a batch is halved until the culprit is alone, and that one is rejected by name.

use bytes::{Buf as _, Bytes};
use http::{Request, header};
use model::{UpdateId, UpdateRef, error_chain};
use tokio::sync::Mutex;
use transport::Backoff;
use update_metadata::Document;
use update_metadata::sdp::FileSource;
use wsus_protocol::limits::{MESSAGE_BYTES_MAX, REVISION_LIST_BYTES_MAX};
use wsus_protocol::server::{Deployments, GetDeployments};
use wsus_protocol::{
    AuthConfig, AuthorizationCookie, ConfigData, Cookie, ErrorCode, Filter, GetAuthConfig,
    GetAuthorizationCookie, GetConfigData, GetCookie, GetRevisionIdList, GetUpdateData, Message,
    ProtocolVersion, RevisionIdList, UpdateData, UpdateIdentity, decode, encode, xpress,
};

use crate::point::Point;
use crate::soap::XPRESS;
use crate::web::{Web, collect};
use crate::{Error, limits};

pub(crate) struct Upstream<'a> {
    web: Web,
    /// Who asks.
    point: &'a Point,
    cookie: Mutex<Option<Held>>,
}

struct Held {
    cookie: Cookie,
    renew_at_ms: i64,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) documents: Vec<String>,
    pub(crate) sources: Vec<FileSource>,
    pub(crate) rejected: Vec<String>,
    /// How many of these the server did not give; it may the next time.
    pub(crate) withheld: usize,
}

impl<'a> Upstream<'a> {
    pub(crate) fn new(web: Web, point: &'a Point) -> Upstream<'a> {
        Upstream { web, point, cookie: Mutex::default() }
    }

    pub(crate) async fn config_data(&self) -> Result<ConfigData, Error> {
        self.authorized(MAX, |cookie| GetConfigData { cookie, anchor: None }).await
    }

    pub(crate) async fn revisions(&self, filter: Filter) -> Result<RevisionIdList, Error> {
        let max = usize::try_from(REVISION_LIST_BYTES_MAX).unwrap_or(usize::MAX);
        self.authorized(max, |cookie| GetRevisionIdList { cookie, filter: filter.clone() }).await
    }

    /// What was decided since an anchor of such an answer; `until` is that of the list of updates.
    pub(crate) async fn deployments(
        &self,
        since: Option<String>,
        until: String,
    ) -> Result<Deployments, Error> {
        let request = |cookie| GetDeployments {
            cookie,
            deployment_anchor: since.clone(),
            sync_anchor: Some(until.clone()),
        };
        self.authorized(MAX, request).await
    }

    /// The documents of these revisions.
    pub(crate) async fn documents(&self, batch: Vec<UpdateIdentity>) -> Result<Fetched, Error> {
        let mut fetched = Fetched::default();
        let mut pending = vec![batch];
        while let Some(mut updates) = pending.pop() {
            let max = if updates.len() > 1 { limits::BATCH_ANSWER_BYTES_MAX } else { MAX };
            let request = |cookie| GetUpdateData { cookie, updates: updates.clone() };
            match self.authorized(max, request).await {
                Ok(data) => fetched.take(&updates, data),
                Err(error) if !is_of_one(&error) => return Err(error),
                Err(error) => match updates[..] {
                    [update] => fetched.withhold(update, error_chain(&error)),
                    _ => {
                        let second = updates.split_off(updates.len() / 2);
                        pending.extend([second, updates]);
                    }
                },
            }
        }
        Ok(fetched)
    }

    /// Calls with a cookie; one that the server refuses is renewed once.
    async fn authorized<Q: Message, A: Message>(
        &self,
        max: usize,
        request: impl Fn(Option<Cookie>) -> Q,
    ) -> Result<A, Error> {
        let mut refused = None;
        loop {
            let cookie = self.cookie(refused.as_ref()).await?;
            match self.call(&request(Some(cookie.clone())), max).await {
                Err(error) if is_refusal(&error) && refused.is_none() => refused = Some(cookie),
                outcome => return outcome,
            }
        }
    }

    /// A cookie other than the one refused, renewed before it expires.
    async fn cookie(&self, refused: Option<&Cookie>) -> Result<Cookie, Error> {
        let mut held = self.cookie.lock().await;
        let usable = |held: &&Held| {
            Some(&held.cookie) != refused && self.point.ambient.now_ms() < held.renew_at_ms
        };
        if let Some(held) = held.as_ref().filter(usable) {
            return Ok(held.cookie.clone());
        }
        let old = held.take().map(|held| held.cookie);
        let cookie = match self.authorize(old.clone()).await {
            // The server was replaced between the two halves; it is told to begin anew.
            Err(error) if is_refusal(&error) => self.authorize(old).await?,
            outcome => outcome?,
        };
        // By a clock that is ahead of ours it has expired already; then the server says when.
        let lasts_ms = cookie.expires.as_millis() - self.point.ambient.now_ms();
        let is_told = lasts_ms > limits::COOKIE_MARGIN_MS;
        let margin = cookie.expires.as_millis() - limits::COOKIE_MARGIN_MS;
        let renew_at_ms = if is_told { margin } else { i64::MAX };
        *held = Some(Held { cookie: cookie.clone(), renew_at_ms });
        Ok(cookie)
    }

    async fn authorize(&self, old_cookie: Option<Cookie>) -> Result<Cookie, Error> {
        let config: AuthConfig = self.call(&GetAuthConfig, MAX).await?;
        let plug_in = config.plug_ins.first().ok_or_else(|| Error::Answer {
            url: self.web.url(GetAuthConfig::OPERATION.path()),
            source: wsus_protocol::Error::FindElement { element: "AuthPlugInInfo" },
        })?;
        let path = format!("/{}", plug_in.service_url.trim_start_matches('/'));
        let (name, id) = (&self.point.config.name, self.point.server_id);
        let (account_name, account_guid) = (name.clone(), id.to_string());
        let request = GetAuthorizationCookie { account_name, account_guid };
        let authorization: AuthorizationCookie = self.call_at(&path, &request, MAX).await?;
        let request = GetCookie {
            authorization: vec![authorization],
            old_cookie,
            protocol_version: ProtocolVersion::CURRENT.to_string(),
        };
        self.call(&request, MAX).await
    }

    async fn call<Q: Message, A: Message>(&self, request: &Q, max: usize) -> Result<A, Error> {
        self.call_at(Q::OPERATION.path(), request, max).await
    }

    async fn call_at<Q: Message, A: Message>(
        &self,
        path: &str,
        request: &Q,
        max: usize,
    ) -> Result<A, Error> {
        let body = Bytes::from(encode(request));
        let mut backoff = Backoff::new(limits::RETRY_MIN, limits::RETRY_MAX, 50)?;
        let mut attempt = 1;
        loop {
            match self.attempt::<A>(path, Q::OPERATION.soap_action(), body.clone(), max).await {
                Err(error) if error.is_transient() && attempt < limits::ATTEMPTS_MAX => {
                    tracing::info!(error = %error_chain(&error), attempt, "upstream failed once");
                    tokio::time::sleep(backoff.wait(&self.point.ambient)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt<A: Message>(
        &self,
        path: &str,
        action: String,
        body: Bytes,
        max: usize,
    ) -> Result<A, Error> {
        let url = self.web.url(path);
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", action)
            .header(header::ACCEPT_ENCODING, XPRESS)
            .body(body)
            .map_err(|_| Error::Url { url: url.clone() })?;
        let answer = self.web.send(request).await?;
        let status = answer.status().as_u16();
        if !matches!(status, 200 | 500) {
            return Err(Error::HttpStatus { url, status });
        }
        let encoding = answer.headers().get(header::CONTENT_ENCODING);
        let is_packed =
            encoding.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"xpress"));
        let mut body = collect(answer.into_body(), &url, max).await?;
        let decoded = match is_packed {
            true => decode(unpack(&body.copy_to_bytes(body.remaining()), &url, max)?.as_slice()),
            false => decode(body.reader()),
        };
        match decoded {
            Ok(message) if status == 200 => Ok(message),
            Err(source) if status == 200 || matches!(source, wsus_protocol::Error::Fault(_)) => {
                Err(Error::Answer { url, source })
            }
            _ => Err(Error::HttpStatus { url, status }),
        }
    }
}

/// A compressed body; what would become larger than allowed is not begun.
fn unpack(packed: &[u8], url: &str, max: usize) -> Result<Vec<u8>, Error> {
    if xpress::announced_bytes(packed) > max {
        return Err(Error::LargeAnswer { url: url.to_owned(), max });
    }
    let unpacked = xpress::decompress(packed, max);
    unpacked.map_err(|source| Error::Answer { url: url.to_owned(), source })
}

/// Bytes of any other answer.
const MAX: usize = MESSAGE_BYTES_MAX as usize;

fn is_refusal(error: &Error) -> bool {
    let refusals = [ErrorCode::InvalidCookie, ErrorCode::InvalidAuthorizationCookie];
    error.fault().is_some_and(|code| refusals.contains(code))
}

/// Failures that one update of a batch may be to blame for.
fn is_of_one(error: &Error) -> bool {
    matches!(error, Error::LargeAnswer { .. })
        || error.fault() == Some(&ErrorCode::InternalServerError)
}

impl Fetched {
    fn reject(&mut self, update: UpdateIdentity, reason: String) {
        let UpdateIdentity { update_id, revision } = update;
        self.rejected.push(format!("update {update_id} revision {revision}: {reason}"));
    }

    fn withhold(&mut self, update: UpdateIdentity, reason: String) {
        self.withheld += 1;
        self.reject(update, reason);
    }

    fn take(&mut self, asked: &[UpdateIdentity], data: UpdateData) {
        let mut missing: Vec<UpdateIdentity> = asked.to_vec();
        for record in data.updates {
            let UpdateIdentity { update_id, revision } = record.identity;
            let Some(place) = missing.iter().position(|m| *m == record.identity) else { continue };
            missing.swap_remove(place);
            let named = UpdateRef { id: UpdateId(update_id), revision };
            match record.document.unpack().map_err(|error| error_chain(&error)) {
                Ok(xml) => match Document::parse(xml.as_bytes()) {
                    Ok(document) if document.update == named => self.documents.push(xml),
                    Ok(_) => self.reject(record.identity, "its document is another's".to_owned()),
                    Err(error) => self.reject(record.identity, error_chain(&error)),
                },
                Err(reason) => self.reject(record.identity, reason),
            }
        }
        for update in missing {
            self.withhold(update, "the server gave no document".to_owned());
        }
        let public = data.file_urls.into_iter().filter(|file| !file.public_url.is_empty());
        self.sources.extend(
            public.map(|file| FileSource { sha1: model::Sha1(file.sha1), url: file.public_url }),
        );
    }
}
