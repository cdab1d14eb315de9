use super::*;

#[test]
fn comments_and_literals_leave_only_code() {
    let text = r####"let a = "x\"//"; // tail
/* one */ let b = br##"SELECT
"#"##; let c = '"'; let d: &'static str = '\'';
let r#type = bar"";"####;
    let source = Source::scan(text);
    let code: Vec<&str> = source.code.split_whitespace().collect();
    let expected = "let a = ; let b = ; let c = ; let d: &'static str = ; let r#type = bar ;";
    assert_eq!(code.join(" "), expected);
    assert_eq!(source.code.lines().count(), text.lines().count());
    let literals: Vec<(usize, &str)> =
        source.literals.iter().map(|literal| (literal.line, literal.text.as_str())).collect();
    assert_eq!(literals, [(1, "x\\\"//"), (2, "SELECT\n\"#"), (4, "")]);
}

#[test]
fn unfinished_tokens_end_with_the_file() {
    for text in ["\"abc", "r#\"abc\"", "/* abc", "'", "'\\", "// abc", "é'é", "r#"] {
        assert_eq!(Source::scan(text).code.chars().count(), text.chars().count(), "{text}");
    }
}
