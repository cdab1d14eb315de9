//! What makes a client scan, and how far the scan goes for its documents (SCAN-09 … SCAN-18).

/// How far a scan goes; the later one includes the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// What is here.
    Offline,
    /// What is here if it is new enough, else what the software update point has.
    Online,
    /// What the software update point has.
    Forced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    Schedule,
    /// A user or an administrator asks for a scan.
    Asked,
    /// They ask that deployments are evaluated.
    EvaluationAsked,
    Reevaluation,
    NewPolicy,
    BeforeDownload,
    BeforeInstall,
    AfterInstall,
    /// Of the system, or of the client.
    AfterRestart,
}

impl Trigger {
    #[must_use]
    pub fn reach(self) -> Reach {
        match self {
            Trigger::Asked | Trigger::EvaluationAsked => Reach::Forced,
            Trigger::Schedule
            | Trigger::Reevaluation
            | Trigger::NewPolicy
            | Trigger::BeforeDownload
            | Trigger::BeforeInstall => Reach::Online,
            Trigger::AfterInstall | Trigger::AfterRestart => Reach::Offline,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Asked => "asked for",
            Trigger::EvaluationAsked => "evaluation asked for",
            Trigger::Reevaluation => "evaluation again",
            Trigger::NewPolicy => "new policy",
            Trigger::BeforeDownload => "before download",
            Trigger::BeforeInstall => "before installation",
            Trigger::AfterInstall => "after installation",
            Trigger::AfterRestart => "after restart",
        }
    }
}
