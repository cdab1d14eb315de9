//! A distribution point in the wrong hands.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{Limits, Server, TcpListen};

/// Answers at `address` to every question for a file with the same bytes, while the tasks live.
pub async fn impostor(address: &str, bytes: Vec<u8>) -> JoinSet<()> {
    let listener = TcpListen::bind(address).await.expect("the address is free");
    let router = Router::new().route("/content/sha256/{sha256}", get(async move || bytes));
    let (limits, revoked) = (Limits::default(), Arc::new(|_: &_| false));
    let server = Server { router, credentials: None, limits, revoked };
    let serve = async move {
        server.run(Box::new(listener), CancellationToken::new()).await.expect("serves");
    };
    JoinSet::from_iter([serve])
}
