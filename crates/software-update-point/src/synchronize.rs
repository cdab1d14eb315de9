//! One synchronization with an upstream update service (SYNC-01 … SYNC-06).
//!
//! Owns the steps: the list of categories and their documents, then the list of updates and
//! theirs. Each batch is one transaction, and a list's anchor is stored after the last of its
//! batches, so what a crash interrupts is resumed: documents that are here are not asked for
//! again. A revision the server cannot give is reported and stops nothing; prerequisites need not
//! be here. Fails with the first error that concerns more than one revision.

use std::fmt;

use ambient::failpoint;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use model::{SiteCode, UpdateId, UpdateRef};
use tokio::select;
use transport::Belief;
use update_catalog::limits::IDS_MAX;
use update_catalog::{Batch, Imported};
use wsus_protocol::{ErrorCode, Filter, UpdateIdentity};

use crate::choice::{Choice, Followed};
use crate::outside::Purpose;
use crate::point::Point;
use crate::replica::Mode;
use crate::upstream::{Fetched, Upstream};
use crate::web::Web;
use crate::{Error, limits};

/// Where updates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Foreign {
        url: String,
        /// Of an https server; none: the roots in the update point's file.
        belief: Option<Belief>,
    },
    /// A software update point of the hierarchy.
    Own { url: String, site: SiteCode },
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) source: Source,
    /// Forget the anchors and ask for everything.
    pub(crate) is_full: bool,
    pub(crate) choice: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Categories,
    Updates,
}

pub(crate) type OnProgress<'a> = &'a (dyn Fn(Phase, u64, u64) + Send + Sync);

#[derive(Debug, Default)]
pub(crate) struct Synced {
    pub(crate) revisions_new: u64,
    pub(crate) rejected: Vec<String>,
    /// How many of these upstream did not give.
    withheld: usize,
}

impl Phase {
    /// The name of its anchor, and how it is reported.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Categories => "categories",
            Phase::Updates => "updates",
        }
    }
}

impl Point {
    pub(crate) async fn synchronize(
        &self,
        plan: &Plan,
        on_progress: OnProgress<'_>,
    ) -> Result<Synced, Error> {
        let Choice { products, classifications, .. } = &plan.choice;
        if products.is_empty() != classifications.is_empty() {
            let reason = "choose products and classifications, or neither for everything";
            return Err(model::Invalid::new("filter", reason).into());
        }
        self.remember_source(&plan.source);
        if plan.is_full {
            self.catalog.forget_upstream_anchors().await?;
        }
        let outcome = self.run(plan, on_progress).await;
        let outcome = match outcome.as_ref().err().and_then(Error::fault) {
            // Its anchors and ours mean nothing to each other any more.
            Some(ErrorCode::ServerChanged) => {
                tracing::warn!(source = %plan.source, "upstream was replaced");
                self.catalog.forget_upstream_anchors().await?;
                self.run(plan, on_progress).await
            }
            _ => outcome,
        };
        if outcome.is_ok() {
            self.keep_source(&plan.source).await?;
        }
        outcome
    }

    async fn run(&self, plan: &Plan, on_progress: OnProgress<'_>) -> Result<Synced, Error> {
        let upstream = Upstream::new(self.web(&plan.source, Purpose::Synchronize)?, self);
        let config = upstream.config_data().await?;
        let mut synced = Synced::default();
        let updates_max = config.updates_max.min(limits::UPDATES_PER_REQUEST) as usize;
        for phase in [Phase::Categories, Phase::Updates] {
            let step = Step { plan, upstream: &upstream, phase, updates_max, on_progress };
            self.take_step(&step, &mut synced).await?;
        }
        let is_foreign = matches!(plan.source, Source::Foreign { .. });
        if is_foreign && self.config.following.mode == Mode::Replica {
            self.take_decisions(&upstream, plan).await?;
        }
        Ok(synced)
    }

    async fn take_step(&self, step: &Step<'_>, synced: &mut Synced) -> Result<(), Error> {
        let (name, source) = (step.phase.name(), step.plan.source.to_string());
        let kept = self.catalog.upstream_anchor(name).await?;
        let kept = kept.as_deref().and_then(Followed::parse).filter(|kept| kept.source == source);
        let list = step.upstream.revisions(step.filter(kept.as_ref())).await?;
        let named =
            |u: &UpdateIdentity| UpdateRef { id: UpdateId(u.update_id), revision: u.revision };
        let mut missing = Vec::new();
        for revisions in list.revisions.chunks(IDS_MAX) {
            let revisions = revisions.iter().map(named).collect();
            missing.extend(self.catalog.missing(revisions).await?);
        }
        let wire = |u: &UpdateRef| UpdateIdentity { update_id: u.id.0, revision: u.revision };
        let missing: Vec<UpdateIdentity> = missing.iter().map(wire).collect();
        let withheld = synced.withheld;
        self.take_documents(step, &missing, synced).await?;
        if synced.withheld > withheld {
            // A later list would not name them again.
            tracing::info!(source, "the server kept something back; its anchor is not taken");
            return Ok(());
        }
        let followed = Followed { source, choice: step.choice(), anchor: list.anchor };
        let anchor = Some((name, followed.to_string()));
        self.catalog.import(Batch { anchor, ..Batch::default() }).await?;
        Ok(())
    }

