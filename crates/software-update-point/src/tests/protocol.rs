//! The server's side of the protocol, as a foreign client meets it.

use http::Method;
use wsus_protocol::{
    AuthorizationCookie, ConfigData, Cookie, Error as WireError, ErrorCode, Filter,
    GetAuthorizationCookie, GetConfigData, GetCookie, GetRevisionIdList, GetUpdateData, Operation,
    RevisionIdList, UpdateData, content_path, decode,
};

use super::*;

async fn call_for<Q: Message, A: Message>(
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

async fn cookie(url: &str, version: &str) -> Result<Cookie, (ErrorCode, String)> {
    let (name, guid) = ("probe.lab.invalid", "6f1c2f6e-3f0b-4d3a-9b1e-0d2f6a1c5e12");
    let request = GetAuthorizationCookie { account_name: name.into(), account_guid: guid.into() };
    let authorization: AuthorizationCookie = call_for(url, &request).await?;
    let (authorization, protocol_version) = (vec![authorization], version.to_owned());
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
    assert_eq!(list(Some(good.clone()), "garbage").await, garbage);
    assert_eq!(list(None, "").await, refused(ErrorCode::InvalidCookie, ""));
    let other = format!("0,{}", Uuid::nil());
    let changed = refused(ErrorCode::ServerChanged, "");
    assert_eq!(list(Some(good.clone()), &other).await, changed);
    let major = cookie(&url, "2.0").await.expect("a cookie");
    let incompatible = refused(ErrorCode::IncompatibleProtocolVersion, "");
    assert_eq!(list(Some(major), &other).await, incompatible);
    let malformed = cookie(&url, "new").await.map(|_| 0);
    assert_eq!(malformed, refused(ErrorCode::InvalidParameters, "protocolVersion"));
    let request = GetConfigData { cookie: Some(good), anchor: Some("1".to_owned()) };
    let config: ConfigData = call_for(&url, &request).await.expect("configuration");
    assert_eq!((config.updates_max, config.languages.len()), (100, 0));
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
