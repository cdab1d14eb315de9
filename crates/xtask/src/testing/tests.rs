use super::*;

#[test]
fn report_names_each_skipped_test_and_ends_with_their_count() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    assert_eq!(report(&[]), "skipped: 0\n");
    let skipped = [file("imports_catalogs", "no reference data\n"), file("real::b", "gone")];
    let expected =
        "skipped: imports_catalogs (no reference data)\nskipped: real::b (gone)\nskipped: 2\n";
    assert_eq!(report(&skipped), expected);
}
