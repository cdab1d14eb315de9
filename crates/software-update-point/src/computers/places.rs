//! Where a computer gets files: the best distribution point for its address, or this server.
//!
//! The site knows the points and their order. A point that a computer may use only after it has
//! looked elsewhere is named if this server has not got the file either. Answers of the site are
//! taken for fresh for a minute, and go on while it is away. Refuses to know boundaries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{AssignedFile, Sha1, Sha256, UpdateRef, error_chain};
use rpc::convert::wire_address;
use rpc::pb::management as pb;
use update_catalog::CatalogFile;
use uuid::Uuid;
use wsus_protocol::client::FileLocation;
use wsus_protocol::content_path;

use super::limits;
use crate::Error;
use crate::point::Point;

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// This server as the caller addressed it, such as `http://sup.example.com:8530`.
    pub(crate) root: &'a str,
    /// None where the link has none.
    pub(crate) address: Option<IpAddr>,
}

/// What the site said of late.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<(Option<IpAddr>, Sha256), Remembered>>);

#[derive(Clone, Debug)]
struct Remembered {
    until_ms: i64,
    place: Option<Place>,
}

#[derive(Clone, Debug)]
struct Place {
    url: String,
    /// Others come first.
    is_late: bool,
}

impl Places {
    fn known(&self) -> MutexGuard<'_, BTreeMap<(Option<IpAddr>, Sha256), Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Point {
    /// One place for each file, however often it is named.
    pub(super) async fn places_for(
        &self,
        computer: Uuid,
        asker: &Asker<'_>,
        files: Vec<CatalogFile>,
    ) -> Result<Vec<FileLocation>, Error> {
        let mut named = BTreeSet::new();
        let files: Vec<_> = files.into_iter().filter(|f| named.insert(f.file.sha1)).collect();
        let digests = self.digests(computer, &files).await?;
        let known = self.ask_places(computer, asker.address, &digests).await;
        let mut found = Vec::new();
        for CatalogFile { file, .. } in &files {
            let place = digests.get(&file.sha1).and_then(|sha256| known.get(sha256));
            let url = match place {
                Some(place) if !place.is_late => place.url.clone(),
                Some(place) if self.library.find(&file.into()).await?.is_none() => {
                    place.url.clone()
                }
                _ => format!("{}{}", asker.root, content_path(&file.sha1.0, &file.name)),
            };
            let sha1 = file.sha1.0;
            let (pieces_hash_url, block_map_url) = (None, None);
            found.push(FileLocation { sha1, url, pieces_hash_url, block_map_url });
        }
        Ok(found)
    }

    /// The digests that distribution points name files by. Where a document gives none, packages
    /// do, and with them the assignments of the computer.
    async fn digests(
        &self,
        computer: Uuid,
        files: &[CatalogFile],
    ) -> Result<BTreeMap<Sha1, Sha256>, Error> {
        if self.policies.site.is_none() {
            return Ok(BTreeMap::new());
        }
        let said = files.iter().filter_map(|f| Some((f.file.sha1, f.file.sha256?)));
        let mut digests: BTreeMap<Sha1, Sha256> = said.collect();
        if digests.len() < files.len() {
            let assignments = self.assignments(computer).await?;
            let assigned = assignments.iter().flat_map(|assignment| &assignment.updates);
            let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for update in assigned {
                for AssignedFile { name, size, sha256 } in &update.files {
                    named.entry((name, *size)).or_default().push((update.update, *sha256));
                }
            }
            for CatalogFile { file, .. } in files {
                let named = named.get(&(&file.name, file.size)).map_or(&[][..], Vec::as_slice);
                if let Some(sha256) = self.digest_among(file.sha1, named).await? {
                    digests.entry(file.sha1).or_insert(sha256);
                }
            }
        }
        Ok(digests)
    }

    /// The digest of the update that has this very file: those of others may be called the same.
    async fn digest_among(
        &self,
        sha1: Sha1,
        named: &[(UpdateRef, Sha256)],
    ) -> Result<Option<Sha256>, Error> {
        for (update, sha256) in named {
            let own = self.catalog.files(*update).await?;
            if own.iter().any(|own| own.file.sha1 == sha1) {
                return Ok(Some(*sha256));
            }
        }
        Ok(None)
    }

    async fn ask_places(
        &self,
        computer: Uuid,
        address: Option<IpAddr>,
        digests: &BTreeMap<Sha1, Sha256>,
    ) -> BTreeMap<Sha256, Place> {
        let Some(mut site) = self.policies.site.clone() else { return BTreeMap::new() };
        let (mut found, mut unknown) = (BTreeMap::new(), BTreeSet::new());
        let now_ms = self.ambient.now_ms();
        {
            let known = self.places.known();
            for sha256 in digests.values() {
                match known.get(&(address, *sha256)).filter(|known| now_ms < known.until_ms) {
                    Some(known) => found.extend(known.place.clone().map(|place| (*sha256, place))),
                    None => drop(unknown.insert(*sha256)),
                }
            }
        }
        if unknown.is_empty() {
            return found;
        }
        let unknown: BTreeSet<Sha256> = unknown.into_iter().take(limits::FILES_MAX).collect();
        let request = pb::GetLocationsRequest {
            client: computer.as_bytes().to_vec(),
            sha256: unknown.iter().map(|sha256| sha256.0.to_vec()).collect(),
            address: wire_address(address),
        };
        match self.ask_site(site.get_locations(request)).await {
            Ok(answer) => {
                let said: BTreeMap<Sha256, Place> =
                    answer.files.into_iter().filter_map(|file| best(&file)).collect();
                self.remember(address, &unknown, &said, now_ms + limits::PLACES_MS);
                found.extend(said);
            }
            Err(error) => {
                tracing::info!(error = %error_chain(&error), "files are where they were");
                let known = self.places.known();
                let place = |sha256: &Sha256| known.get(&(address, *sha256))?.place.clone();
                found.extend(unknown.iter().filter_map(|sha256| Some((*sha256, place(sha256)?))));
            }
        }
        found
    }

    fn remember(
        &self,
        address: Option<IpAddr>,
        asked: &BTreeSet<Sha256>,
        said: &BTreeMap<Sha256, Place>,
        until_ms: i64,
    ) {
        let mut known = self.places.known();
        if known.len() + asked.len() > limits::PLACES_MAX {
            known.clear();
        }
        for sha256 in asked {
            let place = said.get(sha256).cloned();
            known.insert((address, *sha256), Remembered { until_ms, place });
        }
    }
}

/// The first point over plain HTTP, because computers know no certificate of ours; at once if one
/// may be used so.
fn best(file: &pb::FileLocations) -> Option<(Sha256, Place)> {
    let sha256 = Sha256::from_slice(&file.sha256).ok()?;
    let points = file.points.iter().filter(|point| !point.http_url.is_empty());
    let point = points.min_by_key(|point| point.after_minutes)?;
    let url = format!("{}/content/sha256/{sha256}", point.http_url.trim_end_matches('/'));
    Some((sha256, Place { url, is_late: point.after_minutes > 0 }))
}
