//! Files that packages want, and where those are that packages have.
//!
//! Owns what packages of this site still want, and what distribution points say. Refuses to know
//! where files lie: the content library does. What cannot be read back is an error of the database.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ContentManifest, ContentState, DistributionState, Item, ItemFile, Kind, ObjectCode, RoleId,
    RoleKind, RoleRecord, Sha1, Sha256, SiteCode, Timestamp, UpdateGroup, UpdateId,
};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

/// A file a package of this site wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDemand {
    pub package: ObjectCode,
    pub update: UpdateId,
    pub file: ItemFile,
    pub found: Found,
    /// Why it could not be had at the last attempt.
    pub reason: String,
}

/// Where a wanted file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody has looked yet.
    Unknown,
    /// Not in the content library: an update point shall fetch it.
    Missing,
    /// In the content library. Weak: nobody vouched for it by SHA-256.
    Stored { sha256: Sha256, is_weak: bool },
}

pub(crate) fn demand(row: &Row<'_>) -> RowResult<ContentDemand> {
    let sha256 = |bytes: Vec<u8>| Sha256::from_slice(&bytes);
    let optional = |index| match row.get::<_, Option<Vec<u8>>>(index)? {
        Some(_) => parse_column(row, index, sha256).map(Some),
        None => Ok(None),
    };
    let found = match (optional(7)?, row.get(6)?) {
        (Some(sha256), _) => Found::Stored { sha256, is_weak: row.get(8)? },
        (None, true) => Found::Missing,
        (None, false) => Found::Unknown,
    };
    Ok(ContentDemand {
        package: parse_column(row, 0, |code: String| ObjectCode::new(&code))?,
        update: parse_column(row, 3, |bytes: Vec<u8>| UpdateId::from_slice(&bytes))?,
        file: ItemFile {
            sha1: parse_column(row, 1, |bytes: Vec<u8>| Sha1::from_slice(&bytes))?,
            size: row.get(2)?,
            name: row.get(4)?,
            sha256: optional(5)?,
        },
        found,
        reason: row.get(9)?,
    })
}

fn content_state(row: &Row<'_>) -> RowResult<DistributionState> {
    Ok(DistributionState {
        package: parse_column(row, 0, |code: String| ObjectCode::new(&code))?,
        point: parse_column(row, 1, |bytes: Vec<u8>| RoleId::from_slice(&bytes))?,
        site: parse_column(row, 2, |code: String| SiteCode::new(&code))?,
        version: row.get(3)?,
        state: parse_column(row, 4, |name: String| ContentState::from_name(&name))?,
        files: row.get(5)?,
        bytes: row.get(6)?,
        reason: row.get(7)?,
        at: Timestamp(row.get(8)?),
    })
}

impl Reader<'_> {
    /// What packages of this site want and have not yet.
    pub fn demands(&self) -> Result<Vec<ContentDemand>, Error> {
        Ok(self.tx.query_all("SELECT * FROM content_demand", [], demand)?)
    }

    /// The manifests that name a distribution point of `targets`.
    pub fn manifests_for(&self, targets: &BTreeSet<RoleId>) -> Result<Vec<ContentManifest>, Error> {
        let all = self.list::<ContentManifest>()?.into_iter().map(|(_, manifest)| manifest);
        Ok(all.filter(|m| m.targets.iter().any(|target| targets.contains(target))).collect())
    }

    /// The distribution points of a site and of the sites below it.
    pub fn points_below(&self, site: SiteCode) -> Result<BTreeSet<RoleId>, Error> {
        let tree = self.tree()?;
        let roles = self.list::<RoleRecord>()?.into_iter().map(|(_, role)| role);
        let mine =
            roles.filter(|r| r.kind == RoleKind::DistributionPoint && tree.is_below(r.site, site));
        Ok(mine.map(|role| role.id).collect())
    }

    /// Grows with every change of manifests and whenever a file arrives here.
    pub fn content_generation(&self) -> Result<u64, Error> {
        let sql = "SELECT coalesce(max(lsn), 0) FROM entry WHERE grp = ?1";
        let group = Kind::ContentManifest.group() as u8;
        let changes: u64 = self.tx.query_row(sql, [group], |row| row.get(0))?;
        Ok(changes + self.counter("content_arrival")?)
    }

    /// What distribution points say, by package and point.
    pub fn content_states(&self) -> Result<Vec<DistributionState>, Error> {
        Ok(self.tx.query_all("SELECT * FROM content_state", [], content_state)?)
    }

    /// What the parent site was not told yet.
    pub fn unforwarded_states(&self, limit: usize) -> Result<Vec<DistributionState>, Error> {
        let sql = "SELECT * FROM content_state WHERE NOT is_forwarded LIMIT ?1";
        Ok(self.tx.query_all(sql, [limit], content_state)?)
    }

    /// The distribution points that have each file installed, whatever the package (PKG-09).
    pub fn content_locations(
        &self,
        files: &BTreeSet<Sha256>,
    ) -> Result<BTreeMap<Sha256, Vec<RoleRecord>>, Error> {
        let mut installed: BTreeMap<(ObjectCode, u32), Vec<RoleId>> = BTreeMap::new();
        for state in self.content_states()? {
            if state.state == ContentState::Installed {
                installed.entry((state.package, state.version)).or_default().push(state.point);
            }
        }
        let mut found: BTreeMap<Sha256, BTreeSet<RoleId>> = BTreeMap::new();
        for (_, manifest) in self.list::<ContentManifest>()? {
            let key = (manifest.package, manifest.version);
            let Some(points) = installed.get(&key) else { continue };
            for file in manifest.files.iter().filter(|file| files.contains(&file.sha256)) {
                found.entry(file.sha256).or_default().extend(points);
            }
        }
        let mut locations = BTreeMap::new();
        for (sha256, points) in found {
            let records = points.iter().map(|point| self.get::<RoleRecord>(point.as_bytes()));
            let records: Vec<_> = records.collect::<Result<_, _>>()?;
            locations.insert(sha256, records.into_iter().flatten().collect());
        }
        Ok(locations)
    }

    /// The files of the updates of a group and of the updates they bundle, each once.
    pub fn group_files(&self, group: &ObjectCode) -> Result<Vec<(UpdateId, ItemFile)>, Error> {
        let group: UpdateGroup = self.require(group.as_str().as_bytes())?;
        self.update_files(group.updates)
    }

    pub fn update_files(&self, updates: Vec<UpdateId>) -> Result<Vec<(UpdateId, ItemFile)>, Error> {
        let (mut ahead, mut seen, mut files) = (updates, BTreeSet::new(), Vec::new());
        while let Some(id) = ahead.pop() {
            if seen.insert(id) {
                let item: Item = self.require(id.as_bytes())?;
                ahead.extend(item.bundles.iter().map(|bundled| bundled.id));
                files.extend(item.files.into_iter().map(|file| (id, file)));
            }
        }
        Ok(files)
    }
}

