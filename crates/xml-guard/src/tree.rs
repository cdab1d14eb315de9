//! Small messages as a tree, under the same limits.

use std::io::BufRead;
use std::mem;

use crate::{Error, Event, Limits, Refusal, Tag, XmlGuard};

/// An element with its children in order and its own text in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub tag: Tag,
    pub children: Vec<Element>,
    pub text: String,
}

impl Element {
    /// Reads a whole document.
    pub fn parse(input: impl BufRead, limits: Limits) -> Result<Element, Error> {
        let mut guard = XmlGuard::new(input, limits);
        loop {
            if let Event::Start(tag) = guard.next_event()? {
                let root = guard.read_element(tag)?;
                return guard.finish().map(|()| root);
            }
        }
    }

    /// The first child of this local name, in any namespace.
    #[must_use]
    pub fn child(&self, local: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.tag.local == local)
    }

    pub fn children_named<'a>(&'a self, local: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.tag.local == local)
    }

    fn new(tag: Tag) -> Element {
        Element { tag, children: Vec::new(), text: String::new() }
    }
}

impl<R: BufRead> XmlGuard<R> {
    /// After a start tag: its element as a tree.
    pub fn read_element(&mut self, tag: Tag) -> Result<Element, Error> {
        let nodes_max = self.limits().tree_nodes;
        let mut nodes = 1 + tag.attributes.len();
        let mut parents = Vec::new();
        let mut current = Element::new(tag);
        loop {
            match self.next_event()? {
                Event::Start(tag) => {
                    nodes += 1 + tag.attributes.len();
                    if nodes > nodes_max {
                        return Err(self.refuse(Refusal::TreeNodes(nodes_max)));
                    }
                    parents.push(mem::replace(&mut current, Element::new(tag)));
                }
                Event::Text(part) => self.append(&mut current.text, &part)?,
                Event::End | Event::Eof => {
                    let Some(parent) = parents.pop() else { return Ok(current) };
                    let done = mem::replace(&mut current, parent);
                    current.children.push(done);
                }
            }
        }
    }
}
