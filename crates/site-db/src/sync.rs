//! Synchronization: recorded runs, the update points of this site, what administrators asked for,
//! and the end of a catalog version.
//!
//! Owns the tables; refuses to know who orders what from whom (sync-manager does). What only the
//! top-level site may decide is refused elsewhere with that site's code.

use model::{
    CatalogVersion, Group, Invalid, Item, Kind, Languages, RoleId, RoleKind, RoleRecord, Sha256,
    SiteCode, SiteRecord, SupersedenceRule, Timestamp, UpdateId,
};
use recurrence::Recurrence;
use rpc::object::ObjectBody as _;
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

/// Runs kept for `sync history`.
const HISTORY_MAX: u64 = 1_000;

const COMPONENT: &str = "sync";

/// Where a synchronization stands; sync-manager owns the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncStep {
    /// The first update point synchronizes with its source.
    UpdatePoint,
    /// Its changes become items.
    Database,
    /// The version is complete; the other update points follow.
    Replicas,
    Succeeded,
    Failed,
    /// By an administrator.
    Cancelled,
}

impl SyncStep {
    pub const ALL: [SyncStep; 6] = [
        SyncStep::UpdatePoint,
        SyncStep::Database,
        SyncStep::Replicas,
        SyncStep::Succeeded,
        SyncStep::Failed,
        SyncStep::Cancelled,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SyncStep::UpdatePoint => "update_point",
            SyncStep::Database => "database",
            SyncStep::Replicas => "replicas",
            SyncStep::Succeeded => "succeeded",
            SyncStep::Failed => "failed",
            SyncStep::Cancelled => "cancelled",
        }
    }

    fn from_name(name: &str) -> Result<SyncStep, Invalid> {
        let found = SyncStep::ALL.into_iter().find(|step| step.as_str() == name);
        found.ok_or_else(|| Invalid::new("step", format!("there is no step \"{name}\"")))
    }

    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, SyncStep::Succeeded | SyncStep::Failed | SyncStep::Cancelled)
    }
}

/// One synchronization of this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRun {
    pub number: u64,
    pub reason: String,
    pub is_full: bool,
    pub step: SyncStep,
    /// Categories or updates of the present step, and how many are done.
    pub phase: String,
    pub done: u64,
    pub total: u64,
    /// The catalog version it reached; 0 before.
    pub version: u64,
    pub updates_changed: u64,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Why it failed or was cancelled.
    pub cause: String,
    /// What the top-level site asked its source for.
    pub products: Vec<UpdateId>,
}

/// A synchronization somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    pub is_full: bool,
    pub reason: String,
}

/// An update server outside the hierarchy, and what an https one is believed by: one of pin and
/// roots, or neither for the roots that the update point has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncSource {
    /// Empty: imports only.
    pub url: String,
    /// Of its certificate, or of one that issued it.
    pub pin: Option<Sha256>,
    /// As PEM.
    pub roots: String,
}

/// An update point of this site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncPoint {
    /// Of its catalog.
    pub server_id: Vec<u8>,
    pub anchor: u64,
    pub extractor: u32,
    /// The catalog version it has completed.
    pub version: u64,
    /// The digest of what it was told of rulings; empty: nothing yet.
    pub rulings: Vec<u8>,
    /// The catalog version it was told them for.
    pub ruled_for: u64,
}

/// When synchronizations begin by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncSchedule {
    rhythm: SyncRhythm,
    set_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncRhythm {
    /// Every so often from a start.
    Every {
        start: Timestamp,
        every_ms: i64,
    },
    Recurring(Box<Recurrence>),
}

impl SyncSchedule {
    pub fn new(rhythm: SyncRhythm, now: Timestamp) -> Result<SyncSchedule, Invalid> {
        if matches!(rhythm, SyncRhythm::Every { every_ms, .. } if every_ms < 60_000) {
            return Err(Invalid::new("schedule", "synchronizes at most once a minute"));
        }
        Ok(SyncSchedule { rhythm, set_at: now })
    }

