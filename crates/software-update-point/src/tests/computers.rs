//! A simulated computer against the real server, and what the native one sent against it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use testkit::facts::Computer;
use testkit::sample::sample;
use testkit::windows::{self, Agent, Documents, Scan, Setup};
use wsus_protocol::client::*;
use wsus_protocol::reporting::*;
use wsus_protocol::{
    AuthorizationCookie, ClientCookieKind, ClientCredential, Cookie, Endpoint, Error as WireError,
    ErrorCode, WireTime, decode,
};

use super::*;

pub(super) const CLIENT: Uuid = Uuid::from_u128(0xc0);
/// Steps of a scan of the sample catalog: companies, their family, its products, the updates.
const STEPS: usize = 4;

pub(super) async fn ask<Q: Message, A: Message>(
    url: &str,
    request: &Q,
) -> Result<A, (ErrorCode, String)> {
    let (status, body) = call(url, Q::OPERATION.path(), request).await;
    match decode(body.as_slice()) {
        Ok(answer) => Ok(answer),
        Err(WireError::Fault(fault)) => {
            assert_eq!(status, 500);
            Err((fault.code, fault.message))
        }
        Err(error) => panic!("{error:?}: {}", String::from_utf8_lossy(&body)),
    }
}

/// A simulated Windows computer that has called nobody yet.
pub(super) fn agent(client: Uuid, url: &str, documents: &Documents) -> Agent {
    Agent::new(Setup {
        url: url.to_owned(),
        client,
        dns_name: "pc1.example.com".to_owned(),
        computer: Computer::new(0),
        ambient: Ambient::new(Arc::new(ManualClock::at(NOW_MS)), Arc::new(SystemEntropy)),
        documents: documents.clone(),
    })
}

/// One that has scanned.
async fn scanned(url: &str) -> (Agent, Scan) {
    let mut agent = agent(CLIENT, url, &Documents::default());
    let scan = agent.scan().await.expect("scans");
    (agent, scan)
}

async fn step(
    url: &str,
    cookie: &Cookie,
    parameters: SyncParameters,
) -> Result<SyncInfo, (ErrorCode, String)> {
    ask(url, &SyncUpdates { cookie: Some(cookie.clone()), parameters }).await
}

pub(super) fn cookie(agent: &Agent) -> Cookie {
    agent.cookie().cloned().expect("it has scanned")
}

/// Authorizes and gets a cookie.
pub(super) async fn session(
    url: &str,
    client: Uuid,
    last_change: WireTime,
    old_cookie: Option<Cookie>,
) -> Cookie {
    let request = GetAuthorizationCookie {
        client_id: client.to_string(),
        target_group: None,
        dns_name: "pc1.example.com".to_owned(),
    };
    let GetAuthorizationCookieResponse { cookie } = ask(url, &request).await.expect("authorizes");
    let request = GetCookie {
        authorization: vec![cookie],
        old_cookie,
        last_change,
        current_time: WireTime::from_millis(NOW_MS),
        protocol_version: "2.90".to_owned(),
    };
    let GetCookieResponse { cookie } = ask(url, &request).await.expect("a cookie");
    cookie.expect("a cookie")
}

fn captured(test: &str) -> Option<PathBuf> {
    reference(test, "captures")
}

fn text(folder: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("is readable")
}

pub(super) async fn complete(bench: &Bench, documents: &[Document], version: u64) {
    for batch in documents.chunks(1_000) {
        bench.import(batch).await;
    }
    bench.point.catalog.complete_version(version).await.expect("completes");
}

