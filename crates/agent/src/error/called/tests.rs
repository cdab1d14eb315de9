use std::io;

use expect_test::expect;
use model::ErrorClass;
use rpc::pb::client::WakeRequest;
use rpc::pb::client::client_service_client::ClientServiceClient;
use tonic::transport::Endpoint;
use tower::service_fn;

use super::*;
use crate::agent::code_of;

/// A call over a channel whose connections fail like this.
async fn call(fails: fn() -> transport::Error) -> Status {
    let endpoint = Endpoint::from_static("http://mp");
    let channel = endpoint.connect_with_connector_lazy(service_fn(move |_| async move {
        Err::<hyper_util::rt::TokioIo<tokio::io::DuplexStream>, _>(fails())
    }));
    let failed = ClientServiceClient::new(channel).wake(WakeRequest {}).await;
    failed.map(drop).expect_err("no connection comes about")
}

fn refused() -> transport::Error {
    let source = io::Error::from_raw_os_error(111);
    transport::Error::Connect { url: "https://mp".to_owned(), source }
}

fn late() -> transport::Error {
    let source = io::Error::from(io::ErrorKind::TimedOut);
    transport::Error::Connect { url: "https://mp".to_owned(), source }
}

fn untrusted() -> transport::Error {
    let (peer, reason) = ("https://mp".to_owned(), "it is of another hierarchy".to_owned());
    transport::Error::Untrusted { peer, reason }
}

/// Symptom: an administrator read `source: tonic::transport::Error(Transport, ConnectError(…` three
/// times over, and a server that refuses connections was called overloaded. Cause: the status of
/// the call was told as it is printed for developers. Repair: what failed is taken out of it.
#[tokio::test]
async fn a_server_that_is_not_reached_is_told_in_words_and_with_its_code() {
    let mut said = String::new();
    let statuses = [
        call(refused).await,
        call(late).await,
        call(untrusted).await,
        rpc::status::refuse(ErrorClass::Unavailable, "not now"),
        rpc::status::refuse(ErrorClass::Denied, "who are you?"),
        rpc::status::refuse(ErrorClass::Internal, "panicked at 'index out of bounds'"),
        rpc::status::refuse(ErrorClass::Invalid, ""),
    ];
    for status in statuses {
        let error = failed("https://mp", &status);
        let (code, class) = (code_of(&error), error.class());
        said += &format!("0x{code:08X} {class:?}: {}\n", error_chain(&error));
    }
    expect![[r#"
        0x80072EFD Unavailable: cannot reach https://mp: Connection refused (os error 111)
        0x80072EFD Unavailable: cannot reach https://mp: it took too long
        0x80072F8F Denied: https://mp is not believed: it is of another hierarchy
        0x80244022 Unavailable: https://mp refused or failed: not now
        0x80244017 Denied: https://mp refused or failed: who are you?
        0x8024FFFF Internal: https://mp refused or failed: panicked at 'index out of bounds'
        0x8024FFFF Invalid: https://mp refused or failed: Client specified an invalid argument
    "#]]
    .assert_eq(&said);
}
