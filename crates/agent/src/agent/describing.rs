//! What the agent tells of itself, put together from the client's machine and what is stored.
//!
//! Decides nothing. What cannot be read is left out of the answer and named in the log.

use std::collections::BTreeMap;

use client::restart::Standing as RestartStanding;
use client::update_point::Standing as PointStanding;
use client::{Event, EventKind, Stand, Wait};
use model::{
    Assignment, EnforcementState, Intent, RoleKind, Timestamp, UpdateId, UpdateRef, error_chain,
};
use update_metadata::{Applicability, Document};

use super::Agent;
use crate::Error;
use crate::control::{
    Answer, Cached, CachedFile, Code, Deployed, Deployment, Happening, InEffect, LastScan,
    NextScan, Offer, Refusal, Restart, Server, SetAside, Setting, Status, Text, Window, limits,
};
use crate::store::Wanted;

mod explaining;

pub(super) use explaining::applicability;

/// Documents that are read together for their titles; a larger one comes alone.
const TITLED_BYTES: usize = 4 << 20;

/// Of a title; a list of the most rows stays within what a command reads.
const TITLE_CHARACTERS_MAX: usize = 500;

impl Agent {
    pub(super) async fn status(&self, now: Timestamp) -> Result<Answer, Error> {
        let (hands, client) = (&self.hands, &self.client);
        let files = hands.library.list().await?;
        let points = client.explain_update_points(now);
        let kept = points.points.iter().find(|point| point.standing == PointStanding::Kept);
        let management_points = hands.servers.of(RoleKind::ManagementPoint);
        let failing = hands.servers.failing(RoleKind::ManagementPoint);
        let policy = client.policy();
        let deployments = policy.assignments.iter();
        let refusals = hands.refusals.list().into_iter();
        let disk = self.backlog.failing();
        let (set_aside_count, set_aside) = hands.quarantine.look();
        Ok(Answer::Status(Box::new(Status {
            client: hands.client.to_string(),
            name: hands.config.name.clone(),
            site: hands.servers.credentials().identity().site.to_string(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            downloader: hands.reader.clone(),
            management_point: management_points.first().map(|server| server.url.clone()),
            update_point: kept.map(|point| point.url.clone()),
            update_point_next: points.next,
            management_point_failing_since: failing.as_ref().map(|(since, _)| Text(*since)),
            management_point_failure: failing.map(|(_, reason)| reason),
            policy: match (policy.version, client.expired_at(now)) {
                (0, _) => "none yet",
                (_, None) => "in effect",
                (_, Some(_)) => "expired: nothing new is begun before there is newer policy",
            },
            policy_asked_at: client.policy_answered_at().map(Text),
            policy_asked_next_at: client.policy_asked_next().map(|at| Text(at.max(now))),
            policy_version: policy.version,
            policy_signed_at: (policy.version > 0).then_some(Text(policy.signed_at)),
            policy_expires_at: (policy.version > 0).then_some(Text(policy.expires)),
            unsent_reports: client.unsent() as u64,
            disk_failing_since: disk.map(|failing| Text(failing.since)),
            disk_failing: disk.map(|failing| failing.reason.clone()),
            set_aside_count,
            cache_files: files.len() as u64,
            cache_bytes: files.iter().map(|file| file.size).sum(),
            last_scan: self.last_scan().await?,
            next_scan: client.next_scan(now).map(|(at, trigger)| NextScan {
                at: Text(at.max(now)),
                why: trigger.as_str().to_owned(),
            }),
            restart: self.pending_restart(),
            deployments: deployments.map(|assigned| self.deployed(assigned, now)).collect(),
            refusals: refusals
                .map(|refusal| Refusal {
                    at: Text(refusal.at),
                    url: refusal.url,
                    reason: refusal.reason,
                })
                .collect(),
            set_aside: set_aside
                .into_iter()
                .map(|entry| SetAside {
                    number: entry.number,
                    at: Text(Timestamp(entry.at)),
                    what: entry.what,
                    reason: entry.reason,
                })
                .collect(),
        })))
    }

    async fn last_scan(&self) -> Result<Option<LastScan>, Error> {
        let last = self.store.history(Wanted::Kind(EventKind::Scan), 1).await?.pop();
        let record = self.client.record();
        let server = record.scan.as_ref().map(|scan| &scan.server);
        let server = server.filter(|server| !server.is_empty());
        let bytes = record.scan.as_ref().map(|scan| scan.bytes);
        let [required, installed, unknown] = self.client.said_counts();
        Ok(last.map(|event| LastScan {
            at: Text(event.at),
            what: event.text,
            server: server.cloned(),
            duration_ms: event.duration_ms,
            size_bytes: event.bytes.or(bytes),
            catalog_version: record.covered,
            updates: record.updates,
            required,
            installed,
            unknown,
            error: record.scan_error.clone(),
            error_code: event.code.filter(|code| *code != 0).map(Code::of_platform),
        }))
    }

    pub(super) fn pending_restart(&self) -> Restart {
        let client = &self.client;
        let standing = client.restart_standing();
        let (restarts_at, deferrable_until, waits_for) = match standing {
            RestartStanding::None => (None, None, None),
            RestartStanding::Suppressed => {
                (None, None, Some("a restart for another reason: deployments suppress it"))
            }
            RestartStanding::Asked => (None, None, Some("somebody to restart the computer")),
            RestartStanding::At(at, latest) => (Some(Text(at)), latest.map(Text), None),
            RestartStanding::NoWindow => {
                (None, None, Some("no maintenance window has room for it within a year"))
            }
        };
        let pending = standing != RestartStanding::None;
        Restart {
            pending,
            since: client.restart_since().filter(|_| pending).map(Text),
            restarts_at,
            deferrable_until,
            deferred_to: client.notes().restart_deferred_to.filter(|_| pending).map(Text),
            waits_for: waits_for.map(str::to_owned),
        }
    }

    fn deployed(&self, assignment: &Assignment, now: Timestamp) -> Deployed {
        let stands = assignment.updates.iter().map(|update| {
            let stand = self.client.stand(assignment, update, now);
            (update, stand)
        });
        let open = |stand: &Stand| !matches!(stand.wait, Wait::Installed | Wait::NotNeeded);
        let pending: Vec<Stand> = stands.map(|(_, stand)| stand).filter(open).collect();
        // What comes first is what the deployment waits for.
        let next = pending.iter().min_by_key(|stand| (stand.acts_at.is_none(), stand.acts_at));
        let failed = |stand: &&Stand| stand.progress.is_some_and(|(state, _)| state.is_failure());
        let shown = pending.iter().find(failed).or(next);
        let state = match shown {
            None => "compliant",
            Some(Stand { progress: Some((state, _)), .. }) => state.as_str(),
            Some(Stand { progress: None, .. }) => "waiting",
        };
        Deployed {
            deployment: assignment.deployment.to_string(),
            name: assignment.name.clone(),
            intent: intent(assignment.intent),
            updates: assignment.updates.len() as u64,
            required: pending.len() as u64,
            state: state.to_owned(),
            deadline_at: self.deadline(assignment),
            acts_at: next.and_then(|stand| stand.acts_at).map(Text),
            waits_for: shown.and_then(|stand| stand.wait.words()),
        }
    }

    fn deadline(&self, assignment: &Assignment) -> Option<Text<Timestamp>> {
        assignment.deadline.map(|at| Text(self.client.moment(assignment, at)))
    }

    /// What is required, available or hidden here.
    pub(super) async fn offers(&self, now: Timestamp) -> Vec<Offer> {
        let mut offers = BTreeMap::new();
        let assignments = &self.client.policy().assignments;
        // What is required by one deployment is not merely available by another.
        let by_intent = |wanted| assignments.iter().filter(move |a| a.intent == wanted);
        for assignment in by_intent(Intent::Required).chain(by_intent(Intent::Available)) {
            for update in &assignment.updates {
                let stand = self.client.stand(assignment, update, now);
                if matches!(stand.wait, Wait::Installed | Wait::NotNeeded) {
                    continue;
                }
                let offer = || self.offer(assignment, update.update, stand);
                offers.entry(update.update.id).or_insert_with(offer);
            }
        }
        let judged = self.client.scan().into_iter().flat_map(client::scan::Scan::visible);
        for judged in judged.filter(|judged| judged.verdict == Applicability::Applicable) {
            let offer = || plain_offer(judged.update, "not_deployed");
            offers.entry(judged.update.id).or_insert_with(offer);
        }
        let mut offers: Vec<Offer> = offers.into_values().take(limits::ROWS_MAX).collect();
        let named = offers.iter().map(|offer| named(offer.update.0, offer.revision));
        let titles = self.titles(named.collect()).await;
        for offer in &mut offers {
            offer.title = titles.get(&offer.update.0).cloned();
        }
        offers
    }

    fn offer(&self, assignment: &Assignment, update: UpdateRef, stand: Stand) -> Offer {
        let is_hidden = self.client.notes().hidden.contains(&update.id);
        let state = match (assignment.intent, is_hidden) {
            (Intent::Required, _) => "required",
            (_, true) => "hidden",
            (_, false) => "available",
        };
        Offer {
            enforcement: stand.progress.map(|(state, _)| state.as_str()),
            code: stand.progress.and_then(|(state, code)| Some(Code::of(state, code)?.code)),
            deployment: Some(assignment.name.clone()),
            deadline_at: self.deadline(assignment),
            acts_at: stand.acts_at.map(Text),
            waits_for: stand.wait.words(),
            ..plain_offer(update, state)
        }
    }

    async fn titles(&self, updates: Vec<UpdateRef>) -> BTreeMap<UpdateId, String> {
        let (mut titles, mut rest) = (BTreeMap::new(), &updates[..]);
        let Some(copy) = self.hands.copy() else { return titles };
        while !rest.is_empty() {
            let page = copy.catalog.documents_within(rest.to_vec(), TITLED_BYTES).await;
            let (stored, read) = match page {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(reason = %error_chain(&error), "documents cannot be read");
                    break;
                }
            };
            for stored in stored {
                let document = Document::parse(stored.xml.as_bytes()).ok();
                titles.extend(
                    document.and_then(|document| Some((stored.update.id, title(&document)?))),
                );
            }
            rest = &rest[read..];
        }
        titles
    }

