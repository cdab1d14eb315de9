use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn what_is_added_can_be_taken_away(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let (a, b) = (StreamDigest(a), StreamDigest(b));
        prop_assert_eq!(sum_subtract(sum_add(a, b), b), a);
        prop_assert_eq!(sum_add(a, b), sum_add(b, a));
    }

    #[test]
    fn fields_do_not_run_into_each_other(
        id in prop::collection::vec(any::<u8>(), 1..9), cut in 0_usize..8,
    ) {
        let cut = cut.min(id.len());
        let (left, right) = id.split_at(cut);
        let whole = object_hash(1, &id, 1, Some(&[]));
        let parts = object_hash(1, left, 1, Some(right));
        prop_assert_eq!(whole == parts, right.is_empty());
    }
}

#[test]
fn a_deletion_is_not_an_empty_body() {
    assert_ne!(object_hash(1, b"x", 1, None), object_hash(1, b"x", 1, Some(b"")));
}