impl Writer<'_> {
    /// Wants files for a package; says how many it did not hold or want already.
    pub fn demand_files(
        &self,
        package: &ObjectCode,
        files: &[(UpdateId, ItemFile)],
    ) -> Result<usize, Error> {
        let held = self.own_package(package)?.files;
        let held: BTreeSet<(Sha1, u64)> = held.iter().map(|f| (f.sha1, f.size)).collect();
        let mut wanted = 0;
        for (update, file) in files.iter().filter(|(_, f)| !held.contains(&(f.sha1, f.size))) {
            wanted += self.write.execute(
                "INSERT INTO content_demand VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, NULL, 0, '')
                 ON CONFLICT DO NOTHING",
                params![
                    package.as_str(),
                    file.sha1.0,
                    file.size,
                    update.as_bytes(),
                    file.name,
                    file.sha256.map(|sha256| sha256.0)
                ],
            )?;
        }
        self.wake(None);
        Ok(wanted)
    }

    /// Records where a wanted file is, for every package that wants it.
    pub fn note_found(&self, file: &ItemFile, found: Found) -> Result<(), Error> {
        let (missing, stored, weak) = match found {
            Found::Unknown => (false, None, false),
            Found::Missing => (true, None, false),
            Found::Stored { sha256, is_weak } => (false, Some(sha256.0), is_weak),
        };
        let sql = "UPDATE content_demand SET is_missing = ?3, stored = ?4, is_weak = ?5
                   WHERE sha1 = ?1 AND size = ?2";
        self.write.execute(sql, params![file.sha1.0, file.size, missing, stored, weak])?;
        self.wake(None);
        Ok(())
    }

    /// Why a wanted file could not be fetched.
    pub fn note_demand_failure(&self, sha1: Sha1, reason: &str) -> Result<(), Error> {
        let sql = "UPDATE content_demand SET reason = ?2 WHERE sha1 = ?1";
        self.write.execute(sql, params![sha1.0, reason])?;
        Ok(())
    }

    /// Nobody wants this file any more.
    pub fn drop_demand(&self, sha1: Sha1) -> Result<(), Error> {
        self.write.execute("DELETE FROM content_demand WHERE sha1 = ?1", [sha1.0])?;
        self.wake(None);
        Ok(())
    }

    /// A wanted file arrived in the content library: those who wait for it are told again.
    pub fn note_arrival(&self) -> Result<(), Error> {
        self.next("content_arrival")?;
        self.wake(None);
        Ok(())
    }

    /// Keeps the last word of distribution points.
    pub fn save_content_states(&self, states: &[DistributionState]) -> Result<(), Error> {
        for state in states {
            self.write.execute(
                "INSERT INTO content_state VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)
                 ON CONFLICT DO UPDATE SET site = ?3, version = ?4, state = ?5, files = ?6,
                   bytes = ?7, reason = ?8, at = ?9, is_forwarded = 0",
                params![
                    state.package.as_str(),
                    state.point.as_bytes(),
                    state.site.as_str(),
                    state.version,
                    state.state.as_str(),
                    state.files,
                    state.bytes,
                    state.reason,
                    state.at.0
                ],
            )?;
        }
        self.wake(None);
        Ok(())
    }

    /// The parent site has stored these, unless they changed meanwhile.
    pub fn mark_forwarded(&self, states: &[DistributionState]) -> Result<(), Error> {
        let sql = "UPDATE content_state SET is_forwarded = 1
                   WHERE package = ?1 AND point = ?2 AND at = ?3 AND state = ?4";
        for state in states {
            let key = (state.package.as_str(), state.point.as_bytes());
            self.write.execute(sql, params![key.0, key.1, state.at.0, state.state.as_str()])?;
        }
        Ok(())
    }
}
