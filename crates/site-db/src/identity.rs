//! What this site is.

use model::{HierarchyId, Owner, SiteCode, SiteKind};
use replication::{Losses, Neighbor};
use sqlite_engine::{WriteTx, params, parse_column};

use crate::{Error, Reader, Writer};

/// The site a database belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub hierarchy: HierarchyId,
    pub owner: Owner,
    pub kind: SiteKind,
    pub parent: Option<SiteCode>,
}

impl Identity {
    #[must_use]
    pub fn code(&self) -> SiteCode {
        self.owner.code
    }

    #[must_use]
    pub fn neighbor(&self) -> Neighbor {
        Neighbor { code: self.owner.code, kind: self.kind }
    }

    #[must_use]
    pub fn is_top(&self) -> bool {
        self.parent.is_none()
    }
}

/// Whether a site comes back from a restore, and what it may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovering {
    No,
    Yes(Losses),
}

impl Reader<'_> {
    pub fn recovering(&self) -> Result<Recovering, Error> {
        let sql = "SELECT recovering, accept_loss FROM identity";
        let (recovering, accept): (bool, bool) =
            self.tx.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(match (recovering, accept) {
            (false, _) => Recovering::No,
            (true, false) => Recovering::Yes(Losses::Refused),
            (true, true) => Recovering::Yes(Losses::Accepted),
        })
    }
}

impl Writer<'_> {
    /// Writes the identity into a new file; refuses a file of another site.
    pub(crate) fn claim(&self) -> Result<(), Error> {
        let mine = self.identity();
        let sql = "SELECT hierarchy, owner FROM identity";
        let found = self.tx.query_optional(sql, [], |row| {
            let hierarchy = parse_column(row, 0, |b: Vec<u8>| HierarchyId::from_slice(&b))?;
            Ok((hierarchy, parse_column(row, 1, |b: Vec<u8>| Owner::from_slice(&b))?))
        })?;
        match found {
            Some(found) if found == (mine.hierarchy, mine.owner) => Ok(()),
            Some((hierarchy, owner)) => Err(Error::ForeignDatabase {
                found: format!("{} of hierarchy {hierarchy}", owner.code),
                expected: format!("{} of hierarchy {}", mine.owner.code, mine.hierarchy),
            }),
            None => {
                self.write.execute(
                    "INSERT INTO identity VALUES (1, ?1, ?2, ?3, ?4, 0, 0)",
                    params![
                        mine.hierarchy.as_bytes(),
                        mine.owner.to_bytes(),
                        mine.kind.as_str(),
                        mine.parent.map(|p| p.to_string())
                    ],
                )?;
                Ok(())
            }
        }
    }

    /// Ends or begins recovery.
    pub fn set_recovering(&self, recovering: Recovering) -> Result<(), Error> {
        set_recovering(self.write, recovering)
    }
}

pub(crate) fn set_recovering(tx: &WriteTx, recovering: Recovering) -> Result<(), Error> {
    let (flag, accept) = match recovering {
        Recovering::No => (false, false),
        Recovering::Yes(losses) => (true, losses == Losses::Accepted),
    };
    let sql = "UPDATE identity SET recovering = ?1, accept_loss = ?2";
    tx.execute(sql, params![flag, accept])?;
    Ok(())
}
