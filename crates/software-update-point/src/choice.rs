//! What a list of updates is asked for, and how far it was followed.
//!
//! Owns the text in which both are kept, and the filter made of them: an anchor is good for the
//! same source, what was asked for with it before is asked for as a delta, and what is chosen anew
//! is asked for as a whole. Refuses to know the documents.

use std::fmt;

use model::{Languages, UpdateId};
use wsus_protocol::{Filter, Selected};

use crate::languages::select;

/// Of no products and classifications: everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Both or neither.
    pub(crate) products: Vec<UpdateId>,
    pub(crate) classifications: Vec<UpdateId>,
    pub(crate) languages: Languages,
}

/// How far a list was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    /// Of which source, as it writes itself.
    pub(crate) source: String,
    pub(crate) choice: Choice,
    pub(crate) anchor: String,
}

impl Choice {
    /// The filter for the updates of this choice, of which `known` was followed up to its anchor.
    pub(crate) fn filter(&self, known: Option<(&Choice, &str)>) -> Filter {
        // What was narrowed before has to be asked for as a whole when it is so no more.
        let known = known.filter(|(known, _)| {
            (known.is_everything() || !self.is_everything())
                && (known.languages.is_all() || !self.languages.is_all())
        });
        let before = known.map(|(known, _)| known);
        let selected = |ids: &[UpdateId], kept: fn(&Choice) -> &Vec<UpdateId>| {
            let is_known = |id| before.is_some_and(|b| b.is_everything() || kept(b).contains(id));
            let each = ids.iter().map(|id| Selected { id: id.0, delta: is_known(id) });
            (!ids.is_empty()).then(|| each.collect())
        };
        Filter {
            anchor: known.map(|(_, anchor)| anchor.to_owned()),
            get_config: false,
            get_63_languages_only: false,
            categories: selected(&self.products, |b| &b.products),
            classifications: selected(&self.classifications, |b| &b.classifications),
            languages: select(self.languages, before.map(|b| b.languages)),
        }
    }

    fn is_everything(&self) -> bool {
        self.products.is_empty()
    }

    fn parse(text: &str) -> Option<Choice> {
        let mut parts = text.split(';').map(str::split_whitespace);
        let mut ids = || parts.next()?.map(|id| id.parse().ok()).collect::<Option<Vec<UpdateId>>>();
        let (products, classifications) = (ids()?, ids()?);
        let languages = Languages::choose(parts.next()?).ok()?;
        Some(Choice { products, classifications, languages })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words =
            |ids: &[UpdateId]| ids.iter().map(UpdateId::to_string).collect::<Vec<_>>().join(" ");
        let Choice { products, classifications, languages } = self;
        write!(f, "{};{};{languages}", words(products), words(classifications))
    }
}

impl Followed {
    /// None of a text that another version wrote: the list is then asked for as a whole.
    pub(crate) fn parse(text: &str) -> Option<Followed> {
        let mut lines = text.splitn(3, '\n');
        let (source, choice, anchor) = (lines.next()?, lines.next()?, lines.next()?);
        let (source, anchor) = (source.to_owned(), anchor.to_owned());
        Some(Followed { source, choice: Choice::parse(choice)?, anchor })
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Followed { source, choice, anchor } = self;
        write!(f, "{source}\n{choice}\n{anchor}")
    }
}

#[cfg(test)]
mod tests;
