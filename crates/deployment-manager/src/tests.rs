//! From objects in a real site database to heads a client would believe.

use std::path::Path;
use std::sync::Mutex;

use ambient::Ambient;
use deployment::Part;
use expect_test::expect;
use model::{
    ALL_SYSTEMS, CatalogVersion, Deployment, DeploymentId, Epoch, Group, Kind, Languages,
    ObjectCode, Owner, Position, RoleId, RoleKind, RoleRecord, Sha256, SiteCode, SiteKind,
    SiteRecord, StreamId, Timestamp, UpdateGroup, UpdateId,
};
use rpc::convert::{decode_head, decode_part};
use site_db::{Executor, Identity, Own, StoredHead, Walk};
use testkit::objects::{self, item};
use testkit::pki::{Pki, SiteKeys};
use trust::Purpose;
use uuid::Uuid;

use super::*;

mod alerts;
mod boundaries;
mod collections;
mod first_policy;
mod inventories;
mod phases;
mod policy;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn code(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

fn object(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

struct World {
    db: SiteDb,
    manager: DeploymentManager,
    woken: Arc<Mutex<Vec<ClientId>>>,
}

/// PR1, alone at the top, with its secondary SE1, an update point, two management points, one
/// update in a group, and a client near each site.
fn world() -> World {
    world_of(Ambient::seeded(1, 1_000_000_000_000))
}

fn world_of(ambient: Ambient) -> World {
    let pki = Pki::new(&ambient);
    let owner = Owner { code: code("PR1"), uuid: id(1) };
    let hierarchy = pki.anchor().hierarchy();
    let identity = Identity { hierarchy, owner, kind: SiteKind::Primary, parent: None };
    let SiteKeys { signer, statement, .. } = pki.site(owner.code);
    let keys = (signer, pki.anchor().clone());
    let db = SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient);
    let db = db.expect("a site");
    let topology = vec![
        Own::put(&site("PR1", SiteKind::Primary, None)),
        Own::put(&site("SE1", SiteKind::Secondary, Some("PR1"))),
        role(1, "PR1", RoleKind::SoftwareUpdatePoint),
        role(2, "PR1", RoleKind::ManagementPoint),
        role(3, "SE1", RoleKind::ManagementPoint),
        role(4, "SE1", RoleKind::DistributionPoint),
    ];
    let (set_digest, languages) = (Sha256([0; 32]), Languages::ALL);
    let catalog = CatalogVersion { version: 2, items: 1, set_digest, languages };
    let updates = vec![UpdateId(id(50))];
    let group = UpdateGroup::plain(object("PR100001"), String::new(), updates);
    db.write_blocking(move |w| {
        w.note_statement(&owner, &statement)?;
        w.write_own(Group::Topology, topology)?;
        w.write_own(Group::Catalog, vec![Own::put(&item(50)), Own::put(&catalog)])?;
        w.write_own(Group::Control, vec![Own::put(&group), Own::put(&deployment())])?;
        w.write_own(Group::Clients, vec![put_client(10, "PR1"), put_client(11, "SE1")])?;
        w.set_complete_version(3)
    })
    .expect("written");
    let woken = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&woken);
    let wake = Arc::new(move |clients: &[ClientId]| {
        told.lock().expect("nobody panicked").extend_from_slice(clients);
    });
    let manager = DeploymentManager::new(Config::default(), deps(&db, wake));
    World { db, manager, woken }
}

fn deps(db: &SiteDb, wake: Wake) -> Deps {
    Deps { db: db.clone(), wake, board: compliance::BoardWriter::default().handle() }
}

fn role(number: u128, site: &str, kind: RoleKind) -> Own {
    let url = format!("https://{number}.{site}");
    let (id, site, joined_at) = (RoleId(id(number)), code(site), Timestamp(0));
    let (name, http_url) = (String::new(), String::new());
    Own::put(&RoleRecord { id, site, kind, name, url, http_url, joined_at })
}

fn site(name: &str, kind: SiteKind, parent: Option<&str>) -> SiteRecord {
    let (name, url) = (name.to_owned(), String::new());
    SiteRecord { code: code(&name), uuid: id(1), kind, parent: parent.map(code), name, url }
}

fn deployment() -> Deployment {
    Deployment {
        name: "Monthly".to_owned(),
        available_at: Timestamp(1),
        deadline: Some(Timestamp(2)),
        ..Deployment::plain(
            DeploymentId(id(60)),
            object("PR100001"),
            object(ALL_SYSTEMS),
            Timestamp(0),
        )
    }
}

fn put_client(number: u128, site: &str) -> Own {
    Own::put(&objects::client(number, site))
}

impl World {
    async fn step(&self) -> Step {
        self.manager.step().await.expect("a pass")
    }

    async fn head(&self, client: u128, incarnation: u64) -> StoredHead {
        let head = self.manager.head(ClientId(id(client)), incarnation).await;
        head.expect("the database answers").expect("a head")
    }

