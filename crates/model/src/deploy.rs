//! What administrators decide: update groups, packages, deployments and their options.

use crate::words::words;
use crate::{DeploymentId, Invalid, ObjectCode, Sha1, Sha256, SiteCode, Timestamp, UpdateId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateGroup {
    pub code: ObjectCode,
    pub name: String,
    pub description: String,
    pub updates: Vec<UpdateId>,
    pub origin: Origin,
}

impl UpdateGroup {
    /// One made by hand.
    #[must_use]
    pub fn plain(code: ObjectCode, name: String, updates: Vec<UpdateId>) -> UpdateGroup {
        UpdateGroup { code, name, description: String::new(), updates, origin: Origin::Hand }
    }
}

words! {
    Intent, "intent" {
        /// Installed at the deadline (DEP-07).
        Required = "required",
        /// Offered to the user (DEP-18).
        Available = "available",
        /// Removed at the deadline; only approvals mean that.
        Uninstall = "uninstall",
    }

    /// What a deployment does.
    Effect, "effect" {
        Install = "install",
        /// Only counts who complies: no client is told of it.
        Report = "report",
    }

    /// What the times of a deployment mean.
    TimeBasis, "basis" {
        Utc = "utc",
        /// The time on the client's own clock, written as if it were UTC.
        ClientLocal = "client",
    }

    /// What the user sees.
    Notify, "notify" {
        All = "all",
        /// Only in the list of updates.
        CenterOnly = "center",
        Hidden = "hidden",
    }

    /// Which states clients report (STATE-18).
    DetailLevel, "detail" {
        All = "all",
        SuccessAndErrors = "success-and-errors",
        Errors = "errors",
    }
}

/// Who made an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Hand,
    Rule(ObjectCode),
    Phase { plan: ObjectCode, number: u8 },
    Approval,
}

impl Origin {
    /// Such as `hand`, `rule CAS00001`, `phase CAS00002 3` or `approval`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Origin::Hand => "hand".to_owned(),
            Origin::Rule(code) => format!("rule {code}"),
            Origin::Phase { plan, number } => format!("phase {plan} {number}"),
            Origin::Approval => "approval".to_owned(),
        }
    }

    /// From its words; none at all are those of a hand.
    pub fn from_words(text: &str) -> Result<Origin, Invalid> {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["" | "hand"] => Ok(Origin::Hand),
            ["approval"] => Ok(Origin::Approval),
            ["rule", code] => Ok(Origin::Rule(ObjectCode::new(code)?)),
            ["phase", plan, number] => {
                let bad = |_| Invalid::new("origin", format!("\"{number}\" is no phase"));
                let number = number.parse().map_err(bad)?;
                Ok(Origin::Phase { plan: ObjectCode::new(plan)?, number })
            }
            _ => Err(Invalid::new("origin", format!("there is no \"{text}\""))),
        }
    }
}

/// What the user of a client goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a page of independent check boxes")]
pub struct Experience {
    pub notify: Notify,
    pub install_outside_window: bool,
    pub restart_outside_window: bool,
    pub suppress_restart_servers: bool,
    pub suppress_restart_workstations: bool,
    pub commit_write_filter: bool,
    pub evaluate_after_restart: bool,
    /// A client that was off at the deadline has the grace period of its settings.
    pub soft_deadline: bool,
}

impl Default for Experience {
    fn default() -> Experience {
        Experience {
            notify: Notify::All,
            install_outside_window: false,
            restart_outside_window: false,
            suppress_restart_servers: false,
            suppress_restart_workstations: false,
            commit_write_filter: false,
            evaluate_after_restart: false,
            soft_deadline: false,
        }
    }
}

/// Where clients take the files from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a page of independent check boxes")]
pub struct Download {
    /// From points of neighbor boundary groups, too.
    pub neighbors: bool,
    /// From points of the site's default boundary group, too.
    pub default_group: bool,
    pub microsoft_update: bool,
    /// Also over a metered connection, once the deadline has come.
    pub metered: bool,
    /// False: it was made to work without a package, which cannot be changed (DEPX-15).
    pub has_packages: bool,
}

impl Default for Download {
    fn default() -> Download {
        Download {
            neighbors: true,
            default_group: true,
            microsoft_update: false,
            metered: false,
            has_packages: true,
        }
    }
}

/// An alert if fewer comply, so long after the deadline or, without one, the availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    pub below_percent: u8,
    pub after_days: u16,
}

/// Growth of a deployment over its collection, evenly over some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    pub from: Timestamp,
    pub days: u8,
    /// Since when it grows no more.
    pub stopped_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: DeploymentId,
    pub name: String,
    pub description: String,
    pub group: ObjectCode,
    pub collection: ObjectCode,
    pub intent: Intent,
    pub effect: Effect,
    pub available_at: Timestamp,
    pub deadline: Option<Timestamp>,
    pub basis: TimeBasis,
    pub enabled: bool,
    pub created_at: Timestamp,
    pub experience: Experience,
    pub download: Download,
    pub alert: Option<Alert>,
    pub detail: DetailLevel,
    /// Clients are woken at the deadline.
    pub wakes: bool,
    /// License terms are accepted for the clients.
    pub accepts_license: bool,
    /// Members of these collections are left out.
    pub except: Vec<ObjectCode>,
    pub rollout: Option<Rollout>,
    pub origin: Origin,
}

impl Deployment {
    /// Required at once, enabled, with the default options.
    #[must_use]
    pub fn plain(
        id: DeploymentId,
        group: ObjectCode,
        collection: ObjectCode,
        now: Timestamp,
    ) -> Deployment {
        Deployment {
            id,
            name: String::new(),
            description: String::new(),
            group,
            collection,
            intent: Intent::Required,
            effect: Effect::Install,
            available_at: now,
            deadline: Some(now),
            basis: TimeBasis::Utc,
            enabled: true,
            created_at: now,
            experience: Experience::default(),
            download: Download::default(),
            alert: None,
            detail: DetailLevel::All,
            wakes: false,
            accepts_license: true,
            except: Vec::new(),
            rollout: None,
            origin: Origin::Hand,
        }
    }
}

/// A deployment that is stopped for the clients of one site, or at the top for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub deployment: DeploymentId,
    /// Who holds it.
    pub site: SiteCode,
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// A file of a package, with the digest computed when it was ingested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    pub update: UpdateId,
    pub name: String,
    pub size: u64,
    pub sha1: Sha1,
    pub sha256: Sha256,
    /// The update's document gave no SHA-256 to check against.
    pub weak: bool,
}

/// A deployment package: references to content, which itself belongs to updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub code: ObjectCode,
    pub name: String,
    pub description: String,
    /// The site whose content library ingested the files.
    pub site: SiteCode,
    pub version: u32,
    pub files: Vec<PackageFile>,
}
