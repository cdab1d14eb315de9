//! Faults that have a remedy, and those that have none.

use super::*;

async fn scanned() -> (FakeWsus, Pc) {
    let fake = serving().await;
    let mut pc = Pc::new(&fake.url);
    pc.scan().await;
    fake.script().take_asked();
    (fake, pc)
}

#[tokio::test]
async fn an_expired_cookie_is_renewed() {
    let (fake, mut pc) = scanned().await;
    fake.script().reply_once("SyncUpdates", Reply::Fault("CookieExpired"));
    pc.scan().await;
    let asked = ["SyncUpdates", "GetAuthorizationCookie", "GetCookie", "SyncUpdates"];
    assert_eq!(fake.script().take_asked(), asked);
}

#[tokio::test]
async fn a_changed_configuration_is_asked_for() {
    let (fake, mut pc) = scanned().await;
    fake.script().configuration = 2;
    pc.scan().await;
    let asked = ["SyncUpdates", "GetConfig", "GetAuthorizationCookie", "GetCookie", "SyncUpdates"];
    assert_eq!(fake.script().take_asked(), asked);
}

#[tokio::test]
async fn a_server_that_forgot_the_computer_is_told_again() {
    let (fake, mut pc) = scanned().await;
    fake.script().reply_once("SyncUpdates", Reply::Fault("RegistrationRequired"));
    pc.scan().await;
    assert_eq!(fake.script().take_asked(), ["SyncUpdates", "RegisterComputer", "SyncUpdates"]);
}

/// What was told is kept, under the numbers that the new server gives to it.
#[tokio::test]
async fn a_server_that_was_set_up_anew_is_asked_for_its_numbers() {
    let (fake, mut pc) = scanned().await;
    fake.script().renumber(1_000);
    fake.script().withdraw(1_012);
    let (followed, scan) = pc.scan().await;
    let asked = [
        "SyncUpdates",
        "GetConfig",
        "GetAuthorizationCookie",
        "GetCookie",
        "RegisterComputer",
        "RefreshCache",
        "SyncUpdates",
    ];
    assert_eq!(fake.script().take_asked(), asked);
    assert_eq!((followed.cost.new, scan.updates.get(&id("absent part")).is_some()), (0, false));
    let now = first_verdicts().into_iter().filter(|(update, _)| *update != id("absent part"));
    assert_eq!(verdicts(&scan), now.collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_revision_may_say_something_else_on_a_new_server() {
    let (fake, mut pc) = scanned().await;
    // It knows nothing of what was told.
    fake.script().renumber(1_000);
    (1..30).for_each(|number| fake.script().withdraw(1_000 + number));
    offers().into_iter().for_each(|mut told| {
        told.rules = told.rules.replace("2.0.0.0", "1.0.0.0");
        told.id += 2_000;
        fake.script().tell(told);
    });
    fake.script().reply_once("RefreshCache", Reply::Soap(200, {
        let namespace = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";
        let soap = "http://schemas.xmlsoap.org/soap/envelope/";
        format!(
            "<s:Envelope xmlns:s=\"{soap}\"><s:Body><RefreshCacheResponse xmlns=\"{namespace}\">\
             <RefreshCacheResult /></RefreshCacheResponse></s:Body></s:Envelope>"
        )
    }));
    let (_, scan) = pc.scan().await;
    assert_eq!(judged(&scan, "old part").verdict, Applicability::Installed);
}

/// They end the scan; what was learned stays, and when the next one is due is not decided here.
#[tokio::test]
async fn other_faults_end_the_scan() {
    for code in ["InvalidParameters", "ServerBusy", "InternalServerError", "NoSuchCode"] {
        let (fake, mut pc) = scanned().await;
        fake.script().reply_once("SyncUpdates", Reply::Fault(code));
        let error = error_chain(&pc.follow().await.expect_err("a fault"));
        assert!(error.contains(code), "{error}");
        assert_eq!(fake.script().take_asked(), ["SyncUpdates"], "{code}");
        let (followed, scan) = pc.scan().await;
        assert_eq!(verdicts(&scan), first_verdicts());
        // The server is told of it with the next report.
        assert_eq!(pc.report(&followed, &scan).await, 3);
        let event = fake.script().events.remove(0);
        assert_eq!((event.number, event.hresult), (148, 0x8024_0439_u32.cast_signed()));
    }
}

/// A fault that comes again after its remedy has none.
#[tokio::test]
async fn a_storm_of_faults_is_not_answered_for_ever() {
    for code in ["CookieExpired", "ConfigChanged", "InvalidCookie", "RegistrationRequired"] {
        let (fake, mut pc) = scanned().await;
        fake.script().replay("SyncUpdates", Reply::Fault(code));
        let error = error_chain(&pc.follow().await.expect_err("a fault"));
        assert!(error.contains(code), "{error}");
        assert!(fake.script().take_asked().len() <= 32, "{code}");
        fake.script().stop_replaying("SyncUpdates");
        let (_, scan) = pc.scan().await;
        assert_eq!(verdicts(&scan), first_verdicts());
    }
}
