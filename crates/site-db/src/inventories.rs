//! What computers are made of, and the numbers that stand for their software.
//!
//! Owns the numbers: a site gives each title (name, version, architecture, origin) one, so that the
//! list of a computer is two bytes and not fifty per package. Titles are objects in the stream of
//! the lists, written before the first list that names them. A number is never given to something
//! else; titles that no list names any more are forgotten when there are too many. Refuses to know
//! how a report changes an inventory.

use std::collections::BTreeSet;

use model::{
    ClientId, Group, InstalledSoftware, Invalid, Inventory, InventoryRecord, Kind, SiteCode,
    Software, SoftwareOrigin, SoftwareTitle,
};
use rpc::object::ObjectBody;
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Own, Reader, Writer};

/// Titles of one site: ten times what fleets of several distributions install. Who says more
/// cannot be taken.
const TITLES_MAX: u64 = 1_000_000;

const COUNTER: &str = "software_title";

/// Numbers of software, and the titles that are to be written for them.
type Numbered = (Vec<u32>, Vec<Own>);

impl Reader<'_> {
    /// A client's whole inventory, whatever site it is assigned to.
    pub fn inventory(
        &self,
        client: ClientId,
    ) -> Result<Option<(InventoryRecord, Inventory)>, Error> {
        let Some(record) = self.get::<InventoryRecord>(client.as_bytes())? else { return Ok(None) };
        let software = match self.get::<InstalledSoftware>(client.as_bytes())? {
            Some(list) => self.titles(&list)?,
            None => BTreeSet::new(),
        };
        let inventory = Inventory { computer: record.computer.clone(), software };
        Ok(Some((record, inventory)))
    }

    /// A title that is not here (its stream is being reconciled) is left out.
    fn titles(&self, list: &InstalledSoftware) -> Result<BTreeSet<Software>, Error> {
        let sql = "SELECT name, version, architecture, origin, site, number FROM software_title
                   WHERE site = ?1 AND number = ?2";
        let mut software = BTreeSet::new();
        for number in &list.titles {
            let key = params![list.site.as_str(), number];
            software.extend(self.tx.query_optional(sql, key, title_row)?.map(|row| row.software));
        }
        Ok(software)
    }

    /// The titles of all sites with this name, in whatever case.
    pub fn titles_named(&self, name: &str) -> Result<Vec<SoftwareTitle>, Error> {
        let sql = "SELECT name, version, architecture, origin, site, number FROM software_title
                   WHERE folded = ?1";
        Ok(self.tx.query_all(sql, [name.to_lowercase()], title_row)?)
    }

    /// Visits what is kept of these clients, or of all. What cannot be read was made by a later
    /// version.
    pub fn visit_described<T: ObjectBody>(
        &self,
        clients: Option<&BTreeSet<ClientId>>,
        mut visit: impl FnMut(Result<T, Invalid>),
    ) -> Result<(), Error> {
        let Some(clients) = clients else {
            return self.visit(T::KIND, |_, body| {
                visit(T::decode(&body));
                Ok(())
            });
        };
        for client in clients {
            if let Some((_, body)) = self.body(T::KIND, client.as_bytes())? {
                visit(T::decode(&body));
            }
        }
        Ok(())
    }
}

