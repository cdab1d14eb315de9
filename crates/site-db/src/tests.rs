//! The layout of the file.

use std::path::Path;
use std::sync::OnceLock;

use ambient::Ambient;
use expect_test::expect_file;
use model::{HierarchyId, Owner, SiteCode, SiteKind};
use trust::{Anchor, Root, SigningKey};
use uuid::Uuid;

use crate::{Error, Executor, Identity, SiteDb};

fn anchor() -> &'static Anchor {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    ANCHOR.get_or_init(|| {
        let ambient = Ambient::seeded(1, 0);
        let root = Root::create(&ambient, HierarchyId(Uuid::nil()));
        root.expect("a root can be made in memory").anchor().clone()
    })
}

pub(crate) fn open(path: &Path, code: &str) -> Result<SiteDb, Error> {
    let owner = Owner { code: SiteCode::new(code).expect("a good code"), uuid: Uuid::nil() };
    let hierarchy = HierarchyId(Uuid::nil());
    let identity = Identity { hierarchy, owner, kind: SiteKind::Central, parent: None };
    let trust = (SigningKey::from_seed([1; 32]), anchor().clone());
    SiteDb::open(path, Executor::Inline, identity, trust, Ambient::seeded(1, 0))
}

#[tokio::test]
async fn a_fresh_database_has_the_documented_layout() {
    let db = open(Path::new(":memory:"), "CAS").expect("it opens");
    let layout = db.dump_schema().await.expect("it can be read");
    expect_file!["../schema/latest.sql"].assert_eq(&layout);
}

#[test]
fn a_database_of_another_site_is_refused() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let path = dir.path().join("site.db");
    drop(open(&path, "CAS").expect("it opens"));
    let refused = open(&path, "PR1").expect_err("it belongs to CAS");
    assert!(matches!(refused, Error::ForeignDatabase { .. }), "{refused}");
}
