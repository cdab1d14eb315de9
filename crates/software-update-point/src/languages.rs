//! The languages an administrator chose (SUP-34): in which texts are kept and offered, and for
//! which files are fetched.
//!
//! Owns what is remembered of the choice, and how the update protocol words it. Refuses to know
//! who chose. English is part of every choice.

use std::sync::{Mutex, PoisonError};

use model::{ItemFile, LANGUAGES, Languages};
use update_catalog::{Catalog, Spoken};
use wsus_protocol::{Language, Selected};

use crate::Error;
use crate::point::Point;

const SETTING: &str = "languages";

/// The languages of texts; all, until somebody chose.
#[derive(Debug, Default)]
pub(crate) struct Chosen(Mutex<Languages>);

impl Chosen {
    pub(crate) async fn load(catalog: &Catalog) -> Result<Chosen, Error> {
        let kept = catalog.setting(SETTING).await?.unwrap_or_default();
        Ok(Chosen(Mutex::new(Languages::choose(kept.split_whitespace())?)))
    }

    /// Texts in other languages are not offered, but if there are no others.
    pub(crate) fn keep<T>(&self, texts: &mut Vec<T>, language: impl Fn(&T) -> &str) {
        let chosen = self.get();
        if texts.iter().any(|text| chosen.includes(language(text))) {
            texts.retain(|text| chosen.includes(language(text)));
        }
    }

    pub(crate) fn get(&self) -> Languages {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Point {
    pub(crate) async fn choose_languages(&self, languages: Languages) -> Result<(), Error> {
        if self.languages.get() != languages {
            self.catalog.keep_setting(SETTING, languages.to_string()).await?;
            *self.languages.0.lock().unwrap_or_else(PoisonError::into_inner) = languages;
        }
        Ok(())
    }

    /// Files that are only for other languages stay where they are.
    pub(crate) async fn check_language(
        &self,
        file: &ItemFile,
        wanted: Languages,
    ) -> Result<(), Error> {
        let found = self.catalog.file_languages(file.sha1).await?;
        match wanted.meets(found) {
            true => Ok(()),
            false => Err(Error::OtherLanguage { name: file.name.clone(), found, wanted }),
        }
    }

    /// All languages, each with whether its updates are here.
    pub(crate) fn told_languages(&self) -> Vec<Language> {
        let chosen = self.languages.get();
        let told = |id, (short, long): (&str, &str), enabled| {
            let (short, long) = (short.to_owned(), long.to_owned());
            Language { id, short, long, enabled }
        };
        let is_chosen = |l: &model::Language| chosen.iter().any(|c| c.id == l.id);
        let each = LANGUAGES.iter().map(|l| told(l.id, (l.tag, l.name), is_chosen(l)));
        std::iter::once(told(0, ("all", "all"), chosen.is_all())).chain(each).collect()
    }
}

/// How a filter names a choice: those in `known` were asked for with the anchor before.
pub(crate) fn select(chosen: Languages, known: Option<Languages>) -> Option<Vec<Selected<u32>>> {
    if chosen.is_all() {
        return None;
    }
    let is_known = |id| known.is_some_and(|known| known.iter().any(|l| l.id == id));
    Some(chosen.iter().map(|l| Selected { id: l.id, delta: is_known(l.id) }).collect())
}

/// What the list of a filter asks for; 0 stands for all languages.
pub(crate) fn spoken(listed: Option<&[Selected<u32>]>) -> Spoken {
    let Some(listed) = listed.filter(|l| !l.is_empty() && l.iter().all(|l| l.id != 0)) else {
        return Spoken::default();
    };
    let ids = |of: &dyn Fn(&&Selected<u32>) -> bool| -> Vec<u32> {
        listed.iter().filter(of).map(|l| l.id).collect()
    };
    let new = ids(&|l| !l.delta);
    let new = (!new.is_empty()).then(|| Languages::numbered(&new));
    Spoken { languages: Languages::numbered(&ids(&|_| true)), new }
}
