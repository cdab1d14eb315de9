use std::path::Path;
use std::sync::Arc;

use ambient::{Ambient, ManualClock, SystemEntropy};
use expect_test::expect;
use model::{ClientSettings, RoleKind, ServerList, ServerRef, SiteCode, StateReport, Timestamp};
use rpc::convert::Part;
use testkit::facts::Computer;
use testkit::pki::{Pki, SiteKeys};
use testkit::sample::{Sample, sample};
use tokio::task::JoinSet;
use transport::TcpConnect;

use crate::{Account, Catalog, Config, Fleet, Kind, Link, Manner, Model, Pace, Short, Terms, Wire};
use point::Points;

mod point;

const NOW: Timestamp = Timestamp(1_795_168_800_000);
const HOUR_MS: i64 = 60 * 60 * 1000;
const MODELS: u32 = 6;

fn pr1() -> SiteCode {
    SiteCode::new("PR1").expect("a good code")
}

struct Site {
    ambient: Ambient,
    pki: Pki,
    keys: SiteKeys,
    sample: Sample,
}

impl Site {
    fn new() -> Site {
        let ambient = Ambient::new(Arc::new(ManualClock::at(NOW.0)), Arc::new(SystemEntropy));
        let pki = Pki::new(&ambient);
        let keys = pki.site(pr1());
        Site { ambient, pki, keys, sample: sample(Path::new("/nowhere")) }
    }

    /// The documented intervals, and everything required an hour from now.
    fn terms(&self, servers: Vec<ServerRef>) -> Terms {
        let settings = ClientSettings {
            policy_poll_ms: 3_600_000,
            state_batch_ms: 900_000,
            scan_interval_ms: 7 * 86_400_000,
            catalog_version: 1,
        };
        let servers = ServerList { servers };
        let required = self.sample.required(NOW.plus_ms(HOUR_MS));
        let parts =
            vec![Part::Settings(settings), Part::Servers(servers), Part::Assignment(required)];
        Terms { version: 1, parts }
    }

    fn short(self, servers: Vec<ServerRef>) -> (Short, Catalog) {
        let terms = self.terms(servers);
        let keys = (self.keys.signer, self.keys.statement);
        let short = Short::new(self.pki.anchor().clone(), pr1(), keys, &terms);
        (short, Catalog::of(self.sample.documents, 1))
    }
}

fn config(clients: u32) -> Config {
    let model = |number| Model::new(Computer::new(number).facts().clone());
    Config {
        name: "fleet".to_owned(),
        site: pr1(),
        seed: 7,
        clients,
        models: (0..MODELS).map(model).collect(),
        manner: Manner::default(),
        begins: NOW,
        arrive_ms: HOUR_MS,
        scan_spread_ms: 2 * HOUR_MS,
    }
}

#[tokio::test]
async fn a_virtual_day_brings_every_client_to_what_policy_requires_and_is_the_same_each_time() {
    let day = async || {
        let (short, catalog) = Site::new().short(Vec::new());
        let mut fleet = Fleet::new(config(300), Link::Short(Arc::new(short)), Some(catalog));
        let before = fleet.standing();
        fleet.run_until(NOW.plus_ms(24 * HOUR_MS), Pace::Free { together_ms: 0 }).await;
        let tally = fleet.tally().clone();
        let counts = (tally.answered(Kind::Poll) / 300, tally.policies, tally.last_trouble);
        let work = (tally.scans, tally.installations, tally.failures, tally.restarts);
        (before.scanned, fleet.standing(), counts, work)
    };
    let once = day().await;
    expect![[r#"
        (
            0,
            Standing {
                scanned: 300,
                required: 3000,
                open: 0,
                installed: 2500,
                not_required: 6200,
                unknown: 0,
                unsent: 0,
            },
            (
                25,
                300,
                None,
            ),
            (
                1023,
                867,
                17,
                89,
            ),
        )
    "#]]
    .assert_debug_eq(&once);
    assert_eq!(day().await, once);
}

/// Each with a certificate of its own, and one of them fetches the documents for all.
#[tokio::test]
async fn two_hundred_clients_speak_the_real_protocols_with_their_points() {
    let (site, mut tasks) = (Site::new(), JoinSet::new());
    let points = Points::new(site.sample.documents.clone(), NOW);
    let keys = (&site.pki, &site.keys);
    let management_point = points.start(RoleKind::ManagementPoint, keys, &mut tasks).await;
    let update_point = points.start(RoleKind::SoftwareUpdatePoint, keys, &mut tasks).await;
    let wire = Wire::new(Account {
        ambient: site.ambient.clone(),
        connect: Arc::new(TcpConnect),
        anchor: site.pki.anchor().clone(),
        authority: site.keys.issuer.clone(),
        management_point: management_point.clone(),
    });
    let link = Link::Wire(Arc::new(wire.expect("a key")));
    points.answer_with(site.short(vec![management_point, update_point]).0);
    let mut fleet = Fleet::new(config(200), link, None);
    // Until the last of them has scanned and reported once.
    fleet.run_until(NOW.plus_ms(5 * HOUR_MS), Pace::Free { together_ms: HOUR_MS / 4 }).await;
    let standing = fleet.standing();
    assert_eq!((standing.scanned, standing.unsent), (200, 0));
    let tally = fleet.tally();
    assert_eq!(tally.last_trouble, None);
    assert_eq!((tally.answered(Kind::Registration), tally.policies), (200, 200));
    let seen = points.seen();
    assert_eq!((seen.registered.len(), seen.catalogs), (200, 1));
    let serials = |reports: &Vec<StateReport>| {
        let mut spans = reports.iter().map(|report| (report.serial_from, report.serial_to));
        spans.try_fold(0, |last, (from, to)| (last + 1 == from).then_some(to))
    };
    assert!(seen.reports.values().all(|reports| serials(reports).is_some()), "a gap");
    assert_eq!(seen.reports.len(), 200);
}

/// They all get policy in the same minute, and do not scan in the same minute (SCAN-02).
#[tokio::test]
async fn first_scans_are_spread_over_two_hours_after_the_first_policy() {
    let (short, catalog) = Site::new().short(Vec::new());
    let config = Config { arrive_ms: 1, ..config(240) };
    let mut fleet = Fleet::new(config, Link::Short(Arc::new(short)), Some(catalog));
    let mut scanned = Vec::new();
    for quarter in 1..=8 {
        let until = NOW.plus_ms(quarter * HOUR_MS / 4);
        fleet.run_until(until, Pace::Free { together_ms: 0 }).await;
        scanned.push(fleet.standing().scanned);
    }
    expect![[r#"
        [
            28,
            59,
            91,
            123,
            156,
            183,
            217,
            240,
        ]
    "#]]
    .assert_debug_eq(&scanned);
}
