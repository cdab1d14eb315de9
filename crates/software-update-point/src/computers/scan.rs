//! A scan: StartCategoryScan, SyncUpdates, RefreshCache (MS-WUSP 3.1.5.5 to 3.1.5.8).
//!
//! Owns what one step of a scan may cost and how it is worded, and that a computer hears when an
//! update that it has is decided otherwise than it was told. Which updates a computer needs is the
//! catalog's knowledge, what is decided of them the site's. There are no drivers and no printers to
//! tell of.

use std::sync::Arc;

use model::UpdateId;
use update_catalog::{Held, Needed, Offer, ScanEntry, ScanGraph};
use wsus_protocol::client::{
    RefreshCache, RefreshedUpdate, RefreshedUpdates, StartCategoryScan, StartCategoryScanResponse,
    SyncInfo, SyncParameters, SyncPrinterCatalog, SyncPrinterCatalogResponse, SyncUpdates,
    UpdateInfo, write_new_updates,
};
use wsus_protocol::{ClientCredential, Escaped, ProtocolVersion, UpdateIdentity};

use super::audience::Audience;
use super::information::derive;
use super::pages::{Key, Page};
use super::policies::Ever;
use super::{ALL, FULL_DEPLOYMENTS, OPTIONAL, Terms, deployment, limits, named, wire_id};
use crate::Error;
use crate::point::Point;
use crate::soap::{Answer, Refused};

/// The first protocol of clients that know two groups of updates out of scope, and whether a pass
/// for drivers is worth while.
const TWO_GROUPS: (u16, u16) = (1, 7);

impl Point {
    pub(super) async fn start_category_scan(
        &self,
        request: &StartCategoryScan,
    ) -> Result<StartCategoryScanResponse, Refused> {
        let graph = self.catalog.scan_graph().await?;
        let categories = request.requested.iter().map(|requested| requested.category);
        let (preferred, in_error) = categories.partition(|id| graph.knows(UpdateId(*id)));
        Ok(StartCategoryScanResponse { preferred, in_error })
    }

    pub(super) async fn sync_updates(&self, request: SyncUpdates) -> Result<Answer, Refused> {
        let known = self.admit_registered(request.cookie.as_ref()).await?;
        let parameters = request.parameters;
        if parameters.installed_non_leaf.len() > self.config.installed_max {
            return Err(Refused::parameter("parameters.InstalledNonLeafUpdateIDs"));
        }
        if parameters.devices.is_some() && !parameters.skip_software {
            return Err(Refused::parameter("parameters.SystemSpec"));
        }
        match parameters.skip_software {
            true => Ok(Answer::of(&self.sync_drivers(&parameters, &known))),
            false => self.sync_software(parameters, known).await,
        }
    }

    /// Whatever drivers it has been told of, they are no more.
    fn sync_drivers(&self, parameters: &SyncParameters, known: &ClientCredential) -> SyncInfo {
        SyncInfo {
            out_of_scope: parameters.cached_drivers.clone(),
            new_cookie: Some(self.session_cookie(known)),
            driver_sync_not_needed: knows_two_groups(known.protocol_version).then_some(true),
            ..SyncInfo::default()
        }
    }

