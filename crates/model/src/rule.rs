//! Automatic deployment rules: which updates are deployed without anybody asking.
//!
//! Owns what a rule says. Refuses to know what its filter and its recurrence mean, and what its
//! runs did: that is local to the site that owns the rule.

use crate::words::words;
use crate::{
    Alert, DeploymentId, DetailLevel, Download, Experience, Intent, ObjectCode, RoleId, TimeBasis,
};

/// When a rule runs by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluate {
    Manual,
    /// After synchronizations, and when what it depends on changed.
    OnChange,
    /// Canonical spelling of a recurrence.
    At(String),
}

words! {
    /// Where the updates of a run go.
    GroupUse, "group use" {
        New = "new",
        Refill = "refill",
    }

    /// How far a run goes.
    Stage, "stage" {
        /// Deployments that only count.
        Report = "report",
        /// Files are fetched and distributed; deployments stay disabled.
        Content = "content",
        Deploy = "deploy",
    }

    /// What a rule is for.
    Style, "style" {
        Rule = "rule",
        /// Takes only what comes after it was made.
        Approval = "approval",
        /// Never runs.
        Template = "template",
    }
}

/// When something is due, from the beginning of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Asap,
    After {
        minutes: u32,
    },
    /// So many days later, at that minute of the day.
    At {
        days: u16,
        minute_of_day: u16,
    },
}

/// A deployment that each run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleDeployment {
    pub name: String,
    pub collection: ObjectCode,
    pub intent: Intent,
    pub available: Due,
    pub deadline: Option<Due>,
    pub basis: TimeBasis,
    pub experience: Experience,
    pub download: Download,
    pub alert: Option<Alert>,
    pub detail: DetailLevel,
    pub wakes: bool,
    pub is_enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub code: ObjectCode,
    pub name: String,
    pub description: String,
    pub style: Style,
    /// A query over updates.
    pub filter: String,
    pub evaluate: Evaluate,
    pub group_use: GroupUse,
    /// The group that was filled last.
    pub group: Option<ObjectCode>,
    pub package: Option<ObjectCode>,
    /// The distribution points its package goes to.
    pub points: Vec<RoleId>,
    /// Of the files, as tags such as `en`; none: those that are synchronized.
    pub languages: Vec<String>,
    pub only_without_license: bool,
    pub stage: Stage,
    /// Too many updates go into several groups instead of failing the run.
    pub splits: bool,
    pub is_enabled: bool,
    /// The catalog version at its making.
    pub since: u64,
    pub deployments: Vec<RuleDeployment>,
    /// What the last run made.
    pub deployed: Vec<DeploymentId>,
}