    async fn documents(&self, updates: Vec<UpdateRef>) -> Vec<Document> {
        let Some(copy) = self.hands.copy() else { return Vec::new() };
        let stored = copy.catalog.documents(updates).await.unwrap_or_else(|error| {
            tracing::warn!(reason = %error_chain(&error), "documents cannot be read");
            Vec::new()
        });
        stored.iter().filter_map(|stored| Document::parse(stored.xml.as_bytes()).ok()).collect()
    }

    pub(super) async fn cached(&self) -> Result<Answer, Error> {
        let updates =
            self.client.policy().assignments.iter().flat_map(|assigned| &assigned.updates);
        let files = updates.flat_map(|update| update.files.iter().map(move |file| (update, file)));
        let named: BTreeMap<_, _> =
            files.map(|(update, file)| (file.sha256, (update.update.id, &file.name))).collect();
        let held = self.hands.library.list().await?;
        let files = held.iter().take(limits::ROWS_MAX).map(|file| {
            let known = named.get(&file.sha256);
            CachedFile {
                name: known.map(|(_, name)| (*name).clone()),
                update: known.map(|(id, _)| Text(*id)),
                size_bytes: file.size,
                used_at: Text(file.used_at),
                sha256: file.sha256.to_string(),
            }
        });
        let size_bytes = held.iter().map(|file| file.size).sum();
        Ok(Answer::Cache(Cached { size_bytes, files: files.collect() }))
    }

