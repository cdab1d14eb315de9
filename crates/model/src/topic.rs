//! The documented states of state messages, each with the number it has on the wire and in tables
//! and the word it has on the screen. A number is that of its topic and never changes; 0 is unknown
//! in every topic. Numbers that are not here come from newer clients and are refused by name.

/// Defines the states of a topic: its number, and the number and the word of each state.
macro_rules! topics {
    ($(
        $(#[$meta:meta])*
        $name:ident, $topic:literal {
            $($(#[$case_meta:meta])* $case:ident = $number:literal $word:literal,)*
        }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            #[repr(u8)]
            pub enum $name { $($(#[$case_meta])* $case = $number,)* }

            impl $name {
                pub const TOPIC: u32 = $topic;

                /// Ascending by number.
                pub const ALL: &'static [$name] = &[$($name::$case),*];

                #[must_use]
                pub fn as_str(self) -> &'static str {
                    match self { $($name::$case => $word),* }
                }

                #[must_use]
                pub fn number(self) -> u32 {
                    self as u32
                }

                pub fn from_number(number: u32) -> Result<$name, $crate::Invalid> {
                    match number {
                        $($number => Ok($name::$case),)*
                        _ => {
                            let what = concat!("state of topic ", $topic);
                            Err($crate::Invalid::new(what, format!("there is no state {number}")))
                        }
                    }
                }
            }
        )*
    };
}

topics! {
    /// Whether everything a deployment asks for is so (STATE-03).
    AssignmentCompliance, 300 {
        Unknown = 0 "unknown",
        Compliant = 1 "compliant",
        NonCompliant = 2 "non_compliant",
        Conflict = 3 "conflict",
    }

    /// What is being done for a deployment (STATE-04).
    AssignmentEnforcement, 301 {
        Installing = 1 "installing",
        /// Of the computer, before anything else can be installed.
        WaitingForRestart = 2 "waiting_for_restart",
        WaitingForInstallation = 3 "waiting_for_another_installation",
        Installed = 4 "installed",
        /// Installed, and effective after a restart.
        PendingRestart = 5 "pending_restart",
        Failed = 6 "failed",
        Downloading = 7 "downloading",
        Downloaded = 8 "downloaded",
        DownloadFailed = 9 "download_failed",
        WaitingForWindow = 10 "waiting_for_window",
        WaitingForOrchestration = 11 "waiting_for_orchestration",
        WaitingForSuperseding = 12 "waiting_for_superseding_update",
    }

    /// Whether a client could judge what a deployment asks for (STATE-05).
    AssignmentEvaluation, 302 {
        /// Its policy is here.
        Activated = 1 "activated",
        Succeeded = 2 "succeeded",
        Failed = 3 "failed",
    }

    /// Progress of one update on a client (STATE-08).
    EnforcementState, 402 {
        Started = 1 "started",
        WaitingForContent = 2 "waiting_for_content",
        WaitingForInstallation = 3 "waiting_for_another_installation",
        /// For a maintenance window in which it fits.
        WaitingForWindow = 4 "waiting_for_window",
        /// Nothing is installed before the computer has restarted.
        RestartFirst = 5 "restart_required_first",
        GeneralFailure = 6 "general_failure",
        PendingInstallation = 7 "pending_installation",
        Installing = 8 "installing",
        PendingRestart = 9 "pending_restart",
        Installed = 10 "installed",
        Failed = 11 "failed",
        Downloading = 12 "downloading",
        Downloaded = 13 "downloaded",
        DownloadFailed = 14 "download_failed",
    }

    /// The four compliance states of an update on a client (COMP-03 … COMP-14, STATE-09).
    ComplianceState, 500 {
        Unknown = 0 "unknown",
        NotRequired = 1 "not_required",
        Required = 2 "required",
        Installed = 3 "installed",
    }

    /// How far the last scan of a client is (STATE-10).
    SourceScan, 501 {
        WaitingForCatalog = 1 "waiting_for_catalog",
        Running = 2 "running",
        Complete = 3 "complete",
        PendingRetry = 4 "pending_retry",
        Failed = 5 "failed",
        CompletedWithErrors = 6 "completed_with_errors",
    }
}

impl AssignmentEnforcement {
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, AssignmentEnforcement::Failed | AssignmentEnforcement::DownloadFailed)
    }
}

impl EnforcementState {
    #[must_use]
    pub fn is_failure(self) -> bool {
        use EnforcementState::{DownloadFailed, Failed, GeneralFailure};
        matches!(self, Failed | DownloadFailed | GeneralFailure)
    }
}

#[cfg(test)]
mod tests;
