//! What is remembered of a server between scans: the numbers that it gave to revisions, and what
//! it decided about them.
//!
//! Pure but for where it is kept: beside the documents, in the same catalog. What cannot be read is
//! forgotten, and told again by the server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::{UpdateId, UpdateRef};
use update_catalog::Catalog;
use update_metadata::{Applicability, Document};
use wsus_protocol::Cookie;
use wsus_protocol::client::{DeploymentAction, SyncParameters};

use super::Judge;
use crate::Error;

/// Where it is kept.
const SETTING: &str = "foreign";

const ACTIONS: [(&str, DeploymentAction); 7] = [
    ("optional", DeploymentAction::OptionalInstall),
    ("install", DeploymentAction::Install),
    ("uninstall", DeploymentAction::Uninstall),
    ("check", DeploymentAction::PreDeploymentCheck),
    ("block", DeploymentAction::Block),
    ("evaluate", DeploymentAction::Evaluate),
    ("bundle", DeploymentAction::Bundle),
];

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By the number that the server gave to the revision.
    pub(super) known: BTreeMap<i32, Known>,
    /// What the server remembers by of what it has told, and who is called.
    pub(super) cookie: Option<Cookie>,
    /// Updates whose documents are in the catalog.
    pub(super) stored: BTreeSet<UpdateId>,
}

/// A revision the server told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// None of one that cannot be read, which is remembered so that it is not told again.
    pub(super) update: Option<UpdateRef>,
    /// No other update has it as a prerequisite.
    pub(super) is_leaf: bool,
    pub(super) action: DeploymentAction,
    /// What the server was last told that it is to the computer.
    pub(super) told: Told,
    /// By its own rules; judged anew by each scan.
    pub(super) is_installed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Required,
    Installed,
}

impl Memory {
    /// What was kept.
    pub(super) async fn kept(catalog: &Catalog) -> Result<Memory, Error> {
        let kept = catalog.setting(SETTING).await?.unwrap_or_default();
        let (cookie, known) = parse(&kept).unwrap_or_default();
        Ok(Memory { known, cookie, ..Memory::default() })
    }

    /// The same, with what the documents in the catalog say of the computer now. A revision
    /// whose document is not there is forgotten.
    pub(super) async fn read(catalog: &Catalog, judge: &mut dyn Judge) -> Result<Memory, Error> {
        let mut memory = Memory::kept(catalog).await?;
        let numbers = |(id, known): (&i32, &Known)| Some((known.update?, *id));
        let numbers: BTreeMap<UpdateRef, i32> = memory.known.iter().filter_map(numbers).collect();
        let (mut found, mut since) = (BTreeSet::new(), 0);
        loop {
            let page = catalog.changed_documents(since).await?;
            for change in page.changes {
                since = change.number;
                let Some(stored) = change.content else { continue };
                memory.stored.insert(stored.update.id);
                let Some(id) = numbers.get(&stored.update) else { continue };
                found.insert(*id);
                // Only prerequisites matter to what the server tells next.
                let known = memory.known.get_mut(id).filter(|known| !known.is_leaf);
                let (Some(known), Ok(document)) = (known, Document::parse(stored.xml.as_bytes()))
                else {
                    continue;
                };
                known.is_installed = judge.judge(&document).await == Applicability::Installed;
            }
            if page.is_last {
                break;
            }
            tokio::task::yield_now().await;
        }
        memory.known.retain(|id, known| known.update.is_none() || found.contains(id));
        Ok(memory)
    }

    pub(super) async fn keep(&self, catalog: &Catalog) -> Result<(), Error> {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = match &self.cookie {
            None => writeln!(text, "-"),
            Some(Cookie { expires, data }) => writeln!(text, "{expires} {}", hexadecimal(data)),
        };
        for (id, known) in &self.known {
            let (update, revision) = match known.update {
                Some(UpdateRef { id, revision }) => (id.to_string(), revision),
                None => ("-".to_owned(), 0),
            };
            let action = ACTIONS.iter().find(|(_, action)| *action == known.action);
            let action = action.map_or("", |(word, _)| word);
            let leaf = if known.is_leaf { "leaf" } else { "base" };
            let told = match known.told {
                Told::Nothing => "-",
                Told::Required => "required",
                Told::Installed => "installed",
            };
            let _ = writeln!(text, "{id} {update} {revision} {leaf} {action} {told}");
        }
        Ok(catalog.keep_setting(SETTING, text).await?)
    }

    /// What a round tells the server: installed prerequisites, and all the rest (MS-WUSP 3.1.5.7).
    pub(super) fn held(&self) -> SyncParameters {
        let is_base = |known: &Known| !known.is_leaf && known.is_installed;
        let (installed, others): (Vec<_>, Vec<_>) =
            self.known.iter().partition(|(_, known)| is_base(known));
        SyncParameters {
            installed_non_leaf: installed.into_iter().map(|(id, _)| *id).collect(),
            other_cached: others.into_iter().map(|(id, _)| *id).collect(),
            need_two_groups: true,
            ..SyncParameters::default()
        }
    }

    /// Updates that the server tells of.
    pub(super) fn updates(&self) -> BTreeMap<UpdateId, DeploymentAction> {
        let named = self.known.values().filter_map(|known| Some((known.update?.id, known.action)));
        named.collect()
    }
}

fn parse(kept: &str) -> Option<(Option<Cookie>, BTreeMap<i32, Known>)> {
    let mut lines = kept.lines();
    let cookie = lines
        .next()?
        .split_once(' ')
        .map(|(expires, data)| Some(Cookie { expires: expires.parse().ok()?, data: bytes(data)? }));
    Some((cookie.flatten(), lines.map(line).collect::<Option<_>>()?))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    digits.map(|digits| u8::from_str_radix(digits?, 16).ok()).collect()
}

fn line(line: &str) -> Option<(i32, Known)> {
    let mut fields = line.split(' ');
    let id = fields.next()?.parse().ok()?;
    let (update, revision) = (fields.next()?, fields.next()?.parse().ok()?);
    let update = match update {
        "-" => None,
        update => Some(UpdateRef { id: update.parse().ok()?, revision }),
    };
    let is_leaf = fields.next()? == "leaf";
    let action = fields.next()?;
    let (_, action) = *ACTIONS.iter().find(|(word, _)| *word == action)?;
    let told = match fields.next()? {
        "required" => Told::Required,
        "installed" => Told::Installed,
        _ => Told::Nothing,
    };
    Some((id, Known { update, is_leaf, action, told, is_installed: false }))
}
