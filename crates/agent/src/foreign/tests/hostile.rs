//! Servers that lie, lead elsewhere, break off or overwhelm.

use std::process::Command;

use expect_test::expect;
use testkit::tls::Authority;

use super::*;

const NAMESPACE: &str = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";

/// What a scan ends with, if `operation` is answered so.
async fn failure(operation: &str, reply: Reply) -> String {
    let fake = serving().await;
    fake.script().replay(operation, reply);
    let mut pc = Pc::new(&fake.url);
    let error = pc.follow().await.expect_err("is refused");
    // Once the server is itself again, so is the scan.
    fake.script().stop_replaying(operation);
    let (_, scan) = pc.scan().await;
    assert_eq!(verdicts(&scan), first_verdicts());
    error_chain(&error).replace(&fake.url, "URL")
}

fn sync(content: &str) -> Reply {
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    Reply::Soap(
        200,
        format!(
            "<s:Envelope xmlns:s='{soap}'><s:Body><SyncUpdatesResponse xmlns='{NAMESPACE}'>\
             <SyncUpdatesResult>{content}</SyncUpdatesResult></SyncUpdatesResponse></s:Body>\
             </s:Envelope>"
        ),
    )
}

fn raw(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Reply::Raw { status, headers, body: body.as_bytes().to_vec() }
}

