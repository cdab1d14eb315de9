//! Decisions that a replica takes from its upstream: target groups, deployments and accepted
//! licenses (MS-WSUSSS 3.2.4.3).
//!
//! Owns their tables, and hands them on in the form in which they came. Refuses to know what a
//! deployment means to a computer. What is taken, and the anchor to which it was, is one
//! transaction. Declined updates are rulings like all others.

use std::collections::BTreeSet;

use model::{Timestamp, UpdateId, UpdateRef};
use sqlite_engine::{ReadTx, Row, RowResult, WriteTx, params, parse_column};
use uuid::Uuid;

use crate::Error;
use crate::catalog::{Catalog, next_change};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenGroup {
    pub id: Uuid,
    pub parent_id: Uuid,
    pub name: String,
    pub is_builtin: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenDeployment {
    pub id: Uuid,
    pub update: UpdateRef,
    /// As the protocol of servers numbers it: 0 install, 1 uninstall, 2 only report, 3 block.
    pub action: i32,
    pub administrator: String,
    pub deadline: Option<Timestamp>,
    pub is_assigned: bool,
    pub go_live: Timestamp,
    pub group_id: Uuid,
    pub download_priority: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// All there are.
    pub groups: Vec<TakenGroup>,
    /// New or changed.
    pub deployments: Vec<TakenDeployment>,
    /// Gone.
    pub dead: Vec<Uuid>,
    /// All there are.
    pub licenses: Vec<Uuid>,
}

/// What an upstream told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All that there is: what it does not name is gone.
    Everything(Decisions),
    News(Decisions),
}

impl Catalog {
    /// Takes over what an upstream decided, up to an anchor of its that is kept as `name`.
    pub async fn take_decisions(
        &self,
        taken: Taken,
        (name, anchor): (&'static str, String),
    ) -> Result<(), Error> {
        let write = move |tx: &WriteTx| {
            if let Taken::Everything(all) = &taken {
                bury_all_but(tx, &all.deployments)?;
            }
            let (Taken::Everything(taken) | Taken::News(taken)) = &taken;
            take(tx, taken)?;
            let sql = "INSERT OR REPLACE INTO upstream_anchor (name, anchor) VALUES (?1, ?2)";
            tx.execute(sql, params![name, anchor])?;
            Ok::<_, Error>(())
        };
        self.write(write).await
    }

    /// What was decided after `since`, a number of a change; groups and licenses as they stand.
    pub async fn decisions(&self, since: u64) -> Result<Decisions, Error> {
        self.database.read(move |tx| decisions(tx, since)).await
    }
}

fn take(tx: &WriteTx, taken: &Decisions) -> Result<(), Error> {
    let Decisions { groups, deployments, dead, licenses } = taken;
    tx.execute("DELETE FROM taken_group", [])?;
    for TakenGroup { id, parent_id, name, is_builtin } in groups {
        let sql = "INSERT OR REPLACE INTO taken_group VALUES (?1, ?2, ?3, ?4)";
        tx.execute(sql, params![id.as_bytes(), parent_id.as_bytes(), name, is_builtin])?;
    }
    for id in dead {
        bury(tx, *id)?;
    }
    for deployment in deployments {
        put(tx, deployment)?;
    }
    // With a group its deployments go.
    let sql = "SELECT id FROM taken_deployment
               WHERE NOT is_dead AND group_id NOT IN (SELECT id FROM taken_group)";
    for id in tx.query_all(sql, [], |row| uuid(row, 0))? {
        bury(tx, id)?;
    }
    tx.execute("DELETE FROM taken_license", [])?;
    for id in licenses {
        tx.execute("INSERT OR REPLACE INTO taken_license VALUES (?1)", [id.as_bytes()])?;
    }
    Ok(())
}

fn bury_all_but(tx: &WriteTx, told: &[TakenDeployment]) -> Result<(), Error> {
    let told: BTreeSet<Uuid> = told.iter().map(|deployment| deployment.id).collect();
    let sql = "SELECT id FROM taken_deployment WHERE NOT is_dead";
    let here = tx.query_all(sql, [], |row| uuid(row, 0))?;
    here.into_iter().filter(|id| !told.contains(id)).try_for_each(|id| bury(tx, id))
}

fn bury(tx: &WriteTx, id: Uuid) -> Result<(), Error> {
    let sql = "UPDATE taken_deployment SET is_dead = 1, changed = ?2 WHERE id = ?1";
    tx.execute(sql, params![id.as_bytes(), next_change(tx)?])?;
    Ok(())
}

fn put(tx: &WriteTx, deployment: &TakenDeployment) -> Result<(), Error> {
    let TakenDeployment {
        id,
        update,
        action,
        administrator,
        deadline,
        is_assigned,
        go_live,
        group_id,
        download_priority,
    } = deployment;
    let sql = "INSERT OR REPLACE INTO taken_deployment
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11)";
    let values = params![
        id.as_bytes(),
        update.id.as_bytes(),
        update.revision,
        action,
        administrator,
        deadline.map(|at| at.0),
        is_assigned,
        go_live.0,
        group_id.as_bytes(),
        download_priority,
        next_change(tx)?
    ];
    tx.execute(sql, values)?;
    Ok(())
}

fn decisions(tx: &ReadTx, since: u64) -> Result<Decisions, Error> {
    let sql = "SELECT id, parent_id, name, is_builtin FROM taken_group ORDER BY id";
    let groups = tx.query_all(sql, [], |row| {
        let (id, parent_id) = (uuid(row, 0)?, uuid(row, 1)?);
        Ok(TakenGroup { id, parent_id, name: row.get(2)?, is_builtin: row.get(3)? })
    })?;
    let sql = "SELECT * FROM taken_deployment WHERE changed > ?1 AND NOT is_dead ORDER BY changed";
    let deployments = tx.query_all(sql, [since], deployment)?;
    let sql = "SELECT id FROM taken_deployment WHERE changed > ?1 AND is_dead ORDER BY changed";
    let dead = tx.query_all(sql, [since], |row| uuid(row, 0))?;
    let licenses =
        tx.query_all("SELECT id FROM taken_license ORDER BY id", [], |row| uuid(row, 0))?;
    Ok(Decisions { groups, deployments, dead, licenses })
}

fn deployment(row: &Row<'_>) -> RowResult<TakenDeployment> {
    Ok(TakenDeployment {
        id: uuid(row, 0)?,
        update: UpdateRef { id: UpdateId(uuid(row, 1)?), revision: row.get(2)? },
        action: row.get(3)?,
        administrator: row.get(4)?,
        deadline: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        is_assigned: row.get(6)?,
        go_live: Timestamp(row.get(7)?),
        group_id: uuid(row, 8)?,
        download_priority: row.get(9)?,
    })
}

fn uuid(row: &Row<'_>, column: usize) -> RowResult<Uuid> {
    parse_column(row, column, |bytes: Vec<u8>| Uuid::from_slice(&bytes))
}