    #[must_use]
    pub fn rhythm(&self) -> &SyncRhythm {
        &self.rhythm
    }

    /// When the next one is due, the last having begun at `last`; none if it never comes again.
    #[must_use]
    pub fn due(&self, last: Option<Timestamp>) -> Option<Timestamp> {
        let after = last.map_or(self.set_at, |last| last.max(self.set_at));
        match &self.rhythm {
            SyncRhythm::Every { start, .. } if after < *start => Some(*start),
            SyncRhythm::Every { start, every_ms } => {
                let passed = after.0.saturating_sub(start.0) / every_ms + 1;
                Some(start.plus_ms(passed.saturating_mul(*every_ms)))
            }
            SyncRhythm::Recurring(recurrence) => recurrence.after(after),
        }
    }

    /// As it is stored: when it was set, and an interval with its start or a recurrence. A
    /// recurrence is in a time zone that this computer may not know any more.
    fn from_text(text: &str) -> Result<SyncSchedule, Invalid> {
        let refuse = |why: &dyn std::fmt::Display| {
            let reason = format!("is stored as \"{text}\": {why}; set it again");
            Invalid::new("schedule", reason)
        };
        let unreadable = || refuse(&"it cannot be read");
        let number = |text: &str| text.parse::<i64>().map_err(|_| unreadable());
        let (set_at, rest) = text.split_once(' ').ok_or_else(unreadable)?;
        let (kind, rhythm) = rest.split_once(' ').ok_or_else(unreadable)?;
        let rhythm = match kind {
            "every" => {
                let (every_ms, start) = rhythm.split_once(' ').ok_or_else(unreadable)?;
                let (every_ms, start) = (number(every_ms)?, Timestamp(number(start)?));
                SyncRhythm::Every { start, every_ms }
            }
            _ => {
                let recurrence = rhythm.parse::<Recurrence>();
                SyncRhythm::Recurring(Box::new(recurrence.map_err(|error| refuse(&error))?))
            }
        };
        Ok(SyncSchedule { rhythm, set_at: Timestamp(number(set_at)?) })
    }

    fn to_text(&self) -> String {
        let set_at = self.set_at.0;
        match &self.rhythm {
            SyncRhythm::Every { start, every_ms } => {
                format!("{set_at} every {every_ms} {}", start.0)
            }
            SyncRhythm::Recurring(recurrence) => format!("{set_at} at {recurrence}"),
        }
    }
}

const RUN: &str = "SELECT number, reason, is_full, step, phase, done, total, version,
     updates_changed, started_at, ended_at, cause, products FROM sync_run";

fn run(row: &Row<'_>) -> RowResult<SyncRun> {
    Ok(SyncRun {
        number: row.get(0)?,
        reason: row.get(1)?,
        is_full: row.get(2)?,
        step: parse_column(row, 3, |name: String| SyncStep::from_name(&name))?,
        phase: row.get(4)?,
        done: row.get(5)?,
        total: row.get(6)?,
        version: row.get(7)?,
        updates_changed: row.get(8)?,
        started_at: Timestamp(row.get(9)?),
        ended_at: row.get::<_, Option<i64>>(10)?.map(Timestamp),
        cause: row.get(11)?,
        products: parse_column(row, 12, update_ids)?,
    })
}

fn update_ids(bytes: Vec<u8>) -> Result<Vec<UpdateId>, Invalid> {
    bytes.chunks(16).map(UpdateId::from_slice).collect()
}

