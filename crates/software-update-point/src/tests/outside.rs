//! Servers outside of the hierarchy: over TLS, and by a proxy.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use expect_test::expect;
use testkit::proxy::FakeProxy;
use testkit::tls::{Authority, TlsServer};
use transport::Belief;

use super::*;

const YEARS: (i32, i32) = (2020, 2040);

fn believing(url: &str, belief: Option<Belief>) -> Plan {
    Plan { source: Source::Foreign { url: url.to_owned(), belief }, ..everything(url) }
}

fn roots(authority: &Authority) -> Option<Belief> {
    Some(Belief::Roots(authority.pem().into()))
}

async fn reaching(outside: Outside) -> Bench {
    Bench::configured(None, |config| config.outside = outside).await
}

/// Offers one update with a file, which is what a synchronization and a download are about.
async fn offering(server: Option<&TlsServer>) -> (FakeUpstream, ItemFile) {
    let fake = match server {
        Some(server) => FakeUpstream::start_tls(server).await,
        None => FakeUpstream::start().await,
    };
    let named = file(&Bench::new().await, "a.cab", b"content of a").await;
    let mut update = update(1, "Anvil");
    update.files.push(named.clone());
    fake.script().offer(&update.to_xml());
    fake.script().serve_file(named.sha1.0, "a.cab", b"content of a".to_vec());
    (fake, named)
}

#[tokio::test]
async fn a_server_is_believed_by_its_root_or_by_a_pin() {
    let authority = Authority::new("A Root");
    let server = authority.server("127.0.0.1", YEARS);
    let (fake, named) = offering(Some(&server)).await;
    let directory = tempfile::tempdir().expect("a directory");
    let bundle = directory.path().join("roots.pem");
    std::fs::write(&bundle, authority.pem()).expect("written");
    let pins = [authority.pin(), server.pin].map(|pin| Some(Belief::Pin(pin)));
    let [by_issuer, by_itself] = pins;
    for belief in [roots(&authority), by_issuer, by_itself, None] {
        let bench = reaching(Outside { roots: bundle.clone(), proxy: None }).await;
        let synced = bench.synchronize(&believing(&fake.url, belief.clone())).await;
        assert_eq!(synced.expect("synchronizes").revisions_new, 1, "{belief:?}");
        let fetched = bench.point.fetch_file(&named).await.expect("fetched");
        assert_eq!(Some(fetched.sha256), named.sha256);
        let kept = bench.point.kept_source().await.expect("reads");
        assert_eq!(kept, Some(Source::Foreign { url: fake.url.clone(), belief }));
    }
}

/// What a synchronization says of a server it does not believe ends with `reason`.
async fn check_refusal(server: &TlsServer, belief: Option<Belief>, reason: &str) {
    let (fake, _) = offering(Some(server)).await;
    let bench = reaching(Outside::default()).await;
    let error = bench.synchronize(&believing(&fake.url, belief)).await.expect_err("it is refused");
    let text = error_chain(&error);
    assert!(text.ends_with(reason), "{text}");
    assert!(!error.is_transient(), "trying again helps nobody");
    assert!(fake.script().anchors.is_empty(), "nothing was asked");
}

#[tokio::test]
async fn a_server_that_is_not_believed_is_asked_nothing() {
    let (authority, another) = (Authority::new("A Root"), Authority::new("Another Root"));
    let sound = authority.server("127.0.0.1", YEARS);
    let reason = ": 127.0.0.1 is not believed: no root that is believed here issued its \
                  certificate; add the root to the believed ones, or pin the certificate";
    check_refusal(&sound, roots(&another), reason).await;
    check_refusal(&sound, Some(Belief::Pin(Sha256([7; 32]))), reason).await;
    let reason = "name a PEM file as sup.roots: No such file or directory (os error 2)";
    check_refusal(&sound, None, reason).await;
    let reason = "there is no certificate to believe a server by; name a PEM file that holds some";
    check_refusal(&sound, Some(Belief::Roots("no PEM".into())), reason).await;
    let other = authority.server("wsus.example.com", YEARS);
    let reason = ": 127.0.0.1 is not believed: its certificate is for wsus.example.com; ask for \
                  that name, or pin the certificate";
    check_refusal(&other, roots(&authority), reason).await;
    check_refusal(&other, Some(Belief::Pin(authority.pin())), reason).await;
    let old = authority.server("127.0.0.1", (2020, 2021));
    let reason = "its certificate expired at 2021-01-01T00:00:00.000Z; it must be renewed there";
    check_refusal(&old, roots(&authority), reason).await;
    let early = authority.server("127.0.0.1", (2030, 2040));
    let reason = "valid from 2030-01-01T00:00:00.000Z on; is the clock here right?";
    check_refusal(&early, roots(&authority), reason).await;
}

