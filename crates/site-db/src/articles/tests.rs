use std::path::Path;

use ambient::Ambient;
use model::{Group, Owner, SiteCode, SiteKind};
use testkit::objects::item;
use testkit::pki::Pki;
use uuid::Uuid;

use super::*;
use crate::{Executor, Identity, Own, SiteDb};

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

fn described(number: u32, articles: &[&str]) -> Item {
    let kb_articles = articles.iter().map(|article| (*article).to_owned()).collect();
    Item { kb_articles, ..item(number) }
}

#[test]
fn updates_are_found_by_id_and_by_every_article() {
    let db = site();
    let id = UpdateId(Uuid::from_u128(2)).to_string();
    let found = |keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let found = db.write_blocking(move |w| w.live_items_of(&keys)).expect("read");
        let numbers = found.into_iter().map(|(key, items)| {
            format!("{key}: {:?}", items.iter().map(|item| item.number).collect::<Vec<_>>())
        });
        numbers.collect::<Vec<_>>()
    };
    let hidden = Item { hidden: true, ..described(3, &["1"]) };
    let items = [described(1, &["1", "KB2"]), described(2, &["1"]), hidden];
    let write =
        move |w: &Writer<'_>| w.write_own(Group::Catalog, items.iter().map(Own::put).collect());
    db.write_blocking(write).expect("written");
    assert_eq!(
        found(&["1", "2", "3", &id]),
        [format!("{id}: [2]"), "1: [1, 2]".into(), "2: [1]".into()]
    );
    // A newer revision is described by others.
    let write =
        |w: &Writer<'_>| w.write_own(Group::Catalog, vec![Own::put(&described(1, &["kb3"]))]);
    db.write_blocking(write).expect("written");
    assert_eq!(found(&["1", "2", "3"]), ["1: [2]", "3: [1]"]);
}
