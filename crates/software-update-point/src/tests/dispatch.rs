//! Addresses, methods and actions, as foreign clients spell them.

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use transport::Connect as _;
use wsus_protocol::server::{Ping, PingResponse};
use wsus_protocol::{Endpoint, Error as WireError, ErrorCode, Fault, decode};

use super::*;

async fn post(url: &str, path: &str, action: &str, body: String) -> (u16, Vec<u8>) {
    let request = Request::post(path).header("SOAPAction", action).body(Bytes::from(body));
    let (answer, body) = send(url, request.expect("a request")).await;
    (answer.status().as_u16(), body)
}

fn fault(body: &[u8]) -> Fault {
    match decode::<PingResponse>(body) {
        Err(WireError::Fault(fault)) => *fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_operation_is_found_however_it_is_spelled() {
    let (url, _tasks) = Bench::new().await.serve().await;
    for endpoint in Endpoint::all() {
        let (quoted, name) = (endpoint.soap_action(), endpoint.name());
        for path in endpoint.service.paths() {
            let doubled = path.replace('/', "//");
            for (path, action) in [
                (path.to_uppercase(), quoted.as_str()),
                (doubled, quoted.trim_matches('"')),
                (path.to_lowercase(), &quoted.to_uppercase()),
            ] {
                let (status, body) = post(&url, &path, action, String::new()).await;
                let fault = fault(&body);
                assert_eq!(status, 500, "{path} {action}");
                assert_eq!(fault.method, quoted, "{path} {action}");
                assert_ne!(fault.message, "SOAPAction", "{name}");
            }
        }
    }
}

#[tokio::test]
async fn every_service_gives_a_sign_of_life() {
    let (url, _tasks) = Bench::new().await.serve().await;
    for endpoint in Endpoint::all() {
        for path in endpoint.service.paths() {
            let (status, body) = call(&url, path, &Ping { level: 0 }).await;
            let answer: PingResponse = decode(body.as_slice()).expect("a sign of life");
            assert!(status == 200 && answer.service.is_healthy, "{path}");
            assert_eq!(answer.service.time.as_millis(), NOW_MS);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_so() {
    let (url, _tasks) = Bench::new().await.serve().await;
    let (server, client) =
        ("/ServerSyncWebService/ServerSyncWebService.asmx", "/ClientWebService/client.asmx");
    for (path, action, element) in [
        (server, "\"http://www.microsoft.com/SoftwareDistribution/Sync\"", "<soap:Fault>"),
        (server, "", "<soap:Fault>"),
        (server, "\"http://www.microsoft.com/SoftwareDistribution/GetConfig\"", "<soap:Fault>"),
        (client, "\"http://www.microsoft.com/SoftwareDistribution/GetConfig\"", "<s:Fault>"),
    ] {
        let (status, body) = post(&url, path, action, String::new()).await;
        let (fault, text) = (fault(&body), String::from_utf8_lossy(&body));
        assert_eq!((status, fault.code), (500, ErrorCode::InvalidParameters), "{path} {action}");
        assert_eq!(fault.message, "SOAPAction");
        assert!(text.contains(element), "{text}");
    }
    let proxy = "/ServerSyncWebService/ServerSyncProxy.asmx";
    for path in [proxy, "/SelfUpdate/iuident.cab", "/selfupdate/wuident.cab", "/x.asmx"] {
        let ping = Ping::OPERATION.soap_action();
        assert_eq!(post(&url, path, &ping, encode(&Ping { level: 0 })).await.0, 404, "{path}");
    }
    let request = Request::get(server).body(Bytes::new()).expect("a request");
    assert_eq!(send(&url, request).await.0.status().as_u16(), 405);
    let large = " ".repeat(crate::limits::REQUEST_BYTES_MAX + 1);
    assert_eq!(post(&url, server, &Ping::OPERATION.soap_action(), large).await.0, 413);
}

/// Some frameworks send the head first and the body when they are told to.
#[tokio::test]
async fn a_caller_that_waits_to_be_asked_for_the_body_is_asked() {
    let (url, _tasks) = Bench::new().await.serve().await;
    let uri: Uri = url.parse().expect("an address");
    let mut stream = TcpConnect.connect(&uri).await.expect("connects");
    let (body, action) = (encode(&Ping { level: 1 }), Ping::OPERATION.soap_action());
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: sup\r\nSOAPAction: {action}\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        Ping::OPERATION.path(),
        body.len(),
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.expect("told to go on");
    assert_eq!(told.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let lower = answer.to_lowercase();
    assert!(lower.contains("content-length: ") && !lower.contains("transfer-encoding"), "{answer}");
    assert!(answer.contains("<SuccessFlag>true</SuccessFlag>"), "{answer}");
}
