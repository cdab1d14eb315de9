use proptest::prelude::*;

use super::*;

/// Each line in ascending order.
const KNOWN: &str = "
1.0 2.0
2.0 2.0.1 2.0.1a
5.5p1 5.5p2 5.5p10
10xyz 10.1xyz
xyz10 xyz10.1
xyz.4 8
xyz.4 2
5.5p2 5.6p1
5.6p1 6.5p1
6.0 6.0.rc1
10a2 10b2
1.0a 1.0aa
10.0001 10.0039
4.999.9 5.0
20101121 20101122
2_0 2.0.1
1.0~rc1 1.0~rc2 1.0
1.0~rc1~git123 1.0~rc1
1.0 1.0^ 1.0^git1 1.0^git2 1.0.1
1.0^git1~pre 1.0^git1
1.0~rc1 1.0~rc1^git1 1.0
1.0-1 1.0-2 1.0-10 1.0.1-1 1:0.1-1 2:0.0-0
5.14.0-70.el9 5.14.0-427.13.1.el9_4 5.14.0-503.el9
";

/// Each line names two that are equal.
const EQUAL: &str = "
1.0 1.0
1.0010 1.10
2_0 2.0
a+ a_
1.05 1.5
+ _
0:1-1 1-1
1.0 1.0-3
";

#[test]
fn rpm_versions_sort_as_rpm_sorts_them() {
    for line in KNOWN.lines() {
        let line: Vec<&str> = line.split_whitespace().collect();
        for (place, a) in line.iter().enumerate() {
            for (other, b) in line.iter().enumerate() {
                assert_eq!(compare_rpm(a, b), place.cmp(&other), "{a:?} against {b:?}");
            }
        }
    }
    for (a, b) in EQUAL.lines().filter_map(|line| line.split_once(' ')) {
        assert_eq!(compare_rpm(a, b), Ordering::Equal, "{a:?} against {b:?}");
    }
}

proptest! {
    #[test]
    fn rpm_order_is_an_order(
        [a, b, c] in prop::array::uniform3("[0-2a-b.~^+]{0,8}"),
    ) {
        prop_assert_eq!(compare_rpm(&a, &b), compare_rpm(&b, &a).reverse());
        if compare_rpm(&a, &b).is_le() && compare_rpm(&b, &c).is_le() {
            prop_assert!(compare_rpm(&a, &c).is_le());
        }
    }
}