#[tokio::test]
async fn a_computer_scans_until_nothing_is_needed() {
    let bench = Bench::new().await;
    let mut documents = sample(bench.directory.path()).documents;
    if let Some(folder) = captured("a_computer_scans_until_nothing_is_needed") {
        for file in std::fs::read_dir(folder.join("documents")).expect("a folder") {
            let xml = std::fs::read(file.expect("a file").path()).expect("is readable");
            documents.push(Document::parse(&xml).expect("is a document"));
        }
    }
    complete(&bench, &documents, 1).await;
    let (url, _tasks) = bench.serve().await;
    let early = session(&url, CLIENT, WireTime::from_millis(NOW_MS * 2), None).await;
    let unregistered = step(&url, &early, SyncParameters::default()).await.expect_err("is unknown");
    assert_eq!(unregistered.0, ErrorCode::RegistrationRequired);
    let (mut agent, scan) = scanned(&url).await;
    // Configuration, two cookies and the registration come first.
    assert_eq!((scan.steps, scan.requests), (STEPS, STEPS + 4));
    let told: BTreeSet<_> = agent.known().values().map(|known| known.update.update_id).collect();
    let is_for_windows = |d: &&Document| !d.uses_linux_rules() && !d.properties.is_expired;
    let is_offered = |d: &&Document| d.is_item() && d.properties.is_explicitly_deployable;
    let expected: Vec<_> = documents.iter().filter(is_for_windows).filter(is_offered).collect();
    assert_eq!(agent.ids(DeploymentAction::PreDeploymentCheck).len(), expected.len());
    assert!(expected.iter().all(|document| told.contains(&document.update.id.0)));
    assert_eq!(agent.ids(DeploymentAction::Bundle).len(), 1);
    let for_linux = documents.iter().filter(|document| document.uses_linux_rules());
    assert_eq!(for_linux.filter(|d| told.contains(&d.update.id.0)).count(), 0);
    // Whatever it knows and whatever it found, a rescan costs one request.
    let rescan = agent.scan().await.expect("scans");
    let nothing = Scan { requests: 1, steps: 1, received: rescan.received, ..Scan::default() };
    assert_eq!(rescan, nothing);
    assert!(rescan.received < 1_024, "{rescan:?}");
    let info = agent.step().await.expect("an answer");
    assert_eq!(info, SyncInfo { new_cookie: info.new_cookie.clone(), ..driverless() });
    let drivers = SyncParameters { skip_software: true, cached_drivers: vec![7], ..agent.held() };
    let drivers = step(&url, &cookie(&agent), drivers).await.expect("an answer");
    assert_eq!((drivers.new.len(), drivers.out_of_scope), (0, vec![7]));
    assert_eq!(drivers.driver_sync_not_needed, Some(true));
}

fn driverless() -> SyncInfo {
    SyncInfo { driver_sync_not_needed: Some(true), ..SyncInfo::default() }
}

#[tokio::test]
async fn details_come_in_the_wanted_language_with_places_of_files() {
    let bench = Bench::new().await;
    let documents = sample(bench.directory.path()).documents;
    complete(&bench, &documents, 1).await;
    let (url, _tasks) = bench.serve().await;
    let (agent, _) = scanned(&url).await;
    let revisions: Vec<i32> =
        agent.ids(DeploymentAction::PreDeploymentCheck).into_iter().take(3).collect();
    let request = GetExtendedUpdateInfo {
        cookie: Some(cookie(&agent)),
        revisions: [revisions.as_slice(), &[99_999]].concat(),
        fragments: vec![FragmentType::Extended, FragmentType::LocalizedProperties],
        locales: vec!["de-AT".to_owned(), "en".to_owned()],
        device_attributes: None,
        geo_id: None,
        caller_attributes: None,
    };
    let info: ExtendedUpdateInfo = ask(&url, &request).await.expect("details");
    let ids: Vec<i32> = info.updates.iter().map(|update| update.id).collect();
    assert_eq!((ids, info.out_of_scope), ([&revisions[..], &revisions].concat(), vec![99_999]));
    let texts: Vec<String> = info.updates.iter().map(|update| update.xml.to_text()).collect();
    assert!(texts[..3].iter().all(|text| text.starts_with("<ExtendedProperties ")), "{texts:?}");
    assert!(texts[3..].iter().all(|text| text.contains("(Muster)")), "{texts:?}");
    let (file, location) = (&info.file_locations[0].sha1, &info.file_locations[0].url);
    let path = location.strip_prefix(url.as_str()).expect("the address that was called");
    assert_eq!(wsus_protocol::parse_content_path(path).as_ref(), Some(file));
    let updates = revisions.iter().map(|id| agent.known()[id].update).collect();
    let request = GetExtendedUpdateInfo2 {
        cookie: Some(cookie(&agent)),
        updates,
        fragments: vec![FragmentType::FileUrl],
        locales: Vec::new(),
        device_attributes: None,
        caller_attributes: None,
    };
    let again: ExtendedUpdateInfo2 = ask(&url, &request).await.expect("details");
    assert_eq!((again.updates.len(), &again.file_locations), (0, &info.file_locations));
    let sha1 = vec![[9; 20], *file];
    let request = GetFileLocations { cookie: Some(cookie(&agent)), sha1 };
    let found: FileLocations = ask(&url, &request).await.expect("locations");
    assert_eq!(found.locations, info.file_locations[..1]);
}

