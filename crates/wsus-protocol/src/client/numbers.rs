//! Long lists of a scan, which never become a tree: numbers, and updates one by one.

use std::io::BufRead;

use xml_guard::{Element, Event, Tag, XmlGuard};

use crate::Error;
use crate::limits::LIST_ITEMS_MAX;
use crate::record::{Item, Value as _};

/// The lists of numbers among other elements; of lists of one name the first counts.
pub(super) struct Lists<const N: usize> {
    names: [&'static str; N],
    read: [Option<Vec<i32>>; N],
}

impl<const N: usize> Lists<N> {
    pub(super) fn named(names: [&'static str; N]) -> Lists<N> {
        Lists { names, read: [const { None }; N] }
    }

    /// After the start tag of a child: whether it was one of the lists, which is read then.
    pub(super) fn take<R: BufRead>(
        &mut self,
        guard: &mut XmlGuard<R>,
        tag: &Tag,
    ) -> Result<bool, Error> {
        let Some(at) = self.names.iter().position(|name| tag.local == *name) else {
            return Ok(false);
        };
        let numbers = read_numbers(guard, tag)?;
        self.read[at].get_or_insert(numbers);
        Ok(true)
    }

    pub(super) fn finish(self) -> [Vec<i32>; N] {
        self.read.map(Option::unwrap_or_default)
    }
}

/// After a start tag: an element without content yet.
pub(super) fn opened(tag: Tag) -> Element {
    Element { tag, children: Vec::new(), text: String::new() }
}

/// Elements beside the lists that are kept; no message has more than twenty.
const OTHERS_MAX: usize = 64;

/// After the start tag of a child that is no list: keeps it.
pub(super) fn keep<R: BufRead>(
    parent: &mut Element,
    guard: &mut XmlGuard<R>,
    tag: Tag,
) -> Result<(), Error> {
    match parent.children.len() {
        OTHERS_MAX.. => guard.skip_element()?,
        _ => parent.children.push(guard.read_element(tag)?),
    }
    Ok(())
}

/// After a start tag: hands over the start tags of the children, to be read to their ends.
pub(super) fn each_child<R: BufRead>(
    guard: &mut XmlGuard<R>,
    mut take: impl FnMut(&mut XmlGuard<R>, Tag) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        match guard.next_event()? {
            Event::Start(tag) => take(guard, tag)?,
            Event::Text(_) => {}
            Event::End | Event::Eof => return Ok(()),
        }
    }
}

/// After the start tag of a list: its items, each a tree for no longer than it is read.
pub(super) fn read_list<R: BufRead, T: Item>(
    guard: &mut XmlGuard<R>,
    list: &Tag,
) -> Result<Vec<T>, Error> {
    let mut items = Vec::new();
    each_child(guard, |guard, tag| {
        if tag.local != T::NAME {
            return Ok(guard.skip_element()?);
        }
        let item = guard.read_element(tag)?;
        if items.len() == T::MAX {
            return Err(Error::ReadList { element: list.local.clone(), max: T::MAX });
        }
        if !crate::fields::is_nil(&item) {
            items.push(T::of(&item)?);
        }
        Ok(())
    })?;
    Ok(items)
}

fn read_numbers<R: BufRead>(guard: &mut XmlGuard<R>, tag: &Tag) -> Result<Vec<i32>, Error> {
    let too_long = || Error::ReadList { element: tag.local.clone(), max: LIST_ITEMS_MAX };
    let mut numbers = Vec::new();
    guard.take_numbers(i32::NAME, &mut numbers)?;
    each_child(guard, |guard, item| {
        let item = guard.read_element(item)?;
        if item.tag.local == i32::NAME && !crate::fields::is_nil(&item) {
            numbers.push(i32::of(&item)?);
        }
        guard.take_numbers(i32::NAME, &mut numbers)?;
        if numbers.len() > LIST_ITEMS_MAX { Err(too_long()) } else { Ok(()) }
    })?;
    if numbers.len() > LIST_ITEMS_MAX { Err(too_long()) } else { Ok(numbers) }
}
