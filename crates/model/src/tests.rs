use expect_test::expect;

use super::*;

fn refused(text: &str) -> String {
    SiteCode::new(text).expect_err("the code is refused").to_string()
}

#[test]
fn site_codes_are_three_characters_and_not_reserved() {
    assert_eq!(SiteCode::new("PR1").expect("a good code").as_str(), "PR1");
    expect![[r#"site code: "PR" is not exactly three characters"#]].assert_eq(&refused("PR"));
    expect![[r#"site code: "pr1" has characters other than A-Z and 0-9"#]]
        .assert_eq(&refused("pr1"));
    expect![[r#"site code: "SMS" is reserved; choose another code"#]].assert_eq(&refused("SMS"));
}

#[test]
fn object_codes_count_in_hex() {
    let site = SiteCode::new("CAS").expect("a good code");
    assert_eq!(ObjectCode::numbered(site, 31).expect("in range").as_str(), "CAS0001F");
    assert!(ObjectCode::numbered(site, ObjectCode::COUNT).is_err());
    assert!(ObjectCode::new(ALL_SYSTEMS).is_ok());
    assert!(ObjectCode::new("CAS0001g").is_err());
}

#[test]
fn identities_survive_their_text() {
    let text = "tierline://0197a7d2-0000-7000-8000-000000000001/PR1/dp/dp-1";
    let identity: PeerIdentity = text.parse().expect("a good identity");
    assert_eq!(identity.kind, PeerKind::Role(RoleKind::DistributionPoint));
    assert_eq!(identity.to_string(), text);
    for bad in ["http://x/PR1/dp/1", "tierline://x/PR1/dp/1", "tierline://a/b/c", ""] {
        assert!(bad.parse::<PeerIdentity>().is_err(), "{bad}");
    }
}

#[test]
fn every_kind_is_found_by_its_number() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_number(*kind as u32), Some(*kind));
    }
    for group in Group::ALL {
        assert_eq!(Group::from_name(group.as_str()), Ok(group));
    }
}

#[test]
fn times_are_shown_in_utc() {
    expect!["2026-11-20T10:00:00.000Z"].assert_eq(&Timestamp(1_795_168_800_000).to_string());
    assert_eq!("2026-11-20T12:00:00+02:00".parse(), Ok(Timestamp(1_795_168_800_000)));
}

#[test]
fn owners_survive_their_bytes() {
    let code = SiteCode::new("CAS").expect("a good code");
    let owner = Owner { code, uuid: uuid::Uuid::from_u128(7) };
    assert_eq!(Owner::from_slice(&owner.to_bytes()), Ok(owner));
    assert!(Owner::from_slice(b"CA").is_err());
}
