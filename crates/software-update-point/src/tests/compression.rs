//! Compressed answers, given and taken, and lists too long to be held.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use wsus_protocol::limits::MESSAGE_BYTES_MAX;
use wsus_protocol::{GetAuthConfig, RevisionIdList, SoapVersion, content_path, decode, xpress};

use super::*;
use crate::soap::{Packing, XPRESS, list_body};

#[tokio::test]
async fn answers_are_compressed_for_those_who_can_read_it() {
    let bench = Bench::new().await;
    let named = file(&bench, "a.cab", b"0123456789").await;
    let mut owner = update(1, "Anvil");
    owner.files.push(named.clone());
    bench.import(&[owner]).await;
    let (url, _tasks) = bench.serve().await;
    let ask = async |accepted: &str| {
        let request = Request::post(GetAuthConfig::OPERATION.path())
            .header("SOAPAction", GetAuthConfig::OPERATION.soap_action())
            .header(header::ACCEPT_ENCODING, accepted)
            .body(Bytes::from(encode(&GetAuthConfig)));
        send(&url, request.expect("a request")).await
    };
    let (answer, whole) = ask("gzip, deflate").await;
    assert_eq!(answer.headers().get(header::CONTENT_ENCODING), None);
    for accepted in ["xpress", "gzip, XPRESS", " xpress ,deflate"] {
        let (answer, packed) = ask(accepted).await;
        assert_eq!(answer.headers().get(header::CONTENT_ENCODING), Some(&XPRESS), "{accepted}");
        assert_eq!(answer.headers()["content-length"], packed.len().to_string());
        assert!(packed.len() < whole.len());
        assert_eq!(xpress::decompress(&packed, whole.len()).expect("unpacks"), whole);
    }
    let path = content_path(&named.sha1.0, &named.name);
    let request = Request::get(path).header(header::ACCEPT_ENCODING, "xpress").body(Bytes::new());
    let (answer, content) = send(&url, request.expect("a request")).await;
    assert_eq!(answer.headers().get(header::CONTENT_ENCODING), None, "files are never compressed");
    assert_eq!(content, b"0123456789");
}

/// The URL of a server that answers everything in this way, while the tasks live.
async fn serve(router: Router) -> (String, JoinSet<()>) {
    let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_address());
    let (limits, revoked) = (Limits::default(), Arc::new(|_: &_| false));
    let server = Server { router, credentials: None, limits, revoked };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        server.run(Box::new(listener), CancellationToken::new()).await.expect("serves");
    });
    (url, tasks)
}

/// What a synchronization ends with when every answer is this compressed body.
async fn failure(packed: Vec<u8>) -> String {
    let answer = async |headers: HeaderMap| {
        assert_eq!(headers[header::ACCEPT_ENCODING], XPRESS, "it is asked for");
        let mut response = Response::new(Body::from(packed));
        response.headers_mut().insert(header::CONTENT_ENCODING, XPRESS);
        response
    };
    let (url, _tasks) = serve(Router::new().fallback(answer)).await;
    let downstream = Bench::new().await;
    let error = downstream.synchronize(&everything(&url)).await.expect_err("is refused");
    error_chain(&error).replace(&url, "URL")
}

#[tokio::test]
async fn a_compressed_answer_that_swells_or_lies_is_refused() {
    let max = usize::try_from(MESSAGE_BYTES_MAX).expect("small");
    let block = xpress::compress(&[b'x'; 16_352]);
    let bomb = block.repeat(max / 16_352 + 1);
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let place = "the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is";
    assert_eq!(failure(bomb).await, format!("{place} larger than {max} bytes"));
    let refused = failure(block[..block.len() - 1].to_vec()).await;
    let unusable = format!("{place} not usable: the compressed body cannot be unpacked: ");
    assert!(refused.starts_with(&unusable), "{refused}");
}

fn list(revisions: u128) -> RevisionIdList {
    RevisionIdList { anchor: "1".to_owned(), revisions: (0..revisions).map(wire).collect() }
}

/// Answers that small pieces make up, however many revisions there are.
#[tokio::test]
async fn a_long_list_is_sent_while_it_is_made() {
    let everything = list(250_000);
    let mut body = list_body(everything.clone(), Packing::Plain, SoapVersion::V11);
    let (mut whole, mut largest) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let piece = frame.expect("a piece").into_data().expect("bytes");
        largest = largest.max(piece.len());
        whole.extend_from_slice(&piece);
    }
    assert!(largest < 1 << 18, "{largest} bytes at once of {}", whole.len());
    assert_eq!(decode::<RevisionIdList>(whole.as_slice()).expect("decodes"), everything);

    for revisions in [0, 1, 999, 1_000, 1_001, 17_000] {
        let list = list(revisions);
        let body = list_body(list.clone(), Packing::Xpress, SoapVersion::V11)
            .collect()
            .await
            .expect("a body");
        let unpacked = xpress::decompress(&body.to_bytes(), 8 << 20).expect("unpacks");
        assert!(unpacked == encode(&list).into_bytes(), "{revisions} revisions");
    }
}

/// Over a connection: the original server tells the length of every answer, and so do we until
/// that would cost memory.
#[tokio::test]
async fn a_long_list_has_no_length_before_it_is_sent() {
    for (revisions, is_long) in [(16_000, false), (16_001, true)] {
        let list = list(revisions);
        let sent = list.clone();
        let answer = async || Response::new(list_body(sent, Packing::Xpress, SoapVersion::V11));
        let (url, _tasks) = serve(Router::new().fallback(answer)).await;
        let request = Request::post("/").body(Bytes::new()).expect("a request");
        let (answer, packed) = send(&url, request).await;
        assert_eq!(answer.headers().contains_key(header::TRANSFER_ENCODING), is_long);
        assert_eq!(answer.headers().contains_key(header::CONTENT_LENGTH), !is_long);
        let whole = xpress::decompress(&packed, 8 << 20).expect("unpacks");
        assert!(decode::<RevisionIdList>(whole.as_slice()).expect("decodes") == list);
    }
}
