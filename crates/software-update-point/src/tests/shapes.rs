//! Answers beside those of a real server: the same elements in the same order, declared alike.

use std::path::Path;

use update_metadata::sdp::FileSource;
use wsus_protocol::server::DownloadFiles;
use wsus_protocol::{
    Filter, GetAuthConfig, GetConfigData, GetCookie, GetRevisionIdList, GetUpdateData, UpdateData,
    decode,
};

use super::protocol::cookie;
use super::*;

const SERVER: &str = "/ServerSyncWebService/ServerSyncWebService.asmx";

/// Every element with the way to it, as its start tag is written, in the order of first
/// occurrence.
pub(super) fn shape(xml: &str) -> Vec<String> {
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    for part in xml.split('<').skip(1) {
        let tag = part.split('>').next().expect("it ends");
        if tag.starts_with('/') {
            open.pop();
            continue;
        }
        open.push(tag.trim_end_matches('/').trim_end().to_owned());
        let path = open.join(" > ");
        if !seen.contains(&path) {
            seen.push(path);
        }
        if tag.ends_with(['/', '?']) {
            open.pop();
        }
    }
    seen
}

pub(super) fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("readable")
}

async fn answer<M: Message>(url: &str, request: &M) -> Vec<String> {
    let (_, body) = call(url, M::OPERATION.path(), request).await;
    shape(&String::from_utf8(body).expect("text"))
}

#[tokio::test]
async fn answers_have_the_shape_of_a_real_server_s() {
    let name = "answers_have_the_shape_of_a_real_server_s";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let captured = |name: &str| shape(&text(&folder, name));
    let update = text(&folder, "000014-GetUpdateData-leaf-with-file.response.xml");
    let data: UpdateData = decode(update.as_bytes()).expect("decodes");
    let bench = Bench::new().await;
    let identity = data.updates[0].identity;
    let documents = vec![data.updates[0].document.unpack().expect("unpacks")];
    let sources = data.file_urls.into_iter();
    let sources =
        sources.map(|file| FileSource { sha1: Sha1(file.sha1), url: file.public_url }).collect();
    bench.point.catalog.import(Batch { documents, sources, anchor: None }).await.expect("imports");
    let (url, _tasks) = bench.serve().await;
    let good = Some(cookie(&url, "1.20").await.expect("a cookie"));
    let config = captured("000001-GetAuthConfig.response.xml");
    assert_eq!(answer(&url, &GetAuthConfig).await, config);
    let request = GetConfigData { cookie: good.clone(), anchor: None };
    assert_eq!(answer(&url, &request).await, captured("000005-GetConfigData.response.xml"));
    let request = GetUpdateData { cookie: good.clone(), updates: vec![identity] };
    assert_eq!(answer(&url, &request).await, shape(&update));

    let request = GetUpdateData { cookie: good.clone(), updates: vec![wire(99)] };
    let fault = captured("000017-GetUpdateData-unknown-id.fault.xml");
    assert_eq!(answer(&url, &request).await, fault);
    let filter = Filter { anchor: Some("garbage".to_owned()), ..Filter::default() };
    let request = GetRevisionIdList { cookie: good, filter };
    let fault = captured("000018-GetRevisionIdList-bad-anchor.fault.xml");
    assert_eq!(answer(&url, &request).await, fault);
    let request = GetRevisionIdList { cookie: None, filter: Filter::default() };
    let fault = captured("000019-GetRevisionIdList-no-cookie.fault.xml");
    assert_eq!(answer(&url, &request).await, fault);
    assert_eq!(answer(&url, &DownloadFiles { cookie: None, sha1: Vec::new() }).await, fault);
}

/// The requests a real server or a tool beside it was seen to send, byte for byte but for the
/// cookie, which no other server can have made.
#[tokio::test]
async fn captured_requests_are_answered() {
    let name = "captured_requests_are_answered";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let bench = Bench::new().await;
    let mut update = Document::new(reference_to(1, 7), UpdateKind::Software, "Definitions");
    for id in ["8c3fcc84-7410-4a95-8b89-a166a0190486", "e0789628-ce08-4437-be74-2495b842f43b"] {
        let any_of = vec![UpdateId(id.parse().expect("a GUID"))];
        update.relations.prerequisites.push(Prerequisite { any_of, is_category: true });
    }
    bench.import(&[update]).await;
    let (url, _tasks) = bench.serve().await;
    let post = async |path: &str, action: &str, body: String| {
        let request = Request::post(path)
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("SOAPAction", action)
            .body(Bytes::from(body));
        let (answer, body) = send(&url, request.expect("a request")).await;
        assert_eq!(answer.status().as_u16(), 200);
        String::from_utf8(body).expect("text")
    };
    let authorized = post(
        "/DssAuthWebService/DssAuthWebService.asmx",
        "\"http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService/GetAuthorizationCookie\"",
        text(&folder, "000002-DssGetAuthorizationCookie.request.xml"),
    )
    .await;
    let space = "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService";
    let expected = text(&folder, "000001-GetAuthConfig.response.xml");
    let frame = shape(expected.split("<GetAuthConfigResponse").next().expect("begins"));
    let way = format!(
        "{} > GetAuthorizationCookieResponse xmlns=\"{space}\"",
        frame.last().expect("the body"),
    );
    let result = format!("{way} > GetAuthorizationCookieResult");
    let (plug_in, data) = (format!("{result} > PlugInId"), format!("{result} > CookieData"));
    assert_eq!(shape(&authorized), [frame.as_slice(), &[way, result, plug_in, data]].concat());

    let authorization = vec![decode(authorized.as_bytes()).expect("decodes")];
    let protocol_version = "1.20".to_owned();
    let request = GetCookie { authorization, old_cookie: None, protocol_version };
    let (_, body) = call(&url, GetCookie::OPERATION.path(), &request).await;
    let admitted = String::from_utf8(body).expect("text");
    assert_eq!(shape(&admitted), shape(&text(&folder, "000003-GetCookie.response.xml")));

    let between = |text: &str| {
        let (before, rest) = text.split_once("<Expiration>").expect("a cookie");
        let (inside, after) = rest.split_once("</EncryptedData>").expect("a cookie");
        [before, inside, after].map(str::to_owned)
    };
    let request = text(&folder, "000009-GetRevisionIdList-product-and-class.request.xml");
    let ([before, _, after], [_, ours, _]) = (between(&request), between(&admitted));
    let request = format!("{before}<Expiration>{ours}</EncryptedData>{after}");
    let action = "\"http://www.microsoft.com/SoftwareDistribution/GetRevisionIdList\"";
    let listed = post(SERVER, action, request).await;
    let (_, content) = listed.split_once("<NewRevisions>").expect("revisions");
    let id = Uuid::from_u128(1);
    assert_eq!(
        content,
        format!(
            "<UpdateIdentity><UpdateID>{id}</UpdateID><RevisionNumber>7</RevisionNumber>\
             </UpdateIdentity></NewRevisions></GetRevisionIdListResult>\
             </GetRevisionIdListResponse></soap:Body></soap:Envelope>"
        )
    );
}
