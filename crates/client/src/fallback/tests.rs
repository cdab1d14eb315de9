use model::{RoleKind, SiteCode};

use super::*;

fn server(number: u32, after_minutes: u32) -> ServerRef {
    ServerRef {
        kind: RoleKind::DistributionPoint,
        site: SiteCode::new("PR1").expect("good"),
        url: format!("https://{number}"),
        http_url: String::new(),
        after_minutes,
    }
}

#[test]
fn servers_join_when_their_minutes_have_passed() {
    let servers = [server(1, 0), server(2, 30), server(3, 120)];
    let count = |minutes| usable(&servers, minutes).len();
    assert_eq!([0, 29, 30, 119, 120].map(count), [1, 1, 2, 2, 3]);
}

#[test]
fn many_points_nearby_leave_room_for_those_farther_away() {
    let mut servers: Vec<_> = (0..20).map(|number| server(number, 0)).collect();
    servers.push(server(99, 30));
    assert_eq!(sources(&servers, 0).len(), ALIKE_MAX);
    assert_eq!(sources(&servers, 30).last(), Some(&server(99, 30)));
}

#[test]
fn a_search_lasts_from_its_first_failure_to_its_end() {
    let at = |minutes: i64| Timestamp(1_000_000 + minutes * MINUTE_MS);
    let mut search = Search::default();
    assert_eq!(search.lasted(&1, at(0)), 0);
    assert_eq!((search.minutes(1, at(0)), search.minutes(1, at(31))), (0, 31));
    assert_eq!((search.lasted(&1, at(31)), search.lasted(&2, at(31))), (31, 0));
    // A clock that is set back neither ends it nor makes it long.
    assert_eq!((search.minutes(1, at(-5)), search.minutes(1, at(5))), (0, 10));
    search.end(&1);
    assert_eq!(search.minutes(1, at(50)), 0);
    search.keep(|wanted| *wanted == 2);
    assert_eq!(search.lasted(&1, at(90)), 0);
}
