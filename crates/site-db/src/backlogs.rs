//! What management points, update points and secondary sites hold for this site, as they said last
//! (COMP-12, COMP-14).
//!
//! Owns one row per caller, of which there are as many as certificates; what a revoked one said is
//! not told. Refuses to know what waits.

use model::{PeerIdentity, Revocation, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

/// What one caller holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub caller: PeerIdentity,
    pub at: Timestamp,
    /// Behind what it submitted then.
    pub waiting: u64,
    /// Cannot be read, or was refused.
    pub set_aside: u64,
}

fn backlog(row: &Row<'_>) -> RowResult<Backlog> {
    Ok(Backlog {
        caller: parse_column(row, 0, |text: String| text.parse())?,
        at: Timestamp(row.get(1)?),
        waiting: row.get(2)?,
        set_aside: row.get(3)?,
    })
}

impl Reader<'_> {
    pub fn backlogs(&self) -> Result<Vec<Backlog>, Error> {
        let sql = "SELECT caller, said_at, waiting, set_aside FROM backlog ORDER BY caller";
        let mut backlogs = self.tx.query_all(sql, [], backlog)?;
        let mut revoked = Vec::new();
        for Backlog { caller, .. } in &backlogs {
            let revocation = self.get::<Revocation>(caller.to_string().as_bytes())?;
            revoked.extend(revocation.map(|_| caller.clone()));
        }
        backlogs.retain(|backlog| !revoked.contains(&backlog.caller));
        Ok(backlogs)
    }
}

impl Writer<'_> {
    pub fn say_backlog(&self, backlog: &Backlog) -> Result<(), Error> {
        let Backlog { caller, at, waiting, set_aside } = backlog;
        let sql = "INSERT OR REPLACE INTO backlog VALUES (?1, ?2, ?3, ?4)";
        self.write.execute(sql, params![caller.to_string(), at.0, waiting, set_aside])?;
        Ok(())
    }
}
