//! A router on a free port of this machine.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{Limits, Listen, Server, TcpListen};

use crate::tls::TlsServer;

/// Its address, for as long as the tasks live. Over TLS if a server is given, which is asked for as
/// 127.0.0.1, whatever its name is.
pub async fn serve(router: Router, tls: Option<&TlsServer>) -> (String, JoinSet<()>) {
    let plain = TcpListen::bind("127.0.0.1:0").await.expect("a free port");
    let address = plain.local_address();
    let (scheme, listener): (_, Box<dyn Listen>) = match tls {
        Some(server) => ("https", server.listen(plain)),
        None => ("http", Box::new(plain)),
    };
    let (limits, revoked) = (Limits::default(), Arc::new(|_: &_| false));
    let server = Server { router, credentials: None, limits, revoked };
    let serving = async move {
        let served = server.run(listener, CancellationToken::new()).await;
        served.expect("a listening server has nothing to fail with");
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(serving);
    (format!("{scheme}://{address}"), tasks)
}

/// As [`serve`], by a server that is none of ours: it asks nobody who he is, whatever he wants.
pub async fn serve_anybody(router: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.expect("it never ends") });
    (format!("http://{address}"), tasks)
}
