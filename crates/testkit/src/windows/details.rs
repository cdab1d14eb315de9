//! What is asked about updates that are to be installed, and their files.
//!
//! Files come in ranges as the native client takes them: closed, aligned, in no order. A file is
//! taken only whole and with the digests that the server told.

use std::collections::BTreeMap;

use model::{ItemFile, UpdateId};
use sha2::Digest as _;
use update_metadata::Document;
use wsus_protocol::client::{
    ExtendedUpdateInfo, FileLocation, FileLocations, FragmentType, GetExtendedUpdateInfo,
    GetFileLocations,
};

use super::{Agent, Error, fragments, id_of};

/// Bytes of one range.
const PIECE_BYTES: u64 = 1 << 20;
/// Where a server does not say how many updates it answers at once.
const DETAILS_MAX: usize = 50;
/// The languages of titles, most wanted first.
const LOCALES: [&str; 2] = ["en-US", "en"];

/// What the server tells of updates beyond what a scan needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Details {
    pub(super) files: BTreeMap<UpdateId, Vec<ItemFile>>,
    pub(super) titles: BTreeMap<UpdateId, String>,
    locations: Vec<FileLocation>,
}

impl Agent {
    pub(super) async fn details(&mut self, updates: &[UpdateId]) -> Result<Details, Error> {
        let is_asked = |id: &UpdateId| updates.contains(id);
        let ids: Vec<i32> = self
            .known
            .iter()
            .filter(|(_, known)| is_asked(&id_of(&known.update)))
            .map(|(id, _)| *id)
            .collect();
        let said = self.property("MaxExtendedUpdatesPerRequest").and_then(|max| max.parse().ok());
        let mut details = Details::default();
        for ids in ids.chunks(said.unwrap_or(DETAILS_MAX).max(1)) {
            let info: ExtendedUpdateInfo = self.ask(|agent| agent.about(ids.to_vec())).await?;
            self.take_details(&mut details, info)?;
        }
        Ok(details)
    }

    fn about(&self, revisions: Vec<i32>) -> GetExtendedUpdateInfo {
        GetExtendedUpdateInfo {
            cookie: self.cookie.clone(),
            revisions,
            fragments: vec![FragmentType::Extended, FragmentType::LocalizedProperties],
            locales: LOCALES.map(str::to_owned).to_vec(),
            device_attributes: None,
            geo_id: Some("USA".to_owned()),
            caller_attributes: None,
        }
    }

    fn take_details(&self, details: &mut Details, info: ExtendedUpdateInfo) -> Result<(), Error> {
        for update in info.updates {
            let (id, text) = (update.id, update.xml.to_text());
            let Some(known) = self.known.get(&id) else { return Err(Error::Bare { id }) };
            let update_id = id_of(&known.update);
            if let Some((_, rest)) = text.split_once("<Title>") {
                let title = rest.split("</Title>").next().unwrap_or_default();
                details.titles.insert(update_id, title.to_owned());
                continue;
            }
            let read = fragments::document(IDENTITY, &text);
            let Document { files, .. } = read.map_err(|source| Error::Text { id, text, source })?;
            details.files.insert(update_id, files);
        }
        details.locations.extend(info.file_locations);
        Ok(())
    }

    /// The file's bytes, checked. A location that leads nowhere is asked for once more.
    pub(super) async fn download(
        &mut self,
        file: &ItemFile,
        details: &Details,
    ) -> Result<Vec<u8>, Error> {
        let known = details.locations.iter().find(|location| location.sha1 == file.sha1.0);
        if let Some(location) = known {
            match self.fetch(file, &location.url).await {
                Err(Error::Http { .. }) => {}
                done => return done,
            }
        }
        let sha1 = vec![file.sha1.0];
        let request =
            |agent: &Agent| GetFileLocations { cookie: agent.cookie.clone(), sha1: sha1.clone() };
        let found: FileLocations = self.ask(request).await?;
        let mut found = found.locations.into_iter();
        match found.find(|location| location.sha1 == file.sha1.0) {
            Some(location) => self.fetch(file, &location.url).await,
            None => Err(Error::NoLocation { name: file.name.clone() }),
        }
    }

    async fn fetch(&mut self, file: &ItemFile, url: &str) -> Result<Vec<u8>, Error> {
        let size = usize::try_from(file.size).unwrap_or(usize::MAX);
        let mut content = vec![0; size];
        for first in self.shuffled_pieces(file.size) {
            let last = (first + PIECE_BYTES).min(file.size) - 1;
            let piece = self.web.range(url, (first, last), file.size).await?;
            let start = usize::try_from(first).unwrap_or(usize::MAX);
            content[start..start + piece.len()].copy_from_slice(&piece);
        }
        let damaged = |reason| Error::File { name: file.name.clone(), url: url.to_owned(), reason };
        if sha1::Sha1::digest(&content)[..] != file.sha1.0 {
            return Err(damaged("its SHA-1 is another"));
        }
        if file.sha256.is_some_and(|expected| expected != crate::sample::sha256(&content)) {
            return Err(damaged("its SHA-256 is another"));
        }
        self.fetched.push(url.to_owned());
        Ok(content)
    }

    /// Where pieces begin, in a drawn order.
    fn shuffled_pieces(&self, size: u64) -> Vec<u64> {
        let mut pieces: Vec<u64> = (0..size.div_ceil(PIECE_BYTES)).collect();
        for end in (1..pieces.len()).rev() {
            let other = self.setup.ambient.random_u64() % (end as u64 + 1);
            pieces.swap(end, usize::try_from(other).unwrap_or(0));
        }
        pieces.iter().map(|piece| piece * PIECE_BYTES).collect()
    }
}

/// What a document cannot be without; what an Extended fragment is about its answer says.
pub(super) const IDENTITY: &str = concat!(
    "<UpdateIdentity UpdateID=\"00000000-0000-0000-0000-000000000000\" RevisionNumber=\"1\" />",
    "<Properties UpdateType=\"Software\" />"
);
