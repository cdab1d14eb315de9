use expect_test::expect;

use super::*;

#[test]
fn quotes_keep_blanks_together() {
    let words = split(r#" -a "b c"  d'e f' '' "#);
    expect![[r#"["-a", "b c", "de f", ""]"#]].assert_eq(&format!("{words:?}"));
    assert!(split(" \t").is_empty());
}
