use ambient::{ManualClock, SystemEntropy};
use model::SiteCode;
use testkit::pki::Pki;
use transport::TcpConnect;

use super::*;

const MINUTE_MS: i64 = 60 * 1000;
const SUP: RoleKind = RoleKind::SoftwareUpdatePoint;

fn server(kind: RoleKind, url: &str, after_minutes: u32) -> ServerRef {
    let (site, url) = (SiteCode::new("PR1").expect("good"), url.to_owned());
    ServerRef { kind, site, url, http_url: String::new(), after_minutes }
}

fn urls(servers: Vec<ServerRef>) -> Vec<String> {
    servers.into_iter().map(|server| server.url).collect()
}

/// Update points: one of the client's own groups, and others after 30 and 150 minutes.
fn servers() -> (Arc<ManualClock>, Servers) {
    let clock = Arc::new(ManualClock::at(1_795_168_800_000));
    let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
    let pki = Pki::new(&ambient);
    let keys = pki.site(SiteCode::new("PR1").expect("good"));
    let credentials = pki.credentials(&keys, PeerKind::Client, "client");
    let first = server(RoleKind::ManagementPoint, "first", 0);
    let servers = Servers::new(ambient, Arc::new(TcpConnect), credentials, first);
    let far = server(RoleKind::ManagementPoint, "far", 60);
    let points = [server(SUP, "own", 0), server(SUP, "near", 30), server(SUP, "far", 150), far];
    servers.list(&points);
    (clock, servers)
}

#[test]
fn other_groups_are_tried_once_the_own_servers_have_failed_long_enough() {
    let (clock, servers) = servers();
    clock.advance_ms(500 * MINUTE_MS);
    assert_eq!(urls(servers.of(SUP)), ["own"], "nothing has failed yet");
    servers.unserved(SUP);
    clock.advance_ms(29 * MINUTE_MS);
    servers.unserved(SUP);
    assert_eq!(urls(servers.of(SUP)), ["own"]);
    clock.advance_ms(MINUTE_MS);
    assert_eq!(urls(servers.of(SUP)), ["own", "near"]);
    clock.advance_ms(120 * MINUTE_MS);
    assert_eq!(urls(servers.of(SUP)), ["own", "near", "far"]);
    // Each kind for itself, and the one it joined through always.
    assert_eq!(urls(servers.of(RoleKind::ManagementPoint)), ["first"]);
    servers.served(SUP);
    assert_eq!(urls(servers.of(SUP)), ["own"]);
}
