//! Who may synchronize here, and for how long (MS-WSUSSS 3.1.4.1 to 3.1.4.3).
//!
//! Owns the making and the check of the cookies of servers. Refuses to know what they open.
//! Damage of any kind is answered alike, so that a fault tells nothing about the inside.

use uuid::Uuid;
use wsus_protocol::{
    AuthConfig, AuthPlugIn, AuthorizationCookie, Cookie, CookieKind, Credential, ErrorCode,
    GetAuthorizationCookie, GetCookie, Operation, ProtocolVersion, WireTime,
};

use crate::limits;
use crate::point::Point;
use crate::soap::Refused;

const PLUG_IN: &str = "DssTargeting";

pub(crate) fn auth_config() -> AuthConfig {
    let service_url = Operation::GetAuthorizationCookie.path().trim_start_matches('/').to_owned();
    let plug_in = AuthPlugIn { id: PLUG_IN.to_owned(), service_url, parameter: String::new() };
    AuthConfig { last_change: WireTime::from_millis(0), plug_ins: vec![plug_in] }
}

impl Point {
    pub(crate) fn now(&self) -> WireTime {
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
    pub(crate) fn authorization_cookie(
        &self,
        request: &GetAuthorizationCookie,
    ) -> Result<AuthorizationCookie, Refused> {
        let GetAuthorizationCookie { account_name, account_guid } = request;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(1..=255).contains(&account_name.len()) || !account_name.chars().all(is_name) {
            return Err(Refused::parameter("machineName"));
        }
        let account = account_guid.parse().or_else(|_| account_name.parse());
        let account = account.map_err(|_| Refused::parameter("accountGuid"))?;
        let kind = CookieKind::Authorization;
        let (_, data) = self.seal(kind, account, ProtocolVersion::CURRENT);
        Ok(AuthorizationCookie { plug_in: PLUG_IN.to_owned(), data })
    }

    pub(crate) fn cookie(&self, request: &GetCookie) -> Result<Cookie, Refused> {
        let [authorization] = request.authorization.as_slice() else {
            return Err(Refused::parameter("authCookies"));
        };
        let refused = || Refused::with(ErrorCode::InvalidAuthorizationCookie, "");
        let opened =
            self.cookie_key.open(CookieKind::Authorization, &authorization.data, self.now());
        let account = opened.ok_or_else(refused)?.account;
        let version = request.protocol_version.parse();
        let version = version.map_err(|code| Refused::with(code, "protocolVersion"))?;
        let (expires, data) = self.seal(CookieKind::Session, account, version);
        Ok(Cookie { expires, data })
    }

    pub(crate) fn admit(&self, cookie: Option<&Cookie>) -> Result<(), Refused> {
        let admitted = self.cookie_key.admit(cookie, self.server_id, self.now());
        admitted.map(drop).map_err(|code| Refused::with(code, ""))
    }
}
