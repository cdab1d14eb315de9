use std::path::Path;

use ambient::Ambient;
use model::{Owner, SiteCode, SiteKind};
use testkit::objects::item;
use testkit::pki::Pki;
use uuid::Uuid;

use crate::{Executor, Identity, SiteDb};

use super::*;

/// A stand-alone primary: it owns the catalog and the clients.
fn site() -> SiteDb {
    let ambient = Ambient::seeded(1, 1_000_000_000_000);
    let pki = Pki::new(&ambient);
    let code = SiteCode::new("PR1").expect("a good code");
    let owner = Owner { code, uuid: Uuid::from_u128(1) };
    let hierarchy = pki.anchor().hierarchy();
    let identity = Identity { hierarchy, owner, kind: SiteKind::Primary, parent: None };
    let keys = (pki.site(code).signer, pki.anchor().clone());
    SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient).expect("a site")
}

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn update(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(u128::from(number)))
}

/// A client that requires update 1, whose item is not here, and has failed to install it.
fn holding() -> Holding {
    let state = UpdateState {
        state: ComplianceState::Required,
        enforcement: Some((EnforcementState::Failed, -5)),
    };
    Holding {
        vector: Vector {
            client: client(9),
            incarnation: u64::MAX,
            serial: 3,
            covered: 1,
            scanned_at: Timestamp(5),
            scan_error: None,
            gap: false,
            required: Vec::new(),
            unjudged: Vec::new(),
            deployments: Vec::new(),
            scan: None,
            installed: vec![2],
            detail: Vec::new(),
        },
        parked: vec![ParkedState { update: update(1), state, serial: u64::MAX, at: Timestamp(4) }],
    }
}

#[test]
fn a_holding_is_read_as_it_was_written() {
    let db = site();
    let read = db.write_blocking(|w| {
        w.write_holding(&holding())?;
        let first = w.holding(client(9))?;
        w.write_holding(&holding())?;
        assert_eq!(w.holding(client(9))?, first);
        assert_eq!(w.drop_parked(Timestamp(w.now().0))?, 0);
        Ok::<_, Error>(first)
    });
    assert_eq!(read.expect("written"), Some(holding()));
}

#[test]
fn an_item_takes_its_parked_states_along_in_its_own_transaction() {
    let db = site();
    db.write_blocking(|w| w.write_holding(&holding())).expect("written");
    // Both in one owner's transaction, the one that is waited for last: what the parked states
    // write must not come between an owner's transaction and its end.
    let items = vec![Own::put(&item(2)), Own::put(&item(1))];
    db.write_blocking(|w| w.write_own(Group::Catalog, items)).expect("written");
    let held = db.read_blocking(|r| r.holding(client(9))).expect("read").expect("a holding");
    assert_eq!((held.vector.required, held.vector.installed), (vec![1], vec![2]));
    let detail = held.vector.detail.first().expect("a detail");
    assert_eq!((detail.state, detail.code), (EnforcementState::Failed, -5));
    assert!(held.parked.is_empty());
    let ends = db.read_blocking(|r| {
        let streams = r.streams()?;
        let ends = streams.values().map(|s| {
            let at = r.transaction_end(s.id, u64::MAX >> 1)?;
            Ok::<_, Error>((at == Some(s.local.position.seq), r.check_stream(s)?.is_sound()))
        });
        ends.collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(ends.expect("read"), [(true, true); 2]);
}

#[test]
fn changes_tell_what_a_scan_tells() {
    let db = site();
    let changed = |after| db.read_blocking(move |r| r.changed_standings(after)).expect("read");
    db.write_blocking(|w| w.write_holding(&holding())).expect("written");
    let (first, last) = changed(0);
    let vector = first[0].vector.clone().expect("a vector");
    assert_eq!((first.len(), first[0].registered), (1, false));
    assert_eq!(vector.vector, Some(holding().vector));
    let same = db.read_blocking(move |r| r.vector_at(vector.lsn)).expect("read");
    assert_eq!(same, first[0].vector);
    assert_eq!(changed(last), (Vec::new(), last));
    let mut seen = Vec::new();
    let scanned = db.read_blocking(|r| {
        let last = r.visit_standings(|standing| seen.push(standing))?;
        Ok::<_, Error>((seen, last))
    });
    assert_eq!(scanned.expect("read"), (first, last));
    db.write_blocking(|w| w.remove_client(client(9))).expect("written");
    let gone = ClientStanding { client: client(9), registered: false, vector: None };
    assert_eq!(changed(last).0, [gone]);
}