    pub(super) fn in_effect(&self) -> InEffect {
        let policy = self.client.policy();
        let settings = policy.settings();
        let deployment = |assignment: &Assignment| Deployment {
            deployment: assignment.deployment.to_string(),
            name: assignment.name.clone(),
            intent: intent(assignment.intent),
            available_at: Text(self.client.moment(assignment, assignment.available_at)),
            deadline_at: self.deadline(assignment),
            updates: assignment.updates.len() as u64,
        };
        let servers = policy.servers.iter().map(|server| Server {
            kind: server.kind.to_string(),
            site: server.site.to_string(),
            url: server.url.clone(),
            after_minutes: server.after_minutes,
        });
        let windows = policy.windows.iter().map(|window| Window {
            code: window.code.to_string(),
            at: window.at.clone(),
            minutes: window.minutes,
        });
        let values = policy.options.values.iter().cloned();
        let unread = policy.unread.iter();
        InEffect {
            version: policy.version,
            signed_at: (policy.version > 0).then_some(Text(policy.signed_at)),
            expires_at: (policy.version > 0).then_some(Text(policy.expires)),
            catalog_version: settings.catalog_version,
            policy_poll_ms: settings.policy_poll_ms,
            scan_interval_ms: settings.scan_interval_ms,
            state_batch_ms: settings.state_batch_ms,
            deployments: policy.assignments.iter().map(deployment).collect(),
            servers: servers.collect(),
            windows: windows.collect(),
            settings: values.map(|(setting, value)| Setting { setting, value }).collect(),
            unread: unread.map(|(sha256, invalid)| format!("{sha256}: {invalid}")).collect(),
        }
    }
}