#[tokio::test]
async fn what_changes_is_told_once() {
    let bench = Bench::new().await;
    let (mut documents, leaf) = (sample_categories(), update(1, "Anvil"));
    documents.extend([leaf.clone(), update(2, "Anvil"), update(3, "Rocket")]);
    documents.iter_mut().for_each(|d| d.rules.is_installed = Some(update_metadata::Rule::True));
    complete(&bench, &documents, 1).await;
    let (url, _tasks) = bench.serve().await;
    let (mut agent, _) = scanned(&url).await;
    let mut next = update(4, "Anvil");
    let any_of = vec![leaf.update.id];
    next.relations.prerequisites.push(Prerequisite { any_of, is_category: false });
    next.rules.is_installed = Some(update_metadata::Rule::True);
    bench.point.catalog.remove(vec![reference_to(3, 1).id]).await.expect("removes");
    complete(&bench, std::slice::from_ref(&next), 2).await;
    // Its cookie runs out in between; what it knows does not.
    let last_change = WireTime::from_millis(1_795_219_200_000);
    let renewed = session(&url, CLIENT, last_change, Some(cookie(&agent))).await;
    agent.replace_cookie(renewed);
    let info = agent.step().await.expect("an answer");
    let number = |id: i32| agent.known()[&id].update.update_id.as_u128();
    let changed: Vec<_> = info.changed.iter().map(|c| (number(c.id), c.is_leaf)).collect();
    assert_eq!((changed, info.new.len(), info.out_of_scope.len()), (vec![(1, false)], 0, 1));
    assert_eq!(info.changed[0].xml, None);
    let info = agent.step().await.expect("an answer");
    assert_eq!((info.changed.len(), info.new.len(), info.out_of_scope.len()), (0, 1, 0));
    let rescan = agent.step().await.expect("an answer");
    assert_eq!((rescan.changed.len(), rescan.new.len()), (0, 0));
    // After the server has changed, computers ask for the numbers of what they know.
    let updates = vec![wire(1), wire(3), wire(4)];
    let request = RefreshCache { cookie: Some(cookie(&agent)), updates };
    let RefreshedUpdates(refreshed) = ask(&url, &request).await.expect("numbers");
    let numbers: Vec<_> =
        refreshed.iter().map(|r| (r.update.update_id.as_u128(), r.is_leaf)).collect();
    assert_eq!(numbers, [(1, false), (4, true)]);
    assert!(refreshed.iter().all(|r| agent.known()[&r.id].update == r.update));
}

#[tokio::test]
async fn a_large_catalog_comes_in_few_steps() {
    let bench = Bench::new().await;
    let mut documents = sample_categories();
    documents.iter_mut().for_each(|d| d.rules.is_installed = Some(update_metadata::Rule::True));
    let categories = documents.len();
    documents.extend((1..=1_700).map(|number| update(number, "Anvil")));
    complete(&bench, &documents, 1).await;
    let (url, _tasks) = bench.serve().await;
    let mut agent = agent(CLIENT, &url, &Documents::default());
    let largest = {
        let mut largest = 0;
        for expected in [2, 2, 800, 800, 100] {
            let info = agent.step().await.expect("an answer");
            assert_eq!(info.new.len(), expected);
            assert_eq!(info.is_truncated, expected == 800);
            largest = largest.max(encode(&info).len());
        }
        largest
    };
    assert_eq!(agent.known().len(), categories + 1_700);
    assert!(largest < 1_200_000, "{largest}");
}

/// None of the texts has been derived before, so all of them do that work at the same time.
#[tokio::test]
async fn two_thousand_computers_scan_at_once() {
    let bench = Bench::new().await;
    let documents = sample(bench.directory.path()).documents;
    complete(&bench, &documents, 1).await;
    let (url, _tasks) = bench.serve().await;
    let documents = Documents::default();
    let scan = async |number: u128| {
        loop {
            let mut agent = agent(Uuid::from_u128(number), &url, &documents);
            match agent.scan().await {
                // Who says nothing for ten seconds is cut off, as may come on a machine with other
                // work; it asks again, as computers do.
                Err(windows::Error::Http { reason, .. }) if reason.contains("connection") => {}
                scan => {
                    assert_eq!(scan.expect("scans").steps, STEPS);
                    break agent.known().keys().copied().collect::<Vec<_>>();
                }
            }
        }
    };
    let all = futures_util::future::join_all((1..=2_000).map(scan)).await;
    assert!(all[0].len() > 30 && all.iter().all(|known| *known == all[0]));
}

