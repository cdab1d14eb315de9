//! GetRevisionIdList (MS-WSUSSS 3.1.4.5): which revisions changed. The protocol does not page,
//! so the answer is decoded while it streams in.

use std::fmt::Display;
use std::io::BufRead;
use std::iter;
use std::str::FromStr;

use uuid::Uuid;
use xml_guard::{Element, Event, Tag, XmlGuard, XmlWriter};

use crate::auth::{read_cookie, write_cookie};
use crate::fields::{boolean, field, required, text, value, write};
use crate::limits::{REVISION_LIST_BYTES_MAX, REVISIONS_MAX};
use crate::{Cookie, Endpoint, Error, Message, Operation, UpdateIdentity, encode};

/// Bytes one revision takes in the answer, for one allocation instead of many.
const REVISION_BYTES: usize = 140;
/// Revisions that become text at once.
const REVISIONS_PER_PIECE: usize = 1_000;
/// The place of the revisions in an answer without any.
const EMPTY: &str = "<NewRevisions />";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRevisionIdList {
    pub cookie: Option<Cookie>,
    pub filter: Filter,
}

/// A list that is absent and one that is empty differ: with categories and classifications both
/// absent everything matches, with one of them absent or empty nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub anchor: Option<String>,
    /// Categories, classifications and detectoids instead of software and drivers.
    pub get_config: bool,
    pub get_63_languages_only: bool,
    pub categories: Option<Vec<Selected<Uuid>>>,
    pub classifications: Option<Vec<Selected<Uuid>>>,
    pub languages: Option<Vec<Selected<u32>>>,
}

/// One id of a filter; with `delta` only what changed since the anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected<T> {
    pub id: T,
    pub delta: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionIdList {
    /// Sent back with the next request; opaque, different on every call.
    pub anchor: String,
    pub revisions: Vec<UpdateIdentity>,
}

impl Message for GetRevisionIdList {
    const OPERATION: Endpoint = Operation::GetRevisionIdList.endpoint();
    const ELEMENTS: &'static [&'static str] = &["GetRevisionIdList"];

    fn write(&self, xml: &mut XmlWriter) {
        let filter = &self.filter;
        write_cookie(xml, "cookie", self.cookie.as_ref());
        xml.start("filter");
        if let Some(anchor) = &filter.anchor {
            xml.leaf("Anchor", anchor);
        }
        write(xml, "GetConfig", filter.get_config);
        write(xml, "Get63LanguageOnly", filter.get_63_languages_only);
        write_selected(xml, "Categories", "IdAndDelta", filter.categories.as_deref());
        write_selected(xml, "Classifications", "IdAndDelta", filter.classifications.as_deref());
        write_selected(xml, "Languages", "LanguageAndDelta", filter.languages.as_deref());
        xml.end();
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, tag: Tag) -> Result<GetRevisionIdList, Error> {
        let element = guard.read_element(tag)?;
        let filter = required(&element, "filter")?;
        let filter = Filter {
            anchor: text(filter, "Anchor"),
            get_config: boolean(filter, "GetConfig")?,
            get_63_languages_only: boolean(filter, "Get63LanguageOnly")?,
            categories: read_selected(filter, "Categories", "IdAndDelta")?,
            classifications: read_selected(filter, "Classifications", "IdAndDelta")?,
            languages: read_selected(filter, "Languages", "LanguageAndDelta")?,
        };
        Ok(GetRevisionIdList { cookie: read_cookie(&element, "cookie"), filter })
    }
}

impl Message for RevisionIdList {
    const OPERATION: Endpoint = Operation::GetRevisionIdList.endpoint();
    const ELEMENTS: &'static [&'static str] =
        &["GetRevisionIdListResponse", "GetRevisionIdListResult"];
    const BYTES_MAX: u64 = REVISION_LIST_BYTES_MAX;

    fn write(&self, xml: &mut XmlWriter) {
        xml.reserve(self.revisions.len() * REVISION_BYTES);
        xml.leaf("Anchor", &self.anchor).start("NewRevisions");
        for revision in &self.revisions {
            revision.write(xml, "UpdateIdentity");
        }
        xml.end();
    }

    fn read<R: BufRead>(guard: &mut XmlGuard<R>, _tag: Tag) -> Result<RevisionIdList, Error> {
        let mut list = RevisionIdList { anchor: String::new(), revisions: Vec::new() };
        loop {
            match guard.next_event()? {
                Event::Start(tag) if tag.local == "Anchor" => list.anchor = guard.read_text()?,
                Event::Start(tag) if tag.local == "NewRevisions" => {
                    read_revisions(guard, &mut list.revisions)?;
                }
                Event::Start(_) => guard.skip_element()?,
                Event::Text(_) => {}
                Event::End | Event::Eof => return Ok(list),
            }
        }
    }
}

impl RevisionIdList {
    /// What [`encode`] writes, made piece by piece, so that a list of everything a public service
    /// offers is never held as text.
    pub fn into_pieces(self) -> impl Iterator<Item = String> {
        let RevisionIdList { anchor, revisions } = self;
        let mut head = encode(&RevisionIdList { anchor, revisions: Vec::new() });
        let mut tail = String::new();
        if !revisions.is_empty()
            && let Some((before, after)) = head.split_once(EMPTY)
        {
            tail = format!("</NewRevisions>{after}");
            head = format!("{before}<NewRevisions>");
        }
        let starts = (0..revisions.len()).step_by(REVISIONS_PER_PIECE);
        let pieces = starts.map(move |start| {
            let end = revisions.len().min(start + REVISIONS_PER_PIECE);
            let mut xml = XmlWriter::default();
            xml.reserve(REVISIONS_PER_PIECE * REVISION_BYTES);
            for revision in &revisions[start..end] {
                revision.write(&mut xml, "UpdateIdentity");
            }
            xml.finish()
        });
        iter::once(head).chain(pieces).chain(iter::once(tail))
    }
}

fn read_revisions<R: BufRead>(
    guard: &mut XmlGuard<R>,
    revisions: &mut Vec<UpdateIdentity>,
) -> Result<(), Error> {
    loop {
        match guard.next_event()? {
            Event::Start(tag) if tag.local == "UpdateIdentity" => {
                if revisions.len() == REVISIONS_MAX {
                    return Err(Error::ReadRevisionList { max: REVISIONS_MAX });
                }
                revisions.push(UpdateIdentity::from_element(&guard.read_element(tag)?)?);
            }
            Event::Start(_) => guard.skip_element()?,
            Event::Text(_) => {}
            Event::End | Event::Eof => return Ok(()),
        }
    }
}

fn write_selected<T: Display>(
    xml: &mut XmlWriter,
    array: &str,
    item: &str,
    selected: Option<&[Selected<T>]>,
) {
    let Some(selected) = selected else { return };
    xml.start(array);
    for Selected { id, delta } in selected {
        xml.start(item);
        write(xml, "Id", id);
        write(xml, "Delta", delta);
        xml.end();
    }
    xml.end();
}

fn read_selected<T: FromStr>(
    filter: &Element,
    array: &str,
    item: &str,
) -> Result<Option<Vec<Selected<T>>>, Error> {
    let Some(array) = field(filter, array) else { return Ok(None) };
    let selected = array.children_named(item).map(|item| {
        let id = value(required(item, "Id")?, "an id")?;
        Ok(Selected { id, delta: boolean(item, "Delta")? })
    });
    selected.collect::<Result<_, Error>>().map(Some)
}
