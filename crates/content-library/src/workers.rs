//! The threads that do blocking file work.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sqlite_engine::Executor;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::limits;

type Job = Box<dyn FnOnce() + Send>;

/// Runs closures on threads behind one bounded queue, or on the caller. The threads end when the
/// library is dropped.
#[derive(Debug)]
pub(crate) enum Workers {
    Threads(mpsc::Sender<Job>),
    Inline,
}

impl Workers {
    pub(crate) fn start(executor: Executor) -> io::Result<Workers> {
        if executor == Executor::Inline {
            return Ok(Workers::Inline);
        }
        let (sender, queue) = mpsc::channel::<Job>(limits::WORK_QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..limits::WORKERS {
            let queue = Arc::clone(&queue);
            // The lock is held while waiting for a job, never while running one.
            let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let work = move || {
                while let Some(job) = next() {
                    job();
                }
            };
            thread::Builder::new().name("content".to_owned()).spawn(work)?;
        }
        Ok(Workers::Threads(sender))
    }

    /// Runs `job` to its end, even if the caller stops waiting for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Workers::Threads(queue) = self else { return job() };
        let (caller, answer) = oneshot::channel();
        let job = move || {
            let _ = caller.send(job());
        };
        queue.send(Box::new(job)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}
