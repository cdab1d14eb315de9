use super::*;

const STATUS: &str = "Name:\tcurl\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n\
                      Groups:\t27 100 1000 \n";

#[tokio::test]
async fn root_the_agents_user_and_members_of_named_groups_are_administrators() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let groups = directory.path().join("group");
    let named = "root:x:0:\nadm:x:4:\nsudo:x:27:alice\nwheel:x:10:\nusers:x:100:\nbad\n";
    fs::write(&groups, named).expect("writes");
    let names = Names::at("/nowhere", groups, "/nowhere");
    let meant = ["sudo", "wheel", "adm", "70010", "nobody knows"].map(str::to_owned).to_vec();
    let administrators = Administrators { owner: 900, groups: meant };
    for (uid, groups, expected) in [
        (0, &[0][..], true),
        (900, &[900], true),
        (1000, &[1000, 27], true),
        (1000, &[10], true),
        (1000, &[70_010], true),
        (1000, &[1000, 100], false),
        (1000, &[], false),
    ] {
        let found = administrators.include(uid, groups, &names).await;
        assert_eq!(found, expected, "{uid} {groups:?}");
    }
}

/// A service has no session, whatever its user may do elsewhere.
#[tokio::test]
async fn whoever_is_not_logged_on_is_absent() {
    let names = Names::at("/nowhere", "/nowhere", "/nowhere");
    let administrators = Administrators { owner: 900, groups: Vec::new() };
    let peer = Peer { uid: 4_000_000_000, groups: vec![65_534] };
    let caller = Caller::of(peer, &administrators, &names).await;
    assert_eq!((caller.standing, &*caller.name), (Standing::Absent, "user 4000000000"));
}

/// Symptom to be avoided: a process connects and ends, and another takes its number before it is
/// looked at. Only one of the same user may speak for it.
#[test]
fn groups_are_believed_only_of_a_process_of_the_user_who_connected() {
    assert_eq!(groups_of(STATUS, 1000), [27, 100, 1000]);
    assert!(groups_of(STATUS, 1001).is_empty());
    assert!(groups_of("", 1000).is_empty());
    assert!(groups_of("Uid:\tall\nGroups:\t0\n", 0).is_empty());
}
