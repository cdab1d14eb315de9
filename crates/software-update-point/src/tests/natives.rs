//! What native clients were seen to send, byte for byte but for what no other server can have
//! made, and answers beside those that were captured.

use std::path::Path;

use wsus_protocol::client::{
    ExtendedUpdateInfo2, GetAuthorizationCookie, GetAuthorizationCookieResponse, GetCookie,
    GetCookieResponse, GetExtendedUpdateInfo2, RegisterComputer, StartCategoryScan,
    SyncPrinterCatalog, SyncUpdates,
};
use wsus_protocol::{
    AuthorizationCookie, Cookie, Endpoint, Error as WireError, ErrorCode, WireTime, decode,
    parse_content_path,
};

use super::protocol::call_for;
use super::shapes::{shape, text};
use super::*;

const CLIENT: &str = "c0ffee00-0000-4000-8000-000000000001";
const SOAP_12: &str = "application/soap+xml; charset=utf-8";

/// Posts a request as the native client does.
async fn post(url: &str, endpoint: Endpoint, body: String) -> (u16, String) {
    let request = Request::post(endpoint.path())
        .header("Content-Type", "text/xml; charset=utf-8")
        .header("SOAPAction", endpoint.soap_action())
        .header("User-Agent", "Windows-Update-Agent/1507.2601.30012.0 Client-Protocol/2.90");
    let (answer, body) = send(url, request.body(Bytes::from(body)).expect("a request")).await;
    (answer.status().as_u16(), String::from_utf8(body).expect("text"))
}

/// Posts a request of the later SOAP, which names its action inside alone.
async fn post_12(url: &str, endpoint: Endpoint, body: String) -> (u16, String) {
    let request = Request::post(endpoint.path()).header("Content-Type", SOAP_12);
    let (answer, body) = send(url, request.body(Bytes::from(body)).expect("a request")).await;
    assert_eq!(answer.headers()["content-type"], SOAP_12);
    (answer.status().as_u16(), String::from_utf8(body).expect("text"))
}

/// The text of the first such element.
fn inner<'a>(text: &'a str, element: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{element}>")).expect("is there");
    rest.split_once(&format!("</{element}>")).expect("ends").0
}

/// The frame of the client service's answers with such elements in it, each within the last.
fn framed(captured: &str, elements: &[&str], leaves: &[&str]) -> Vec<String> {
    let frame = captured.split("<GetConfigResponse").next().expect("begins");
    let mut shape = shape(frame);
    for element in elements {
        shape.push(format!("{} > {element}", shape.last().expect("a frame")));
    }
    let way = shape.last().expect("a frame").clone();
    shape.extend(leaves.iter().map(|leaf| format!("{way} > {leaf}")));
    shape
}

async fn authorized(url: &str) -> AuthorizationCookie {
    let request = GetAuthorizationCookie {
        client_id: CLIENT.to_owned(),
        target_group: None,
        dns_name: "pc1.example.com".to_owned(),
    };
    let GetAuthorizationCookieResponse { cookie } =
        call_for(url, &request).await.expect("authorizes");
    cookie
}

/// The inside of a cookie of ours.
async fn session(url: &str) -> Vec<u8> {
    let request = GetCookie {
        authorization: vec![authorized(url).await],
        old_cookie: None,
        last_change: WireTime::NEVER,
        current_time: WireTime::from_millis(NOW_MS),
        protocol_version: "2.90".to_owned(),
    };
    let GetCookieResponse { cookie } = call_for(url, &request).await.expect("a cookie");
    cookie.expect("a cookie").data
}

