use std::net::IpAddr;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{ClientId, RoleId, RoleKind, RoleRecord, SiteCode, SiteKind, SiteRecord, Timestamp};

fn code(number: u32) -> ObjectCode {
    ObjectCode::numbered(site("CAS"), number).expect("small")
}

fn site(text: &str) -> SiteCode {
    SiteCode::new(text).expect("good")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn scope(text: &str) -> BoundaryScope {
    text.parse().expect("a boundary")
}

fn check_scope(text: &str, expect: Expect) {
    let said = match text.parse::<BoundaryScope>() {
        Ok(scope) => {
            let span = scope.span().map(|(first, last)| format!("{first} to {last}"));
            format!("{scope} | {} | {}", scope.name(), span.unwrap_or_default())
        }
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&said);
}

#[test]
fn boundaries_are_read_and_named() {
    let check = check_scope;
    check("10.1.2.0/24", expect!["10.1.2.0/24 | IP subnet 10.1.2.0/24 | 10.1.2.0 to 10.1.2.255"]);
    check("0.0.0.0/0", expect!["0.0.0.0/0 | IP subnet 0.0.0.0/0 | 0.0.0.0 to 255.255.255.255"]);
    check("10.1.2.3/32", expect!["10.1.2.3/32 | IP subnet 10.1.2.3/32 | 10.1.2.3 to 10.1.2.3"]);
    check(
        " 2001:DB8::/48 ",
        expect![
            "2001:db8::/48 | IPv6 prefix 2001:db8::/48 | 2001:db8:: to \
             2001:db8:0:ffff:ffff:ffff:ffff:ffff"
        ],
    );
    check(
        "10.1.2.10 - 10.1.2.99",
        expect![
            "10.1.2.10-10.1.2.99 | IP address range 10.1.2.10-10.1.2.99 | 10.1.2.10 to 10.1.2.99"
        ],
    );
    check(
        "fd00::1-fd00::2",
        expect!["fd00::1-fd00::2 | IP address range fd00::1-fd00::2 | fd00::1 to fd00::2"],
    );
    check("vpn auto", expect!["vpn auto | VPN | "]);
    check("vpn name Branch*", expect!["vpn name Branch* | VPN name Branch* | "]);
    check(
        "vpn description The tunnel",
        expect!["vpn description The tunnel | VPN description The tunnel | "],
    );
}

#[test]
fn what_is_no_boundary_is_refused_with_a_remedy() {
    let check = check_scope;
    check(
        "10.1.2.3",
        expect![[r#"
        boundary: "10.1.2.3" is no boundary; write a subnet (10.1.2.0/24), an IPv6 prefix (2001:db8::/48), a range (10.1.2.10-10.1.2.99), or vpn auto, vpn name TEXT, vpn description TEXT"#]],
    );
    check(
        "10.1.2.3/24",
        expect![[r#"
        boundary: "10.1.2.3/24" names a computer in it; write 10.1.2.0/24"#]],
    );
    check(
        "10.1.2.0/33",
        expect![[r#"
        boundary: "10.1.2.0/33" has "33" where a length of 0 to 32 stands"#]],
    );
    check(
        "10.1.2.9-10.1.2.1",
        expect![[r#"
        boundary: "10.1.2.9-10.1.2.1" ends before it begins; write 10.1.2.1-10.1.2.9"#]],
    );
    check(
        "10.1.2.9-fd00::1",
        expect![[r#"
        boundary: "10.1.2.9-fd00::1" mixes IPv4 and IPv6; make one range of each"#]],
    );
    check(
        "::ffff:10.0.0.0/104",
        expect![[r#"
        boundary: "::ffff:10.0.0.0/104" is IPv4 in IPv6 form; write it as IPv4"#]],
    );
    check(
        "10.1/16",
        expect![[r#"
        boundary: "10.1/16" has "10.1" where an IP address stands; write a subnet (10.1.2.0/24), an IPv6 prefix (2001:db8::/48), a range (10.1.2.10-10.1.2.99), or vpn auto, vpn name TEXT, vpn description TEXT"#]],
    );
    let long = format!("vpn name {}", "n".repeat(251));
    let error = long.parse::<BoundaryScope>().expect_err("too long");
    assert!(error.to_string().ends_with("has 251 characters of name, at most 250"), "{error}");
}

fn role(number: u128, kind: RoleKind, at: &str, url: &str) -> RoleRecord {
    RoleRecord {
        id: RoleId(Uuid::from_u128(number)),
        site: site(at),
        kind,
        name: format!("{kind}{number}"),
        url: url.to_owned(),
        http_url: String::new(),
        joined_at: Timestamp(0),
    }
}

fn group(number: u32, boundaries: &[u32], systems: &[u128]) -> BoundaryGroup {
    let mut group = BoundaryGroup::new(code(number), format!("group {number}"));
    group.boundaries = boundaries.iter().map(|number| code(*number)).collect();
    group.systems = systems.iter().map(|number| RoleId(Uuid::from_u128(*number))).collect();
    group
}

fn link(to: Neighbor, dp: Option<u32>, others: Option<u32>) -> BoundaryLink {
    BoundaryLink { to, fallback: Fallback { dp, sup: others, mp: others } }
}

fn boundary(number: u32, text: &str) -> Boundary {
    Boundary { code: code(number), scope: scope(text), description: String::new() }
}

/// A primary PR1 with the secondary SE1. Groups: 10 (10.1.0.0/16), 20 (10.2.0.0/16, 10.1.9.0/24),
/// 30 without boundaries. DPs: 1 in 10, 2 in 20, 3 in 30, 4 in none, 5 of SE1 in none, 6 of PR2.
/// SUPs: 7 in 10, 8 in none. MPs: 9 in none, 11 of SE1 in none.
fn world() -> BoundaryMap {
    let (dp, sup, mp) =
        (RoleKind::DistributionPoint, RoleKind::SoftwareUpdatePoint, RoleKind::ManagementPoint);
    let roles = vec![
        role(1, dp, "PR1", "https://10.1.0.5:7442"),
        role(2, dp, "PR1", "https://dp2:7442"),
        role(3, dp, "PR1", "https://dp3:7442"),
        role(4, dp, "PR1", "https://10.7.0.9:7442"),
        role(5, dp, "SE1", "https://dp5:7442"),
        role(6, dp, "PR2", "https://dp6:7442"),
        role(7, sup, "PR1", "https://sup7"),
        role(8, sup, "PR1", "https://sup8"),
        role(9, mp, "PR1", "https://mp9"),
        role(11, mp, "SE1", "https://mp11"),
    ];
    let mut first = group(10, &[1], &[1, 7]);
    first.relate(link(Neighbor::Group(code(20)), Some(30), None));
    first.relate(link(Neighbor::Group(code(30)), None, Some(10)));
    first.assigned_site = Some(site("PR1"));
    let mut second = group(20, &[2, 3], &[2]);
    second.relate(link(Neighbor::Default(site("PR1")), Some(15), None));
    second.assigned_site = Some(site("PR2"));
    let boundaries = vec![
        boundary(1, "10.1.0.0/16"),
        boundary(2, "10.2.0.0-10.2.255.255"),
        boundary(3, "10.1.9.0/24"),
        boundary(4, "10.7.0.0/16"),
        boundary(5, "vpn auto"),
    ];
    let record = |code: &str, kind, parent: Option<&str>| SiteRecord {
        code: site(code),
        uuid: Uuid::nil(),
        kind,
        parent: parent.map(site),
        name: String::new(),
        url: String::new(),
    };
    let sites = [
        record("CAS", SiteKind::Central, None),
        record("PR1", SiteKind::Primary, Some("CAS")),
        record("SE1", SiteKind::Secondary, Some("PR1")),
        record("PR2", SiteKind::Primary, Some("CAS")),
    ];
    BoundaryMap::new(boundaries, vec![first, second, group(30, &[], &[3])], roles, &sites)
}

fn asker(address: &str, near: &str) -> Asker {
    let address = (!address.is_empty()).then(|| ip(address));
    Asker { address, assigned: site("PR1"), near: site(near) }
}

fn check_offers(map: &BoundaryMap, kind: RoleKind, asker: &Asker, expect: Expect) {
    let line = |offer: &Offer| {
        let Offer { role, after_minutes, relation, through, proximity } = offer;
        let how = format!("{} {through} {}", relation.as_str(), proximity.as_str());
        format!("{} after {after_minutes} {}", role.name, how.trim())
    };
    let lines: Vec<_> = map.offers(kind, asker).iter().map(line).collect();
    expect.assert_eq(&lines.join("\n"));
}

#[test]
fn distribution_points_come_in_the_documented_order() {
    let (map, dp) = (world(), RoleKind::DistributionPoint);
    // Its own group, the neighbor after its minutes, then the default group of the site.
    check_offers(
        &map,
        dp,
        &asker("10.1.0.7", "PR1"),
        expect![[r#"
        dp1 after 0 current CAS0000A subnet
        dp2 after 30 neighbor CAS00014
        dp4 after 120 default Default-Site-Boundary-GroupPR1
        dp5 after 120 default Default-Site-Boundary-GroupPR1"#]],
    );
    // An explicit link to the default group takes the place of the implied one.
    check_offers(
        &map,
        dp,
        &asker("10.2.0.7", "SE1"),
        expect![[r#"
        dp2 after 0 current CAS00014
        dp5 after 15 default Default-Site-Boundary-GroupPR1
        dp4 after 15 default Default-Site-Boundary-GroupPR1"#]],
    );
    // In two groups at once: the union, by the soonest way.
    check_offers(
        &map,
        dp,
        &asker("10.1.9.1", "PR1"),
        expect![[r#"
        dp1 after 0 current CAS0000A subnet
        dp2 after 0 current CAS00014
        dp4 after 15 default Default-Site-Boundary-GroupPR1
        dp5 after 15 default Default-Site-Boundary-GroupPR1"#]],
    );
    // In none, or nobody knows where: the default group of the site at once.
    check_offers(
        &map,
        dp,
        &asker("10.7.0.9", "SE1"),
        expect![[r#"
        dp4 after 0 default Default-Site-Boundary-GroupPR1 computer
        dp5 after 0 default Default-Site-Boundary-GroupPR1"#]],
    );
    check_offers(
        &map,
        dp,
        &asker("", "SE1"),
        expect![[r#"
        dp5 after 0 default Default-Site-Boundary-GroupPR1
        dp4 after 0 default Default-Site-Boundary-GroupPR1"#]],
    );
}

#[test]
fn nobody_waits_for_a_management_point_that_is_not_there() {
    // Its group has none, so that the default group is used at once.
    check_offers(
        &world(),
        RoleKind::ManagementPoint,
        &asker("10.1.0.7", "SE1"),
        expect![[r#"
            mp11 after 0 default Default-Site-Boundary-GroupPR1
            mp9 after 0 default Default-Site-Boundary-GroupPR1"#]],
    );
    // Never is never: the client has only the one that it joined through.
    check_offers(&world(), RoleKind::ManagementPoint, &asker("10.2.0.7", "PR1"), expect![""]);
}

#[test]
fn software_update_points_must_be_in_a_group() {
    let (map, sup) = (world(), RoleKind::SoftwareUpdatePoint);
    // The one in no group is not in the default group either.
    check_offers(&map, sup, &asker("10.1.0.7", "PR1"), expect!["sup7 after 0 current CAS0000A"]);
    // Who reaches none by groups is not left alone, unless a group says so.
    let alone = expect!["sup8 after 0 last_resort Default-Site-Boundary-GroupPR1"];
    check_offers(&map, sup, &asker("10.7.0.7", "PR1"), alone);
    check_offers(&map, sup, &asker("10.2.0.7", "PR1"), expect![""]);
}

#[test]
fn the_first_of_two_neighbors_is_used_at_once_where_the_group_has_none() {
    let roles = vec![
        role(1, RoleKind::SoftwareUpdatePoint, "PR1", "https://a"),
        role(2, RoleKind::SoftwareUpdatePoint, "PR1", "https://b"),
    ];
    let mut own = group(10, &[1], &[]);
    own.relate(link(Neighbor::Group(code(20)), None, Some(60)));
    own.relate(link(Neighbor::Group(code(30)), None, Some(90)));
    let groups = vec![own, group(20, &[], &[1]), group(30, &[], &[2])];
    let map = BoundaryMap::new(vec![boundary(1, "10.0.0.0/8")], groups, roles, &[]);
    check_offers(
        &map,
        RoleKind::SoftwareUpdatePoint,
        &asker("10.1.0.7", "PR1"),
        expect![[r#"
            sup1 after 0 neighbor CAS00014
            sup2 after 30 neighbor CAS0001E"#]],
    );
    // Both are in groups, and this client is in none.
    check_offers(
        &map,
        RoleKind::SoftwareUpdatePoint,
        &asker("11.1.0.7", "PR1"),
        expect![[r#"
            sup1 after 0 last_resort Default-Site-Boundary-GroupPR1
            sup2 after 0 last_resort Default-Site-Boundary-GroupPR1"#]],
    );
}

#[test]
fn overlapping_groups_share_out_new_computers() {
    let map = world();
    let site_of = |address, number| {
        map.assigned_site(ip(address), ClientId(Uuid::from_u128(number))).map(|s| s.to_string())
    };
    assert_eq!(site_of("10.1.0.7", 1), Some("PR1".to_owned()));
    assert_eq!(site_of("10.7.0.7", 1), None);
    let chosen: Vec<_> = (0..4).filter_map(|number| site_of("10.1.9.7", number)).collect();
    assert_eq!(chosen, ["PR1", "PR2", "PR1", "PR2"]);
}

#[test]
fn options_of_several_groups_are_united() {
    let mut groups = vec![group(10, &[1], &[]), group(20, &[2], &[])];
    groups[0].options.peers = false;
    groups[1].options.prefer_cloud = true;
    let boundaries = vec![boundary(1, "10.0.0.0/8"), boundary(2, "10.1.0.0/16")];
    let map = BoundaryMap::new(boundaries, groups, vec![], &[]);
    let both = map.options_of(ip("10.1.0.1"));
    assert_eq!((both.peers, both.prefer_cloud, both.points_before_peers), (false, true, false));
    assert_eq!(map.options_of(ip("11.0.0.1")), BoundaryOptions::default());
}

#[test]
fn tunnels_are_nowhere_unless_a_boundary_means_them() {
    let boundaries = |texts: &[&str]| {
        let all = texts.iter().zip(1..).map(|(text, number)| boundary(number, text)).collect();
        BoundaryMap::new(all, vec![], vec![], &[])
    };
    let teredo = ip("2001:0:4136:e378:8000:63bf:3fff:fdd2");
    let wide = boundaries(&["2000::/3", "::/0"]);
    assert_eq!(wide.boundaries_of(teredo), Vec::<&ObjectCode>::new());
    assert_eq!(wide.boundaries_of(ip("2001:db8::1")).len(), 2);
    assert_eq!(boundaries(&["::/0", "2001::/32"]).boundaries_of(teredo), [&code(2)]);
    // An IPv4 address in IPv6 form is one.
    assert_eq!(
        boundaries(&["::/0", "10.0.0.0/8"]).boundaries_of(ip("::ffff:10.1.1.1")),
        [&code(2)]
    );
}

#[test]
fn groups_that_nobody_may_write_are_refused() {
    let check = |change: fn(&mut BoundaryGroup), expect: Expect| {
        let mut group = group(10, &[1], &[1]);
        change(&mut group);
        expect.assert_eq(&group.check().expect_err("refused").to_string());
    };
    check(
        |group| group.relate(link(Neighbor::Group(code(10)), Some(1), None)),
        expect!["link: CAS0000A is the group itself; name another one"],
    );
    check(
        |group| group.relate(link(Neighbor::Default(site("PR1")), Some(10_081), None)),
        expect![
            "link: 10081 minutes to Default-Site-Boundary-GroupPR1, at most 10080; or say never"
        ],
    );
    check(
        |group| group.boundaries = (0..20_001).map(code).collect(),
        expect!["boundaries: 20001 in one group, at most 20000; make another group"],
    );
    check(|group| group.name.clear(), expect!["name: give one of 1 to 256 bytes"]);
    let mut group = group(10, &[1], &[1]);
    group.relate(link(Neighbor::Group(code(20)), Some(1), None));
    group.relate(link(Neighbor::Group(code(20)), Some(2), None));
    assert_eq!(group.links.len(), 1, "one link per neighbor");
    assert_eq!(group.check(), Ok(()));
}

/// Addresses that often meet.
fn near() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..64_u32).prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        (0..64_u128).prop_map(|bits| Ipv6Addr::from_bits(bits << 64).into()),
    ]
}

fn any_scope() -> impl Strategy<Value = BoundaryScope> {
    let range = (near(), near()).prop_filter_map("of one family", |(a, b)| {
        let (first, last) = (a.min(b), a.max(b));
        (a.is_ipv4() == b.is_ipv4()).then_some(BoundaryScope::Range { first, last })
    });
    let subnet = (0..64_u32, 26..=32_u8).prop_map(|(bits, length)| {
        let network = Ipv4Addr::from_bits(bits & mask4(length));
        BoundaryScope::Subnet { network, length }
    });
    let prefix = (0..64_u128, 56..=64_u8).prop_map(|(bits, length)| {
        let network = Ipv6Addr::from_bits((bits << 64) & mask6(length));
        BoundaryScope::Prefix { network, length }
    });
    prop_oneof![range, subnet, prefix]
}

proptest! {
    #[test]
    fn scopes_survive_their_text(scope in any_scope()) {
        prop_assert_eq!(scope.to_string().parse(), Ok(scope));
    }

    #[test]
    fn text_never_panics(text in "[0-9a-f.:/ vpnam-]{0,40}") {
        let _ = text.parse::<BoundaryScope>();
        let _ = text.parse::<Neighbor>();
    }

    #[test]
    fn the_index_finds_what_looking_at_all_finds(
        scopes in prop::collection::vec(any_scope(), 0..40),
        addresses in prop::collection::vec(near(), 1..20),
    ) {
        let boundaries: Vec<Boundary> = scopes.iter().zip(0..).map(|(scope, number)| Boundary {
            code: code(number), scope: scope.clone(), description: String::new(),
        }).collect();
        let map = BoundaryMap::new(boundaries.clone(), vec![], vec![], &[]);
        for address in addresses {
            let covers = |boundary: &&Boundary| boundary.scope.span().is_some_and(|(first, last)| {
                first <= address && address <= last
            });
            let naive: Vec<_> = boundaries.iter().filter(covers).map(|b| &b.code).collect();
            prop_assert_eq!(map.boundaries_of(address), naive);
        }
    }
}

/// A question costs the depth of the tree, not the number of boundaries: among 100,000 it looks at
/// a few dozen spans, which this counts in answers per boundary rather than in time.
#[test]
fn a_hundred_thousand_boundaries_are_searched_by_halves() {
    let boundaries = (0..100_000_u32).map(|number| {
        let network = Ipv4Addr::from_bits(number << 8);
        let scope = BoundaryScope::Subnet { network, length: 24 };
        Boundary { code: code(number), scope, description: String::new() }
    });
    let map = BoundaryMap::new(boundaries.collect(), vec![], vec![], &[]);
    // A scan of all for each would look at ten billion spans and not end in a test.
    for number in 0..100_000_u32 {
        let address = Ipv4Addr::from_bits((number << 8) + 77).into();
        assert_eq!(map.boundaries_of(address), [&code(number)]);
    }
}
