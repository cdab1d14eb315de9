use std::path::Path;

use ambient::Ambient;
use model::{Owner, SiteCode, SiteKind};
use testkit::pki::Pki;
use uuid::Uuid;

use super::*;
use crate::{Executor, Identity, SiteDb};

#[test]
fn members_are_kept_until_they_are_dropped() {
    let ambient = Ambient::seeded(1, 1_000_000_000_000);
    let pki = Pki::new(&ambient);
    let site = SiteCode::new("PR1").expect("a good code");
    let owner = Owner { code: site, uuid: Uuid::from_u128(1) };
    let hierarchy = pki.anchor().hierarchy();
    let identity = Identity { hierarchy, owner, kind: SiteKind::Primary, parent: None };
    let keys = (pki.site(site).signer, pki.anchor().clone());
    let memory = Path::new(":memory:");
    let db = SiteDb::open(memory, Executor::Inline, identity, keys, ambient).expect("a site");
    let kept = db.write_blocking(move |w| {
        let [first, second] = [1, 2].map(|number| ObjectCode::numbered(site, number));
        let (first, second) = (first?, second?);
        let clients: Vec<ClientId> = [8, 9].map(|n| ClientId(Uuid::from_u128(n))).to_vec();
        w.keep_members(&first, &clients)?;
        w.keep_members(&second, &[])?;
        w.keep_members(&first, &clients[1..])?;
        let both = (w.members_kept()?, w.kept_at()?);
        w.drop_members(&first)?;
        Ok::<_, Error>((both, w.members_kept()?))
    });
    let ((members, at), left) = kept.expect("written and read");
    let shown: Vec<String> =
        members.iter().map(|(code, members)| format!("{code} {}", members.len())).collect();
    assert_eq!(shown, ["PR100001 1", "PR100002 0"]);
    assert!(at.values().all(|at| *at == Timestamp(1_000_000_000_000)), "{at:?}");
    assert_eq!(left.len(), 1);
}
