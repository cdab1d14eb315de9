use model::Owner;
use uuid::Uuid;

use super::*;

fn code(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

fn neighbor(text: &str) -> Neighbor {
    let kind = match &text[..2] {
        "CA" => SiteKind::Central,
        "PR" => SiteKind::Primary,
        _ => SiteKind::Secondary,
    };
    Neighbor { code: code(text), kind }
}

/// CAS above PR1 and PR2, SE1 below PR1, seen from one of them.
fn tree(me: &str) -> Tree {
    let parents = [("CAS", None), ("PR1", Some("CAS")), ("PR2", Some("CAS")), ("SE1", Some("PR1"))];
    let records = parents.map(|(site, parent)| SiteRecord {
        code: code(site),
        uuid: Uuid::nil(),
        kind: neighbor(site).kind,
        parent: parent.map(code),
        name: String::new(),
        url: String::new(),
    });
    let parent = parents.iter().find(|(site, _)| *site == me).and_then(|(_, parent)| *parent);
    Tree::new(neighbor(me), parent.map(code), &records)
}

fn stream(group: Group, owner: &str) -> StreamId {
    StreamId { group, owner: Owner { code: code(owner), uuid: Uuid::nil() } }
}

#[test]
fn a_stream_comes_over_its_route_and_goes_everywhere_else() {
    let cas = tree("CAS");
    let control = stream(Group::Control, "PR1");
    assert!(cas.takes(control, neighbor("PR1")));
    assert!(!cas.takes(control, neighbor("PR2")));
    assert!(cas.offers(control, neighbor("PR2")));
    assert!(!cas.offers(control, neighbor("PR1")));
    assert!(tree("PR2").takes(control, neighbor("CAS")));
}

#[test]
fn secondaries_hold_topology_and_catalog_only() {
    let pr1 = tree("PR1");
    assert!(!pr1.offers(stream(Group::Control, "CAS"), neighbor("SE1")));
    assert!(pr1.offers(stream(Group::Topology, "PR2"), neighbor("SE1")));
    assert!(pr1.offers(stream(Group::Catalog, "CAS"), neighbor("SE1")));
    assert_eq!(tree("SE1").own_groups(), [Group::Status]);
}

#[test]
fn site_data_goes_up_only() {
    let status = stream(Group::Status, "SE1");
    assert!(tree("PR1").takes(status, neighbor("SE1")));
    assert!(tree("PR1").offers(status, neighbor("CAS")));
    assert!(tree("CAS").takes(status, neighbor("PR1")));
    assert!(!tree("CAS").offers(status, neighbor("PR2")));
    assert!(!tree("PR2").takes(stream(Group::State, "PR1"), neighbor("CAS")));
}

#[test]
fn nobody_takes_his_own_stream_or_takes_anything_twice() {
    let all: &[&str] = &["CAS", "PR1", "PR2", "SE1"];
    for (me, group, owner) in all
        .iter()
        .flat_map(|m| Group::ALL.iter().flat_map(move |g| all.iter().map(move |o| (m, g, o))))
    {
        let stream = stream(*group, owner);
        let from: Vec<_> = all.iter().filter(|p| tree(me).takes(stream, neighbor(p))).collect();
        assert!(from.len() <= 1, "{me} takes {stream} from {from:?}");
        assert!(me != owner || from.is_empty(), "{me} takes {stream}");
    }
}