#[tokio::test]
async fn cookies_and_parameters_are_checked() {
    let bench = Bench::new().await;
    complete(&bench, &sample_categories(), 1).await;
    let (url, _tasks) = bench.serve().await;
    let (agent, _) = scanned(&url).await;
    let good = cookie(&agent);
    let point = &bench.point;
    let content =
        point.cookie_key.open_client(ClientCookieKind::Session, &good.data).expect("is our own");
    let made = |kind, content: ClientCredential| Cookie {
        data: point.cookie_key.seal_client(kind, &content, [1; 12]),
        ..good.clone()
    };
    let session = ClientCookieKind::Session;
    let (early, now) = (WireTime::MIN, WireTime::from_millis(NOW_MS));
    let refused = [
        (made(ClientCookieKind::Authorization, content), ErrorCode::InvalidCookie),
        (Cookie { data: vec![2; 90], ..good.clone() }, ErrorCode::InvalidCookie),
        (
            made(session, ClientCredential { server_id: Uuid::nil(), ..content }),
            ErrorCode::ServerChanged,
        ),
        (made(session, ClientCredential { expires: now, ..content }), ErrorCode::CookieExpired),
        (
            made(session, ClientCredential { config_changed: early, ..content }),
            ErrorCode::ConfigChanged,
        ),
    ];
    for (cookie, code) in refused {
        let parameters = SyncParameters::default();
        let error = step(&url, &cookie, parameters).await.expect_err("is refused");
        assert_eq!(error, (code, String::new()));
    }
    let installed_non_leaf = vec![1; 401];
    let too_many = SyncParameters { installed_non_leaf, ..SyncParameters::default() };
    let misplaced = SyncParameters { devices: Some(Vec::new()), ..SyncParameters::default() };
    for (parameters, name) in
        [(too_many, "parameters.InstalledNonLeafUpdateIDs"), (misplaced, "parameters.SystemSpec")]
    {
        let error = step(&url, &good, parameters).await.expect_err("is refused");
        assert_eq!(error, (ErrorCode::InvalidParameters, name.to_owned()));
    }
    let request = SyncPrinterCatalog {
        cookie: Some(good.clone()),
        installed_non_leaf: Vec::new(),
        printers: vec![3],
    };
    let printers: SyncPrinterCatalogResponse = ask(&url, &request).await.expect("an answer");
    assert_eq!((printers.info.new.len(), printers.info.out_of_scope), (0, vec![3]));
    let report = ReportEventBatch { cookie: Some(good), client_time: now, events: Vec::new() };
    let taken: ReportEventBatchResponse = ask(&url, &report).await.expect("an answer");
    assert!(taken.is_accepted);
    let report = ReportEventBatch { cookie: None, ..report };
    let error = ask::<_, ReportEventBatchResponse>(&url, &report).await.expect_err("is refused");
    assert_eq!(error.0, ErrorCode::InvalidCookie);
}

#[tokio::test]
async fn every_operation_of_computers_is_there() {
    let bench = Bench::new().await;
    let (url, _tasks) = bench.serve().await;
    let theirs: Vec<_> =
        Endpoint::all().filter(|endpoint| crate::computers::is_theirs(*endpoint)).collect();
    assert_eq!(theirs.len(), 11 + 1 + 4);
    for endpoint in theirs {
        let request = Request::post(endpoint.path())
            .header("SOAPAction", endpoint.soap_action())
            .body(Bytes::from_static(b"<not-soap/>"))
            .expect("a request");
        let (answer, body) = send(&url, request).await;
        let fault = decode::<AuthorizationCookie>(body.as_slice()).expect_err("is a fault");
        let WireError::Fault(fault) = fault else { panic!("{endpoint:?}: {fault}") };
        assert_eq!(answer.status().as_u16(), 500);
        assert_eq!(fault.code, ErrorCode::InvalidParameters, "{endpoint:?}");
        assert_eq!(fault.method, endpoint.soap_action());
    }
}

/// The text of the first such element.
fn inner<'a>(text: &'a str, element: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{element}>")).expect("is there");
    rest.split_once(&format!("</{element}>")).expect("ends").0
}

/// Empties what no two servers have in common.
fn shape(text: &str) -> String {
    let mut text = text.replace(" />", "/>");
    for element in ["ID", "LastChange", "LastChangeTime", "Expiration", "EncryptedData"] {
        let (start, end) = (format!("<{element}>"), format!("</{element}>"));
        let parts: Vec<&str> = text.split(&start).collect();
        let rest = parts[1..].iter().map(|part| part.split_once(&end).expect("ends").1);
        let joined: Vec<&str> = std::iter::once(parts[0]).chain(rest).collect();
        text = joined.join(&format!("{start}{end}"));
    }
    text
}