    /// The parts of a head in words, after verifying everything that a client verifies.
    fn verified(&self, client: u128, stored: &StoredHead) -> String {
        let head = decode_head(&stored.head).expect("a head");
        assert_eq!((head.client, head.site), (ClientId(id(client)), code("PR1")));
        assert_eq!((head.incarnation, head.version), (stored.incarnation, stored.version));
        let read = self.db.read_blocking(move |r| {
            let parts = head.parts.iter().map(|name| Ok((*name, r.policy_part(name)?)));
            let parts = parts.collect::<Result<Vec<_>, site_db::Error>>()?;
            Ok::<_, site_db::Error>((r.key_statement(code("PR1"))?, parts))
        });
        let (statement, parts) = read.expect("read");
        let statement = statement.expect("the site's statement");
        let statement = rpc::object::ObjectBody::decode(&statement).expect("a statement");
        let now = Timestamp(self.db.ambient().now_ms());
        trust::verify_statement(&statement, self.db.anchor(), now).expect("the site's own");
        let (key, bytes) = (&statement.key, stored.head.as_slice());
        trust::verify_signature(Purpose::PolicyHead, key, bytes, &stored.signature)
            .expect("signed by the site");
        parts.into_iter().map(|(name, bytes)| show(name, &bytes.expect("kept"))).collect()
    }

    fn write(&self, group: Group, change: Own) {
        self.db.write_blocking(move |w| w.write_own(group, vec![change])).expect("written");
    }

    fn outcome(&self) -> Option<String> {
        let outcome = self.db.read_blocking(|r| r.deployment_outcome(deployment().id));
        outcome.expect("read")
    }

    fn woken(&self) -> Vec<u128> {
        let woken = std::mem::take(&mut *self.woken.lock().expect("nobody panicked"));
        woken.iter().map(|client| client.0.as_u128()).collect()
    }
}

fn show(name: Sha256, bytes: &[u8]) -> String {
    assert_eq!(name, Sha256(<sha2::Sha256 as sha2::Digest>::digest(bytes).into()));
    let part = match decode_part(bytes).expect("a part") {
        rpc::convert::Part::Settings(settings) => Part::Settings(settings),
        rpc::convert::Part::Servers(servers) => Part::Servers(servers),
        rpc::convert::Part::Windows(windows) => Part::Windows(windows),
        rpc::convert::Part::Options(options) => Part::Options(options),
        rpc::convert::Part::Assignment(assignment) => Part::Assignment(assignment),
    };
    format!("{part}\n")
}

#[tokio::test]
async fn a_deployment_becomes_a_head_that_a_client_believes() {
    let world = world();
    assert_eq!(world.manager.head(ClientId(id(10)), 5).await.expect("an answer"), None);
    assert_eq!(world.step().await, Step::Planned { woken: 2 });
    assert_eq!(world.woken(), [10, 11]);
    let first = world.head(10, 5).await;
    // The update point is at version 3, but only version 2 has come here.
    expect![[r#"
        settings, catalog 2
        servers PR1/sup https://1.PR1 PR1/mp https://2.PR1
        assignment 00000000-0000-0000-0000-00000000003c "Monthly" required
          00000000-0000-0000-0000-000000000032/1
    "#]]
    .assert_eq(&world.verified(10, &first));
    let near = world.head(11, 1).await;
    let near = world.verified(11, &near);
    let servers = near.lines().nth(1).expect("servers");
    assert_eq!(servers, "servers PR1/sup https://1.PR1 SE1/mp https://3.SE1 PR1/mp https://2.PR1");
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 2 clients"));
}

#[tokio::test]
async fn a_head_stands_until_there_is_a_reason() {
    let world = world();
    world.step().await;
    world.woken();
    let first = world.head(10, 5).await;
    assert_eq!(world.step().await, Step::Unchanged);
    assert_eq!(world.head(10, 5).await, first);
    let reinstalled = world.head(10, 6).await;
    assert!(reinstalled.version > first.version);
    world.write(Group::Control, Own::put(&Deployment { enabled: false, ..deployment() }));
    assert_eq!(world.step().await, Step::Planned { woken: 2 });
    assert_eq!(world.woken(), [10, 11]);
    let disabled = world.head(10, 6).await;
    assert!(disabled.version > reinstalled.version);
    assert!(!world.verified(10, &disabled).contains("assignment"));
    assert_eq!(world.outcome().as_deref(), Some("disabled"));
    // A manager that starts anew wakes nobody who is up to date.
    let deps = deps(&world.db, Arc::clone(&world.manager.deps.wake));
    let restarted = DeploymentManager::new(Config::default(), deps);
    assert_eq!(restarted.head(ClientId(id(10)), 6).await.expect("an answer"), Some(disabled));
    assert_eq!(restarted.step().await.expect("a pass"), Step::Planned { woken: 1 });
    assert_eq!(world.woken(), [11]);
}

#[tokio::test]
async fn missing_never_means_empty() {
    let world = world();
    world.step().await;
    let first = world.head(10, 5).await;
    let group = object("PR100001").as_str().into();
    world.write(Group::Control, Own::delete(Kind::UpdateGroup, group));
    world.step().await;
    assert_eq!(world.outcome().as_deref(), Some("waiting for PR100001 of PR1"));
    assert_eq!(world.head(10, 5).await, first);
}

#[tokio::test]
async fn nothing_is_planned_from_a_stream_that_is_not_settled() {
    let world = world();
    let owner = Owner { code: code("PR2"), uuid: id(2) };
    let from = Position { epoch: Epoch { number: 1, id: 1 }, seq: 9 };
    let walk = Walk::new(code("PR2"), 1, from);
    let stream = StreamId { group: Group::Control, owner };
    world.db.write_blocking(move |w| w.begin_walk(stream, &walk)).expect("written");
    assert_eq!(world.step().await, Step::Waiting(Group::Control));
    assert_eq!(world.manager.head(ClientId(id(10)), 5).await.expect("an answer"), None);
}
