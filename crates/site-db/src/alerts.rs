//! Deployments of this site of which an alert is raised.
//!
//! Owns since when. Refuses to know when one is due. What is raised twice keeps its time.

use std::collections::BTreeMap;

use model::{DeploymentId, Timestamp};
use sqlite_engine::{Row, params, parse_column};

use crate::{Error, Reader, Writer};

impl Reader<'_> {
    /// Since when the alert of each of them is raised.
    pub fn deployment_alerts(&self) -> Result<BTreeMap<DeploymentId, Timestamp>, Error> {
        let sql = "SELECT deployment, raised_at FROM deployment_alert";
        let alert = |row: &Row<'_>| {
            let id = parse_column(row, 0, |b: Vec<u8>| DeploymentId::from_slice(&b))?;
            Ok((id, Timestamp(row.get(1)?)))
        };
        Ok(self.tx.query_all(sql, [], alert)?.into_iter().collect())
    }
}

impl Writer<'_> {
    pub fn raise_alert(
        &self,
        deployment: DeploymentId,
        compliant: u64,
        targeted: u64,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO deployment_alert VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET compliant = ?3, targeted = ?4";
        let now = self.now().0;
        self.write.execute(sql, params![deployment.as_bytes(), now, compliant, targeted])?;
        Ok(())
    }

    pub fn clear_alert(&self, deployment: DeploymentId) -> Result<(), Error> {
        let sql = "DELETE FROM deployment_alert WHERE deployment = ?1";
        self.write.execute(sql, [deployment.as_bytes()])?;
        Ok(())
    }
}
