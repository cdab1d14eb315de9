use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::tests::{deployment, empty, vectors};

fn sample() -> Vector {
    Vector {
        scan_error: Some("no".to_owned()),
        required: vec![3, 300],
        installed: vec![0, 4],
        unjudged: vec![2],
        detail: vec![Detail {
            item: 300,
            state: EnforcementState::Failed,
            code: -2,
            at: Timestamp(64),
        }],
        deployments: vec![(
            deployment(7),
            DeploymentState {
                compliance: AssignmentCompliance::NonCompliant,
                enforcement: Some(AssignmentEnforcement::WaitingForWindow),
                evaluation: AssignmentEvaluation::Succeeded,
                code: 3,
                at: Timestamp(65),
            },
        )],
        scan: Some(LastScan {
            state: SourceScan::PendingRetry,
            server: "s".to_owned(),
            at: Timestamp(5),
            duration_ms: 300,
            bytes: 6,
            code: -1,
        }),
        ..empty(1)
    }
}

/// The bytes are stored and compared by every site of a hierarchy: they may never change within
/// a version.
#[test]
fn the_bytes_of_version_1_stay() {
    let bytes = encode_vector(&sample()).expect("a sound vector");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    expect![
        "01000000000000000000000000000000010700000000000000\
             0105d00f05026e6f0203a9020200040102\
             01ac020b038001\
             0100000000000000000000000000000007020a02068201\
             0401730aac020601"
    ]
    .assert_eq(&hex);
}

#[test]
fn what_is_not_canonical_is_refused() {
    let sound = encode_vector(&empty(1)).expect("a sound vector");
    assert_eq!(sound[25..], [1, 5, 0xd0, 0x0f, 0, 0, 0, 0, 0, 0], "serial, …, flags, five lists");
    let refused = |place: std::ops::Range<usize>, bytes: &[u8]| {
        let mut damaged = sound.clone();
        damaged.splice(place, bytes.iter().copied());
        decode_vector(&damaged).expect_err("refused")
    };
    let twice = [&[2][..], &[[0; 16].as_slice(), &[0, 0, 1, 0, 0]].concat().repeat(2)].concat();
    let cases: [(_, &[u8], _); 16] = [
        (34..35, &[], "ends too early"),
        (34..35, &[0x80], "ends too early"),
        (35..35, &[0], "bytes after the end"),
        (29..30, &[8], "unknown flag"),
        (29..30, &[4], "ends too early"),
        (29..30, &[1, 1, 0xff], "a text is not UTF-8"),
        (34..35, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4], "unknown state"),
        (34..35, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 13], "unknown state"),
        (34..35, &twice, "the deployments are not ascending"),
        (25..26, &[0x81, 0], "a number is not in its shortest form"),
        (30..31, &[2, 1, 0], "a list is not ascending"),
        (30..31, &[2, 1, 0xff, 0xff, 0xff, 0xff, 0x0f], "an item number is too large"),
        (30..32, &[1, 1, 1, 1], "an item is in two lists"),
        (31..33, &[1, 1, 1, 1], "an item is in two lists"),
        (33..34, &[1, 9, 8, 0, 0], "a detail is about an item that is not required"),
        (30..34, &[1, 9, 0, 0, 1, 9, 15, 0, 0], "unknown state"),
    ];
    for (place, bytes, expected) in cases {
        match refused(place, bytes) {
            Error::DecodeVector { reason, .. } => assert_eq!(reason, expected),
            other => panic!("{other} instead of {expected}"),
        }
    }
    expect!["state vector has version 2, made by a newer site; upgrade this site first"]
        .assert_eq(&refused(0..1, &[2]).to_string());
    expect!["state vector is damaged at byte 34: a length is over its limit; the client's next full report replaces it"]
        .assert_eq(&refused(30..33, &[0xff, 0xff, 0xff, 1]).to_string());
}

#[test]
fn an_unsound_vector_is_not_written() {
    let twice = Vector { required: vec![4, 4], ..empty(1) };
    assert!(encode_vector(&twice).is_err());
    let long = Vector { scan_error: Some("x".repeat(SCAN_ERROR_BYTES_MAX + 1)), ..empty(1) };
    assert!(encode_vector(&long).is_err());
    let state = sample().deployments[0].1;
    let number = 0..=u32::try_from(DEPLOYMENTS_MAX).expect("a small number");
    let deployments = number.map(|number| (deployment(number), state)).collect();
    assert!(encode_vector(&Vector { deployments, ..empty(1) }).is_err());
}

proptest! {
    #[test]
    fn content_survives_its_bytes(vector in vectors(1, u32::MAX)) {
        let bytes = encode_vector(&vector).expect("a sound vector");
        prop_assert_eq!(decode_vector(&bytes), Ok(vector));
    }

    /// Damage is refused or read as other content; in no case do two byte strings mean the same.
    #[test]
    fn bytes_survive_their_content(
        vector in vectors(1, 400),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode_vector(&vector).expect("a sound vector");
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        for end in [bytes.len(), length.index(bytes.len())] {
            if let Ok(vector) = decode_vector(&bytes[..end]) {
                prop_assert_eq!(encode_vector(&vector), Ok(bytes[..end].to_vec()));
            }
        }
    }
}