    async fn sync_software(
        &self,
        parameters: SyncParameters,
        known: ClientCredential,
    ) -> Result<Answer, Refused> {
        let graph = self.catalog.scan_graph().await?;
        let audience = self.audience(known.client, &graph).await?;
        let (version, terms) = (known.protocol_version, Terms::of(&known, &audience));
        let held = held(&parameters, known.deployments_seen);
        let Needed { new, is_more_new, changed, withdrawn, unreached } =
            graph.needed(&held, limits::STEP_UPDATES_MAX);
        let (changed, seen) = affordable(changed, &graph);
        let is_all_seen = seen == graph.changes();
        // What it names as installed already needs no further step to be counted with.
        let is_named = |entry: &ScanEntry| {
            parameters.installed_non_leaf.iter().any(|id| wire_id(entry.local_id) == Some(*id))
        };
        let is_all_named = changed.iter().all(is_named);
        let page = self.page(&graph, &new, terms).await?;
        let is_all_told = page.told == new.len();
        tracing::debug!(client = %known.client, told = page.told, "a scan step");
        let wire = |ids: Vec<i64>| ids.into_iter().filter_map(wire_id);
        let has_two_groups = parameters.need_two_groups && knows_two_groups(version);
        let (also_out, deployed) = match has_two_groups {
            true => (Vec::new(), unreached),
            false => (unreached, Vec::new()),
        };
        let mut decided = self.redecided(&parameters, &known, &audience, &graph).await?;
        decided.retain(|entry| !also_out.contains(&entry.local_id));
        let told_through = told_through(&mut decided);
        let is_decided = |entry: &ScanEntry| decided.iter().any(|d| d.local_id == entry.local_id);
        let others = changed.iter().filter(|entry| !is_decided(entry));
        let others = others.filter_map(|entry| info(entry, None, terms));
        let changed = decided.iter().filter_map(|entry| info(entry, None, terms.anew()));
        let is_truncated = !(is_all_told && !is_more_new && is_all_seen && told_through == ALL);
        // What depends on an update comes when the computer has judged it, in the next step.
        let is_whole = !is_truncated && held.categories.is_none();
        let known = match is_whole && is_all_named && new.iter().all(ScanEntry::is_leaf) {
            true => {
                ClientCredential { scanned: graph.version(), scan_ended: self.wire_now(), ..known }
            }
            false => known,
        };
        let known = ClientCredential {
            deployments_seen: seen,
            audience: audience.id,
            told_through,
            ..known
        };
        let info = SyncInfo {
            new: Vec::new(),
            out_of_scope: wire(withdrawn).chain(wire(also_out)).collect(),
            changed: changed.chain(others).collect(),
            is_truncated,
            new_cookie: Some(self.session_cookie(&known)),
            deployed_out_of_scope: wire(deployed).collect(),
            driver_sync_not_needed: knows_two_groups(version).then_some(true),
        };
        let (before, after) = info.encode_around();
        Ok(Answer::Page(before, page.text, after))
    }

    /// What the computer has and knows to be decided otherwise, by the number of the revision. Of
    /// whom it is not known what he was told, everything that was ever decided is told again; where
    /// nobody knows that either, everything.
    async fn redecided(
        &self,
        parameters: &SyncParameters,
        known: &ClientCredential,
        now: &Audience,
        graph: &ScanGraph,
    ) -> Result<Vec<ScanEntry>, Error> {
        let ids = || parameters.installed_non_leaf.iter().chain(&parameters.other_cached);
        let is_same = known.audience == now.id;
        if (is_same && known.told_through == ALL) || now.id == 0 || ids().next().is_none() {
            return Ok(Vec::new());
        }
        let old = match known.told_through {
            ALL => self.told_audience(known.audience).await?,
            _ => None,
        };
        let differing: Ever = match old {
            Some(old) => Some(Arc::new(old.differences(now))),
            None => self.ever_decided(now).await?,
        };
        let differs =
            |id: &UpdateId| differing.as_ref().is_none_or(|differing| differing.contains(id));
        let after = if is_same { known.told_through } else { 0 };
        let entries = ids().filter_map(|id| graph.entry(i64::from(*id)));
        let mut entries: Vec<ScanEntry> = entries
            .filter(|entry| entry.local_id.cast_unsigned() > after)
            .filter(|entry| entry.offer == Offer::Update && differs(&entry.update.id))
            .collect();
        entries.sort_by_key(|entry| entry.local_id);
        entries.dedup();
        Ok(entries)
    }

    /// As many of these as fit into one answer.
    async fn page(
        &self,
        graph: &Arc<ScanGraph>,
        new: &[ScanEntry],
        terms: Terms<'_>,
    ) -> Result<Page, Refused> {
        if new.is_empty() {
            return Ok(Page::default());
        }
        let key = terms.page_key(new);
        if let Some(page) = self.pages.find(graph, &key) {
            return Ok(page);
        }
        let bytes_max = limits::STEP_BYTES_MAX;
        let cores = self.catalog.cores(graph, &key.wanted, bytes_max, derive).await?;
        let told = cores.len();
        let infos = new.iter().zip(cores).filter_map(|(entry, text)| {
            let xml = (!text.is_empty()).then(|| Escaped::from_stored(text))?;
            info(entry, Some(xml), terms)
        });
        let text = write_new_updates(&infos.collect()).into();
        let page = Page { text, told };
        self.pages.keep(graph, key, &page);
        Ok(page)
    }

