//! Where deployments and the last scan stand, as the site was told.

use client::states::Deployments;
use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, DeploymentChange,
    DeploymentId, DeploymentState, LastScan, SourceScan, Timestamp,
};
use sqlite_engine::{Error as EngineError, ReadTx, Row, RowResult, WriteTx, params, parse_column};

pub(super) fn deployments(tx: &ReadTx) -> Result<Deployments, EngineError> {
    let sql = "SELECT deployment, compliance, enforcement, evaluation, code, at FROM stand";
    Ok(tx.query_all(sql, [], stand)?.into_iter().collect())
}

fn stand(row: &Row<'_>) -> RowResult<(DeploymentId, DeploymentState)> {
    let enforcement = |number: u32| match number {
        0 => Ok(None),
        number => AssignmentEnforcement::from_number(number).map(Some),
    };
    let state = DeploymentState {
        compliance: parse_column(row, 1, AssignmentCompliance::from_number)?,
        enforcement: parse_column(row, 2, enforcement)?,
        evaluation: parse_column(row, 3, AssignmentEvaluation::from_number)?,
        code: row.get(4)?,
        at: Timestamp(row.get(5)?),
    };
    Ok((parse_column(row, 0, |bytes: Vec<u8>| DeploymentId::from_slice(&bytes))?, state))
}

pub(super) fn put_stand(tx: &WriteTx, change: &DeploymentChange) -> Result<(), EngineError> {
    let id = change.deployment.as_bytes();
    let Some(DeploymentState { compliance, enforcement, evaluation, code, at }) = change.state
    else {
        return tx.execute("DELETE FROM stand WHERE deployment = ?1", [id]).map(drop);
    };
    let enforcement = enforcement.map_or(0, AssignmentEnforcement::number);
    let sql = "INSERT OR REPLACE INTO stand VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (compliance, evaluation) = (compliance.number(), evaluation.number());
    let values = params![id, compliance, enforcement, evaluation, code, at.0];
    tx.execute(sql, values).map(drop)
}

pub(super) fn last_scan(tx: &ReadTx) -> Result<Option<LastScan>, EngineError> {
    let sql = "SELECT state, server, at, duration_ms, bytes, code FROM last_scan";
    tx.query_optional(sql, [], |row| {
        Ok(LastScan {
            state: parse_column(row, 0, SourceScan::from_number)?,
            server: row.get(1)?,
            at: Timestamp(row.get(2)?),
            duration_ms: row.get(3)?,
            bytes: row.get(4)?,
            code: row.get(5)?,
        })
    })
}

pub(super) fn put_last_scan(tx: &WriteTx, scan: Option<&LastScan>) -> Result<(), EngineError> {
    let Some(LastScan { state, server, at, duration_ms, bytes, code }) = scan else {
        return Ok(());
    };
    let sql = "INSERT OR REPLACE INTO last_scan VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![state.number(), server, at.0, duration_ms, bytes, code];
    tx.execute(sql, values).map(drop)
}
