use super::*;

const GROUPS: &str = "root:x:0:\nadm:x:4:\nsudo:x:27:alice\nwheel:x:10:\nusers:x:100:\nbad\n";
const STATUS: &str = "Name:\tcurl\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n\
                      Groups:\t27 100 1000 \n";

fn standing(uid: u32, groups: &[u32]) -> Standing {
    let groups_meant = ["sudo", "wheel", "adm"].map(str::to_owned).to_vec();
    Administrators { owner: 900, groups: groups_meant }.standing(uid, groups, GROUPS)
}

#[test]
fn root_the_agents_user_and_members_of_named_groups_are_administrators() {
    assert_eq!(standing(0, &[0]), Standing::Administrator);
    assert_eq!(standing(900, &[900]), Standing::Administrator);
    assert_eq!(standing(1000, &[1000, 27]), Standing::Administrator);
    assert_eq!(standing(1000, &[10]), Standing::Administrator);
    assert_eq!(standing(1000, &[1000, 100]), Standing::User);
    assert_eq!(standing(1000, &[]), Standing::User);
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

#[test]
fn users_are_called_by_their_names() {
    let users = "root:x:0:0::/:/bin/sh\nbroken\nalice:x:1000:1000::/home/alice:/bin/sh\n";
    assert_eq!(name_of(users, 1000).as_deref(), Some("alice"));
    assert_eq!(name_of(users, 1001), None);
}
