//! Documents that all clients of a fleet have in common, and what they mean for each model.

use std::collections::BTreeMap;
use std::sync::Arc;

use client::digest::sha256;
use client::scan::{Scan, Scanning};
use model::{Sha256, UpdateId};
use rpc::pb::metadata::{Document as WireDocument, FollowDocumentsResponse};
use update_metadata::{Applicability, Document, Facts, Subject, questions};
use uuid::Uuid;

use crate::computer::{Computer, Model};
use crate::limits::{NESTING_MAX, QUESTION_ROUNDS_MAX};

/// A catalog as an update point has it.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The server whose anchor it is.
    pub(crate) server: Uuid,
    pub(crate) anchor: u64,
    pub(crate) version: u64,
    documents: BTreeMap<UpdateId, (Document, Sha256)>,
    /// By model; none until somebody asks.
    judged: BTreeMap<usize, Judged>,
}

#[derive(Debug)]
struct Judged {
    scan: Arc<Scan>,
    bundles: Vec<UpdateId>,
    /// Visible, installable and not installed with computers as they are made.
    applicable: Vec<UpdateId>,
}

impl Catalog {
    /// One that is complete, of these documents.
    #[must_use]
    pub fn of(documents: Vec<Document>, version: u64) -> Catalog {
        let mut catalog = Catalog { server: Uuid::from_u128(1), version, ..Catalog::default() };
        for document in documents {
            let digest = sha256(document.to_xml().as_bytes());
            catalog.documents.insert(document.update.id, (document, digest));
        }
        catalog
    }

    /// Takes a page of what has changed.
    pub(crate) fn take(&mut self, page: FollowDocumentsResponse) {
        let FollowDocumentsResponse {
            server_id,
            documents,
            removed,
            declined,
            anchor,
            done,
            version,
        } = page;
        let server = Uuid::from_slice(&server_id).unwrap_or_default();
        if server != self.server {
            *self = Catalog { server, ..Catalog::default() };
        }
        self.judged.clear();
        for id in removed.iter().filter_map(|id| UpdateId::from_slice(id).ok()) {
            self.documents.remove(&id);
        }
        for WireDocument { xml, id, .. } in documents {
            let Ok(mut document) = Document::parse(xml.as_bytes()) else { continue };
            if declined.contains(&id) {
                document.properties.is_expired = true;
                document.properties.is_explicitly_deployable = false;
            }
            self.documents.insert(document.update.id, (document, sha256(xml.as_bytes())));
        }
        self.anchor = anchor;
        if done {
            self.version = version;
        }
    }

    /// What it means for a computer: as for its model, with what is installed besides. Which of
    /// its bundles are complete follows; prerequisites stay as the model has them.
    pub(crate) fn judge(&mut self, models: &[Model], computer: &Computer) -> Arc<Scan> {
        let judged = self.judged(models, computer.model);
        if computer.installed().is_empty() {
            return judged.scan.clone();
        }
        let mut scan = Scan::clone(&judged.scan);
        for update in computer.installed() {
            install(&mut scan, update);
        }
        for _ in 0..NESTING_MAX {
            let complete: Vec<UpdateId> =
                judged.bundles.iter().filter(|id| is_complete(&scan, id)).copied().collect();
            if complete.is_empty() {
                break;
            }
            complete.iter().for_each(|bundle| install(&mut scan, bundle));
        }
        Arc::new(scan)
    }

    /// What can be installed on computers of a model as they are made.
    pub(crate) fn applicable(&mut self, models: &[Model], model: usize) -> &[UpdateId] {
        &self.judged(models, model).applicable
    }

    fn judged(&mut self, models: &[Model], model: usize) -> &Judged {
        let Catalog { documents, judged, .. } = self;
        judged.entry(model).or_insert_with(|| {
            let mut scanning = Scanning::default();
            let mut facts = models[model].facts.clone();
            for (document, digest) in documents.values() {
                look(document, &mut facts);
                scanning.add(document, *digest, &facts);
            }
            let scan = scanning.finish();
            let bundles = scan.updates.values().filter(|judged| judged.is_bundle);
            let bundles = bundles.map(|judged| judged.update.id).collect();
            let applicable = scan
                .visible()
                .filter(|judged| judged.verdict == Applicability::Applicable && !judged.is_bundle);
            let applicable = applicable.map(|judged| judged.update.id).collect();
            Judged { scan: Arc::new(scan), bundles, applicable }
        })
    }
}

/// Files that a document asks for and nobody knows are not there.
fn look(document: &Document, facts: &mut Facts) {
    for path in document.files_asked().into_keys() {
        facts.files.entry(path.to_owned()).or_default();
    }
    for _ in 0..QUESTION_ROUNDS_MAX {
        let asked = questions(document, facts).into_iter();
        let mut asked = asked.filter(|question| question.subject == Subject::File).peekable();
        if asked.peek().is_none() {
            break;
        }
        facts.files.extend(asked.map(|question| (question.name, None)));
    }
}

fn install(scan: &mut Scan, update: &UpdateId) {
    if let Some(judged) = scan.updates.get_mut(update) {
        judged.verdict = Applicability::Installed;
    }
}

/// Required still, although nothing of it is.
fn is_complete(scan: &Scan, bundle: &UpdateId) -> bool {
    let is_installed =
        |id| scan.updates.get(id).is_some_and(|judged| judged.verdict == Applicability::Installed);
    let bundle = scan.updates.get(bundle);
    bundle.is_some_and(|bundle| {
        bundle.verdict == Applicability::Applicable
            && !bundle.members.is_empty()
            && bundle.members.iter().all(is_installed)
    })
}