#[tokio::test]
async fn a_plain_port_is_no_https_port() {
    let (fake, _) = offering(None).await;
    let url = fake.url.replace("http://", "https://");
    let belief = Some(Belief::Pin(Sha256([7; 32])));
    let bench = reaching(Outside::default()).await;
    let error = bench.synchronize(&believing(&url, belief)).await.expect_err("it is refused");
    let text = error_chain(&error);
    assert!(text.contains("does not speak TLS as we do; is it an https port?"), "{text}");
}

/// A proxy with credentials in a file.
fn proxy(fake: &FakeProxy, directory: &Path) -> Proxy {
    let path = credentials(directory, "ann:open sesame\n", 0o600);
    Proxy::read(&fake.url, Some(&path)).expect("a good proxy")
}

fn credentials(directory: &Path, text: &str, mode: u32) -> PathBuf {
    let path = directory.join("proxy.secret");
    std::fs::write(&path, text).expect("written");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&path, permissions).expect("changed");
    path
}

#[tokio::test]
async fn a_proxy_stands_between_where_it_shall() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = Authority::new("A Root");
    let server = authority.server("127.0.0.1", YEARS);
    let tls = Some(&server);
    for (server, belief) in [(None, None), (tls, roots(&authority))] {
        for (synchronizes, downloads) in [(true, true), (true, false), (false, true)] {
            let (fake, named) = offering(server).await;
            let between = FakeProxy::start().await;
            between.script().authorization = Some("Basic YW5uOm9wZW4gc2VzYW1l".to_owned());
            let mut proxy = proxy(&between, directory.path());
            (proxy.synchronizes, proxy.downloads) = (synchronizes, downloads);
            let bench = reaching(Outside { proxy: Some(proxy), ..Outside::default() }).await;
            let plan = believing(&fake.url, belief.clone());
            assert_eq!(bench.synchronize(&plan).await.expect("synchronizes").revisions_new, 1);
            let asked = std::mem::take(&mut between.script().asked);
            assert_eq!(!asked.is_empty(), synchronizes, "{asked:?}");
            bench.point.fetch_file(&named).await.expect("fetched");
            let bare = fake.url.split("://").nth(1).expect("an address");
            let expected = match server {
                None => format!("GET {}{}", fake.url, path_of(&named)),
                Some(_) => format!("CONNECT {bare}"),
            };
            let expected = if downloads { vec![expected] } else { Vec::new() };
            assert_eq!(between.script().asked, expected);
        }
    }
}

fn path_of(file: &ItemFile) -> String {
    wsus_protocol::content_path(&file.sha1.0, &file.name)
}

#[tokio::test]
async fn the_hierarchy_s_own_servers_are_never_asked_by_a_proxy() {
    let (upstream, between) = (Bench::new().await, FakeProxy::start().await);
    upstream.import(&[update(1, "Anvil")]).await;
    let (url, _tasks) = upstream.serve().await;
    let proxy = Proxy::read(&between.url, None).expect("a good proxy");
    let bench = reaching(Outside { proxy: Some(proxy), ..Outside::default() }).await;
    let source = Source::Own { url, site: "CAS".parse().expect("a code") };
    let plan = Plan { source, ..everything("") };
    assert_eq!(bench.synchronize(&plan).await.expect("synchronizes").revisions_new, 1);
    assert!(between.script().asked.is_empty());
}

