//! The server's side of the protocol, as a foreign client meets it.

use http::Method;
use wsus_protocol::{
    AuthorizationCookie, ConfigData, Cookie, Error as WireError, ErrorCode, Filter,
    GetAuthorizationCookie, GetConfigData, GetCookie, GetRevisionIdList, GetUpdateData, Operation,
    RevisionIdList, Selected, UpdateData, content_path, decode,
};

use super::*;

pub(super) async fn call_for<Q: Message, A: Message>(
    url: &str,
    request: &Q,
) -> Result<A, (ErrorCode, String)> {
    // However a client joins and spells the path.
    let path = format!("/{}", Q::OPERATION.path().to_uppercase());
    let (status, body) = call(url, &path, request).await;
    match decode(body.as_slice()) {
        Ok(answer) => {
            assert_eq!(status, 200);
            Ok(answer)
        }
        Err(WireError::Fault(fault)) => {
            assert_eq!(status, 500);
            Err((fault.code, fault.message))
        }
        Err(error) => panic!("{error:?}"),
    }
}

async fn authorize(url: &str) -> Result<AuthorizationCookie, (ErrorCode, String)> {
    let (name, guid) = ("probe.lab.invalid", "6f1c2f6e-3f0b-4d3a-9b1e-0d2f6a1c5e12");
    let request = GetAuthorizationCookie { account_name: name.into(), account_guid: guid.into() };
    call_for(url, &request).await
}

pub(super) async fn cookie(url: &str, version: &str) -> Result<Cookie, (ErrorCode, String)> {
    let (authorization, protocol_version) = (vec![authorize(url).await?], version.to_owned());
    call_for(url, &GetCookie { authorization, old_cookie: None, protocol_version }).await
}

#[tokio::test]
async fn faults_are_those_of_the_protocol() {
    let bench = Bench::new().await;
    bench.import(&[update(1, "Anvil")]).await;
    let (url, _tasks) = bench.serve().await;
    let good = cookie(&url, "1.20").await.expect("a cookie");
    let updates = async |updates: Vec<UpdateIdentity>| {
        let request = GetUpdateData { cookie: Some(good.clone()), updates };
        call_for::<_, UpdateData>(&url, &request).await.map(|data| data.updates.len())
    };
    let refused = |code, parameter: &str| Err((code, parameter.to_owned()));
    assert_eq!(updates(vec![wire(1); 100]).await, Ok(100));
    let too_many = refused(ErrorCode::InvalidParameters, "updateIds");
    assert_eq!(updates(vec![wire(1); 101]).await, too_many);
    assert_eq!(updates(vec![wire(1), wire(2)]).await, refused(ErrorCode::InternalServerError, ""));
    let list = async |cookie: Option<Cookie>, anchor: &str| {
        let filter = Filter { anchor: Some(anchor.to_owned()), ..Filter::default() };
        let request = GetRevisionIdList { cookie, filter };
        call_for::<_, RevisionIdList>(&url, &request).await.map(|list| list.revisions.len())
    };
    let garbage = refused(ErrorCode::InvalidParameters, "filter");
    assert_eq!(list(Some(good.clone()), "garbage").await, garbage.clone());
    assert_eq!(list(Some(good.clone()), &format!("-1,{}", Uuid::nil())).await, garbage);
    assert_eq!(list(Some(good.clone()), "").await, Ok(1), "an empty anchor is none");
    assert_eq!(list(None, "").await, refused(ErrorCode::InvalidCookie, ""));
    let other = format!("0,{}", Uuid::nil());
    let changed = refused(ErrorCode::ServerChanged, "");
    assert_eq!(list(Some(good.clone()), &other).await, changed);
    let major = cookie(&url, "2.0").await.expect("a cookie");
    let incompatible = refused(ErrorCode::IncompatibleProtocolVersion, "");
    assert_eq!(list(Some(major), &other).await, incompatible);
    let malformed = cookie(&url, "new").await.map(|_| 0);
    assert_eq!(malformed, refused(ErrorCode::InvalidParameters, "protocolVersion"));
    let config = async |anchor: Option<String>| {
        let request = GetConfigData { cookie: Some(good.clone()), anchor };
        let config: ConfigData = call_for(&url, &request).await.expect("configuration");
        (config.updates_max, config.languages.len(), config.anchor)
    };
    let (updates_max, languages, anchor) = config(None).await;
    assert_eq!((updates_max, languages), (100, 39));
    assert_eq!(config(Some(anchor.clone())).await, (100, 0, anchor), "nothing changed since");
}

