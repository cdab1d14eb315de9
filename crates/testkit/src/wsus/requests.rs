//! Requests as plain XML, checked against the tables of services (MS-WUSP 2.1, 3.1.4).

use http::HeaderMap;
use xml_guard::{Element, Event, Limits, Tag, XmlGuard};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The end of each path, the namespace, and the operations.
const SERVICES: [(&str, &str, &str); 3] = [
    (
        "/clientwebservice/client.asmx",
        "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService",
        "GetConfig GetCookie RegisterComputer SyncUpdates RefreshCache GetExtendedUpdateInfo",
    ),
    (
        "/simpleauthwebservice/simpleauth.asmx",
        "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService",
        "GetAuthorizationCookie",
    ),
    (
        "/reportingwebservice/reportingwebservice.asmx",
        "http://www.microsoft.com/SoftwareDistribution",
        "ReportEventBatch",
    ),
];

/// One request.
pub(super) struct Call {
    pub(super) operation: String,
    namespace: &'static str,
    /// The element in the body.
    pub(super) request: Element,
}

impl Call {
    /// Or what is wrong with it, for the test that sees the answer.
    pub(super) fn read(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Call, String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if !header("content-type").unwrap_or_default().starts_with("text/xml") {
            return Err("the request is not of type text/xml".to_owned());
        }
        let path = path.to_ascii_lowercase();
        let service = SERVICES.iter().find(|(known, ..)| *known == path);
        let (_, namespace, operations) = service.ok_or("nothing is served there")?;
        let action = header("soapaction").unwrap_or_default().trim_matches('"');
        let operation = action.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('/'));
        let operation = operation.ok_or_else(|| format!("{action:?} is not of the service"))?;
        if !operations.split_whitespace().any(|known| known == operation) {
            return Err(format!("{operation} is not served"));
        }
        let request = content(body).ok_or("the body is no envelope")?;
        match request.tag.is(namespace, operation) {
            true => Ok(Call { operation: operation.to_owned(), namespace, request }),
            false => Err(format!("the body holds {:?}", request.tag)),
        }
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.request.child(name).map_or_else(String::new, |child| child.text.trim().to_owned())
    }

    /// An answer to this call.
    pub(super) fn frame(&self, content: &str) -> String {
        let (name, namespace) = (&self.operation, self.namespace);
        format!(
            "<s:Envelope xmlns:s=\"{SOAP}\"><s:Body><{name}Response xmlns=\"{namespace}\">\
             {content}</{name}Response></s:Body></s:Envelope>"
        )
    }

    pub(super) fn fault(&self, code: &str, parameter: &str) -> String {
        let (name, namespace) = (&self.operation, self.namespace);
        format!(
            "<s:Envelope xmlns:s=\"{SOAP}\"><s:Body><s:Fault><faultcode>s:Client</faultcode>\
             <faultstring>Fault occurred</faultstring><detail><ErrorCode>{code}</ErrorCode>\
             <Message>{parameter}</Message><ID>5b7d3f5e-6f0c-4f35-8b6a-0c8f1d6a2f11</ID>\
             <Method>\"{namespace}/{name}\"</Method></detail></s:Fault></s:Body></s:Envelope>"
        )
    }
}

fn content(body: &[u8]) -> Option<Element> {
    let mut guard = XmlGuard::new(body, Limits::default());
    let next = |guard: &mut XmlGuard<&[u8]>| -> Option<Tag> {
        loop {
            match guard.next_event().ok()? {
                Event::Start(tag) => return Some(tag),
                Event::Text(_) => {}
                Event::End | Event::Eof => return None,
            }
        }
    };
    next(&mut guard).filter(|tag| tag.is(SOAP, "Envelope"))?;
    next(&mut guard).filter(|tag| tag.is(SOAP, "Body"))?;
    let tag = next(&mut guard)?;
    guard.read_element(tag).ok()
}
