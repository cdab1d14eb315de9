use expect_test::expect;

use super::*;

/// What is made of an answer when the bytes from 20 on of a file of 100 were asked for.
fn judged(status: u16, headers: &[(&str, &str)]) -> String {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    let answer = answer.body(()).expect("an answer");
    let judged = begins_at(&answer, 20, 100).map_err(|unfit| match unfit {
        Unfit::Other(invalid) => invalid.to_string(),
        unfit => format!("{unfit:?}"),
    });
    let shown: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{status} {}\n    {judged:?}\n", shown.join(", "))
}

#[test]
fn only_the_file_that_policy_names_is_read() {
    let range = |said: &'static str| judged(206, &[("content-range", said)]);
    let both = |said, length| judged(206, &[("content-range", said), ("content-length", length)]);
    let all = [
        judged(200, &[]),
        judged(200, &[("content-length", "100"), ("content-encoding", "identity")]),
        judged(200, &[("content-length", "107374182400")]),
        judged(200, &[("content-length", "99")]),
        judged(200, &[("content-length", "100"), ("content-length", "7")]),
        judged(200, &[("content-encoding", "gzip"), ("content-length", "100")]),
        both("bytes 20-99/100", "80"),
        both("bytes 20-59/100", "40"),
        both("bytes 20-99/100", "81"),
        range("bytes 0-99/100"),
        range("bytes 2-99/100"),
        range("bytes 200-99/100"),
        range("bytes 20-100/100"),
        range("bytes 20-19/100"),
        range("bytes 20-99/101"),
        range("bytes 20-99/*"),
        range("bytes=20-99/100"),
        range("bytes 20-18446744073709551615/18446744073709551616"),
        judged(206, &[]),
        judged(206, &[("content-range", "bytes 20-99/100"), ("content-range", "bytes 0-9/10")]),
        judged(302, &[("location", "http://elsewhere/content")]),
        judged(304, &[]),
        judged(404, &[]),
        judged(416, &[("content-range", "bytes */100")]),
    ];
    expect![[r#"
        200 
            Ok(0)
        200 content-length: 100, content-encoding: identity
            Ok(0)
        200 content-length: 107374182400
            Err("content-length: announces 107374182400 bytes instead of 100")
        200 content-length: 99
            Err("content-length: announces 99 bytes instead of 100")
        200 content-length: 100, content-length: 7
            Err("content-length: announces 7 bytes instead of 100")
        200 content-encoding: gzip, content-length: 100
            Err("content-encoding: \"gzip\" was not asked for")
        206 content-range: bytes 20-99/100, content-length: 80
            Ok(20)
        206 content-range: bytes 20-59/100, content-length: 40
            Ok(20)
        206 content-range: bytes 20-99/100, content-length: 81
            Err("content-length: announces 81 bytes instead of 80")
        206 content-range: bytes 0-99/100
            Err("content-range: is \"bytes 0-99/100\"; asked for was bytes 20-99/100")
        206 content-range: bytes 2-99/100
            Err("content-range: is \"bytes 2-99/100\"; asked for was bytes 20-99/100")
        206 content-range: bytes 200-99/100
            Err("content-range: is \"bytes 200-99/100\"; asked for was bytes 20-99/100")
        206 content-range: bytes 20-100/100
            Err("content-range: is \"bytes 20-100/100\"; asked for was bytes 20-99/100")
        206 content-range: bytes 20-19/100
            Err("content-range: is \"bytes 20-19/100\"; asked for was bytes 20-99/100")
        206 content-range: bytes 20-99/101
            Err("content-range: is \"bytes 20-99/101\"; asked for was bytes 20-99/100")
        206 content-range: bytes 20-99/*
            Err("content-range: is \"bytes 20-99/*\"; asked for was bytes 20-99/100")
        206 content-range: bytes=20-99/100
            Err("content-range: is \"bytes=20-99/100\"; asked for was bytes 20-99/100")
        206 content-range: bytes 20-18446744073709551615/18446744073709551616
            Err("content-range: is \"bytes 20-18446744073709551615/18446744073709551616\"; asked for was bytes 20-99/100")
        206 
            Err("content-range: is \"\"; asked for was bytes 20-99/100")
        206 content-range: bytes 20-99/100, content-range: bytes 0-9/10
            Err("content-range: is \"several\"; asked for was bytes 20-99/100")
        302 location: http://elsewhere/content
            Err("Elsewhere(\"http://elsewhere/content\")")
        304 
            Err("Status(304)")
        404 
            Err("Status(404)")
        416 content-range: bytes */100
            Err("Status(416)")
    "#]].assert_eq(&all.concat());
}