/// Whatever is wrong with a cookie, the answer is the same but for the name of the fault.
#[tokio::test]
async fn damage_of_any_kind_to_a_cookie_gets_one_answer() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let ((url, _tasks), (elsewhere, _others)) = (bench.serve().await, other.serve().await);
    let refusal = async |data: Vec<u8>| {
        let expires = wsus_protocol::WireTime::from_millis(NOW_MS);
        let request = GetConfigData { cookie: Some(Cookie { expires, data }), anchor: None };
        let (status, body) = call(&url, GetConfigData::OPERATION.path(), &request).await;
        let fault = match decode::<ConfigData>(body.as_slice()) {
            Err(WireError::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        };
        let text = String::from_utf8(body).expect("text").replace(&fault.id.to_string(), "ID");
        (status, fault.code, text)
    };
    let good = cookie(&url, "1.20").await.expect("a cookie").data;
    let expected = refusal(Vec::new()).await;
    assert_eq!((expected.0, &expected.1), (500, &ErrorCode::InvalidCookie));
    for place in 0..good.len() {
        let mut forged = good.clone();
        forged[place] ^= 1;
        assert_eq!(refusal(forged).await, expected, "byte {place}");
    }
    let authorization = authorize(&url).await.expect("authorized").data;
    let replayed = cookie(&elsewhere, "1.20").await.expect("a cookie").data;
    let long = [good.as_slice(), &[0; 600]].concat();
    let truncated = good[..good.len() - 1].to_vec();
    for data in [truncated, good[..1].to_vec(), long, vec![1; 4_096], authorization, replayed] {
        assert_eq!(refusal(data).await, expected);
    }
    let other_version = cookie(&url, "2.0").await.expect("a cookie").data;
    assert_eq!(refusal(other_version.clone()).await.1, ErrorCode::IncompatibleProtocolVersion);
    bench.clock.advance_ms(crate::limits::COOKIE_MS);
    assert_eq!(refusal(good.clone()).await, expected, "expired");
    assert_eq!(refusal(other_version).await, expected, "expired, whatever its version");
    assert_ne!(cookie(&url, "1.20").await.expect("a cookie").data, good);
}

#[tokio::test]
async fn damage_to_an_authorization_gets_one_answer() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let ((url, _tasks), (elsewhere, _others)) = (bench.serve().await, other.serve().await);
    let good = authorize(&url).await.expect("authorized");
    let exchange = async |data: Vec<u8>| {
        let authorization = vec![AuthorizationCookie { data, ..good.clone() }];
        let protocol_version = "1.20".to_owned();
        let request = GetCookie { authorization, old_cookie: None, protocol_version };
        call_for::<_, Cookie>(&url, &request).await.map(drop)
    };
    assert_eq!(exchange(good.data.clone()).await, Ok(()));
    let refused = Err((ErrorCode::InvalidAuthorizationCookie, String::new()));
    let mut forged = good.data.clone();
    forged[20] ^= 1;
    let truncated = good.data[..30].to_vec();
    let replayed = authorize(&elsewhere).await.expect("authorized").data;
    let session = cookie(&url, "1.20").await.expect("a cookie").data;
    for data in [forged, truncated, replayed, session, Vec::new()] {
        assert_eq!(exchange(data).await, refused);
    }
    bench.clock.advance_ms(crate::limits::COOKIE_MS);
    assert_eq!(exchange(good.data.clone()).await, refused, "expired");
}

