use expect_test::expect;

use super::*;

fn tried(tries: &[&str], read: impl Fn(&str) -> Result<Uri, Error>) -> String {
    let line = |url: &&str| match read(url) {
        Ok(uri) => format!("{url}: {uri}, asked for {}\n", path(&uri)),
        Err(error) => format!("{url}: {error}\n"),
    };
    tries.iter().map(line).collect()
}

#[test]
fn addresses_are_of_public_servers_and_have_nobody_s_password_in_them() {
    let tries = [
        "https://dl.example.com/a/b.cab?sig=1#part",
        "http://dl.example.com:8080",
        "HTTP://dl.example.com/a",
        "ftp://dl.example.com/a",
        "file:///etc/shadow",
        "/a/b.cab",
        "https://user:secret@dl.example.com/a",
        "https:///a",
        "https://dl example.com/a",
        "",
    ];
    expect![[r#"
        https://dl.example.com/a/b.cab?sig=1#part: https://dl.example.com/a/b.cab?sig=1, asked for /a/b.cab?sig=1
        http://dl.example.com:8080: http://dl.example.com:8080/, asked for /
        HTTP://dl.example.com/a: http://dl.example.com/a, asked for /a
        ftp://dl.example.com/a: ftp://dl.example.com/a is no address to fetch a file from: it is neither http nor https
        file:///etc/shadow: file:///etc/shadow is no address to fetch a file from: it is none
        /a/b.cab: /a/b.cab is no address to fetch a file from: it names no server
        https://user:secret@dl.example.com/a: https://…@dl.example.com/a is no address to fetch a file from: it has a user in it
        https:///a: https:///a is no address to fetch a file from: it is none
        https://dl example.com/a: https://dl example.com/a is no address to fetch a file from: it is none
        :  is no address to fetch a file from: it is none
    "#]].assert_eq(&tried(&tries, address));
    let long = format!("https://dl.example.com/{}", "a".repeat(limits::ADDRESS_BYTES_MAX));
    assert!(matches!(address(&long), Err(Error::Address { .. })));
}

#[test]
fn redirects_go_where_they_say_but_never_away_from_tls() {
    let at: Uri = "https://dl.example.com/a/b.cab?x=1".parse().expect("good");
    let tries = [
        "https://cdn.example.net/c",
        "//cdn.example.net/c",
        "/c?y=2",
        "c.cab",
        "?y=2",
        "c.cab?to=https://x/",
        "http://dl.example.com/a/b.cab",
        "javascript:alert(1)",
        "https://user:secret@cdn.example.net/c",
        "\\\\server\\share",
    ];
    expect![[r#"
        https://cdn.example.net/c: https://cdn.example.net/c, asked for /c
        //cdn.example.net/c: https://cdn.example.net/c, asked for /c
        /c?y=2: https://dl.example.com/c?y=2, asked for /c?y=2
        c.cab: https://dl.example.com/a/c.cab, asked for /a/c.cab
        ?y=2: https://dl.example.com/a/b.cab?y=2, asked for /a/b.cab?y=2
        c.cab?to=https://x/: https://dl.example.com/a/c.cab?to=https://x/, asked for /a/c.cab?to=https://x/
        http://dl.example.com/a/b.cab: https://dl.example.com/a/b.cab?x=1 sends us on to "http://dl.example.com/a/b.cab": nobody is followed from https to http
        javascript:alert(1): https://dl.example.com/a/b.cab?x=1 sends us on to "javascript:alert(1)": it is neither http nor https
        https://user:secret@cdn.example.net/c: https://dl.example.com/a/b.cab?x=1 sends us on to "https://…@cdn.example.net/c": it has a user in it
        \\server\share: https://dl.example.com/a/\\server\share, asked for /a/\\server\share
    "#]].assert_eq(&tried(&tries, |to| next(&at, to)));
    let plain: Uri = "http://dl.example.com/b.cab".parse().expect("good");
    let tries = ["https://dl.example.com/b.cab", "http://cdn.example.net/b.cab"];
    expect![[r#"
        https://dl.example.com/b.cab: https://dl.example.com/b.cab, asked for /b.cab
        http://cdn.example.net/b.cab: http://cdn.example.net/b.cab, asked for /b.cab
    "#]]
    .assert_eq(&tried(&tries, |to| next(&plain, to)));
}
