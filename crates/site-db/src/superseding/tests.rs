use std::path::Path;

use ambient::Ambient;
use model::{Group, Item, Owner, SiteCode, SiteKind, Superseding, superseded};
use proptest::prelude::*;
use testkit::objects::item;
use testkit::pki::Pki;
use uuid::Uuid;

use crate::{Executor, Identity, Own, SiteDb};

use super::*;

/// Updates of a small catalog: enough for circles of circles.
const UPDATES: u32 = 7;

fn id(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever supersedes whatever, also itself and what is not here: the walk from a few updates
    /// finds what a look at the whole catalog finds.
    #[test]
    fn the_walk_finds_what_the_catalog_says(
        pairs in prop::collection::vec((1..=UPDATES, 1..=UPDATES + 1), 0..14),
        gone in 1..=UPDATES,
    ) {
        let supersedes = |number| {
            pairs.iter().filter(move |(by, _)| *by == number).map(|(_, of)| id(*of)).collect()
        };
        let items: Vec<Item> = (1..=UPDATES)
            .map(|number| Item { supersedes: supersedes(number), ..item(number) })
            .collect();
        let left = items.iter().filter(|item| item.number != gone);
        let relations: Vec<Superseding> = left
            .map(|item| Superseding {
                id: item.update.id,
                created_at: item.created_at,
                supersedes: item.supersedes.clone(),
            })
            .collect();
        let expected: BTreeSet<UpdateId> = superseded(&relations).into_keys().collect();
        let db = site();
        let found = db.write_blocking(move |w| {
            w.write_own(Group::Catalog, items.iter().map(Own::put).collect())?;
            let gone = id(gone).as_bytes().to_vec();
            w.write_own(Group::Catalog, vec![Own::delete(model::Kind::Item, gone)])?;
            w.superseded_among(relations.iter().map(|update| update.id))
        });
        prop_assert_eq!(found.expect("read"), expected);
    }
}
