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

#[test]
fn publishers_are_asked_last_or_alone() {
    let file = AssignedFile { name: "a".to_owned(), size: 1, sha256: Sha256([1; 32]) };
    let update = UpdateRef { id: model::UpdateId(uuid::Uuid::nil()), revision: 1 };
    let points = |servers: &[ServerRef]| Some(BTreeMap::from([(file.sha256, servers.to_vec())]));
    let offered = || Some(BTreeMap::from([(file.sha256, vec!["https://cdn/a".to_owned()])]));
    let near_and_far = [server(1, 0), server(2, 30)];
    let known = [
        Known { points: points(&near_and_far), addresses: offered() },
        Known { points: points(&near_and_far), addresses: Some(BTreeMap::new()) },
        Known { points: Some(BTreeMap::new()), addresses: offered() },
        Known { points: None, addresses: offered() },
        Known { points: points(&near_and_far), addresses: None },
    ];
    let mut said = String::new();
    for public in [Public::Never, Public::Last, Public::Always] {
        for minutes in [0, 30] {
            let fetching = Fetching { file: file.clone(), update, minutes, public };
            let name = |carrier| match carrier {
                Carrier::Point(point) => point.url,
                Carrier::Public(url) => url,
            };
            let names = |known| {
                let names: Vec<String> = fetching.carriers(known).into_iter().map(name).collect();
                format!("[{}]", names.join(" ").replace("https://", ""))
            };
            let names: Vec<String> = known.iter().map(names).collect();
            said.push_str(&format!("{public:?} after {minutes}: {}\n", names.join(" ")));
        }
    }
    expect_test::expect![[r#"
        Never after 0: [1] [1] [] [] [1]
        Never after 30: [1 2] [1 2] [] [] [1 2]
        Last after 0: [1] [1] [cdn/a] [] [1]
        Last after 30: [1 2 cdn/a] [1 2] [cdn/a] [] [1 2]
        Always after 0: [cdn/a] [1] [cdn/a] [cdn/a] []
        Always after 30: [cdn/a] [1 2] [cdn/a] [cdn/a] []
    "#]]
    .assert_eq(&said);
}
