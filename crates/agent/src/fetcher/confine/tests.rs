use expect_test::expect;

use super::*;

#[test]
fn the_user_is_one_without_rights() {
    let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nnobody:x:65534:65533::/:/bin/false\n\
                 toor:x:0:7::/:/bin/sh\nwheel:x:7:0::/:/bin/sh\nodd:x:y:7::/:/bin/sh\n";
    let among = |name| User::among(users, name);
    assert_eq!(among("nobody"), Ok(User { uid: 65_534, gid: 65_533 }));
    let refused = ["root", "toor", "wheel", "odd", "broken", ""];
    let reasons: Vec<String> = refused.iter().filter_map(|name| among(name).err()).collect();
    expect![[r#"
        "root" has the rights of root; name a user that has none
        "toor" has the rights of root; name a user that has none
        "wheel" has the rights of root; name a user that has none
        there is no user "odd" in /etc/passwd
        there is no user "broken" in /etc/passwd
        there is no user "" in /etc/passwd"#]]
    .assert_eq(&reasons.join("\n"));
}

#[test]
fn what_is_missing_is_said_in_words() {
    let mut missing = Missing::default();
    missing.note(SESSION, Ok::<_, ()>(()));
    assert_eq!(missing.names(), [""; 0]);
    missing.note(LIMITS, Err::<(), _>(()));
    missing.note(FILTER, Err::<(), _>(()));
    assert_eq!(missing.names(), [GUARDS[1], GUARDS[5]]);
    // From a process that is believed nothing.
    assert_eq!(Missing(u8::MAX).names().len(), GUARDS.len());
}

#[test]
fn what_a_starter_left_open_is_of_no_use() {
    let length = |inherited: &[u64]| program(inherited).expect("it can be made").len();
    assert!(length(&[10, 12]) > length(&[10]) && length(&[10]) > length(&[]));
    let most: Vec<u64> = (3..FILES_MAX).collect();
    assert!(program(&most).is_ok());
}