pub(super) fn happening(event: Event) -> Happening {
    let Event { at, kind, update, code, duration_ms, bytes, text } = event;
    let (kind, state) = match kind {
        EventKind::Scan => ("scan", EnforcementState::Failed),
        EventKind::Fetch => ("download", EnforcementState::DownloadFailed),
        EventKind::Install => ("installation", EnforcementState::Failed),
        EventKind::Restart => ("restart", EnforcementState::Failed),
        EventKind::Refusal => ("refusal", EnforcementState::Failed),
        EventKind::User => ("user", EnforcementState::Failed),
        EventKind::Damage => ("damage", EnforcementState::Failed),
        EventKind::Policy => ("policy", EnforcementState::Failed),
    };
    Happening {
        at: Text(at),
        kind,
        update: update.map(|update| Text(update.id)),
        revision: update.map(|update| update.revision),
        code: code.map(|code| Code::of(state, code).map_or("0".to_owned(), |told| told.code)),
        duration_ms,
        size_bytes: bytes,
        what: text,
    }
}

fn named(id: UpdateId, revision: u32) -> UpdateRef {
    UpdateRef { id, revision }
}

fn plain_offer(update: UpdateRef, state: &'static str) -> Offer {
    Offer {
        update: Text(update.id),
        revision: update.revision,
        title: None,
        state,
        enforcement: None,
        code: None,
        deployment: None,
        deadline_at: None,
        acts_at: None,
        waits_for: None,
    }
}

/// In its default language, else in any.
fn title(document: &Document) -> Option<String> {
    let default =
        |text: &&model::LocalizedText| text.language == document.properties.default_language;
    let text = document.texts.iter().find(default).or(document.texts.first());
    text.map(|text| text.title.chars().take(TITLE_CHARACTERS_MAX).collect())
}

fn intent(intent: Intent) -> &'static str {
    match intent {
        Intent::Required => "required",
        Intent::Available => "available",
        Intent::Uninstall => "uninstall",
    }
}