#[tokio::test]
async fn what_a_proxy_says_is_told_as_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let (fake, _) = offering(None).await;
    let authority = Authority::new("A Root");
    let (over_tls, _) = offering(Some(&authority.server("127.0.0.1", YEARS))).await;
    let said = async |url: &str, status: Option<u16>| {
        let between = FakeProxy::start().await;
        between.script().authorization = status.is_none().then(|| "Basic other".to_owned());
        between.script().status = status;
        let proxy = Some(proxy(&between, directory.path()));
        let bench = reaching(Outside { proxy, ..Outside::default() }).await;
        let plan = believing(url, roots(&authority));
        let error = bench.synchronize(&plan).await.expect_err("the proxy refuses");
        let text = error_chain(&error).replace(&between.url, "PROXY").replace(url, "URL");
        assert!(!format!("{error:?} {:?}", bench.point.config).contains("sesame"));
        (text, error.is_transient())
    };
    let wants = "the proxy PROXY/ wants other credentials (HTTP status 407); name a file with \
                 user:password as proxy.credentials";
    assert_eq!(said(&fake.url, None).await, (wants.to_owned(), false));
    assert_eq!(said(&over_tls.url, None).await, (wants.to_owned(), false));
    let (text, is_transient) = said(&over_tls.url, Some(403)).await;
    expect!["the proxy PROXY/ could not or would not reach URL/ (HTTP status 403)"]
        .assert_eq(&text);
    assert!(!is_transient);
    let (text, is_transient) = said(&fake.url, Some(502)).await;
    assert!(text.starts_with("the proxy PROXY/ could not or would not reach URL/Server"), "{text}");
    assert!(text.ends_with(" (HTTP status 502)"), "{text}");
    assert!(is_transient, "the way may open");
}

#[test]
fn credentials_that_others_may_read_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let refusal = |text: &str, mode: u32| {
        let path = credentials(directory.path(), text, mode);
        let error = Proxy::read("http://proxy:3128", Some(&path)).expect_err("it is refused");
        error_chain(&error).replace(&path.display().to_string(), "FILE")
    };
    let others = "others than its owner may read or write it; chmod 600 it";
    let form = "it does not hold user:password in one line";
    for (text, mode, reason) in [
        ("ann:sesame", 0o640, others),
        ("sesame", 0o600, form),
        ("ann:sesame\nbob:sesame", 0o600, form),
    ] {
        let expected = format!("FILE holds no credentials of a proxy: {reason}");
        assert_eq!(refusal(text, mode), expected);
    }
    let refused = |url: &str| Proxy::read(url, None).expect_err("no such proxies").to_string();
    expect![[r#""https://proxy" is no proxy of the form http://host:port"#]]
        .assert_eq(&refused("https://proxy"));
    // Where a password stands it would be in every message.
    expect![[r#""http://…@proxy:3128" is no proxy of the form http://host:port"#]]
        .assert_eq(&refused("http://ann:secret@proxy:3128"));
}

#[tokio::test]
async fn any_file_is_downloaded_within_its_limit() {
    let (fake, named) = offering(None).await;
    let bench = Bench::new().await;
    let (url, path) = (format!("{}{}", fake.url, path_of(&named)), bench.point.work("got"));
    assert_eq!(bench.point.download(&url, &path, 12).await.expect("it is small"), 12);
    assert_eq!(std::fs::read(&path).expect("readable"), b"content of a");
    let large = bench.point.download(&url, &path, 11).await.expect_err("it is large");
    assert!(matches!(large, Error::LargeAnswer { max: 11, .. }), "{large:?}");
    let missing = bench.point.download(&format!("{}/no", fake.url), &path, 11).await;
    assert!(matches!(missing, Err(Error::HttpStatus { status: 404, .. })), "{missing:?}");
}
