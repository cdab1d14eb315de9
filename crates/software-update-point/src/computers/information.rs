//! What a computer asks about updates it knows: details and places of files (MS-WUSP 3.1.5.9 to
//! 3.1.5.11), and how the texts it gets are made of documents.
//!
//! A document of which no texts can be made is logged, and computers are not told of it.

use model::{Sha1, error_chain};
use update_catalog::{FileName, Fragment, Part, ScanEntry, Scope, StoredDocument};
use uuid::Uuid;
use wsus_protocol::Escaped;
use wsus_protocol::client::{
    ExtendedUpdateInfo, ExtendedUpdateInfo2, FileLocation, FileLocations, FragmentType,
    GetExtendedUpdateInfo, GetExtendedUpdateInfo2, GetFileLocations, UpdateFragment,
};
use wsus_protocol::fragments::{Fragments, best_language};

use super::places::Asker;
use super::{limits, named, wire_id};
use crate::point::Point;
use crate::soap::Refused;

/// In the order in which they are answered.
const PARTS: [(FragmentType, Part); 4] = [
    (FragmentType::Core, Part::Core),
    (FragmentType::Extended, Part::Extended),
    (FragmentType::LocalizedProperties, Part::Localized),
    (FragmentType::Eula, Part::Eula),
];

/// The texts of a document as messages carry them.
pub(super) fn derive(document: &StoredDocument) -> Vec<Fragment> {
    let fragments = Fragments::derive(document.xml.as_bytes()).unwrap_or_else(|error| {
        let (update, error) = (document.update, error_chain(&error));
        tracing::warn!(?update, %error, "computers are not told of an update");
        Fragments::default()
    });
    let escaped = |part, language: &str, xml: &str| {
        let text = Escaped::new(xml).as_str().to_owned();
        Fragment { part, language: language.to_owned(), text }
    };
    let mut all = vec![
        escaped(Part::Core, "", &fragments.core),
        escaped(Part::Extended, "", &fragments.extended),
    ];
    let localized = fragments.localized.iter();
    all.extend(localized.map(|l| escaped(Part::Localized, &l.language, &l.xml)));
    all.extend(fragments.eulas.iter().map(|e| escaped(Part::Eula, &e.language, &e.xml)));
    all
}

/// What is asked about updates.
struct Question<'a> {
    fragments: &'a [FragmentType],
    locales: &'a [String],
    computer: Uuid,
    asker: &'a Asker<'a>,
}

impl Point {
    pub(super) async fn update_info(
        &self,
        request: &GetExtendedUpdateInfo,
        asker: &Asker<'_>,
    ) -> Result<ExtendedUpdateInfo, Refused> {
        let computer = self.admit_registered(request.cookie.as_ref()).await?.client;
        if request.revisions.len() > limits::DETAILS_MAX {
            return Err(Refused::parameter("revisionIDs"));
        }
        let graph = self.catalog.scan_graph().await?;
        let (mut entries, mut out_of_scope) = (Vec::new(), Vec::new());
        for &id in &request.revisions {
            match graph.entry(i64::from(id)) {
                Some(entry) => entries.push(entry),
                None => out_of_scope.push(id),
            }
        }
        let (fragments, locales) = (&request.fragments, &request.locales);
        let question = Question { fragments, locales, computer, asker };
        let (updates, file_locations) = self.details(&entries, &question).await?;
        Ok(ExtendedUpdateInfo { updates, file_locations, out_of_scope })
    }

    /// Unknown updates are left out.
    pub(super) async fn update_info_2(
        &self,
        request: &GetExtendedUpdateInfo2,
        asker: &Asker<'_>,
    ) -> Result<ExtendedUpdateInfo2, Refused> {
        let computer = self.admit_registered(request.cookie.as_ref()).await?.client;
        if request.updates.len() > limits::DETAILS_MAX {
            return Err(Refused::parameter("updateIDs"));
        }
        let graph = self.catalog.scan_graph().await?;
        let entries: Vec<_> =
            request.updates.iter().filter_map(|update| graph.find(named(update))).collect();
        let (fragments, locales) = (&request.fragments, &request.locales);
        let question = Question { fragments, locales, computer, asker };
        let (updates, file_locations) = self.details(&entries, &question).await?;
        Ok(ExtendedUpdateInfo2 { updates, file_locations, decryption: Vec::new() })
    }

    async fn details(
        &self,
        entries: &[ScanEntry],
        question: &Question<'_>,
    ) -> Result<(Vec<UpdateFragment>, Vec<FileLocation>), Refused> {
        let is_wanted = |fragment: &FragmentType| question.fragments.contains(fragment);
        let mut updates = Vec::new();
        for (fragment, part) in PARTS.iter().filter(|(fragment, _)| is_wanted(fragment)) {
            tracing::trace!(?fragment, updates = entries.len(), "details are asked for");
            updates.extend(self.part(entries, *part, question.locales).await?);
        }
        let mut files = Vec::new();
        if is_wanted(&FragmentType::Extended) || is_wanted(&FragmentType::FileUrl) {
            for entry in entries {
                files.extend(self.catalog.files(entry.update).await?);
            }
        }
        let places = self.places_for(question.computer, question.asker, files).await?;
        Ok((updates, places))
    }

    /// One part of each update, in the language that suits best.
    async fn part(
        &self,
        entries: &[ScanEntry],
        part: Part,
        locales: &[String],
    ) -> Result<Vec<UpdateFragment>, Refused> {
        let scope = if part == Part::Core { Scope::Scan } else { Scope::Details };
        let mut ids: Vec<i64> = entries.iter().map(|entry| entry.local_id).collect();
        let mut chosen = Vec::new();
        while !ids.is_empty() {
            let (asked, bytes) = (ids.clone(), limits::DETAILS_BYTES);
            let found = self.catalog.fragments(asked, scope, bytes, derive).await?;
            ids.drain(..found.len());
            for update in found {
                let Some(id) = wire_id(update.local_id) else { continue };
                let mut fragments = update.fragments;
                fragments.retain(|f| f.part == part && !f.text.is_empty());
                self.languages.keep(&mut fragments, |fragment| &fragment.language);
                let languages: Vec<_> = fragments.iter().map(|f| f.language.as_str()).collect();
                let Some(best) = best_language(&languages, locales) else { continue };
                let xml = Escaped::from_stored(fragments.swap_remove(best).text);
                chosen.push(UpdateFragment { id, xml });
            }
        }
        Ok(chosen)
    }

    /// Files that no update names are left out.
    pub(super) async fn file_locations(
        &self,
        request: &GetFileLocations,
        asker: &Asker<'_>,
    ) -> Result<FileLocations, Refused> {
        let known = self.admit_registered(request.cookie.as_ref()).await?;
        if request.sha1.len() > limits::FILES_MAX {
            return Err(Refused::parameter("fileDigests"));
        }
        let mut files = Vec::new();
        for digest in &request.sha1 {
            files.extend(self.catalog.file(FileName::Sha1(Sha1(*digest))).await?);
        }
        let locations = self.places_for(known.client, asker, files).await?;
        Ok(FileLocations { locations, new_cookie: Some(self.session_cookie(&known)) })
    }
}