/// Each id of a filter says for itself whether what changed is enough.
#[tokio::test]
async fn an_id_chosen_anew_brings_what_is_older_than_the_anchor() {
    let bench = Bench::new().await;
    bench.import(&[update(1, "Anvil"), update(2, "Rocket")]).await;
    let (url, _tasks) = bench.serve().await;
    let cookie = cookie(&url, "1.20").await.expect("a cookie");
    let list = async |anchor: Option<String>, products: [(&str, bool); 2]| {
        let product =
            |(name, delta)| Selected { id: categories::product("Acme", name).update.id.0, delta };
        let updates = categories::classification("Updates").update.id.0;
        let filter = Filter {
            anchor,
            categories: Some(products.map(product).to_vec()),
            classifications: Some(vec![Selected { id: updates, delta: true }]),
            languages: Some(vec![Selected { id: 1033, delta: true }]),
            ..Filter::default()
        };
        let request = GetRevisionIdList { cookie: Some(cookie.clone()), filter };
        call_for::<_, RevisionIdList>(&url, &request).await.expect("a list")
    };
    let first = list(None, [("Anvil", false), ("Rocket", false)]).await;
    assert_eq!(first.revisions, [wire(1), wire(2)]);
    bench.import(&[update(3, "Anvil")]).await;
    let anchor = Some(first.anchor);
    let deltas = list(anchor.clone(), [("Anvil", true), ("Rocket", true)]).await;
    assert_eq!(deltas.revisions, [wire(3)]);
    let anew = list(anchor, [("Anvil", true), ("Rocket", false)]).await;
    assert_eq!(anew.revisions, [wire(2), wire(3)]);
}

#[tokio::test]
async fn files_are_served_by_their_digest() {
    let bench = Bench::new().await;
    let named = file(&bench, "a.cab", b"0123456789").await;
    let stranger = file(&bench, "b.cab", b"no update names it").await;
    let mut owner = update(1, "Anvil");
    owner.files.push(named.clone());
    bench.import(&[owner]).await;
    let (url, _tasks) = bench.serve().await;
    let get = async |method: Method, path: &str, range: &str| {
        let mut request = Request::builder().method(method).uri(path);
        if !range.is_empty() {
            request = request.header("range", range);
        }
        let (answer, body) = send(&url, request.body(Bytes::new()).expect("a request")).await;
        (answer.status().as_u16(), String::from_utf8(body).expect("text"))
    };
    let path = content_path(&named.sha1.0, &named.name);
    assert_eq!(get(Method::GET, &path, "").await, (200, "0123456789".to_owned()));
    assert_eq!(get(Method::GET, &path, "bytes=2-4").await, (206, "234".to_owned()));
    assert_eq!(get(Method::HEAD, &path.to_lowercase(), "").await, (200, String::new()));
    let (status, parts) = get(Method::GET, &path, "bytes=0-1,8-").await;
    assert!(status == 206 && parts.contains("\r\n\r\n01\r\n") && parts.contains("\r\n\r\n89\r\n"));
    let stranger = content_path(&stranger.sha1.0, &stranger.name);
    for path in [stranger.as_str(), "/Content/00/none.cab", "/", "/Selfupdate/iuident.cab"] {
        assert_eq!(get(Method::GET, path, "").await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn plain_http_serves_files_only_unless_it_is_opened() {
    let bench = Bench::with(PlainHttp::Content, None).await;
    let (url, _tasks) = bench.serve().await;
    for operation in Operation::ALL {
        let request = Request::post(operation.path()).header("SOAPAction", operation.soap_action());
        let (answer, _) = send(&url, request.body(Bytes::new()).expect("a request")).await;
        assert_eq!(answer.status().as_u16(), 403, "{operation:?}");
    }
}
