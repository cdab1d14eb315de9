//! What the site server can order, and the doing of it.
//!
//! Owns the reading of orders and the making of answers from outcomes. Items go up with number
//! and version zero: the site gives them.

use model::{Invalid, ItemFile, Languages, Sha1, Sha256, UpdateId};
use rpc::object::ObjectBody as _;
use rpc::pb::update_point as wire;
use rpc::pb::update_point::session_request::Frame as Answer;
use rpc::pb::update_point::session_response::Frame as Order;
use rpc::pb::update_point::{
    Changes, CompleteVersion, FetchFiles, FileFailure, FilesReport, GetChanges, ImportReport,
    Progress, Synchronize, Synchronized, WantedFile,
};
use transport::{Belief, Connection};
use update_metadata::{EXTRACTOR_VERSION, Extracted};

use crate::choice::Choice;
use crate::import::{Given, ImportReport as Report, Warrant};
use crate::point::{Point, UpdateSet};
use crate::session::Answers;
use crate::status::REVISIONS_REJECTED;
use crate::synchronize::{Phase, Plan, Source, Synced};
use crate::work::Work;
use crate::{Error, limits};

/// What a synchronization is to do.
struct Task {
    /// None if there is no source.
    plan: Option<Plan>,
    /// For a child site: the version to reach with its set.
    goal: Option<(u64, Sha256)>,
    languages: Languages,
}

fn decode_task(order: Synchronize) -> Result<Task, Invalid> {
    let Synchronize {
        order: _,
        source,
        full,
        products,
        classifications,
        version,
        set_digest,
        languages,
    } = order;
    let languages = chosen(&languages)?;
    let ids = |ids: Vec<Vec<u8>>| -> Result<Vec<UpdateId>, Invalid> {
        ids.iter().map(|id| UpdateId::from_slice(id)).collect()
    };
    let (products, classifications) = (ids(products)?, ids(classifications)?);
    let source = match source.filter(|source| !source.url.is_empty()) {
        // Imports only, so that there is nothing to ask.
        None => None,
        Some(source) if source.own => {
            Some(Source::Own { url: source.url, site: source.site.parse()? })
        }
        Some(source) => Some(foreign(source)?),
    };
    let plan = |source| {
        // A point of the hierarchy has what its source has; foreign servers are asked for a choice.
        let choice = match source {
            Source::Own { .. } => Choice::default(),
            Source::Foreign { .. } => Choice { products, classifications, languages },
        };
        Plan { source, is_full: full, choice }
    };
    let digest = set_digest.map(|digest| Sha256::from_slice(&digest)).transpose()?;
    let goal = digest.map(|digest| (version, digest));
    Ok(Task { plan: source.map(plan), goal, languages })
}

fn chosen(tags: &[String]) -> Result<Languages, Invalid> {
    Languages::choose(tags.iter().map(String::as_str))
}

fn foreign(source: wire::Source) -> Result<Source, Invalid> {
    let wire::Source { url, own: _, site: _, roots, pin } = source;
    let belief = match pin {
        Some(pin) => Some(Belief::Pin(Sha256::from_slice(&pin)?)),
        None => (!roots.is_empty()).then(|| Belief::Roots(roots.into())),
    };
    Ok(Source::Foreign { url, belief })
}

fn wanted(file: WantedFile) -> Result<(UpdateId, ItemFile), Invalid> {
    let WantedFile { update, name, size, sha1, sha256 } = file;
    let sha1 = Sha1::from_slice(&sha1)?;
    let sha256 = sha256.map(|digest| Sha256::from_slice(&digest)).transpose()?;
    Ok((UpdateId::from_slice(&update)?, ItemFile { name, size, sha1, sha256 }))
}

impl Point {
    /// Carries out an order; the answer ends it.
    pub(crate) async fn perform(
        &self,
        order: Order,
        site: &Connection,
        answers: &Answers,
    ) -> Result<Answer, Error> {
        match order {
            Order::Synchronize(task) => {
                let order = task.order;
                let Task { plan, goal, languages } = decode_task(task)?;
                self.choose_languages(languages).await?;
                let on_progress = |phase: Phase, done, total| {
                    let phase = phase.name().to_owned();
                    let news = Progress { order, phase, done, total };
                    answers.send_if_idle(Answer::Progress(news));
                };
                let synced = match &plan {
                    Some(plan) => Box::pin(self.synchronize(plan, &on_progress)).await?,
                    None => Synced::default(),
                };
                self.report_rejected(&synced.rejected).await;
                self.reached(order, synced, goal).await
            }
            Order::GetChanges(GetChanges { order, anchor, extractor }) => {
                self.changes(order, anchor, extractor, answers).await
            }
            Order::CompleteVersion(CompleteVersion { order, version, set_digest }) => {
                let goal = Some((version, Sha256::from_slice(&set_digest)?));
                let answer = self.reached(order, Synced::default(), goal).await?;
                self.catalog.complete_version(version).await?;
                self.cleanup.look();
                Ok(answer)
            }
            Order::FetchFiles(FetchFiles { order, files, languages }) => {
                let files = files.into_iter().map(wanted).collect::<Result<_, Invalid>>()?;
                Ok(self.fetch_all(order, files, (site, chosen(&languages)?)).await)
            }
            Order::SetRulings(rulings) => {
                let order = rulings.order;
                self.set_rulings(rulings).await?;
                self.reached(order, Synced::default(), None).await
            }
            Order::Export(order) => self.export(order, answers).await,
            Order::Publish(order) => {
                let number = order.order;
                self.report(number, self.publish(order, site).await).await
            }
            Order::RefreshCatalog(order) => {
                let number = order.order;
                self.report(number, self.refresh_catalog(order).await).await
            }
            Order::PublishContent(order) => {
                let number = order.order;
                self.report(number, self.publish_content(order).await).await
            }
            Order::Cancel(_) | Order::Import(_) => {
                Err(Invalid::new("order", "is no work of its own").into())
            }
        }
    }