impl Reader<'_> {
    /// The synchronization under way, else the last one.
    pub fn sync_run(&self) -> Result<Option<SyncRun>, Error> {
        Ok(self.tx.query_optional(&format!("{RUN} ORDER BY number DESC LIMIT 1"), [], run)?)
    }

    /// The newest `limit` runs, newest first.
    pub fn sync_history(&self, limit: usize) -> Result<Vec<SyncRun>, Error> {
        Ok(self.tx.query_all(&format!("{RUN} ORDER BY number DESC LIMIT ?1"), [limit], run)?)
    }

    pub fn sync_request(&self) -> Result<Option<SyncRequest>, Error> {
        let text = self.setting(COMPONENT, "request")?.unwrap_or_default();
        Ok(text.split_once(' ').map(|(kind, reason)| SyncRequest {
            is_full: kind == "full",
            reason: reason.to_owned(),
        }))
    }

    /// Why the synchronization under way shall end, if somebody said so.
    pub fn sync_cancel(&self) -> Result<Option<String>, Error> {
        Ok(self.setting(COMPONENT, "cancel")?.filter(|reason| !reason.is_empty()))
    }

    pub fn sync_schedule(&self) -> Result<Option<SyncSchedule>, Error> {
        let text = self.setting(COMPONENT, "schedule")?.filter(|text| !text.is_empty());
        Ok(text.map(|text| SyncSchedule::from_text(&text)).transpose()?)
    }

    /// When superseded updates expire; never, until somebody decides.
    pub fn supersedence_rule(&self) -> Result<SupersedenceRule, Error> {
        let text = self.setting(COMPONENT, "supersedence")?.unwrap_or_default();
        let mut months = text.split(' ').map(|number| number.parse().ok());
        let mut next = || months.next().flatten();
        Ok(SupersedenceRule { months: next(), feature_months: next() })
    }

    pub fn sync_source(&self) -> Result<SyncSource, Error> {
        let text = |name| Ok::<_, Error>(self.setting(COMPONENT, name)?.unwrap_or_default());
        let pin = Some(text("source_pin")?).filter(|pin| !pin.is_empty());
        let read = |pin: String| {
            let unreadable = format!("is stored as \"{pin}\"; set the source again");
            pin.parse().map_err(|_| Invalid::new("source pin", unreadable))
        };
        let pin = pin.map(read).transpose()?;
        Ok(SyncSource { url: text("source")?, pin, roots: text("source_roots")? })
    }

    /// In which the top-level site wants texts to be kept.
    pub fn summary_languages(&self) -> Result<Languages, Error> {
        let text = self.setting(COMPONENT, "languages")?.unwrap_or_default();
        Languages::choose(text.split_whitespace()).map_err(Error::stored("choice of languages"))
    }

    /// For which an update point of this site fetches files.
    pub fn file_languages(&self, role: RoleId) -> Result<Languages, Error> {
        let text = self.setting(COMPONENT, &format!("file_languages {role}"))?.unwrap_or_default();
        Languages::choose(text.split_whitespace()).map_err(Error::stored("choice of languages"))
    }

    /// The version clients of this site are told of: complete in its first update point and here.
    pub fn complete_version(&self) -> Result<u64, Error> {
        let text = self.setting(COMPONENT, "complete_version")?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// The update points of a site; the first is synchronized first (SYNC-22).
    pub fn update_points(&self, site: SiteCode) -> Result<Vec<RoleRecord>, Error> {
        let roles = self.list::<RoleRecord>()?.into_iter().map(|(_, role)| role);
        let mut points: Vec<RoleRecord> =
            roles.filter(|r| r.site == site && r.kind == RoleKind::SoftwareUpdatePoint).collect();
        points.sort_by_key(|role| (role.joined_at, role.id));
        Ok(points)
    }

    /// What is known of an update point of this site; before its first word, nothing.
    pub fn sync_point(&self, role: RoleId) -> Result<SyncPoint, Error> {
        let sql = "SELECT server_id, anchor, extractor, version, rulings, ruled_for FROM sync_point
                   WHERE role = ?1";
        let point = self.tx.query_optional(sql, [role.as_bytes()], |row| {
            Ok(SyncPoint {
                server_id: row.get(0)?,
                anchor: row.get(1)?,
                extractor: row.get(2)?,
                version: row.get(3)?,
                rulings: row.get(4)?,
                ruled_for: row.get(5)?,
            })
        })?;
        Ok(point.unwrap_or_default())
    }

    pub fn catalog_version(&self) -> Result<Option<CatalogVersion>, Error> {
        self.get(b"catalog")
    }

    /// How many items update points hold, too, and the digest of their revisions.
    pub fn catalog_set(&self) -> Result<(u64, Sha256), Error> {
        let mut updates = Vec::new();
        self.visit(Kind::Item, |_, body| {
            let item = Item::decode(&body).map_err(Error::stored("item"))?;
            updates.extend((!item.withdrawn).then_some(item.update));
            Ok(())
        })?;
        Ok((updates.len() as u64, model::set_digest(updates)))
    }

    /// Refuses what only the top-level site decides (SYNC-03, SYNC-29).
    pub fn require_top(&self, what: &str) -> Result<(), Error> {
        if self.identity().is_top() {
            return Ok(());
        }
        let sites = self.list::<SiteRecord>()?;
        let top = sites.iter().find(|(_, site)| site.parent.is_none());
        let top = top.map_or_else(|| "above".to_owned(), |(_, site)| site.code.to_string());
        Err(Error::Conflict { what: format!("{what} at the top-level site {top}, not here") })
    }
}

