//! Reading what tests that say nothing themselves go by.

use xml_guard::{Element, Event, Tag, XmlGuard};

use crate::Error;
use crate::windows::{CBS_IDENTITY, CBS_METADATA};

pub(super) fn read(guard: &mut XmlGuard<&[u8]>) -> Result<Vec<Element>, Error> {
    let mut metadata = Vec::new();
    loop {
        match guard.next_event()? {
            Event::Start(tag) if tag.local == CBS_METADATA => {
                metadata.push(read_identity(guard, tag)?);
            }
            Event::Start(tag) => metadata.push(guard.read_element(tag)?),
            Event::Text(_) => {}
            Event::End | Event::Eof => return Ok(metadata),
        }
    }
}

/// Metadata of servicing with nothing in it but the identities of its assemblies.
fn read_identity(guard: &mut XmlGuard<&[u8]>, tag: Tag) -> Result<Element, Error> {
    let mut metadata = Element { tag, children: Vec::new(), text: String::new() };
    let mut depth = 0_usize;
    loop {
        match guard.next_event()? {
            Event::Start(tag) if tag.local == "assembly" => depth += 1,
            Event::Start(tag) if tag.local == CBS_IDENTITY => {
                metadata.children.push(guard.read_element(tag)?);
            }
            Event::Start(_) => guard.skip_element()?,
            Event::End if depth > 0 => depth -= 1,
            Event::Text(_) => {}
            Event::End | Event::Eof => return Ok(metadata),
        }
    }
}
