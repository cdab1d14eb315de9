//! Being known to the server: configuration, cookies, registration, and what to do about faults.
//!
//! What the server said is used until it has to be asked for again (MS-WUSP 3.2.5). A fault leads
//! to the steps that 2.2.2.4 names, a few times at most; one that says "later", or that blames
//! what was asked, ends the scan, and the caller decides when the next one is due.

use std::collections::BTreeMap;

use model::UpdateRef;
use wsus_protocol::client::{
    Config, GetAuthorizationCookie, GetAuthorizationCookieResponse, GetConfig, GetCookie,
    GetCookieResponse, RefreshCache, RefreshedUpdates, RegisterComputer, RegisterComputerResponse,
};
use wsus_protocol::{Cookie, Error as WireError, ErrorCode, Message, UpdateIdentity, WireTime};

use super::memory::Known;
use super::{Foreign, limits};
use crate::Error;

/// What current Windows computers speak; servers give what they have.
const PROTOCOL: &str = "2.90";

impl Foreign {
    /// Asks what needs a cookie. `request` is made anew after a remedy, with what has changed.
    pub(super) async fn ask<Q: Message, A: Message>(
        &mut self,
        request: impl Fn(&Foreign) -> Q,
    ) -> Result<A, Error> {
        let mut remedies = 0;
        loop {
            let answer = match self.become_known().await {
                Ok(()) => {
                    let question = request(self);
                    self.web.ask(Q::OPERATION.path(), &question).await
                }
                Err(error) => Err(error),
            };
            let error = match answer {
                Err(error) => error,
                answer => return answer,
            };
            remedies += 1;
            self.remedies += 1;
            let may_go_on = remedies <= limits::REMEDIES_PER_CALL
                && self.remedies <= limits::REMEDIES_MAX
                && self.has_remedy(&error);
            if !may_go_on {
                return Err(error);
            }
            tracing::info!(error = %model::error_chain(&error), "the update service objects");
        }
    }

    /// Forgets what a fault says is wrong; whether that helps.
    fn has_remedy(&mut self, error: &Error) -> bool {
        let Error::ForeignSoap { source: WireError::Fault(fault), .. } = error else {
            return false;
        };
        match fault.code {
            ErrorCode::CookieExpired => self.renew_at_ms = None,
            ErrorCode::ConfigChanged => (self.config, self.renew_at_ms) = (None, None),
            ErrorCode::InvalidCookie | ErrorCode::ServerChanged => {
                (self.config, self.memory.cookie, self.renew_at_ms) = (None, None, None);
                (self.registered, self.is_forgotten) = (None, true);
            }
            ErrorCode::RegistrationRequired => self.registered = None,
            _ => return false,
        }
        true
    }

    async fn become_known(&mut self) -> Result<(), Error> {
        let now_ms = self.ambient.now_ms();
        if self.memory.cookie.is_none() || self.renew_at_ms.is_none_or(|at| at <= now_ms) {
            self.authorize().await?;
        }
        let is_wanted = self.config.as_ref().is_none_or(|config| config.is_registration_required);
        if is_wanted && self.registered.as_ref() != Some(&self.computer) {
            let (cookie, computer) = (self.memory.cookie.clone(), self.computer.clone());
            let request = RegisterComputer { cookie, computer };
            let RegisterComputerResponse {} =
                self.web.ask(RegisterComputer::OPERATION.path(), &request).await?;
            self.registered = Some(request.computer);
        }
        if self.is_forgotten {
            self.memory.known = self.renumbered().await?;
            self.is_forgotten = false;
        }
        Ok(())
    }

