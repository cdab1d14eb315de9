//! The two versions of SOAP (MS-WSUSSS 2.1). Windows speaks 1.1; a peer that asks in 1.2 is
//! answered in it. They differ in the namespace of the envelope, in where a request names its
//! action, and in the form of faults.

use crate::Endpoint;
use crate::envelope::{SOAP_12_NAMESPACE, SOAP_NAMESPACE, called};

const MEDIA_TYPE: &str = "application/soap+xml";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoapVersion {
    V11,
    V12,
}

impl SoapVersion {
    /// The version of a request, by its `Content-Type`.
    #[must_use]
    pub fn of(content_type: &str) -> SoapVersion {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
            true => SoapVersion::V12,
            false => SoapVersion::V11,
        }
    }

    /// The `Content-Type` of an answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            SoapVersion::V11 => "text/xml; charset=utf-8",
            SoapVersion::V12 => "application/soap+xml; charset=utf-8",
        }
    }

    /// The operation a request of this version asks for. In 1.2 the action is a parameter of the
    /// `Content-Type`, and need not be there.
    #[must_use]
    pub fn endpoint(
        self,
        path: &str,
        soap_action: &str,
        content_type: &str,
        body: &[u8],
    ) -> Option<Endpoint> {
        if self == SoapVersion::V11 {
            return Endpoint::find(path, soap_action);
        }
        let mut parameters = content_type.split(';').filter_map(|part| part.trim().split_once('='));
        match parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("action")) {
            Some((_, action)) => Endpoint::find(path, action),
            None => called(path, body),
        }
    }

    /// An encoded message, or the beginning of one, in this version's envelope.
    #[must_use]
    pub fn frame(self, message: String) -> String {
        match self {
            SoapVersion::V11 => message,
            SoapVersion::V12 => message.replacen(SOAP_NAMESPACE, SOAP_12_NAMESPACE, 1),
        }
    }
}
