use proptest::prelude::*;

use super::*;

#[test]
fn debian_versions_sort_as_policy_says() {
    let ascending = "~~ ~~a ~ 0 1.0~rc1 1.0 1.0-1~bpo1 1.0-1 1.0-1+b1 1.0-10 1.0a 1.0+dfsg 1.0.1 \
                     1.9 1.10 99999999999999999999999 1:0.1 2:0";
    let ascending: Vec<&str> = ascending.split(' ').collect();
    for (place, a) in ascending.iter().enumerate() {
        for (other, b) in ascending.iter().enumerate() {
            assert_eq!(compare_debian(a, b), place.cmp(&other), "{a:?} against {b:?}");
        }
    }
    assert_eq!(compare_debian("", "0"), Ordering::Equal);
    assert_eq!(compare_debian("1.00", "0:1.0-0"), Ordering::Equal);
}

#[test]
fn windows_versions_compare_number_by_number() {
    let version = |text: &str| text.parse::<Version>().expect("is a version");
    assert!(version("10.0.9") < version("10.0.10.1"));
    assert_eq!(version("4"), version("4.0.0.0"));
    for bad in ["", "1.2.3.4.5", "1..2", "a", "1.99999999999", "-1"] {
        assert!(bad.parse::<Version>().is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn debian_order_is_an_order(
        [a, b, c] in prop::array::uniform3("[0-9a-b.~:+-]{0,8}"),
    ) {
        prop_assert_eq!(compare_debian(&a, &b), compare_debian(&b, &a).reverse());
        if compare_debian(&a, &b).is_le() && compare_debian(&b, &c).is_le() {
            prop_assert!(compare_debian(&a, &c).is_le());
        }
    }
}
