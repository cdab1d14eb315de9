use model::*;
use proptest::prelude::*;
use uuid::Uuid;

use super::ObjectBody;

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
            supersedes: products.into_iter().map(UpdateId).collect(), bundles, files,
        }
    }
}

proptest! {
    #[test]
    fn items_survive_the_wire(item in item()) {
        prop_assert_eq!(Item::decode(&item.encode()), Ok(item));
    }

    #[test]
    fn deployments_survive_the_wire(
        id in uuid(), at in any::<i64>(), deadline in any::<Option<i64>>(),
    ) {
        let code = |n| ObjectCode::numbered(SiteCode::new("CAS").expect("good"), n).expect("small");
        let deployment = Deployment {
            id: DeploymentId(id), name: "n".into(), group: code(1), collection: code(2),
            intent: Intent::Required, available_at: Timestamp(at),
            deadline: deadline.map(Timestamp), enabled: true, created_at: Timestamp(at),
        };
        prop_assert_eq!(Deployment::decode(&deployment.encode()), Ok(deployment));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Item::decode(&bytes);
        let _ = Package::decode(&bytes);
        let _ = crate::convert::decode_part(&bytes);
        let _ = crate::convert::decode_report(&bytes);
    }
}