    pub(super) fn sync_printers(
        &self,
        request: &SyncPrinterCatalog,
    ) -> Result<SyncPrinterCatalogResponse, Refused> {
        let known = self.admit_computer(request.cookie.as_ref())?;
        let new_cookie = Some(self.session_cookie(&known));
        let out_of_scope = request.printers.clone();
        let info = SyncInfo { out_of_scope, new_cookie, ..SyncInfo::default() };
        Ok(SyncPrinterCatalogResponse { info })
    }

    /// Members of bundles are left out, as the original server does.
    pub(super) async fn refresh_cache(
        &self,
        request: &RefreshCache,
    ) -> Result<RefreshedUpdates, Refused> {
        let known = self.admit_computer(request.cookie.as_ref())?;
        if request.updates.len() > limits::REFRESHED_MAX {
            return Err(Refused::parameter("globalIDs"));
        }
        let graph = self.catalog.scan_graph().await?;
        let audience = self.audience(known.client, &graph).await?;
        let terms = Terms::of(&known, &audience);
        let refreshed = |update: &UpdateIdentity| {
            let entry = graph.find(named(update))?;
            (entry.offer != Offer::Member).then_some(())?;
            Some(RefreshedUpdate {
                id: wire_id(entry.local_id)?,
                update: *update,
                is_leaf: entry.is_leaf(),
                deployment: Some(deployment(&entry, terms)?),
            })
        };
        Ok(RefreshedUpdates(request.updates.iter().filter_map(refreshed).collect()))
    }
}

fn knows_two_groups(version: ProtocolVersion) -> bool {
    (version.major, version.minor) >= TWO_GROUPS
}

fn held(parameters: &SyncParameters, seen: u64) -> Held {
    let ids = |ids: &[i32]| ids.iter().map(|id| i64::from(*id)).collect();
    let filter = parameters.filter_categories.iter().map(|category| UpdateId(category.id));
    let is_filtered = !parameters.filter_categories.is_empty() && !parameters.also_regular;
    Held {
        installed: ids(&parameters.installed_non_leaf),
        others: ids(&parameters.other_cached),
        categories: is_filtered.then(|| filter.collect()),
        seen,
    }
}

/// The first changes, and up to which change everything is told with them.
fn affordable(mut changed: Vec<ScanEntry>, graph: &ScanGraph) -> (Vec<ScanEntry>, u64) {
    let Some(last) = changed.get(limits::CHANGES_MAX) else { return (changed, graph.changes()) };
    let last = last.non_leaf_since;
    // What came with one change stays together.
    let end = changed.partition_point(|entry| entry.non_leaf_since <= last);
    changed.truncate(end);
    (changed, last.unwrap_or(0))
}

/// Keeps what fits into one answer, and says through which revision that tells everything.
fn told_through(decided: &mut Vec<ScanEntry>) -> u64 {
    if decided.len() <= limits::DECISIONS_MAX {
        return ALL;
    }
    decided.truncate(limits::DECISIONS_MAX);
    decided.last().map_or(ALL, |entry| entry.local_id.cast_unsigned())
}

impl Terms<'_> {
    fn page_key(&self, new: &[ScanEntry]) -> Key {
        let Terms { version, audience, .. } = self;
        let version = (version.major, version.minor);
        let is_decided = |entry: &ScanEntry| audience.decisions.contains_key(&entry.update.id);
        Key {
            audience: new.iter().any(is_decided).then_some(audience.id),
            protocols: [version >= FULL_DEPLOYMENTS, version >= OPTIONAL],
            wanted: new.iter().map(|entry| entry.local_id).collect(),
        }
    }
}

fn info(entry: &ScanEntry, xml: Option<Escaped>, terms: Terms<'_>) -> Option<UpdateInfo> {
    Some(UpdateInfo {
        id: wire_id(entry.local_id)?,
        deployment: Some(deployment(entry, terms)?),
        is_leaf: entry.is_leaf(),
        xml,
    })
}
