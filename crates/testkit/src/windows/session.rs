//! Being known to the server: configuration, cookies, registration, and what to do about faults.
//!
//! What the server said is cached and asked for again only when it has to be (MS-WUSP 3.2.5). A
//! fault leads to the steps that 2.2.2.4 names, a few times at most.

use update_metadata::System;
use wsus_protocol::client::{
    ComputerInfo, Config, GetAuthorizationCookie, GetAuthorizationCookieResponse, GetConfig,
    GetCookie, GetCookieResponse, RefreshCache, RefreshedUpdates, RegisterComputer,
    RegisterComputerResponse,
};
use wsus_protocol::{Cookie, ErrorCode, Message, WireTime};

use super::{Agent, Error, Known};

const PROTOCOL: &str = "2.90";
/// A server may have changed, want to be registered with and have a new configuration.
const REMEDIES_MAX: usize = 4;

impl Agent {
    /// Asks what needs a cookie. `request` is made anew after a remedy, with what has changed.
    pub(super) async fn ask<Q: Message, A: Message>(
        &mut self,
        request: impl Fn(&Agent) -> Q,
    ) -> Result<A, Error> {
        let mut remedies = 0;
        loop {
            self.become_known().await?;
            let question = request(self);
            let fault = match self.exchange(&question, None).await {
                Err(Error::Refused { operation, code, message }) => (operation, code, message),
                done => return done,
            };
            let (operation, code, message) = fault;
            remedies += 1;
            if remedies > REMEDIES_MAX || !self.has_remedy(&code) {
                return Err(Error::Refused { operation, code, message });
            }
        }
    }

    /// Forgets what a fault says is wrong; whether that helps.
    fn has_remedy(&mut self, code: &ErrorCode) -> bool {
        match code {
            ErrorCode::CookieExpired => self.is_authorized = false,
            ErrorCode::ConfigChanged => (self.config, self.is_authorized) = (None, false),
            ErrorCode::InvalidCookie | ErrorCode::ServerChanged => {
                (self.config, self.cookie, self.is_authorized) = (None, None, false);
                self.is_forgotten = true;
            }
            ErrorCode::RegistrationRequired => self.registered = None,
            _ => return false,
        }
        true
    }

    async fn become_known(&mut self) -> Result<(), Error> {
        let now = self.now();
        let is_valid = |cookie: &Cookie| now < cookie.expires;
        if !self.is_authorized || !self.cookie.as_ref().is_some_and(is_valid) {
            self.authorize().await?;
        }
        let is_wanted = self.config.as_ref().is_none_or(|config| config.is_registration_required);
        let computer = self.describe();
        if is_wanted && self.registered.as_ref() != Some(&computer) {
            let (cookie, described) = (self.cookie.clone(), computer.clone());
            let request = RegisterComputer { cookie, computer: described };
            let RegisterComputerResponse {} = self.exchange(&request, None).await?;
            self.registered = Some(computer);
        }
        if std::mem::take(&mut self.is_forgotten) {
            self.refresh_cache().await?;
        }
        Ok(())
    }

    async fn authorize(&mut self) -> Result<(), Error> {
        let config = match self.config.take() {
            Some(config) => config,
            None => {
                let request = GetConfig { protocol_version: Some(PROTOCOL.to_owned()) };
                self.exchange::<_, Config>(&request, None).await?
            }
        };
        let request = GetAuthorizationCookie {
            client_id: self.setup.client.to_string(),
            target_group: None,
            dns_name: self.setup.dns_name.clone(),
        };
        let service = config.plug_ins.first().map(|plug_in| plug_in.service_url.clone());
        let GetAuthorizationCookieResponse { cookie } =
            self.exchange(&request, service.as_deref()).await?;
        // The first call of a computer brings a cookie without data.
        let old_cookie = self.cookie.clone();
        let old_cookie = old_cookie.unwrap_or(Cookie { expires: self.now(), data: Vec::new() });
        let request = GetCookie {
            authorization: vec![cookie],
            old_cookie: Some(old_cookie),
            last_change: config.last_change,
            current_time: self.now(),
            protocol_version: PROTOCOL.to_owned(),
        };
        let GetCookieResponse { cookie } = self.exchange(&request, None).await?;
        (self.config, self.cookie, self.is_authorized) = (Some(config), cookie, true);
        Ok(())
    }

    /// Asks for the numbers that another server gave to what is known here.
    async fn refresh_cache(&mut self) -> Result<(), Error> {
        let updates: Vec<_> = self.known.values().map(|known| known.update).collect();
        if updates.is_empty() {
            return Ok(());
        }
        let request = RefreshCache { cookie: self.cookie.clone(), updates };
        let RefreshedUpdates(refreshed) = self.exchange(&request, None).await?;
        let forgotten = std::mem::take(&mut self.known);
        for update in refreshed {
            let old = forgotten.values().find(|known| known.update == update.update);
            let (Some(old), Some(deployment)) = (old, update.deployment) else { continue };
            let is_leaf = update.is_leaf;
            self.known.insert(update.id, Known { is_leaf, deployment, ..old.clone() });
        }
        Ok(())
    }

    /// One request, without remedies.
    pub(super) async fn exchange<Q: Message, A: Message>(
        &mut self,
        request: &Q,
        path: Option<&str>,
    ) -> Result<A, Error> {
        self.requests += 1;
        let (answer, bytes) = self.web.ask(request, path).await?;
        self.received += bytes;
        Ok(answer)
    }

    pub(super) fn now(&self) -> WireTime {
        WireTime::from_millis(self.setup.ambient.now_ms())
    }

    /// A value of the configuration.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        let properties = self.config.iter().flat_map(|config| &config.properties);
        let mut named = properties.filter(|property| property.name == name);
        named.next().map(|property| property.value.as_str())
    }

    /// What the computer says of itself: its facts, and what every sample computer has.
    fn describe(&self) -> ComputerInfo {
        let [major, minor, build] = self.os_version();
        let sample = "Sample Model".to_owned();
        ComputerInfo {
            dns_name: self.setup.dns_name.clone(),
            os_major: major,
            os_minor: minor,
            os_build: build,
            os_service_pack_major: 0,
            os_service_pack_minor: 0,
            os_locale: "en-US".to_owned(),
            manufacturer: "Tierline Samples".to_owned(),
            model: sample.clone(),
            bios_version: "1.0".to_owned(),
            bios_name: "sample".to_owned(),
            bios_release_date: Some(WireTime::from_millis(0)),
            processor_architecture: "AMD64".to_owned(),
            suite_mask: 256,
            old_product_type: 1,
            new_product_type: 48,
            system_metrics: 0,
            client_major: 1507,
            client_minor: 2601,
            client_build: 30012,
            client_qfe: 0,
            os_description: "Windows 10 Pro".to_owned(),
            oem: "Tierline Samples".to_owned(),
            device_type: sample,
            firmware_version: "1.0".to_owned(),
            mobile_operator: "Not Present".to_owned(),
        }
    }

    pub(super) fn os_version(&self) -> [i32; 3] {
        let version = match &self.setup.computer.facts().system {
            System::Windows(windows) => [windows.major, windows.minor, windows.build],
            System::Linux(_) => [0; 3],
        };
        version.map(|number| i32::try_from(number).unwrap_or_default())
    }
}
