use model::*;
use proptest::prelude::*;
use uuid::Uuid;

use super::ObjectBody;

mod deploying;

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn update() -> impl Strategy<Value = UpdateRef> {
    (uuid(), any::<u32>()).prop_map(|(id, revision)| UpdateRef { id: UpdateId(id), revision })
}

fn text() -> impl Strategy<Value = LocalizedText> {
    ("[a-z]{2}", ".{0,20}", ".{0,20}").prop_map(|(language, title, description)| LocalizedText {
        language,
        title,
        description,
    })
}

fn file() -> impl Strategy<Value = ItemFile> {
    (".{1,12}", any::<u64>(), any::<[u8; 20]>(), any::<Option<[u8; 32]>>()).prop_map(
        |(name, size, sha1, sha256)| ItemFile {
            name,
            size,
            sha1: Sha1(sha1),
            sha256: sha256.map(Sha256),
        },
    )
}

prop_compose! {
    fn item()(
        number in any::<u32>(), update in update(), since in any::<u64>(),
        document in any::<[u8; 32]>(), texts in prop::collection::vec(text(), 0..3),
        classification in prop::option::of(uuid()), products in prop::collection::vec(uuid(), 0..3),
        flags in any::<[bool; 4]>(), bundles in prop::collection::vec(self::update(), 0..3),
        files in prop::collection::vec(file(), 0..3), created in any::<i64>(),
    ) -> Item {
        Item {
            number, update, since, document: Sha256(document), texts,
            classification: classification.map(UpdateId),
            products: products.iter().copied().map(UpdateId).collect(),
            company: None, severity: Some(MsrcSeverity::Critical),
            kb_articles: vec!["5034441".into()], bulletins: vec![], cves: vec!["CVE-1".into()],
            created_at: Timestamp(created), expired: flags[0], hidden: flags[1],
            linux_only: flags[2], may_restart: flags[3],
            languages: vec!["de".into()], has_license: flags[0],
            prerequisites: products.iter().copied().rev().map(UpdateId).collect(),
            supersedes: products.into_iter().map(UpdateId).collect(), bundles, files,
            expired_at: flags[0].then_some(Timestamp(created)), withdrawn: flags[1],
        }
    }
}

proptest! {
    #[test]
    fn items_survive_the_wire(item in item()) {
        prop_assert_eq!(Item::decode(&item.encode()), Ok(item));
    }

    #[test]
    fn rulings_survive_the_wire(
        update in uuid(), verdict in 0..4_usize, at in any::<i64>(), gone in any::<Option<u32>>(),
    ) {
        let cleaned = gone.map(|n| Cleaned { revision: n, number: n, version: n.into() });
        let verdict = Verdict::ALL[verdict];
        let ruling = Ruling::new(UpdateId(update), verdict, "ann", Timestamp(at));
        let ruling = Ruling { cleaned, ..ruling };
        prop_assert_eq!(Ruling::decode(&ruling.encode()), Ok(ruling));
    }

    #[test]
    fn boundary_groups_survive_the_wire(
        codes in prop::collection::btree_set(0..50_u32, 0..5), flags in any::<[bool; 4]>(),
        minutes in prop::collection::vec(any::<Option<u32>>(), 3), site in any::<bool>(),
    ) {
        let pr1 = SiteCode::new("PR1").expect("good");
        let code = |n| ObjectCode::numbered(pr1, n).expect("small");
        let fallback = Fallback { dp: minutes[0], sup: minutes[1], mp: minutes[2] };
        let mut group = BoundaryGroup::new(code(1), "a group".into());
        group.boundaries = codes.iter().map(|n| code(*n)).collect();
        group.systems = codes.iter().map(|n| RoleId(Uuid::from_u128((*n).into()))).collect();
        group.assigned_site = site.then_some(pr1);
        group.links = vec![
            BoundaryLink { to: Neighbor::Group(code(2)), fallback },
            BoundaryLink { to: Neighbor::Default(pr1), fallback },
        ];
        group.options = BoundaryOptions {
            peers: flags[0], subnet_peers_only: flags[1], points_before_peers: flags[2],
            prefer_cloud: flags[3],
        };
        prop_assert_eq!(BoundaryGroup::decode(&group.encode()), Ok(group));
    }

    #[test]
    fn boundaries_survive_the_wire(bits in any::<u128>(), length in 0..=128_u8, text in "[a-z]{9}") {
        let shift = 128 - u32::from(length);
        let network = bits.checked_shr(shift).unwrap_or(0).checked_shl(shift).unwrap_or(0);
        let network = std::net::Ipv6Addr::from_bits(network);
        // What is IPv4 in IPv6 form is written as IPv4.
        prop_assume!(network.to_ipv4_mapped().is_none());
        let scopes = [
            BoundaryScope::Prefix { network, length },
            BoundaryScope::Vpn(VpnMatch::Auto),
            BoundaryScope::Vpn(VpnMatch::Name(text.clone() + " *")),
            BoundaryScope::Vpn(VpnMatch::Description(text.clone())),
        ];
        let code = ObjectCode::new("PR100001").expect("good");
        for scope in scopes {
            let boundary = Boundary { code: code.clone(), scope, description: text.clone() };
            prop_assert_eq!(Boundary::decode(&boundary.encode()), Ok(boundary));
        }
    }

    #[test]
    fn addresses_survive_the_wire(bits in any::<u128>(), v4 in any::<u32>()) {
        let v4 = std::net::Ipv4Addr::from_bits(v4);
        for address in [v4.into(), v4.to_ipv6_mapped().into(), std::net::Ipv6Addr::from(bits).into()] {
            let address: std::net::IpAddr = address;
            let read = crate::convert::read_address(&crate::convert::wire_address(Some(address)));
            prop_assert_eq!(read, Ok(Some(address.to_canonical())));
        }
        prop_assert_eq!(crate::convert::read_address(&[]), Ok(None));
        prop_assert!(crate::convert::read_address(&[1, 2, 3]).is_err());
    }

    #[test]
    fn deployments_survive_the_wire(
        id in uuid(), at in any::<i64>(), deadline in any::<Option<i64>>(),
    ) {
        let code = |n| ObjectCode::numbered(SiteCode::new("CAS").expect("good"), n).expect("small");
        let deployment = Deployment {
            deadline: deadline.map(Timestamp),
            ..Deployment::plain(DeploymentId(id), code(1), code(2), Timestamp(at))
        };
        prop_assert_eq!(Deployment::decode(&deployment.encode()), Ok(deployment));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Item::decode(&bytes);
        let _ = Package::decode(&bytes);
        let _ = Boundary::decode(&bytes);
        let _ = BoundaryGroup::decode(&bytes);
        let _ = crate::convert::decode_part(&bytes);
        let _ = crate::convert::decode_report(&bytes);
    }
}