    async fn authorize(&mut self) -> Result<(), Error> {
        let config: Config = match self.config.take() {
            Some(config) => config,
            None => {
                let request = GetConfig { protocol_version: Some(PROTOCOL.to_owned()) };
                self.web.ask(GetConfig::OPERATION.path(), &request).await?
            }
        };
        let request = GetAuthorizationCookie {
            client_id: self.client.to_string(),
            target_group: None,
            dns_name: self.dns_name.clone(),
        };
        let service = self.service(&config)?;
        let GetAuthorizationCookieResponse { cookie } = self.web.ask(&service, &request).await?;
        let now = self.now();
        // The first call of a computer brings a cookie without data.
        let old_cookie =
            self.memory.cookie.clone().unwrap_or(Cookie { expires: now, data: Vec::new() });
        let request = GetCookie {
            authorization: vec![cookie],
            old_cookie: Some(old_cookie),
            last_change: config.last_change,
            current_time: now,
            protocol_version: PROTOCOL.to_owned(),
        };
        let answer: GetCookieResponse = self.web.ask(GetCookie::OPERATION.path(), &request).await?;
        self.config = Some(config);
        let given = answer
            .cookie
            .ok_or_else(|| self.web.refused(GetCookie::OPERATION, "no cookie".to_owned()))?;
        // By a clock that is ahead of ours it has expired already; then the server says when.
        let expires_ms = given.expires.as_millis();
        self.renew_at_ms = Some(if expires_ms > now.as_millis() { expires_ms } else { i64::MAX });
        self.take_cookie(Some(given))
    }

    /// The path of the service that authorizes, which is on the same server.
    fn service(&self, config: &Config) -> Result<String, Error> {
        let said = config.plug_ins.first().map_or("", |plug_in| plug_in.service_url.trim());
        let refused = |answer| self.web.refused(GetConfig::OPERATION, answer);
        if said.contains("://") || said.starts_with("//") || said.contains(['\\', '?', '#']) {
            return Err(refused(format!("{said:?}, and nobody is followed elsewhere")));
        }
        match said {
            "" => Err(refused("no way to be authorized".to_owned())),
            _ => Ok(format!("/{}", said.trim_start_matches('/'))),
        }
    }

    /// The one to call with from now on, if the server gave another.
    pub(super) fn take_cookie(&mut self, given: Option<Cookie>) -> Result<(), Error> {
        let Some(cookie) = given else { return Ok(()) };
        if cookie.data.len() > limits::COOKIE_BYTES_MAX {
            let answer = format!("a cookie of {} bytes", cookie.data.len());
            return Err(self.web.refused(GetCookie::OPERATION, answer));
        }
        self.memory.cookie = Some(cookie);
        Ok(())
    }

    /// Asks for the numbers that another server gave to what is known here.
    async fn renumbered(&mut self) -> Result<BTreeMap<i32, Known>, Error> {
        let identity = |known: &Known| {
            let UpdateRef { id, revision } = known.update?;
            Some((UpdateIdentity { update_id: id.0, revision }, known.clone()))
        };
        let mut old: BTreeMap<UpdateIdentity, Known> =
            self.memory.known.values().filter_map(identity).collect();
        let asked: Vec<UpdateIdentity> = old.keys().copied().collect();
        let mut renumbered = BTreeMap::new();
        for updates in asked.chunks(limits::REFRESHED) {
            let cookie = self.memory.cookie.clone();
            let request = RefreshCache { cookie, updates: updates.to_vec() };
            let RefreshedUpdates(refreshed) =
                self.web.ask(RefreshCache::OPERATION.path(), &request).await?;
            for update in refreshed {
                let (Some(known), Some(deployment)) =
                    (old.remove(&update.update), update.deployment)
                else {
                    continue;
                };
                let (is_leaf, action) = (update.is_leaf, deployment.action);
                renumbered.insert(update.id, Known { is_leaf, action, ..known });
            }
        }
        Ok(renumbered)
    }

    pub(super) fn now(&self) -> WireTime {
        WireTime::from_millis(self.ambient.now_ms())
    }

    /// Updates whose details the server answers at once.
    pub(super) fn details_at_once(&self) -> usize {
        let properties = self.config.iter().flat_map(|config| &config.properties);
        let mut named = properties.filter(|p| p.name == "MaxExtendedUpdatesPerRequest");
        let said = named.next().and_then(|property| property.value.trim().parse().ok());
        said.unwrap_or(limits::DETAILS).clamp(1, limits::DETAILS_MAX)
    }
}
