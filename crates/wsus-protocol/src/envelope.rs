//! SOAP envelopes: the frame around every message. Both versions are read, 1.1 is written.

use std::io::BufRead;

use xml_guard::{Event, Tag, XmlGuard, XmlWriter};

use crate::{Endpoint, Error, Fault, Service, limits};

pub(crate) const SOAP_NAMESPACE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const SOAP_12_NAMESPACE: &str = "http://www.w3.org/2003/05/soap-envelope";

/// A request or an answer.
pub trait Message: Sized {
    const OPERATION: Endpoint;
    /// The element in the body and those directly within that lead to the content.
    const ELEMENTS: &'static [&'static str];
    /// Bytes a decoder reads at most.
    const BYTES_MAX: u64 = limits::MESSAGE_BYTES_MAX;
    /// Elements and attributes a decoder keeps at once at most.
    const NODES_MAX: usize = limits::MESSAGE_ELEMENTS_MAX;

    fn write(&self, xml: &mut XmlWriter);

    /// Reads the content; `tag` is the start tag of the last of [`ELEMENTS`](Message::ELEMENTS).
    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<Self, Error>;
}

/// The message as UTF-8 text, framed as the original server does it.
#[must_use]
pub fn encode<M: Message>(message: &M) -> String {
    let mut xml = open_body(M::OPERATION.service);
    for (depth, element) in M::ELEMENTS.iter().enumerate() {
        xml.start(element);
        if depth == 0 {
            xml.attribute("xmlns", M::OPERATION.namespace());
        }
    }
    message.write(&mut xml);
    xml.finish()
}

/// Reads a message; a fault in its place becomes [`Error::Fault`].
pub fn decode<M: Message>(input: impl BufRead) -> Result<M, Error> {
    let mut guard = XmlGuard::new(input, limits::xml_limits(M::BYTES_MAX, M::NODES_MAX));
    enter_body(&mut guard)?;
    let (outer, inner) = (M::ELEMENTS[0], &M::ELEMENTS[1..]);
    let namespace = M::OPERATION.namespace();
    let wanted = |tag: &Tag| tag.is(namespace, outer) || is_soap(tag, "Fault");
    let mut tag = find(&mut guard, wanted, outer)?;
    if is_soap(&tag, "Fault") {
        let fault = Fault::read(&guard.read_element(tag)?);
        return Err(Error::Fault(Box::new(fault)));
    }
    for element in inner {
        tag = find(&mut guard, |tag| tag.local == *element, element)?;
    }
    let message = M::read(&mut guard, tag)?;
    guard.finish()?;
    Ok(message)
}

/// The operation that the content of a request belongs to.
pub(crate) fn called(path: &str, body: &[u8]) -> Option<Endpoint> {
    let limits = limits::xml_limits(limits::MESSAGE_BYTES_MAX, limits::MESSAGE_ELEMENTS_MAX);
    let mut guard = XmlGuard::new(body, limits);
    enter_body(&mut guard).ok()?;
    let tag = find(&mut guard, |_| true, "Body").ok()?;
    Endpoint::find(path, &format!("{}/{}", tag.ns, tag.local))
}

fn enter_body<R: BufRead>(guard: &mut XmlGuard<R>) -> Result<(), Error> {
    find(guard, |tag| is_soap(tag, "Envelope"), "Envelope")?;
    find(guard, |tag| is_soap(tag, "Body"), "Body")?;
    Ok(())
}

fn is_soap(tag: &Tag, local: &str) -> bool {
    tag.is(SOAP_NAMESPACE, local) || tag.is(SOAP_12_NAMESPACE, local)
}

/// An envelope opened up to its body: the client service runs on another framework than the
/// others and writes it differently.
pub(crate) fn open_body(service: Service) -> XmlWriter {
    let declare_schema = |xml: &mut XmlWriter| {
        xml.attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
            .attribute("xmlns:xsd", "http://www.w3.org/2001/XMLSchema");
    };
    if service == Service::Client {
        let mut xml = XmlWriter::compact();
        xml.start("s:Envelope").attribute("xmlns:s", SOAP_NAMESPACE).start("s:Body");
        declare_schema(&mut xml);
        return xml;
    }
    let mut xml = XmlWriter::declared();
    xml.start("soap:Envelope").attribute("xmlns:soap", SOAP_NAMESPACE);
    declare_schema(&mut xml);
    xml.start("soap:Body");
    xml
}

pub(crate) fn prefix(service: Service) -> &'static str {
    if service == Service::Client { "s" } else { "soap" }
}

/// The next wanted element on this level; the others are passed over.
fn find<R: BufRead>(
    guard: &mut XmlGuard<R>,
    wanted: impl Fn(&Tag) -> bool,
    element: &'static str,
) -> Result<Tag, Error> {
    loop {
        match guard.next_event()? {
            Event::Start(tag) if wanted(&tag) => return Ok(tag),
            Event::Start(_) => guard.skip_element()?,
            Event::Text(_) => {}
            Event::End | Event::Eof => return Err(Error::FindElement { element }),
        }
    }
}