    /// The answer to a synchronization, unless it missed the goal of a child site.
    async fn reached(
        &self,
        order: u64,
        synced: Synced,
        goal: Option<(u64, Sha256)>,
    ) -> Result<Answer, Error> {
        let UpdateSet { anchor, updates, digest } = self.update_set().await?;
        if let Some((version, expected)) = goal.filter(|(_, expected)| *expected != digest) {
            return Err(Error::OtherSet { version, expected, found: digest, updates });
        }
        Ok(Answer::Synchronized(Synchronized {
            order,
            revisions_new: synced.revisions_new,
            revisions_rejected: synced.rejected.len() as u64,
            rejected: shortened(synced.rejected),
            anchor,
            set_digest: digest.0.to_vec(),
            updates,
        }))
    }

    async fn changes(
        &self,
        order: u64,
        anchor: u64,
        extractor: u32,
        answers: &Answers,
    ) -> Result<Answer, Error> {
        // What another extractor made has to be made anew.
        let mut anchor = if extractor == EXTRACTOR_VERSION { anchor } else { 0 };
        loop {
            let page = self.catalog.changed_items(anchor).await?;
            let mut changes = Changes { order, extractor: EXTRACTOR_VERSION, ..Changes::default() };
            for change in page.changes {
                anchor = change.number;
                match change.content {
                    Some(Extracted::Item(item)) => changes.items.push(item.encode()),
                    Some(Extracted::Category(category)) => {
                        changes.categories.push(category.encode());
                    }
                    Some(Extracted::Nothing) => {}
                    None => changes.removed.push(change.update.id.as_bytes().to_vec()),
                }
            }
            changes.anchor = anchor;
            changes.done = page.is_last;
            if page.is_last {
                return Ok(Answer::Changes(changes));
            }
            answers.send(Answer::Changes(changes)).await;
        }
    }

    async fn fetch_all(
        &self,
        order: u64,
        files: Vec<(UpdateId, ItemFile)>,
        (site, languages): (&Connection, Languages),
    ) -> Answer {
        let mut failures = Vec::new();
        for (update, file) in files {
            let uploaded = match self.check_language(&file, languages).await {
                Ok(()) => self.upload(site, update, &file).await,
                Err(error) => Err(error),
            };
            let Err(error) = uploaded else { continue };
            let reason = model::error_chain(&error);
            let is_wanted = !matches!(error, Error::OtherLanguage { .. });
            if !is_wanted {
                tracing::info!(reason, "a file is left where it is");
            }
            // Without a reason the site wants it no more.
            let reason = if is_wanted { reason } else { String::new() };
            failures.push(FileFailure { sha1: file.sha1.0.to_vec(), reason });
        }
        Answer::FilesReport(FilesReport { order, failures })
    }

    /// Takes in a catalog file that has arrived as a whole. Files of its updates may lie in the
    /// inbox.
    pub(crate) async fn import(
        &self,
        order: u64,
        (name, file): (String, Work),
        warrant: Warrant,
    ) -> Result<Answer, Error> {
        let content = self.config.data.join("inbox").join("content");
        let content = content.is_dir().then_some(content);
        let report = self.import_given((&file, &name), content.as_deref(), warrant).await;
        self.report(order, report).await
    }

    async fn report(&self, order: u64, report: Result<Report, Error>) -> Result<Answer, Error> {
        let report = report?;
        self.report_rejected(&report.rejected).await;
        Ok(Answer::ImportReport(encode_report(order, report)))
    }

    async fn report_rejected(&self, rejected: &[String]) {
        let Some(first) = rejected.first() else { return };
        let strings = vec![rejected.len().to_string(), first.clone()];
        self.statuses.warn(REVISIONS_REJECTED, strings).await;
    }
}

fn encode_report(order: u64, report: Report) -> ImportReport {
    let catalog = report.foreign.map(|foreign| wire::ImportedCatalog {
        kind: foreign.kind.to_owned(),
        server_id: foreign.server_id,
        since: foreign.since,
        anchor: foreign.anchor,
        version: foreign.version,
        set_digest: foreign.set_digest.map(|digest| digest.0.to_vec()).unwrap_or_default(),
        documents: foreign.documents,
        removed: foreign.removed,
        files: foreign.files,
        same_set: foreign.is_same_set,
    });
    let document = |Given { name, update, fate, reason }: Given| wire::GivenDocument {
        name,
        update: update.map(|update| update.id.as_bytes().to_vec()).unwrap_or_default(),
        revision: update.map_or(0, |update| update.revision),
        outcome: fate.as_str().to_owned(),
        reason,
    };
    let documents = report.documents.into_iter().take(limits::DOCUMENTS_REPORTED_MAX);
    ImportReport {
        order,
        imported: report.imported,
        unchanged: report.unchanged,
        rejected: shortened(report.rejected),
        revised: shortened(report.revised),
        refused: report.refused.unwrap_or_default(),
        documents: documents.map(document).collect(),
        catalog,
    }
}

pub(crate) fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(limits::REPORTED_MAX);
    if more > 0 {
        lines.truncate(limits::REPORTED_MAX);
        lines.push(format!("and {more} more"));
    }
    lines
}