/// Sends a captured request, with a cookie of ours in it, and gives the answer.
async fn replay<M: Message>(url: &str, captured: &str, cookie: &Cookie) -> String {
    let ours = encode(&RefreshCache { cookie: Some(cookie.clone()), updates: Vec::new() });
    let body = captured.replace(inner(captured, "EncryptedData"), inner(&ours, "EncryptedData"));
    let request = Request::post(M::OPERATION.path())
        .header("SOAPAction", M::OPERATION.soap_action())
        .body(Bytes::from(body))
        .expect("a request");
    let (answer, body) = send(url, request).await;
    assert_eq!(answer.status().as_u16(), 200);
    String::from_utf8(body).expect("text")
}

#[tokio::test]
async fn native_requests_get_answers_of_the_captured_shape() {
    let test = "native_requests_get_answers_of_the_captured_shape";
    let Some(folder) = captured(test) else { return };
    let microsoft = text(&folder, "documents/56309036-4c77-4dd9-951a-99ee9c246a94-r101.xml");
    let bench = Bench::new().await;
    let company = Document::parse(microsoft.as_bytes()).expect("is a document");
    let documents = vec![microsoft];
    let imported = bench.point.catalog.import(Batch { documents, ..Batch::default() }).await;
    assert_eq!(imported.expect("imports").imported, [company.update]);
    let product = UpdateId("dd78b8a1-0b20-45c1-add6-4da72e9364cf".parse().expect("an id"));
    let product = UpdateRef { id: product, revision: 1 };
    let mut product = Document::new(product, UpdateKind::Category, "OOBE ZDP");
    let any_of = vec![company.update.id];
    product.relations.prerequisites.push(Prerequisite { any_of, is_category: true });
    complete(&bench, &[product.clone(), categories::classification("Updates")], 1).await;
    let (url, _tasks) = bench.serve().await;
    let client = folder.join("client-server");
    let request = GetConfig { protocol_version: Some("2.90".to_owned()) };
    let (_, config) = call(&url, GetConfig::OPERATION.path(), &request).await;
    let config = String::from_utf8(config).expect("text").replace("sup.example.com", "REDACTED2");
    assert_eq!(shape(&config), shape(&text(&client, "m0-000001-GetConfig.response.xml")));
    let cookie = session(&url, CLIENT, WireTime::from_millis(NOW_MS * 2), None).await;
    let register = text(&client, "scan-000004-RegisterComputer.request.xml");
    replay::<RegisterComputer>(&url, &register, &cookie).await;
    let registered = bench.point.computers.describe(CLIENT).await.expect("reads");
    let expected = "REDACTED3 | 10.0.26200 | Windows 10 Pro | Standard PC (Q35 + ICH9, 2009) \
                    | AMD64 | 1507.2601.30012.0 | 1795168800000";
    assert_eq!(registered.as_deref(), Some(expected));
    let start = text(&client, "scan-000005-StartCategoryScan.request.xml");
    let start: StartCategoryScan = decode(start.as_bytes()).expect("decodes");
    let begun: StartCategoryScanResponse = ask(&url, &start).await.expect("an answer");
    assert_eq!((begun.preferred, begun.in_error.len()), (vec![product.update.id.0], 0));
    let first = text(&client, "scan-000006-SyncUpdates-first.request.xml");
    let first = replay::<SyncUpdates>(&url, &first, &cookie).await;
    let expected = text(&client, "scan-000006-SyncUpdates-first.response.xml");
    assert_eq!(shape(&first), shape(&expected));
    let id = inner(inner(&first, "UpdateInfo"), "ID");
    let details = text(&client, "scan-000010-GetExtendedUpdateInfo.request.xml");
    let details = details.replace("108226", id);
    let details = replay::<GetExtendedUpdateInfo>(&url, &details, &cookie).await;
    let expected = text(&client, "scan-000010-GetExtendedUpdateInfo.response.xml");
    let of_company = |text: &str, id: &str| -> Vec<String> {
        let updates = text.split("<Update>").filter(|part| part.starts_with(&format!("<ID>{id}<")));
        updates.map(|update| inner(update, "Xml").to_owned()).collect()
    };
    assert_eq!(of_company(&details, id), of_company(&expected, "108226"));
    assert_eq!(of_company(&details, id).len(), 2);
    let report = text(&client, "flow-000018-ReportEventBatch.request.xml");
    let taken = replay::<ReportEventBatch>(&url, &report, &cookie).await;
    assert_eq!(inner(&taken, "ReportEventBatchResult"), "true");
}
