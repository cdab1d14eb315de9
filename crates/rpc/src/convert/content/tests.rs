use proptest::prelude::*;
use uuid::Uuid;

use super::*;

proptest! {
    #[test]
    fn reports_and_manifests_survive_the_wire(
        (version, bytes, at, reason) in (any::<u32>(), any::<u64>(), any::<i64>(), ".{0,40}"),
        names in prop::collection::vec((any::<[u8; 32]>(), any::<u64>(), ".{0,20}"), 0..5),
    ) {
        let package = ObjectCode::new("CAS00001").expect("a good code");
        let files: Vec<ContentFile> = names
            .into_iter()
            .map(|(sha256, size, name)| ContentFile { sha256: Sha256(sha256), size, name })
            .collect();
        let manifest = ContentManifest { package: package.clone(), version, files, targets: vec![] };
        prop_assert_eq!(pb::Manifest::from(&manifest).try_into(), Ok(manifest));
        let state = DistributionState {
            package,
            version,
            point: RoleId(Uuid::from_u128(u128::from(bytes))),
            site: "PR1".parse().expect("a good code"),
            state: ContentState::Transferring,
            files: version,
            bytes,
            reason,
            at: Timestamp(at),
        };
        prop_assert_eq!(pb::Distribution::from(&state).try_into(), Ok(state));
    }
}
