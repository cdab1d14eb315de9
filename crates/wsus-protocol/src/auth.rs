//! Authorization: GetAuthConfig, GetAuthorizationCookie, GetCookie (MS-WSUSSS 3.1.4.1 to 3.1.4.3).

use std::io::BufRead;

use xml_guard::{Element, Tag, XmlGuard, XmlWriter};

use crate::fields::{
    base64_or_empty, field, required, text_or_empty, value, write, write_base64, write_text,
};
use crate::record::{Value, member, records};
use crate::{Endpoint, Error, Message, Operation, WireTime};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetAuthConfig;

/// How to authorize.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    pub last_change: WireTime,
    pub plug_ins: Vec<AuthPlugIn>,
}

records! {
    AuthPlugIn as "AuthPlugInInfo" {
        id: String = "PlugInID",
        /// Relative to the root of the server.
        service_url: String = "ServiceUrl",
        parameter: String = "Parameter",
    }
}

/// Names the downstream server. Both texts as sent: a known client swaps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthorizationCookie {
    pub account_name: String,
    pub account_guid: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizationCookie {
    pub plug_in: String,
    pub data: Vec<u8>,
}

/// Exchanges the authorization cookie for the one every further call carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCookie {
    pub authorization: Vec<AuthorizationCookie>,
    pub old_cookie: Option<Cookie>,
    pub protocol_version: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    pub expires: WireTime,
    pub data: Vec<u8>,
}

impl Message for GetAuthConfig {
    const OPERATION: Endpoint = Operation::GetAuthConfig.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetAuthConfig"];

    fn write(&self, _xml: &mut XmlWriter) {}

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, _tag: Tag) -> Result<GetAuthConfig, Error> {
        guard.skip_element()?;
        Ok(GetAuthConfig)
    }
}

impl Message for AuthConfig {
    const OPERATION: Endpoint = Operation::GetAuthConfig.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetAuthConfigResponse", "GetAuthConfigResult"];

    fn write(&self, xml: &mut XmlWriter) {
        write(xml, "LastChange", self.last_change);
        self.plug_ins.write_or_empty(xml, "AuthInfo");
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<AuthConfig, Error> {
        let element = guard.read_element(tag)?;
        Ok(AuthConfig {
            last_change: value(required(&element, "LastChange")?, "a time")?,
            plug_ins: member(&element, "AuthInfo")?,
        })
    }
}

impl Message for GetAuthorizationCookie {
    const OPERATION: Endpoint = Operation::GetAuthorizationCookie.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetAuthorizationCookie"];

    fn write(&self, xml: &mut XmlWriter) {
        xml.leaf("accountName", &self.account_name).leaf("accountGuid", &self.account_guid);
    }

    fn read<R: BufRead>(
        guard: &mut XmlGuard<R>,
        tag: Tag,
    ) -> Result<GetAuthorizationCookie, Error> {
        let element = guard.read_element(tag)?;
        Ok(GetAuthorizationCookie {
            account_name: text_or_empty(&element, "accountName"),
            account_guid: text_or_empty(&element, "accountGuid"),
        })
    }
}

impl Message for AuthorizationCookie {
    const OPERATION: Endpoint = Operation::GetAuthorizationCookie.endpoint();
    const ELEMENTS: &'static [&'static str] =
        &["GetAuthorizationCookieResponse", "GetAuthorizationCookieResult"];

    fn write(&self, xml: &mut XmlWriter) {
        write_text(xml, "PlugInId", &self.plug_in);
        write_base64(xml, "CookieData", &self.data);
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<AuthorizationCookie, Error> {
        AuthorizationCookie::from_element(&guard.read_element(tag)?)
    }
}

impl AuthorizationCookie {
    pub(crate) fn from_element(element: &Element) -> Result<AuthorizationCookie, Error> {
        let data = base64_or_empty(element, "CookieData")?;
        Ok(AuthorizationCookie { plug_in: text_or_empty(element, "PlugInId"), data })
    }
}

impl Message for GetCookie {
    const OPERATION: Endpoint = Operation::GetCookie.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetCookie"];

    fn write(&self, xml: &mut XmlWriter) {
        self.authorization.write_or_empty(xml, "authCookies");
        write_cookie(xml, "oldCookie", self.old_cookie.as_ref());
        write_text(xml, "protocolVersion", &self.protocol_version);
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<GetCookie, Error> {
        let element = guard.read_element(tag)?;
        Ok(GetCookie {
            authorization: member(&element, "authCookies")?,
            old_cookie: read_cookie(&element, "oldCookie"),
            protocol_version: text_or_empty(&element, "protocolVersion"),
        })
    }
}

impl Message for Cookie {
    const OPERATION: Endpoint = Operation::GetCookie.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetCookieResponse", "GetCookieResult"];

    fn write(&self, xml: &mut XmlWriter) {
        write(xml, "Expiration", self.expires);
        write_base64(xml, "EncryptedData", &self.data);
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<Cookie, Error> {
        Cookie::from_element(&guard.read_element(tag)?)
    }
}

impl Cookie {
    fn from_element(element: &Element) -> Result<Cookie, Error> {
        Ok(Cookie {
            expires: value(required(element, "Expiration")?, "a time")?,
            data: base64_or_empty(element, "EncryptedData")?,
        })
    }
}

/// The cookie of a request; an unreadable one counts as none, since both get the same fault.
pub(crate) fn read_cookie(request: &Element, name: &str) -> Option<Cookie> {
    field(request, name).and_then(read_cookie_element)
}

pub(crate) fn read_cookie_element(element: &Element) -> Option<Cookie> {
    Cookie::from_element(element).ok()
}

pub(crate) fn write_cookie(xml: &mut XmlWriter, name: &str, cookie: Option<&Cookie>) {
    if let Some(cookie) = cookie {
        xml.start(name);
        cookie.write(xml);
        xml.end();
    }
}
