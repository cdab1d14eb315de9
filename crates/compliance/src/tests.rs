//! Vectors to test with.

use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientId, DeploymentId,
    DeploymentState, Detail, EnforcementState, LastScan, SourceScan, Timestamp, Vector,
};
use proptest::prelude::*;
use uuid::Uuid;

pub(crate) fn client(number: u32) -> ClientId {
    ClientId(Uuid::from_u128(u128::from(number)))
}

/// A client that scanned catalog version 5 and needs nothing.
pub(crate) fn empty(number: u32) -> Vector {
    Vector {
        client: client(number),
        incarnation: 7,
        serial: 1,
        covered: 5,
        scanned_at: Timestamp(1_000),
        scan_error: None,
        gap: false,
        required: Vec::new(),
        installed: Vec::new(),
        unjudged: Vec::new(),
        detail: Vec::new(),
        deployments: Vec::new(),
        scan: None,
    }
}

pub(crate) fn deployment(number: u32) -> DeploymentId {
    DeploymentId(Uuid::from_u128(u128::from(number)))
}

/// Any standing of a deployment.
pub(crate) fn deployment_states() -> impl Strategy<Value = DeploymentState> {
    let states = (
        prop::sample::select(AssignmentCompliance::ALL),
        prop::option::of(prop::sample::select(AssignmentEnforcement::ALL)),
        prop::sample::select(AssignmentEvaluation::ALL),
    );
    (states, any::<i32>(), any::<i64>()).prop_map(|(states, code, at)| {
        let ((compliance, enforcement, evaluation), at) = (states, Timestamp(at));
        DeploymentState { compliance, enforcement, evaluation, code, at }
    })
}

fn scans() -> impl Strategy<Value = LastScan> {
    let state = prop::sample::select(SourceScan::ALL);
    let numbers = (any::<i64>(), any::<u64>(), any::<u64>(), any::<i32>());
    (state, "[a-z/:ä]{0,9}", numbers).prop_map(|(state, server, numbers)| {
        let (at, duration_ms, bytes, code) = numbers;
        LastScan { state, server, at: Timestamp(at), duration_ms, bytes, code }
    })
}

/// Any vector of a client about items below `items` and catalog versions below 9.
pub(crate) fn vectors(number: u32, items: u32) -> impl Strategy<Value = Vector> {
    let progress = prop::option::of((0..EnforcementState::ALL.len(), any::<i32>(), any::<i64>()));
    let lists = prop::collection::btree_map(0..items, (0..3_u8, progress), 0..12);
    let scan = (0..9_u64, prop::option::weighted(0.1, "[a-zäß]{0,9}"), prop::bool::weighted(0.1));
    let order = (any::<u64>(), any::<u64>(), any::<i64>());
    let deployments = prop::collection::btree_map(0..4_u32, deployment_states(), 0..4);
    let more = (deployments, prop::option::of(scans()));
    (lists, scan, order, more).prop_map(move |(lists, scan, order, more)| {
        let ((covered, scan_error, gap), (deployments, scan)) = (scan, more);
        let list = |wanted| {
            let listed = lists.iter().filter(|(_, (list, _))| *list == wanted);
            listed.map(|(item, _)| *item).collect::<Vec<u32>>()
        };
        let detail = lists.iter().filter_map(|(item, (list, progress))| {
            let (state, code, at) = progress.filter(|_| *list == 0)?;
            let state = EnforcementState::ALL[state];
            Some(Detail { item: *item, state, code, at: Timestamp(at) })
        });
        Vector {
            detail: detail.collect(),
            required: list(0),
            installed: list(1),
            unjudged: list(2),
            incarnation: order.0,
            serial: order.1,
            scanned_at: Timestamp(order.2),
            covered,
            scan_error,
            gap,
            deployments: deployments.into_iter().map(|(n, state)| (deployment(n), state)).collect(),
            scan,
            ..empty(number)
        }
    })
}
