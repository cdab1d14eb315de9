//! What queries ask of the inventories of computers, and what those answer.
//!
//! Owns how a question about software is read: `"openssl"`, or `"openssl < 3.0.14"` for one of its
//! versions. Holds no list of software, only who has what was asked for. Refuses to know where
//! inventories are kept. A computer that never described itself is unknown, and so is one whose
//! description cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ClientId, Computer, InstalledSoftware, Invalid, InventoryRecord, SiteCode, SoftwareTitle,
};
use query::{Query, Relation};

use crate::collection::{COMPUTER_FIELDS, SOFTWARE};

/// What some queries ask of inventories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryNeeds {
    /// What computers are.
    pub computers: bool,
    /// Who has software, as the queries say it.
    pub software: BTreeSet<String>,
}

/// As far as somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Inventories {
    needs: InventoryNeeds,
    computers: BTreeMap<ClientId, Computer>,
    /// The titles that each question means.
    meant: BTreeMap<String, BTreeSet<(SiteCode, u32)>>,
    /// Who has one of them.
    having: BTreeMap<String, Vec<ClientId>>,
    /// Whose software is known.
    listed: Vec<ClientId>,
}

impl InventoryNeeds {
    pub const NOTHING: InventoryNeeds =
        InventoryNeeds { computers: false, software: BTreeSet::new() };

    pub(crate) fn add(&mut self, query: &Query) {
        self.computers |= COMPUTER_FIELDS.iter().any(|field| query.asks_for(field));
        let asked = query.arguments(SOFTWARE).into_iter();
        self.software.extend(asked.map(str::to_owned));
    }

    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == InventoryNeeds::NOTHING
    }
}

impl Inventories {
    /// Nothing is known yet. The titles that [`Inventories::names`] names have to be told before
    /// lists are.
    #[must_use]
    pub fn new(needs: InventoryNeeds) -> Inventories {
        Inventories { needs, ..Inventories::default() }
    }

    #[must_use]
    pub fn needs(&self) -> &InventoryNeeds {
        &self.needs
    }

    /// The names of software that is asked for.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.needs.software.iter().map(|asked| question(asked).0.to_owned()).collect()
    }

    pub fn tell_title(&mut self, title: &SoftwareTitle) {
        for asked in &self.needs.software {
            let (name, version) = question(asked);
            let software = &title.software;
            let holds = |(relation, other): (Relation, &str)| {
                relation.holds(software.compare_version(other))
            };
            let is_named = software.name.to_lowercase() == name.to_lowercase();
            if is_named && version.is_none_or(holds) {
                let meant = self.meant.entry(asked.clone()).or_default();
                meant.insert((title.site, title.number));
            }
        }
    }

    pub fn tell_computer(&mut self, record: Result<InventoryRecord, Invalid>) {
        if let Ok(InventoryRecord { client, computer, .. }) = record {
            self.computers.insert(client, computer);
        }
    }

    pub fn tell_software(&mut self, list: Result<InstalledSoftware, Invalid>) {
        let Ok(InstalledSoftware { client, site, titles }) = list else { return };
        self.listed.push(client);
        for (asked, meant) in &self.meant {
            if meant.iter().any(|(of, number)| *of == site && titles.binary_search(number).is_ok())
            {
                self.having.entry(asked.clone()).or_default().push(client);
            }
        }
    }

    pub(crate) fn computer(&self, client: ClientId) -> Option<&Computer> {
        self.computers.get(&client)
    }

    /// Who has software, as a query asks for it, and of whom that can be told.
    pub(crate) fn software(&self, asked: &str) -> (&[ClientId], &[ClientId]) {
        (self.having.get(asked).map_or(&[], Vec::as_slice), &self.listed)
    }
}

/// A name, and what its version has to be like.
fn question(asked: &str) -> (&str, Option<(Relation, &str)>) {
    let versioned = || {
        let (rest, version) = asked.trim().rsplit_once(char::is_whitespace)?;
        let (name, sign) = rest.trim_end().rsplit_once(char::is_whitespace)?;
        Some((name.trim_end(), Some((Relation::of_sign(sign)?, version))))
    };
    versioned().unwrap_or((asked.trim(), None))
}

#[cfg(test)]
mod tests;