/// The captured way to a cookie, and what the captured server made of it.
async fn native_cookie(url: &str, captures: &Path) -> String {
    let captured = text(captures, "scan-000003-GetCookie.request.xml");
    let ours = encode(&authorized(url).await);
    let ours = inner(&ours, "CookieData");
    let request = captured.replace(inner(&captured, "CookieData"), ours);
    // The configuration it knows is that of its own server, and older than ours.
    let request = request.replace(inner(&captured, "lastChange"), "2099-01-01T00:00:00Z");
    let (status, body) = post(url, GetCookie::OPERATION, request).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn with_cookie(captured: &str, cookie: &str) -> String {
    captured.replace(inner(captured, "EncryptedData"), inner(cookie, "EncryptedData"))
}

#[tokio::test]
async fn the_captured_way_to_a_scan_is_gone_again() {
    let name = "the_captured_way_to_a_scan_is_gone_again";
    let Some(captures) = reference(name, "captures/client-server") else { return };
    let bench = Bench::new().await;
    bench.import(&sample_categories()).await;
    let (url, _tasks) = bench.serve().await;
    let frame = text(&captures, "m0-000001-GetConfig.response.xml");
    let cookie = native_cookie(&url, &captures).await;
    let space = GetCookie::OPERATION.namespace();
    let response = |name: &str| format!("{name} xmlns=\"{space}\"");
    let (answer, leaves) = (response("GetCookieResponse"), ["Expiration", "EncryptedData"]);
    assert_eq!(shape(&cookie), framed(&frame, &[&answer, "GetCookieResult"], &leaves));
    let captured = text(&captures, "scan-000003-GetCookie.request.xml");
    let (status, fault) = post(&url, GetCookie::OPERATION, captured).await;
    assert_eq!((status, inner(&fault, "ErrorCode")), (500, "InvalidAuthorizationCookie"));

    let register = text(&captures, "scan-000004-RegisterComputer.request.xml");
    let register = with_cookie(&register, &cookie);
    let (status, registered) = post(&url, RegisterComputer::OPERATION, register).await;
    assert_eq!(status, 200, "{registered}");
    let answer = response("RegisterComputerResponse");
    assert_eq!(shape(&registered), framed(&frame, &[&answer], &[]));

    let start = text(&captures, "scan-000005-StartCategoryScan.request.xml");
    let (status, begun) = post(&url, StartCategoryScan::OPERATION, start).await;
    assert_eq!(status, 200, "{begun}");
    let answer = response("StartCategoryScanResponse");
    let unknown = ["requestedCategoryIdsInError", "guid"];
    assert_eq!(shape(&begun), framed(&frame, &[&answer, unknown[0], unknown[1]], &[]));
}

#[tokio::test]
async fn the_captured_details_of_an_update_come_over_the_wire() {
    let name = "the_captured_details_of_an_update_come_over_the_wire";
    let Some(captures) = reference(name, "captures") else { return };
    let document = text(&captures, "documents/266f6222-c89d-43f2-9f8a-69340271e677-r200.xml");
    let captured = text(&captures, "client-server/266f6222-r200.extended.fragment.txt");
    let member = Document::parse(document.as_bytes()).expect("is a document");
    let bench = Bench::new().await;
    bench.import(&sample_categories()).await;
    let documents = vec![document];
    let imported = bench.point.catalog.import(Batch { documents, ..Batch::default() }).await;
    assert_eq!(imported.expect("imports").imported, [member.update]);
    let mut bundle = update(1, "Anvil");
    bundle.relations.bundled = vec![vec![member.update]];
    bench.import(&[bundle]).await;
    bench.point.catalog.complete_version(1).await.expect("completes");
    let (url, _tasks) = bench.serve().await;
    let cookie = native_cookie(&url, &captures.join("client-server")).await;
    let register = text(&captures, "client-server/scan-000004-RegisterComputer.request.xml");
    post(&url, RegisterComputer::OPERATION, with_cookie(&register, &cookie)).await;
    let GetCookieResponse { cookie } = decode(cookie.as_bytes()).expect("decodes");
    let identity =
        UpdateIdentity { update_id: member.update.id.0, revision: member.update.revision };
    let request = GetExtendedUpdateInfo2 {
        cookie,
        updates: vec![identity],
        fragments: vec![wsus_protocol::client::FragmentType::Extended],
        locales: vec!["en".to_owned()],
        device_attributes: None,
        caller_attributes: None,
    };
    let told: ExtendedUpdateInfo2 = call_for(&url, &request).await.expect("details");
    let [update] = told.updates.as_slice() else { panic!("{told:?}") };
    assert_eq!(update.xml.to_text(), captured.trim_end());
    let [location] = told.file_locations.as_slice() else { panic!("{told:?}") };
    let path = location.url.strip_prefix(url.as_str()).expect("the address that was called");
    assert_eq!(parse_content_path(path), Some(member.files[0].sha1.0));
}

/// Large requests of another client, made for the public service: in the later SOAP, with headers.
#[tokio::test]
async fn requests_in_the_later_soap_are_answered_in_it() {
    let name = "requests_in_the_later_soap_are_answered_in_it";
    let Some(templates) = reference(name, "soap-templates") else { return };
    let Some(captures) = reference(name, "captures/client-server") else { return };
    let bench = Bench::new().await;
    bench.import(&sample_categories()).await;
    bench.point.catalog.complete_version(1).await.expect("completes");
    let (url, _tasks) = bench.serve().await;
    let cookie = native_cookie(&url, &captures).await;
    let register = text(&captures, "scan-000004-RegisterComputer.request.xml");
    post(&url, RegisterComputer::OPERATION, with_cookie(&register, &cookie)).await;
    let fault = |(status, body): (u16, String)| {
        let Err(WireError::Fault(fault)) = decode::<Cookie>(body.as_bytes()) else {
            panic!("a fault was expected: {body}")
        };
        let detail = body.contains("</soap:Reason><Detail><ErrorCode>");
        (status, detail, fault.code, fault.message)
    };
    let refused = |code, message: &str| (500, true, code, message.to_owned());

    // It brings no authorization, which the public service does not want either.
    let request = text(&templates, "GetCookie.xml");
    let expected = refused(ErrorCode::InvalidParameters, "authCookies");
    assert_eq!(fault(post_12(&url, GetCookie::OPERATION, request).await), expected);
    let scan = text(&templates, "WUIDRequest.xml").replace("{1}", CLIENT);
    let request = scan.replace("{0}", "AAAA");
    let expected = refused(ErrorCode::InvalidCookie, "");
    assert_eq!(fault(post_12(&url, SyncUpdates::OPERATION, request).await), expected);
    let request = scan.replace("{0}", inner(&cookie, "EncryptedData"));
    let (status, scanned) = post_12(&url, SyncUpdates::OPERATION, request).await;
    assert_eq!(status, 200, "{scanned}");
    assert!(scanned.contains("<SyncUpdatesResult>"), "{scanned}");
    let details = text(&templates, "FE3FileUrl.xml").replace("{0}", CLIENT).replace("{1}", "1");
    let expected = refused(ErrorCode::InvalidCookie, "");
    assert_eq!(fault(post_12(&url, GetExtendedUpdateInfo2::OPERATION, details).await), expected);
}

/// Whatever is wrong with a computer's cookie, the answer is the same but for the fault's id; only
/// what we made ourselves says more.
#[tokio::test]
async fn damage_of_any_kind_to_a_computers_cookie_gets_one_answer() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let ((url, _tasks), (elsewhere, _others)) = (bench.serve().await, other.serve().await);
    let refusal = async |data: Vec<u8>| {
        let expires = WireTime::from_millis(NOW_MS);
        let cookie = Some(Cookie { expires, data });
        let request = SyncPrinterCatalog { cookie, installed_non_leaf: vec![], printers: vec![] };
        let (status, text) = post(&url, SyncPrinterCatalog::OPERATION, encode(&request)).await;
        (status, inner(&text, "ErrorCode").to_owned(), text.replace(inner(&text, "ID"), ""))
    };
    let good = session(&url).await;
    let expected = refusal(Vec::new()).await;
    assert_eq!((expected.0, expected.1.as_str()), (500, "InvalidCookie"));
    for place in 0..good.len() {
        let mut forged = good.clone();
        forged[place] ^= 1;
        assert_eq!(refusal(forged).await, expected, "byte {place}");
        assert_eq!(refusal(good[..place].to_vec()).await, expected, "cut at {place}");
    }
    let of_servers = super::protocol::cookie(&url, "1.20").await.expect("a cookie").data;
    let long = [good.as_slice(), &[0; 600]].concat();
    let replayed = session(&elsewhere).await;
    for data in [of_servers, long, vec![3; 4_096], authorized(&url).await.data, replayed] {
        assert_eq!(refusal(data).await, expected);
    }
    bench.clock.advance_ms(crate::computers::limits::COOKIE_MS);
    assert_eq!(refusal(good).await.1, "CookieExpired");
}

