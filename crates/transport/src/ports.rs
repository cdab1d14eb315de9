//! The ports of a role that serves files, and the tasks around them.
//!
//! Owns that the tasks of a role end together. Refuses to know what is served and what the other
//! tasks do. The role's failure is the first failure of a task; a panic goes on in the role.

use std::fmt;
use std::future::Future;

use axum::Router;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Credentials, Error, Limits, Listen, Revoked, Server};

/// Where a role answers: over TLS, and over plain HTTP what needs no secrecy.
pub struct Ports {
    pub https: Option<Box<dyn Listen>>,
    pub http: Option<Box<dyn Listen>>,
    /// Health and the like, merged into the first port there is.
    pub operations: Router,
    pub revoked: Revoked,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ports { https, http, .. } = self;
        f.debug_struct("Ports").field("https", https).field("http", http).finish_non_exhaustive()
    }
}

/// The running tasks of a role.
#[derive(Debug)]
pub struct TaskGroup<E> {
    stop: CancellationToken,
    running: JoinSet<Result<(), E>>,
}

impl<E: From<Error> + Send + 'static> TaskGroup<E> {
    #[must_use]
    pub fn new(shutdown: &CancellationToken) -> TaskGroup<E> {
        TaskGroup { stop: shutdown.child_token(), running: JoinSet::new() }
    }

    /// Runs `task`, which ends when its token is cancelled.
    pub fn spawn<F>(&mut self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.running.spawn(task(self.stop.clone()));
    }

    /// Answers on both ports. Without `credentials` the links themselves know the peers.
    pub fn serve(
        &mut self,
        ports: Ports,
        credentials: Option<Credentials>,
        [tls, plain]: [Router; 2],
    ) {
        let Ports { https, http, operations, revoked } = ports;
        let mut operations = Some(operations.reset_fallback());
        for (listener, router, credentials) in [(https, tls, credentials), (http, plain, None)] {
            let Some(listener) = listener else { continue };
            let router = operations.take().unwrap_or_default().merge(router);
            let (limits, revoked) = (Limits::default(), revoked.clone());
            let server = Server { router, credentials, limits, revoked };
            self.spawn(|stop| async move { Ok(server.run(listener, stop).await?) });
        }
    }

    /// Waits for all of them. One that ends before its time ends the others.
    pub async fn join(mut self) -> Result<(), E> {
        let mut outcome = Ok(());
        while let Some(ended) = self.running.join_next().await {
            self.stop.cancel();
            match ended {
                Ok(ended) => outcome = outcome.and(ended),
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            }
        }
        outcome
    }
}
