//! SOAP faults with their typed codes (MS-WSUSSS 2.2.9.3, MS-WUSP 2.2.2.4).

use std::fmt;

use uuid::Uuid;
use xml_guard::{Element, XmlWriter};

use crate::envelope::{open_body, prefix};
use crate::fields::{field, text_or_empty, write};
use crate::{Endpoint, Error, Service, SoapVersion};

const REASON: &str = "Fault occurred";
/// How much of a foreign server's explanation is kept; it may be a whole stack trace.
const REASON_CHARS: usize = 200;

/// What a server could not do; the peer branches on this alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    InvalidParameters,
    InvalidCookie,
    InvalidAuthorizationCookie,
    IncompatibleProtocolVersion,
    ServerChanged,
    FileDigestsMissing,
    InternalServerError,
    ServerBusy,
    TooManyIds,
    /// The server's configuration is younger than the one the computer knows.
    ConfigChanged,
    CookieExpired,
    RegistrationRequired,
    RegistrationNotRequired,
    FileLocationChanged,
    /// A code this table does not know; empty if the fault carries none.
    Other(String),
}

const CODES: [(&str, ErrorCode); 14] = [
    ("InvalidParameters", ErrorCode::InvalidParameters),
    ("InvalidCookie", ErrorCode::InvalidCookie),
    ("InvalidAuthorizationCookie", ErrorCode::InvalidAuthorizationCookie),
    ("IncompatibleProtocolVersion", ErrorCode::IncompatibleProtocolVersion),
    ("ServerChanged", ErrorCode::ServerChanged),
    ("FileDigestsMissing", ErrorCode::FileDigestsMissing),
    ("InternalServerError", ErrorCode::InternalServerError),
    ("ServerBusy", ErrorCode::ServerBusy),
    ("TooManyIds", ErrorCode::TooManyIds),
    ("ConfigChanged", ErrorCode::ConfigChanged),
    ("CookieExpired", ErrorCode::CookieExpired),
    ("RegistrationRequired", ErrorCode::RegistrationRequired),
    ("RegistrationNotRequired", ErrorCode::RegistrationNotRequired),
    ("FileLocationChanged", ErrorCode::FileLocationChanged),
];

impl ErrorCode {
    fn parse(name: &str) -> ErrorCode {
        let known = CODES.iter().find(|(known, _)| *known == name);
        known.map_or_else(|| ErrorCode::Other(name.to_owned()), |(_, code)| code.clone())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = CODES.iter().find(|(_, code)| code == self);
        match (known, self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, ErrorCode::Other(name)) => f.write_str(name),
            (None, _) => f.write_str("unknown"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault {code} in {method}: {reason} ({message:?}, fault id {id})")]
pub struct Fault {
    pub code: ErrorCode,
    /// The parameter to blame, often empty.
    pub message: String,
    pub reason: String,
    pub id: Uuid,
    /// The SOAPAction of the failed call, in its quotes.
    pub method: String,
}

impl Fault {
    #[must_use]
    pub fn new(code: ErrorCode, message: &str, id: Uuid, called: impl Into<Endpoint>) -> Fault {
        let method = called.into().soap_action();
        Fault { code, message: message.to_owned(), reason: REASON.to_owned(), id, method }
    }

    /// The fault for a request that could not be decoded.
    #[must_use]
    pub fn of_request(error: &Error, id: Uuid, called: impl Into<Endpoint>) -> Fault {
        Fault::new(ErrorCode::InvalidParameters, error.parameter(), id, called)
    }

    /// The body of a response with HTTP status 500, framed by the service that was called;
    /// `actor` is its address, which the client service does not tell.
    #[must_use]
    pub fn encode(&self, actor: &str) -> String {
        let is_client = self.method.contains(Service::Client.namespace());
        let service = if is_client { Service::Client } else { Service::ServerSync };
        let (mut xml, prefix) = (open_body(service), prefix(service));
        xml.start(&format!("{prefix}:Fault"));
        let side = if self.is_ours() { "Server" } else { "Client" };
        xml.leaf("faultcode", &format!("{prefix}:{side}")).leaf("faultstring", &self.reason);
        if !is_client {
            xml.leaf("faultactor", actor);
        }
        self.write_detail(&mut xml, "detail");
        xml.finish()
    }

    /// The same in SOAP 1.2, where the detail is an element that 1.2 knows nothing of (MS-WSUSSS
    /// 2.2.9.2).
    #[must_use]
    pub fn encode_12(&self) -> String {
        let mut xml = open_body(Service::ServerSync);
        let side = if self.is_ours() { "soap:Receiver" } else { "soap:Sender" };
        xml.start("soap:Fault").start("soap:Code").leaf("soap:Value", side).end();
        xml.start("soap:Reason").start("soap:Text").attribute("xml:lang", "en");
        xml.text(&self.reason).end().end();
        self.write_detail(&mut xml, "Detail");
        SoapVersion::V12.frame(xml.finish())
    }

    /// Whether it is no fault of the caller.
    fn is_ours(&self) -> bool {
        matches!(self.code, ErrorCode::InternalServerError | ErrorCode::ServerBusy)
    }

    fn write_detail(&self, xml: &mut XmlWriter, name: &str) {
        xml.start(name);
        write(xml, "ErrorCode", &self.code);
        xml.start("Message").text(&self.message).end();
        write(xml, "ID", self.id);
        xml.leaf("Method", &self.method);
        xml.end();
    }

    pub(crate) fn read(fault: &Element) -> Fault {
        let of = |parent: Option<&Element>, name: &str| {
            let text = parent.map(|parent| text_or_empty(parent, name)).unwrap_or_default();
            text.trim().chars().take(REASON_CHARS).collect::<String>()
        };
        let detail = field(fault, "detail").or_else(|| field(fault, "Detail"));
        Fault {
            code: ErrorCode::parse(&of(detail, "ErrorCode")),
            message: of(detail, "Message"),
            reason: match field(fault, "Reason") {
                Some(reason) => of(Some(reason), "Text"),
                None => of(Some(fault), "faultstring"),
            },
            id: of(detail, "ID").parse().unwrap_or_default(),
            method: of(detail, "Method"),
        }
    }
}