impl Writer<'_> {
    /// Records the beginning of a synchronization and takes back what asked for it.
    pub fn begin_sync(&self, request: &SyncRequest) -> Result<SyncRun, Error> {
        let run = SyncRun {
            number: self.next("sync_run")?,
            reason: request.reason.clone(),
            is_full: request.is_full,
            step: SyncStep::UpdatePoint,
            phase: String::new(),
            done: 0,
            total: 0,
            version: 0,
            updates_changed: 0,
            started_at: self.now(),
            ended_at: None,
            cause: String::new(),
            products: Vec::new(),
        };
        self.save_sync(&run)?;
        self.set_setting(COMPONENT, "request", "")?;
        self.set_setting(COMPONENT, "cancel", "")?;
        let sql = "DELETE FROM sync_run WHERE number <= ?1";
        self.write.execute(sql, [run.number.saturating_sub(HISTORY_MAX)])?;
        Ok(run)
    }

    pub fn save_sync(&self, run: &SyncRun) -> Result<(), Error> {
        self.write.execute(
            "INSERT OR REPLACE INTO sync_run VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                run.number,
                run.reason,
                run.is_full,
                run.step.as_str(),
                run.phase,
                run.done,
                run.total,
                run.version,
                run.updates_changed,
                run.started_at.0,
                run.ended_at.map(|at| at.0),
                run.cause,
                run.products.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>()
            ],
        )?;
        self.wake(None);
        Ok(())
    }

    /// Asks for a synchronization; a full one is not watered down by a later request.
    pub fn request_sync(&self, request: &SyncRequest) -> Result<(), Error> {
        self.require_top("synchronization is started")?;
        let pending = self.sync_request()?.is_some_and(|pending| pending.is_full);
        let kind = if request.is_full || pending { "full" } else { "delta" };
        self.set_setting(COMPONENT, "request", &format!("{kind} {}", request.reason))
    }

    /// Ends the synchronization under way.
    pub fn request_sync_cancel(&self, reason: &str) -> Result<(), Error> {
        if self.sync_run()?.is_none_or(|run| run.step.is_ended()) {
            return Err(Error::NotFound { what: "synchronization", id: "under way".to_owned() });
        }
        self.set_setting(COMPONENT, "cancel", reason)
    }

    /// None: only by hand (SYNC-30).
    pub fn set_sync_schedule(&self, schedule: Option<&SyncSchedule>) -> Result<(), Error> {
        self.require_top("the schedule is set")?;
        let text = schedule.map_or_else(String::new, SyncSchedule::to_text);
        self.set_setting(COMPONENT, "schedule", &text)
    }

    pub fn set_supersedence_rule(&self, rule: SupersedenceRule) -> Result<(), Error> {
        self.require_top("the supersedence rule is set")?;
        let SupersedenceRule { months, feature_months } = rule;
        let [months, feature] = [months, feature_months]
            .map(|months| months.map_or_else(|| "never".to_owned(), |months| months.to_string()));
        self.set_setting(COMPONENT, "supersedence", &format!("{months} {feature}"))
    }

    pub fn set_sync_source(&self, source: &SyncSource) -> Result<(), Error> {
        self.require_top("the synchronization source is set")?;
        let SyncSource { url, pin, roots } = source;
        let pin = pin.map_or_else(String::new, |pin| pin.to_string());
        self.set_setting(COMPONENT, "source", url)?;
        self.set_setting(COMPONENT, "source_pin", &pin)?;
        self.set_setting(COMPONENT, "source_roots", roots)
    }

    /// Texts that are here stay until their updates change or come anew (SUPX-09).
    pub fn set_summary_languages(&self, languages: Languages) -> Result<(), Error> {
        self.require_top("summary languages are chosen")?;
        self.set_setting(COMPONENT, "languages", &languages.to_string())
    }

    pub fn set_file_languages(&self, role: RoleId, languages: Languages) -> Result<(), Error> {
        self.set_setting(COMPONENT, &format!("file_languages {role}"), &languages.to_string())
    }

    pub fn set_complete_version(&self, version: u64) -> Result<(), Error> {
        self.set_setting(COMPONENT, "complete_version", &version.to_string())
    }

    /// All but what it was told of rulings, which another catalog has to be told anew.
    pub fn save_sync_point(&self, role: RoleId, point: &SyncPoint) -> Result<(), Error> {
        let SyncPoint { server_id, anchor, extractor, version, rulings: _, ruled_for: _ } = point;
        let sql = "INSERT INTO sync_point VALUES (?1, ?2, ?3, ?4, ?5, x'', 0)
                   ON CONFLICT DO UPDATE SET anchor = ?3, extractor = ?4, version = ?5,
                     rulings = iif(server_id = ?2, rulings, x''),
                     ruled_for = iif(server_id = ?2, ruled_for, 0), server_id = ?2";
        let row = params![role.as_bytes(), server_id, anchor, extractor, version];
        self.write.execute(sql, row)?;
        self.wake(None);
        Ok(())
    }

    /// A number no item ever had, also after a restore.
    pub fn next_item_number(&self) -> Result<u32, Error> {
        let sql = "SELECT coalesce(max(number), 0) FROM
                     (SELECT max(number) AS number FROM item
                      UNION ALL SELECT max(number) FROM ruling)";
        self.raise_counter("item_number", self.tx.query_row(sql, [], |row| row.get(0))?)?;
        let next = self.next("item_number")?;
        let full = |_| Error::Conflict { what: "all item numbers are given".to_owned() };
        u32::try_from(next).map_err(full)
    }

    /// The version of the catalog as it stands: a new one if anything changed since the last.
    pub fn complete_catalog(&self) -> Result<u64, Error> {
        let last = self.catalog_version()?.map_or(0, |last| last.version);
        let sql = "SELECT kind FROM entry WHERE grp = ?1 AND owner = ?2 ORDER BY seq DESC LIMIT 1";
        let key = params![Group::Catalog as u8, self.identity().owner.to_bytes()];
        let newest: Option<u32> = self.tx.query_optional(sql, key, |row| row.get(0))?;
        let languages = self.summary_languages()?;
        let is_same = self.catalog_version()?.is_none_or(|last| last.languages == languages);
        if is_same && newest.is_none_or(|kind| kind == Kind::CatalogVersion as u32) {
            return Ok(last);
        }
        let (items, set_digest) = self.catalog_set()?;
        self.put_own(&CatalogVersion { version: last + 1, items, set_digest, languages })?;
        Ok(last + 1)
    }
}

#[cfg(test)]
mod tests;
