//! Computers that asked to be enrolled without a token.
//!
//! Owns the table. Refuses to know how many may wait and for how long: administration decides.

use model::{PeerIdentity, SiteCode, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

/// Such a computer, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRequest {
    /// Of its key.
    pub fingerprint: String,
    /// SubjectPublicKeyInfo in DER.
    pub key: Vec<u8>,
    /// As it calls itself.
    pub name: String,
    /// The site its certificate will name.
    pub site: SiteCode,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub decision: Option<Decision>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub at: Timestamp,
    /// The account that decided.
    pub by: String,
    /// Who the computer is, and its leaf; none: it was refused.
    pub admitted: Option<(PeerIdentity, Vec<u8>)>,
}

const COLUMNS: &str = "fingerprint, key, name, site, asked_at, expires_at, decided_at, decided_by,
                       identity, certificate";

impl Reader<'_> {
    pub fn enrolment_request(&self, fingerprint: &str) -> Result<Option<EnrolmentRequest>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM enrolment_request WHERE fingerprint = ?1");
        Ok(self.tx.query_optional(&sql, [fingerprint], request_row)?)
    }

    /// All of them, the oldest first.
    pub fn enrolment_requests(&self) -> Result<Vec<EnrolmentRequest>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM enrolment_request ORDER BY asked_at, fingerprint");
        Ok(self.tx.query_all(&sql, [], request_row)?)
    }

    /// How many wait for a decision, those that expired lately too; and how many of those have
    /// asked since `since`.
    pub fn undecided_enrolments(&self, since: Timestamp) -> Result<(u64, u64), Error> {
        let sql = "SELECT count(*), coalesce(sum(asked_at >= ?1), 0) FROM enrolment_request
                   WHERE decided_at IS NULL";
        let counts = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (all, recent) = self.tx.query_row(sql, [since.0], counts)?;
        Ok((all.unsigned_abs(), recent.unsigned_abs()))
    }
}

impl Writer<'_> {
    pub fn save_enrolment_request(&self, request: &EnrolmentRequest) -> Result<(), Error> {
        let EnrolmentRequest { fingerprint, key, name, site, asked_at, expires_at, decision } =
            request;
        let admitted = decision.as_ref().and_then(|decision| decision.admitted.as_ref());
        self.write.execute(
            "INSERT OR REPLACE INTO enrolment_request VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                fingerprint,
                key,
                name,
                site.as_str(),
                asked_at.0,
                expires_at.0,
                decision.as_ref().map(|decision| decision.at.0),
                decision.as_ref().map(|decision| decision.by.as_str()),
                admitted.map(|(identity, _)| identity.to_string()),
                admitted.map(|(_, certificate)| certificate.as_slice())
            ],
        )?;
        Ok(())
    }

    /// Forgets what expired before `before`.
    pub fn forget_enrolment_requests(&self, before: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM enrolment_request WHERE expires_at < ?1";
        self.write.execute(sql, [before.0])?;
        Ok(())
    }
}

fn request_row(row: &Row<'_>) -> RowResult<EnrolmentRequest> {
    let decided_at: Option<i64> = row.get(6)?;
    let certificate: Option<Vec<u8>> = row.get(9)?;
    let decided = |at: i64| -> RowResult<Decision> {
        let admitted = match certificate {
            Some(leaf) => Some((parse_column(row, 8, |text: String| text.parse())?, leaf)),
            None => None,
        };
        Ok(Decision { at: Timestamp(at), by: row.get(7)?, admitted })
    };
    Ok(EnrolmentRequest {
        fingerprint: row.get(0)?,
        key: row.get(1)?,
        name: row.get(2)?,
        site: parse_column(row, 3, |text: String| text.parse())?,
        asked_at: Timestamp(row.get(4)?),
        expires_at: Timestamp(row.get(5)?),
        decision: decided_at.map(decided).transpose()?,
    })
}
