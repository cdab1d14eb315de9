//! Who may ask for what.
//!
//! Everybody may look. What changes something is for those whom the setting `install.by` names
//! (CSET-13), and what others would miss afterwards for administrators alone.

use client::Installers;

use super::{Caller, Refused, Request, Standing};

/// What policy and configuration say about those who ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights<'a> {
    pub(crate) install_by: Installers,
    /// Names of users whose computer this is.
    pub(crate) primary_users: &'a [String],
}

/// What it takes.
enum Need {
    Nothing,
    Installing,
    Administering,
}

impl Rights<'_> {
    pub(crate) fn check(&self, request: &Request, caller: &Caller) -> Result<(), Refused> {
        let is_administrator = caller.standing == Standing::Administrator;
        let is_primary = || self.primary_users.contains(&caller.name);
        let refused = |who: &str| {
            let what = format!("{} may not do this here; {who}", caller.name);
            Err(Refused::new(what, "ask an administrator of this computer, or use sudo"))
        };
        match need(request) {
            Need::Nothing => Ok(()),
            Need::Administering if is_administrator => Ok(()),
            Need::Administering => refused("only administrators may"),
            Need::Installing => match self.install_by {
                // A service is nobody who could look after what it starts.
                Installers::All if caller.standing == Standing::Absent => {
                    refused("policy lets those alone who are logged on")
                }
                Installers::All => Ok(()),
                Installers::Administrators | Installers::AdministratorsAndPrimary
                    if is_administrator =>
                {
                    Ok(())
                }
                Installers::AdministratorsAndPrimary if is_primary() => Ok(()),
                Installers::Administrators => refused("policy lets administrators alone"),
                Installers::AdministratorsAndPrimary => {
                    refused("policy lets administrators and primary users alone")
                }
                Installers::Nobody => Err(Refused::new(
                    "policy lets nobody start anything here",
                    "wait for the deadline, or have the client setting install.by changed",
                )),
            },
        }
    }
}

fn need(request: &Request) -> Need {
    match request {
        Request::Status
        | Request::History { .. }
        | Request::Updates
        | Request::CacheList
        | Request::RebootStatus
        | Request::Policy
        | Request::Explain { .. } => Need::Nothing,
        Request::Scan { .. }
        | Request::Install { .. }
        | Request::InstallAt { .. }
        | Request::Unplan { .. }
        | Request::Reboot { .. } => Need::Installing,
        Request::Hide { .. } | Request::Show { .. } | Request::CacheClean | Request::Reset => {
            Need::Administering
        }
    }
}

#[cfg(test)]
mod tests;
