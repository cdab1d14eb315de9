use std::path::Path;

use ambient::Ambient;
use model::{INVENTORY_SCHEMA, Owner, SiteKind, Timestamp};
use testkit::pki::Pki;
use uuid::Uuid;

use super::*;
use crate::{Changed, Executor, Identity, SiteDb};

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

fn software(packages: &[(&str, &str)]) -> BTreeSet<Software> {
    let package = |(name, version): &(&str, &str)| Software {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        architecture: "amd64".to_owned(),
        origin: SoftwareOrigin::Dpkg,
    };
    packages.iter().map(package).collect()
}

fn record(number: u128, serial: u64) -> InventoryRecord {
    InventoryRecord {
        client: client(number),
        site: SiteCode::new("PR1").expect("a good code"),
        schema: INVENTORY_SCHEMA,
        incarnation: 1,
        serial,
        collected_at: Timestamp(7),
        computer: <_>::default(),
    }
}

#[test]
fn equal_software_of_many_computers_is_named_once() {
    let db = site();
    let (old, new) =
        (software(&[("bash", "5"), ("Curl", "8")]), software(&[("bash", "5"), ("Curl", "9")]));
    let kept = [(1, &old), (2, &old), (3, &new), (2, &new)];
    for (number, software) in kept {
        let (record, software) = (record(number, 1), software.clone());
        let write = move |w: &Writer<'_>| w.write_inventory(&record, &software);
        assert!(db.write_blocking(write).expect("is written"));
    }
    let read = move |r: &Reader<'_>| {
        assert_eq!(r.count(Kind::SoftwareTitle)?, 3);
        let list = |number| r.get::<InstalledSoftware>(client(number).as_bytes());
        let titles = |number| Ok::<_, Error>(list(number)?.map(|list| list.titles));
        let numbers = [titles(1)?, titles(2)?, titles(3)?];
        assert_eq!(numbers.map(|n| n.unwrap_or_default()), [vec![1, 2], vec![2, 3], vec![2, 3]]);
        let versions: Vec<String> =
            r.titles_named("cuRL")?.into_iter().map(|title| title.software.version).collect();
        assert_eq!(versions, ["8", "9"]);
        let (found, inventory) = r.inventory(client(2))?.expect("is kept");
        assert_eq!((found, inventory.software), (record(2, 1), new));
        assert_eq!(r.inventory(client(4))?, None);
        Ok::<_, Error>(())
    };
    db.read_blocking(read).expect("is read");
}

#[test]
fn inventories_are_no_news_for_who_asks_for_standings() {
    let db = site();
    let write = |w: &Writer<'_>| w.write_inventory(&record(1, 1), &software(&[("bash", "5")]));
    db.write_blocking(write).expect("is written");
    let changed = |what| db.read_blocking(move |r| r.changed_clients(0, what)).expect("read");
    assert_eq!(changed(Changed::Standing), (BTreeSet::new(), 0));
    assert_eq!(changed(Changed::Anything), (BTreeSet::from([client(1)]), 3));
    db.write_blocking(|w| w.remove_client(client(1))).expect("is removed");
    let gone = db.read_blocking(|r| r.inventory(client(1))).expect("read");
    assert_eq!(gone, None);
}

#[test]
fn titles_that_nobody_has_are_forgotten_and_their_numbers_are_not_given_again() {
    let db = site();
    let put = |serial, packages: &[(&str, &str)]| {
        let (record, software) = (record(1, serial), software(packages));
        let write = move |w: &Writer<'_>| w.write_inventory(&record, &software);
        assert!(db.write_blocking(write).expect("is written"));
    };
    put(1, &[("a", "1"), ("b", "1")]);
    put(2, &[("b", "1")]);
    let code = SiteCode::new("PR1").expect("a good code");
    db.write_blocking(move |w| w.forget_titles(code, &BTreeSet::new())).expect("is forgotten");
    put(3, &[("a", "1"), ("b", "1")]);
    let list = db.read_blocking(|r| r.get::<InstalledSoftware>(client(1).as_bytes()));
    assert_eq!(list.expect("read").expect("is kept").titles, [2, 3]);
}
