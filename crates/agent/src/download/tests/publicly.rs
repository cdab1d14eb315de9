//! Downloads from publishers' servers, over real sockets and real TLS.

use testkit::serving::serve;
use testkit::tls::Authority;

use super::*;

/// Of the server that answers so, what an update point would tell.
fn offer(server: &ServerRef, path: &str) -> Carrier {
    Carrier::Public(format!("{}{path}", server.http_url))
}

fn redirect(to: String) -> impl Fn(Request) -> Response + Clone {
    move |_| {
        let answer = Response::builder().status(302).header(LOCATION, &to);
        answer.body(Body::empty()).expect("an answer")
    }
}

#[tokio::test]
async fn a_publisher_is_asked_for_its_own_path_and_gone_on_with() {
    let stage = Stage::new();
    std::fs::write(stage.partial(BODY), &BODY[..20]).expect("written");
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = asked.clone();
    let publisher = stage
        .dp(move |request: Request| {
            let header = |name| {
                let value = request.headers().get(name);
                value.map_or("", |value| value.to_str().expect("text")).to_owned()
            };
            let line = (request.uri().to_string(), header(http::header::HOST), header(RANGE));
            noted.lock().expect("whole").push(line);
            honest(BODY)(request)
        })
        .await;
    let empty =
        stage.dp(|_| Response::builder().status(404).body(Body::empty()).expect("one")).await;
    let carriers = [Carrier::Point(empty.clone()), offer(&publisher, "/d/2026/update.deb?id=1")];
    let fetched = stage.fetch_from(BODY, &carriers).await;
    let Carrier::Public(url) = &carriers[1] else { panic!("it is public") };
    assert!(matches!(&fetched.end, End::Here { from: Some(from) } if from == url), "{fetched:?}");
    assert_eq!(fetched.tried[0].url, empty.http_url);
    let host = publisher.http_url.trim_start_matches("http://").to_owned();
    let expected = ("/d/2026/update.deb?id=1".to_owned(), host, "bytes=20-".to_owned());
    assert_eq!(*asked.lock().expect("whole"), [expected]);
}

#[tokio::test]
async fn redirects_of_publishers_are_followed_and_not_for_ever() {
    let stage = Stage::new();
    let cdn = stage.dp(honest(BODY)).await;
    let first = stage.dp(redirect(format!("{}/elsewhere", cdn.http_url))).await;
    let fetched = stage.fetch_from(BODY, &[offer(&first, "/update.deb")]).await;
    assert!(matches!(&fetched.end, End::Here { .. }), "{fetched:?}");

    let stage = Stage::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let circle = stage
        .dp(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            redirect("/again".to_owned())(request)
        })
        .await;
    let file = stage.dp(redirect("file:///etc/shadow".to_owned())).await;
    let carriers = [offer(&circle, "/update.deb"), offer(&file, "/update.deb")];
    let fetched = stage.fetch_from(BODY, &carriers).await;
    let said = said(&fetched).replace(&circle.http_url, "CIRCLE");
    expect![[r#"
        Denied: DP sends us on to "CIRCLE/again": it has led on too often
        Denied: DP sends us on to "file:///etc/shadow": it is none
    "#]]
    .assert_eq(&said);
    assert_eq!(asked.load(Ordering::Relaxed), limits::REDIRECTS_MAX + 1);
}

#[tokio::test]
async fn what_a_publisher_gives_is_believed_by_policy_alone() {
    let stage = Stage::new();
    let evil = stage.dp(honest(b"the very bytes that policy names, neither more nor FEWER")).await;
    let larger =
        stage.dp(honest(b"the very bytes that policy names, and a few more of them")).await;
    let longer =
        stage.dp(honest(b"the very bytes that policy names, neither more nor fewer!")).await;
    let shorter = stage.dp(honest(b"the very bytes")).await;
    let servers = [&evil, &larger, &longer, &shorter].map(|server| offer(server, "/update.deb"));
    let fetched = stage.fetch_from(BODY, &servers).await;
    expect![[r#"
        Corrupt: the content cache failed: update.deb: its SHA-256 is ANOTHER instead of ITS OWN; it has to be fetched again
        Corrupt: the content cache failed: update.deb: its SHA-256 is ANOTHER instead of ITS OWN; it has to be fetched again
        Invalid: the answer of DP is not understood: content-length: announces 57 bytes instead of 56
        Invalid: the answer of DP is not understood: content-length: announces 14 bytes instead of 56
    "#]].assert_eq(&said(&fetched));
    assert_eq!(stage.refusals.take_untold().len(), 4);
    assert_eq!(fetched.trouble(), Some((EnforcementState::DownloadFailed, -2_146_889_721)));
    assert!(stage.library.list().await.expect("lists").is_empty());
}

#[tokio::test]
async fn publishers_over_tls_prove_who_they_are_and_never_lead_to_plain_http() {
    let stage = Stage::new();
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let tls = known.server("127.0.0.1", (2026, 2030));
    let router = |answer: fn(Request) -> Response| {
        Router::new().fallback(async move |request: Request| answer(request))
    };
    let (url, _good) = serve(router(|request| honest(BODY)(request)), Some(&tls)).await;
    let offered = [Carrier::Public(format!("{url}/update.deb"))];
    // Nobody here knows who issued its certificate.
    std::fs::write(stage.directory.path().join("roots"), unknown.pem()).expect("written");
    let fetched = stage.fetch_from(BODY, &offered).await;
    assert!(matches!(&fetched.end, End::Failed(Error::Distrusted { .. })), "{fetched:?}");
    assert!(stage.refusals.take_untold().is_empty(), "it gave nothing that could be wrong");

    let stage = Stage::new();
    std::fs::write(stage.directory.path().join("roots"), known.pem()).expect("written");
    let leaving = |_| {
        let answer = Response::builder().status(301).header(LOCATION, "http://127.0.0.1:1/");
        answer.body(Body::empty()).expect("an answer")
    };
    let (weaker, _weaker) = serve(router(leaving), Some(&tls)).await;
    let offered = [Carrier::Public(format!("{weaker}/update.deb")), offered[0].clone()];
    let fetched = stage.fetch_from(BODY, &offered).await;
    assert!(matches!(&fetched.end, End::Here { .. }), "{fetched:?}");
    assert!(fetched.tried[0].reason.contains("from https to http"), "{fetched:?}");
}