#[tokio::test]
async fn damage_to_a_computers_authorization_gets_one_answer() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let ((url, _tasks), (elsewhere, _others)) = (bench.serve().await, other.serve().await);
    let exchange = async |data: Vec<u8>, version: &str| {
        let good = authorized(&url).await;
        let request = GetCookie {
            authorization: vec![AuthorizationCookie { data, ..good }],
            old_cookie: None,
            last_change: WireTime::NEVER,
            current_time: WireTime::from_millis(NOW_MS),
            protocol_version: version.to_owned(),
        };
        let answer: Result<GetCookieResponse, _> = call_for(&url, &request).await;
        answer.map(drop)
    };
    let good = authorized(&url).await.data;
    assert_eq!(exchange(good.clone(), "2.90").await, Ok(()));
    let version = Err((ErrorCode::InvalidParameters, "protocolVersion".to_owned()));
    assert_eq!(exchange(good.clone(), "new").await, version);
    let refused = Err((ErrorCode::InvalidAuthorizationCookie, String::new()));
    let mut forged = good.clone();
    forged[20] ^= 1;
    let (cut, replayed) = (good[..30].to_vec(), authorized(&elsewhere).await.data);
    for data in [forged, cut, replayed, session(&url).await, Vec::new()] {
        assert_eq!(exchange(data, "2.90").await, refused);
    }
    bench.clock.advance_ms(crate::computers::limits::COOKIE_MS);
    assert_eq!(exchange(good, "2.90").await, refused, "expired");
}