const TOLD: &str = "<UpdateInfo><ID>7</ID><Deployment><ID>1</ID><Action>Evaluate</Action>\
                    <LastChangeTime>2026-10-04</LastChangeTime></Deployment><IsLeaf>false</IsLeaf>\
                    <Xml>&lt;UpdateIdentity UpdateID=\"56309036-4C77-4DD9-951A-99EE9C246A94\" \
                    RevisionNumber=\"1\" /&gt;&lt;Properties UpdateType=\"Category\" /&gt;</Xml>\
                    </UpdateInfo>";

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    let xml = [("content-type", "text/xml")];
    let check = async |reply: Reply, expected: expect_test::Expect| {
        expected.assert_eq(&failure("SyncUpdates", reply).await);
    };
    let html = raw(200, &[("content-type", "text/html")], "<html>Sign in</html>");
    check(html, expect![[r#"URL answered SyncUpdates with 200 OK of type "text/html""#]]).await;
    let elsewhere = raw(302, &[("location", "http://198.51.100.1/")], "");
    check(
        elsewhere,
        expect!["URL answered SyncUpdates with 302 Found, and nobody is followed elsewhere"],
    )
    .await;
    check(raw(404, &xml, ""), expect!["URL answered SyncUpdates with 404 Not Found"]).await;
    let packed = raw(200, &[xml[0], ("content-encoding", "gzip")], "");
    check(packed, expect!["URL answered SyncUpdates with an encoding that was not asked for"])
        .await;
    let packed = raw(200, &[xml[0], ("content-encoding", "xpress")], "abc");
    check(packed, expect!["what URL answered SyncUpdates with is no use: the compressed body cannot be unpacked: it is cut short at byte 0"]).await;
    check(raw(200, &xml, "\u{1}garbage"), expect!["what URL answered SyncUpdates with is no use: the message is not acceptable XML: line 1, column 1: not well-formed: character U+0001 is forbidden"]).await;
    check(
        raw(500, &xml, "<a/>"),
        expect!["URL answered SyncUpdates with 500 Internal Server Error"],
    )
    .await;
    check(sync("<Truncated>perhaps</Truncated>"), expect![[r#"what URL answered SyncUpdates with is no use: element Truncated holds "perhaps", which is not true or false"#]]).await;
}

#[tokio::test]
async fn endless_rounds_are_ended() {
    let twice = sync(&format!("<NewUpdates>{TOLD}</NewUpdates><Truncated>true</Truncated>"));
    expect!["the scan of URL was given up: it tells of revision 7 twice"]
        .assert_eq(&failure("SyncUpdates", twice).await);
    let both = sync(&format!("<NewUpdates>{TOLD}{TOLD}</NewUpdates>"));
    expect!["the scan of URL was given up: it tells of revision 7 twice"]
        .assert_eq(&failure("SyncUpdates", both).await);
    let nothing = sync("<Truncated>true</Truncated>");
    expect!["the scan of URL was given up: it says that there is more, and tells nothing new"]
        .assert_eq(&failure("SyncUpdates", nothing).await);
    let bare = sync("<NewUpdates><UpdateInfo><ID>7</ID></UpdateInfo></NewUpdates>");
    expect!["the scan of URL was given up: revision 7 comes without what every revision needs"]
        .assert_eq(&failure("SyncUpdates", bare).await);
}

#[tokio::test]
async fn an_unreadable_update_is_one_update() {
    let fake = serving().await;
    let mut broken =
        Told::update(50, "broken", "<IsInstalled><b.FileVersion").needing(&["product"]);
    broken.action = "Install";
    fake.script().tell(broken);
    let mut pc = Pc::new(&fake.url);
    let (_, scan) = pc.scan().await;
    assert_eq!(verdicts(&scan), first_verdicts());
    let (again, _) = pc.scan().await;
    assert_eq!(again.cost.requests, 1, "it is not told again");
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    for address in ["http://198.51.100.1/a.asmx", "//198.51.100.1/a.asmx", "", "a?b", "\\\\a\\b"] {
        let soap = "http://schemas.xmlsoap.org/soap/envelope/";
        let config = format!(
            "<s:Envelope xmlns:s='{soap}'><s:Body><GetConfigResponse xmlns='{NAMESPACE}'>\
             <GetConfigResult><LastChange>2026-01-01T00:00:00Z</LastChange><AuthInfo>\
             <AuthPlugInInfo><ServiceUrl>{address}</ServiceUrl></AuthPlugInInfo></AuthInfo>\
             </GetConfigResult></GetConfigResponse></s:Body></s:Envelope>"
        );
        let error = failure("GetConfig", Reply::Soap(200, config)).await;
        assert!(error.starts_with("URL answered GetConfig with"), "{address:?}: {error}");
    }
    for url in
        ["ftp://a", "http://", "http://u:p@a", "https://a:1", "http://a/b", "http://a?b", "a"]
    {
        foreign(url, None).map(drop).expect_err(url);
    }
    foreign("http://a:1", Some("".into())).map(drop).expect_err("roots are for https alone");
}

#[tokio::test]
async fn a_server_is_believed_by_its_roots() {
    let (named, other) = (Authority::new("named"), Authority::new("other"));
    let server = named.server("127.0.0.1", (2020, 2090));
    let fake = FakeWsus::start_tls(&server).await;
    offers().into_iter().for_each(|told| fake.script().tell(told));
    let (_, scan) = Pc::with(&fake.url, Some(named.pem().into())).scan().await;
    assert_eq!(verdicts(&scan), first_verdicts());
    let refused = Pc::with(&fake.url, Some(other.pem().into())).follow().await;
    let error = error_chain(&refused.expect_err("is not believed"));
    assert!(error.contains("no root that is believed here"), "{error}");
}

/// Set for the process of this test whose memory is measured: which flood it shall stand.
const FLOOD: &str = "TIERLINE_FLOOD";
/// What is kept of an answer at most, in all the forms it has on its way.
const GROWTH_KIB_MAX: u64 = 40 << 10;

fn floods() -> Vec<(&'static str, &'static str, Reply)> {
    let endless = |piece, announced| Reply::Stream { piece, times: u64::MAX, announced };
    let text = |times: usize| format!("<Xml>{}</Xml>", "&lt;a x=\"y\" /&gt;".repeat(times));
    let large = TOLD.replace("<Xml>", "<Xml>&lt;a/&gt;").split("<Xml>").next().map(str::to_owned);
    let large = large.expect("a beginning") + &text(230_000) + "</UpdateInfo>";
    let many: String = (0..12_000).map(|n| TOLD.replace("<ID>7<", &format!("<ID>{n}<"))).collect();
    vec![
        ("announced", "more than 4194304 bytes", endless("x", Some(100_000_000_000))),
        ("endless", "more than 4194304 bytes", endless("<a>text</a>", None)),
        ("elements", "", { sync(&"<a b='c'/>".repeat(400_000)) }),
        ("large", "", sync(&format!("<NewUpdates>{large}</NewUpdates>"))),
        ("many", "", sync(&format!("<NewUpdates>{}</NewUpdates>", &many))),
        (
            "numbers",
            "",
            sync(&format!(
                "<OutOfScopeRevisionIDs>{}</OutOfScopeRevisionIDs>",
                "<int>1</int>".repeat(199_999)
            )),
        ),
    ]
}

/// The most memory this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("is readable");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Each in a process of its own, in which the server is, too.
#[tokio::test]
async fn floods_cost_little_memory() {
    if let Ok(name) = std::env::var(FLOOD) {
        let fake = serving().await;
        let mut pc = Pc::new(&fake.url);
        pc.scan().await;
        let found = floods().into_iter().find(|(flood, ..)| *flood == name).expect("is known");
        let (_, expected, reply) = found;
        fake.script().replay("SyncUpdates", reply);
        let before = peak_kib();
        let outcome = pc.follow().await;
        let grown = peak_kib() - before;
        let said = outcome.map_or_else(|error| error_chain(&error), |_| String::new());
        assert!(said.contains(expected), "{name}: {said}");
        assert!(grown < GROWTH_KIB_MAX, "{name}: {grown} KiB");
        return;
    }
    for (name, ..) in floods() {
        let test = "foreign::tests::hostile::floods_cost_little_memory";
        let mut process = Command::new(std::env::current_exe().expect("a file"));
        let output = process.args(["--exact", "--nocapture", test]).env(FLOOD, name).output();
        let output = output.expect("starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {text}");
    }
}
