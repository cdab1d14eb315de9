//! Catalogs of packages that are looked at regularly (SUPX-21).
//!
//! Owns when each was last looked at, with what outcome, and when it is due. Refuses to know how a
//! catalog is fetched and read.

use model::{Sha256, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{ErrandKind, Error, Reader, Writer};

/// After a failure it is looked at again this soon, or sooner where it is due sooner.
const RETRY_MS: i64 = 60 * 60 * 1000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub name: String,
    pub url: String,
    /// Of the certificate that has to have signed the catalog; none: it need not be signed.
    pub fingerprint: Option<Sha256>,
    /// 0: only by hand.
    pub every_ms: i64,
    pub last_at: Option<Timestamp>,
    /// Why the last look failed; else empty.
    pub failure: String,
    /// What the last look brought.
    pub imported: u64,
}

impl Subscription {
    /// When it is looked at by itself.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let wait = match self.failure.is_empty() {
            true => self.every_ms,
            false => self.every_ms.min(RETRY_MS),
        };
        let due = self.last_at.map_or(Timestamp::default(), |last| last.plus_ms(wait));
        (self.every_ms > 0).then_some(due)
    }
}

fn subscription(row: &Row<'_>) -> RowResult<Subscription> {
    let sha256 = |bytes: Option<Vec<u8>>| bytes.map(|b| Sha256::from_slice(&b)).transpose();
    Ok(Subscription {
        name: row.get(0)?,
        url: row.get(1)?,
        fingerprint: parse_column(row, 2, sha256)?,
        every_ms: row.get(3)?,
        last_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        failure: row.get(5)?,
        imported: row.get(6)?,
    })
}

impl Reader<'_> {
    pub fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        Ok(self.tx.query_all("SELECT * FROM catalog_subscription", [], subscription)?)
    }

    pub fn subscription(&self, name: &str) -> Result<Option<Subscription>, Error> {
        let sql = "SELECT * FROM catalog_subscription WHERE name = ?1";
        Ok(self.tx.query_optional(sql, [name], subscription)?)
    }
}

impl Writer<'_> {
    /// A new subscription, or a new address, certificate and period of one that is there.
    pub fn save_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        self.require_top("catalogs are subscribed to")?;
        let Subscription { name, url, fingerprint, every_ms, .. } = subscription;
        let fingerprint = fingerprint.map(|digest| digest.0);
        self.write.execute(
            "INSERT INTO catalog_subscription (name, url, fingerprint, every_ms)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE
             SET url = ?2, fingerprint = ?3, every_ms = ?4",
            params![name, url, fingerprint, every_ms],
        )?;
        self.wake(None);
        Ok(())
    }

    /// Whether there was one.
    pub fn delete_subscription(&self, name: &str) -> Result<bool, Error> {
        self.require_top("catalogs are subscribed to")?;
        let sql = "DELETE FROM catalog_subscription WHERE name = ?1";
        Ok(self.write.execute(sql, [name])? > 0)
    }

    /// Asks for a look at every catalog that is due. What already waits is not asked for twice.
    pub fn refresh_due(&self) -> Result<(), Error> {
        let now = self.now();
        let due = self.subscriptions()?.into_iter().filter(|s| s.due().is_some_and(|at| at <= now));
        let sql = "SELECT 1 FROM catalog_errand
                   WHERE kind = 'refresh' AND name = ?1 AND NOT is_done";
        for Subscription { name, .. } in due {
            if self.tx.query_optional::<i64>(sql, [&name], |row| row.get(0))?.is_none() {
                self.add_errand(&ErrandKind::Refresh { subscription: name })?;
            }
        }
        Ok(())
    }

    pub(crate) fn note_refresh(
        &self,
        name: &str,
        imported: u64,
        failure: &str,
    ) -> Result<(), Error> {
        self.write.execute(
            "UPDATE catalog_subscription SET last_at = ?2, imported = ?3, failure = ?4
             WHERE name = ?1",
            params![name, self.now().0, imported, failure],
        )?;
        Ok(())
    }
}