impl Writer<'_> {
    /// Replaces what is kept of a client of this site. False: there are too many titles of software
    /// to give new ones numbers, and nothing is written.
    pub fn write_inventory(
        &self,
        record: &InventoryRecord,
        software: &BTreeSet<Software>,
    ) -> Result<bool, Error> {
        let Some((titles, mut changes)) = self.number(software)? else { return Ok(false) };
        let (client, site) = (record.client, self.identity().code());
        changes.push(Own::put(&InstalledSoftware { client, site, titles }));
        changes.push(Own::put(record));
        self.write_own(Group::Clients, changes)?;
        Ok(true)
    }

    /// The numbers of this software, ascending, and the titles that are new.
    fn number(&self, software: &BTreeSet<Software>) -> Result<Option<Numbered>, Error> {
        let site = self.identity().code();
        let (mut numbers, mut new) = (BTreeSet::new(), Vec::new());
        for software in software {
            match self.numbered(site, software)? {
                Some(number) => drop(numbers.insert(number)),
                None => new.push(software),
            }
        }
        let count = new.len() as u64;
        if count > 0 && self.count(Kind::SoftwareTitle)? + count > TITLES_MAX {
            self.forget_titles(site, &numbers)?;
            if self.count(Kind::SoftwareTitle)? + count > TITLES_MAX {
                return Ok(None);
            }
        }
        let mut changes = Vec::with_capacity(new.len());
        for software in new {
            let number = self.new_number(site)?;
            numbers.insert(number);
            let software = software.clone();
            changes.push(Own::put(&SoftwareTitle { site, number, software }));
        }
        Ok(Some((numbers.into_iter().collect(), changes)))
    }

    fn numbered(&self, site: SiteCode, software: &Software) -> Result<Option<u32>, Error> {
        let Software { name, version, architecture, origin } = software;
        let sql = "SELECT number FROM software_title WHERE folded = ?1 AND site = ?2 AND name = ?3
                     AND version = ?4 AND architecture = ?5 AND origin = ?6";
        let folded = name.to_lowercase();
        let key = params![folded, site.as_str(), name, version, architecture, origin.as_str()];
        Ok(self.tx.query_optional(sql, key, |row| row.get(0))?)
    }

    /// One that was never given; after a restore the counter may lag behind.
    fn new_number(&self, site: SiteCode) -> Result<u32, Error> {
        let sql = "SELECT 1 FROM software_title WHERE site = ?1 AND number = ?2";
        loop {
            let number = u32::try_from(self.next(COUNTER)?).map_err(|_| Error::Conflict {
                what: "no number for software is left".to_owned(),
            })?;
            let key = params![site.as_str(), number];
            if self.tx.query_optional(sql, key, |row| row.get::<_, i64>(0))?.is_none() {
                return Ok(number);
            }
        }
    }

    /// Deletes the titles of this site that no list names, but for `kept`.
    fn forget_titles(&self, site: SiteCode, kept: &BTreeSet<u32>) -> Result<(), Error> {
        let mut named = kept.clone();
        self.visit(Kind::InstalledSoftware, |_, body| {
            let list = InstalledSoftware::decode(&body);
            let list = list.map_err(Error::stored("list of software"))?;
            if list.site == site {
                named.extend(list.titles);
            }
            Ok(())
        })?;
        let sql = "SELECT number FROM software_title WHERE site = ?1";
        let all: Vec<u32> = self.tx.query_all(sql, [site.as_str()], |row| row.get(0))?;
        let id = |number: u32| [site.as_str().as_bytes(), &number.to_be_bytes()].concat();
        let gone = all.into_iter().filter(|number| !named.contains(number));
        let gone: Vec<Own> = gone.map(|n| Own::delete(Kind::SoftwareTitle, id(n))).collect();
        self.write_own(Group::Clients, gone)
    }

    pub(crate) fn project_title(&self, id: &[u8], body: Option<&[u8]>) -> Result<(), Error> {
        let Some(Ok(title)) = body.map(SoftwareTitle::decode) else {
            if let Some((site, number)) = id.split_at_checked(3) {
                let number = number.try_into().map_or(0, u32::from_be_bytes);
                let sql = "DELETE FROM software_title WHERE site = ?1 AND number = ?2";
                self.write.execute(sql, params![String::from_utf8_lossy(site), number])?;
            }
            return Ok(());
        };
        let SoftwareTitle { site, number, software } = title;
        let Software { name, version, architecture, origin } = software;
        self.write.execute(
            "INSERT OR REPLACE INTO software_title VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                site.as_str(),
                number,
                name.to_lowercase(),
                name,
                version,
                architecture,
                origin.as_str()
            ],
        )?;
        Ok(())
    }
}

fn title_row(row: &Row<'_>) -> RowResult<SoftwareTitle> {
    let origin = |text: String| SoftwareOrigin::from_name(&text);
    let software = Software {
        name: row.get(0)?,
        version: row.get(1)?,
        architecture: row.get(2)?,
        origin: parse_column(row, 3, origin)?,
    };
    let site = parse_column(row, 4, |text: String| SiteCode::new(&text))?;
    Ok(SoftwareTitle { site, number: row.get(5)?, software })
}

#[cfg(test)]
mod tests;