    /// Batches are asked for while others are on their way into the catalog. Whatever fails, what
    /// is on its way comes there, so that nothing goes on when this has returned.
    async fn take_documents(
        &self,
        step: &Step<'_>,
        missing: &[UpdateIdentity],
        synced: &mut Synced,
    ) -> Result<(), Error> {
        let (total, mut done) = (missing.len() as u64, 0);
        (step.on_progress)(step.phase, 0, total);
        let mut batches = missing.chunks(step.updates_max);
        let (mut asked, mut stored) = (FuturesUnordered::new(), FuturesUnordered::new());
        let outcome = loop {
            while asked.len() < limits::REQUESTS_PARALLEL
                && let Some(batch) = batches.next()
            {
                asked.push(step.upstream.documents(batch.to_vec()));
            }
            select! {
                biased;
                Some(kept) = stored.next() => {
                    match synced.note(kept, &step.plan.source) {
                        Ok(settled) => done += settled,
                        Err(error) => break Err(error),
                    }
                    failpoint("sup.batch_imported");
                    (step.on_progress)(step.phase, done, total);
                }
                Some(fetched) = asked.next(), if stored.len() < limits::IMPORTS_PARALLEL => {
                    match fetched {
                        Ok(fetched) => stored.push(self.keep(fetched)),
                        Err(error) => break Err(error),
                    }
                }
                else => break Ok(()),
            }
        };
        while stored.next().await.is_some() {}
        outcome
    }

    /// Commits what a batch brought.
    async fn keep(&self, fetched: Fetched) -> Result<Kept, Error> {
        let Fetched { documents, sources, rejected, withheld } = fetched;
        let settled = documents.len() + rejected.len();
        let imported = self.catalog.import(Batch { documents, sources, anchor: None }).await?;
        Ok(Kept { settled, imported, rejected, withheld })
    }

    pub(crate) fn web(&self, source: &Source, purpose: Purpose) -> Result<Web, Error> {
        match source {
            Source::Foreign { url, belief } => self.foreign(url, belief.as_ref(), purpose),
            Source::Own { url, site } => {
                Web::own(self.connect.clone(), self.credentials.as_ref(), url, *site)
            }
        }
    }

    /// Where files come from: the source of this run, or of the last finished one.
    pub(crate) async fn source(&self) -> Result<Option<Source>, Error> {
        if let Some(source) = self.remembered_source() {
            return Ok(Some(source));
        }
        self.kept_source().await
    }
}

/// What became of a batch.
struct Kept {
    settled: usize,
    imported: Imported,
    /// Before it came to the catalog.
    rejected: Vec<String>,
    withheld: usize,
}

impl Synced {
    /// How many revisions that settles.
    fn note(&mut self, kept: Result<Kept, Error>, source: &Source) -> Result<u64, Error> {
        let Kept { settled, imported, rejected, withheld } = kept?;
        self.withheld += withheld;
        self.revisions_new += imported.imported.len() as u64;
        let contradicting = imported.rejected.into_iter();
        self.rejected.extend(rejected);
        self.rejected.extend(contradicting.map(|r| format!("{}: {}", r.place, r.reason)));
        if self.rejected.len() > limits::REJECTED_MAX {
            let (url, max) = (source.url().to_owned(), limits::REJECTED_MAX);
            return Err(Error::ManyRejected { url, max });
        }
        Ok(settled as u64)
    }
}

struct Step<'a> {
    plan: &'a Plan,
    upstream: &'a Upstream<'a>,
    phase: Phase,
    updates_max: usize,
    on_progress: OnProgress<'a>,
}

impl Step<'_> {
    /// What the list is asked for; categories are not narrowed by anything.
    fn choice(&self) -> Choice {
        match self.phase {
            Phase::Categories => Choice::default(),
            Phase::Updates => self.plan.choice.clone(),
        }
    }

    fn filter(&self, kept: Option<&Followed>) -> Filter {
        let known = kept.map(|kept| (&kept.choice, kept.anchor.as_str()));
        let get_config = self.phase == Phase::Categories;
        Filter { get_config, ..self.choice().filter(known) }
    }
}

impl Source {
    pub(crate) fn url(&self) -> &str {
        match self {
            Source::Foreign { url, .. } | Source::Own { url, .. } => url,
        }
    }

    /// Reads back what [`Display`](fmt::Display) wrote; what is believed is said elsewhere.
    pub(crate) fn parse(text: &str, belief: Option<Belief>) -> Option<Source> {
        let mut words = text.split_whitespace();
        let (site, url) = (words.next()?, words.next()?.to_owned());
        match site {
            "-" => Some(Source::Foreign { url, belief }),
            site => Some(Source::Own { url, site: site.parse().ok()? }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Foreign { url, .. } => write!(f, "- {url}"),
            Source::Own { url, site } => write!(f, "{site} {url}"),
        }
    }
}
